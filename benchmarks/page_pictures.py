"""Pictures of the page that ``serve`` shows, on a desk and on a phone, in light and dark.

The recording is stitched from test clips of the archive that the recognizer was trained on, with
pauses between them; a second person beside the first one shows other clips. The page comes from
a server of the command line, and Chromium without a window draws it.

Example, the pictures of the guide to the page:
  skeletonagent train synthetic --out runs/synthetic --preset-size tiny
  python -m benchmarks.page_pictures runs/synthetic synthetic --out docs/images
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from playwright.sync_api import sync_playwright

from benchmarks.report_pictures import BROWSERS, HEIGHTS, PHONE, reduced_picture
from benchmarks.untrimmed import stitch
from skeletonagent.core.files import write_atomically
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.recorded import write_keypoints
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.config import read_config
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.training.run_directory import RunDirectory

STATES = ("empty", "shown", "labels")
"""Names of what is drawn: the page at first, with a recording, and its lower part."""
PAUSE, NOISE, FPS = (0.7, 1.2), 0.01, 30.0
BESIDE = 1.1
"""Distance of the second person, in metres."""


def main(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    archive: Annotated[Path, typer.Argument(help="Skeleton archive that it was trained on.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("docs/images"),
    clips: Annotated[int, typer.Option(min=1, help="Clips of a person.")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of the recording.")] = 0,
    at: Annotated[float, typer.Option(help="Place of the playhead, as a share.")] = 0.3,
    widths: Annotated[str, typer.Option(help="Widths of the window in pixels.")] = "1440,390",
    themes: Annotated[str, typer.Option(help="light or dark, or both.")] = "light,dark",
    kilobytes: Annotated[int, typer.Option(min=1, help="Size of a file at most.")] = 150,
) -> None:
    """Draw the page and write page-STATE-WIDTH-THEME.png for each."""
    browser_path: Any = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as folder, served(run) as address:
        file = Path(folder) / "two_people.json"
        write_keypoints(file, two_people(run, archive, clips, seed))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=["--no-sandbox"]
            )
            for width in map(int, widths.split(",")):
                for theme in themes.split(","):
                    scale = 2 if width < PHONE else 1
                    size: Any = {"width": width, "height": HEIGHTS.get(width, 1000)}
                    options: Any = {"color_scheme": theme, "reduced_motion": "reduce"}
                    context = browser.new_context(
                        viewport=size, device_scale_factor=scale, **options
                    )
                    for state, picture in pictures(context.new_page(), address, file, at):
                        name = out / f"page-{state}-{width}-{theme}.png"
                        with write_atomically(name) as stream:
                            stream.write(reduced_picture(picture, kilobytes))
                        typer.echo(f"{name}: {name.stat().st_size / 1000:.0f} kB")
                    context.close()
            browser.close()


def pictures(page: Any, address: str, file: Path, at: float) -> Iterator[tuple[str, bytes]]:
    """Yield what the page shows by its name."""
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    yield STATES[0], page.screenshot()
    page.set_input_files("#file", file)
    page.wait_for_selector("body[data-state=shown]", timeout=120_000)
    page.evaluate(
        "at => { const s = document.getElementById('scrubber');"
        " s.value = at * s.max; s.dispatchEvent(new Event('input')); }",
        at,
    )
    page.evaluate("scrollTo(0, 0)")
    yield STATES[1], page.screenshot()
    page.evaluate("document.querySelector('.times').scrollIntoView()")
    yield STATES[2], page.screenshot()


def two_people(run: Path, archive: Path, clips: int, seed: int) -> KeypointRecording:
    """Return a recording of two persons, each of whom shows test clips with pauses between them."""
    data = open_dataset(archive)
    rng = np.random.default_rng(seed)
    _, split = choose_split(data, read_config(RunDirectory(run).config).data.split)
    order = rng.permutation(list(split.test)).tolist()
    first, second = (
        stitch(data, order[start : start + clips], rng, PAUSE, NOISE, FPS).recording
        for start in (0, clips)
    )
    frames = min(first.num_frames, second.num_frames)
    aside = np.zeros(first.coordinates, np.float32)
    aside[0] = BESIDE
    joints = np.concatenate([first.joints[:1, :frames], second.joints[:1, :frames] + aside])
    return replace(first, name="two_people", joints=joints, person_ids=("1", "2"))


@contextmanager
def served(run: Path) -> Iterator[str]:
    """Serve a run while a block runs; yield the address of its page."""
    command = [sys.executable, "-m", "skeletonagent", "serve", str(run), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            line = next((line for line in server.stderr if "http://" in line), "")
            if not line:
                raise typer.Exit(1)
            yield "http://" + line.split("http://")[1].split()[0].rstrip("/") + "/"
        finally:
            server.terminate()


if __name__ == "__main__":
    typer.run(main)
