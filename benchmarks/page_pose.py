r"""Pose estimation in the page and in Python: processor time of a picture, and how alike it is.

Pictures of a video are looked at in headless Chromium, in one thread of WebAssembly, and in Python
as the server does it, by turns of ten; the first ten of each are not measured. Of the server a
picture also takes reading its JPEG. Needs ``skeletonagent page fetch`` and ``pose fetch``.

Example:
  python -m benchmarks.mannequin skeletons/utd_mhad --out rendered --only a01_s01_t01 --every 1 \
      --videos 1
  python -m benchmarks.page_pose rendered/a01_s01_t01.mp4
"""

from __future__ import annotations

import io
import shutil
import time
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image
from playwright.sync_api import sync_playwright
from rich.table import Table

from benchmarks.measuring import Spread
from benchmarks.page_engine import ORIGIN, page_server
from benchmarks.report_pictures import BROWSERS
from skeletonagent.cli.console import output
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.page.browser_pose import BrowserPose, pose_facts
from skeletonagent.page.fetch import find_web_runtime
from skeletonagent.pose.estimate import PoseOptions, build_estimator
from skeletonagent.server.stream_session import read_picture
from skeletonagent.video.reading import read_frames

_TURN = 10
"""Pictures that one engine looks at before the other does."""
_FPS = 15
"""Pictures a second that the page sends of a camera."""

BEGIN = """async (facts) => {
  const get = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
  const { PoseModel } = await import("/page/pose/pose_model.js");
  const { BrowserPoses } = await import("/page/pose/browser_poses.js");
  const ort = await import("/runtime.mjs");
  const wasm = await get("/wasm");
  const open = async (name) => PoseModel.open(ort, await get(`/${name}`), wasm);
  const models = { detector: await open("detector"), landmarks: await open("landmarks") };
  const description = { pose: facts, limits: { max_persons: facts.estimate.max_persons } };
  globalThis.estimator = new BrowserPoses(description, models).estimator();
  globalThis.picture = async (number) => {
    const image = await createImageBitmap(new Blob([await get(`/picture/${number}`)]));
    const canvas = new OffscreenCanvas(image.width, image.height);
    const draw = canvas.getContext("2d", { willReadFrequently: true });
    draw.drawImage(image, 0, 0);
    return draw.getImageData(0, 0, image.width, image.height);
  };
}"""
"""Opens the pose models."""

READ = """async ([from, to]) => {
  globalThis.waiting = [];
  for (let number = from; number < to; number += 1) waiting.push(await picture(number));
}"""
"""Reads the pictures of a turn, which is not measured."""

STEP = """async ([from, fps]) => {
  const found = [];
  for (const [number, image] of waiting.entries()) {
    const persons = await estimator.step(image, (from + number) / fps);
    found.push(persons.map(({ body }) => [...body.points]));
  }
  return found;
}"""
"""Looks at the pictures of a turn."""


def main(
    video: Annotated[Path, typer.Argument(help="Video with a person.")],
    pictures: Annotated[int, typer.Option(min=20, help="Pictures to look at.")] = 60,
) -> None:
    """Print the processor time of a picture, and how far joints are apart."""
    images = [encoded(frame.image) for frame in islice(read_frames(video), pictures)]
    table = Table("milliseconds of processor time", "median", "quartiles", box=None)
    page, server, apart = measured(images)
    for name, values in (("page", page), ("server", server)):
        spread = Spread.of(values[1:]).milliseconds()
        low, high = spread["lower"], spread["upper"]
        table.add_row(f"{name}: a picture", f"{spread['median']:.0f}", f"{low:.0f} to {high:.0f}")
    output.print(table)
    output.print(
        f"{len(images)} pictures; joints of {len(apart)} bodies are {np.median(apart):.2f} pixels "
        f"apart in the median, {np.percentile(apart, 95):.2f} in 95 of 100"
    )


def encoded(image: np.ndarray) -> bytes:
    """Return a picture as the page sends it."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=80)
    return file.getvalue()


def measured(images: list[bytes]) -> tuple[list[float], list[float], np.ndarray]:
    """Return seconds a picture of each turn in the page and in Python, and distances of joints."""
    models, runtime = BrowserPose.of(InputFormat(MEDIAPIPE_33, 2)), find_web_runtime()
    served = {
        "/detector": models.detector,
        "/landmarks": models.landmarks,
        "/wasm": runtime.wasm.read_bytes(),
        "/runtime.mjs": runtime.module.read_bytes(),
    } | {f"/picture/{number}": image for number, image in enumerate(images)}

    browser_path: Any = next(filter(None, map(shutil.which, BROWSERS)), None)
    in_page, in_python, apart = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page, session = browser.new_page(), browser.new_browser_cdp_session()
        page.route(f"{ORIGIN}/**", page_server(served))
        page.goto(f"{ORIGIN}/")
        page.evaluate(BEGIN, pose_facts())
        estimator = build_estimator(PoseOptions())
        for begin in range(0, len(images), _TURN):
            turn = images[begin : begin + _TURN]
            page.evaluate(READ, [begin, begin + len(turn)])
            before = renderer_seconds(session)
            found = page.evaluate(STEP, [begin, _FPS])
            in_page.append((renderer_seconds(session) - before) / len(turn))
            before = time.process_time()
            wanted = [
                estimator.step(read_picture(image), (begin + number) / _FPS)
                for number, image in enumerate(turn)
            ]
            in_python.append((time.process_time() - before) / len(turn))
            apart += [
                np.linalg.norm(np.reshape(points, (-1, 2)) - person.body.points, axis=1)
                for bodies, persons in zip(found, wanted, strict=True)
                for points, person in zip(bodies, persons, strict=False)
            ]
        browser.close()
    return in_page, in_python, np.array(apart)


def renderer_seconds(session: Any) -> float:
    """Return the processor time of the pages of a browser so far."""
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return float(sum(one["cpuTime"] for one in processes if one["type"] == "renderer"))


if __name__ == "__main__":
    typer.run(main)
