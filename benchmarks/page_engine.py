"""The engine of the page in one file: milliseconds a clip in a browser, and how alike it is.

An exported recognizer runs in headless Chromium, in one thread of WebAssembly, and in Python by
ONNX Runtime, on clips of an archive. Of each, one is not measured.

Example:
  skeletonagent train utd-mhad --data utd_mhad --out runs/utd --set agents.chat=none
  skeletonagent export runs/utd
  skeletonagent page fetch
  python -m benchmarks.page_engine runs/utd/model.onnx utd_mhad
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
import typer
from playwright.sync_api import sync_playwright
from rich.table import Table

from benchmarks.measuring import Spread
from benchmarks.report_pictures import BROWSERS
from skeletonagent.cli.console import output
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.archive import Archive
from skeletonagent.inference.exported_model import ExportedModel
from skeletonagent.page.browser_model import BrowserModel, description_text
from skeletonagent.page.fetch import find_web_runtime
from skeletonagent.page.files import page_files

ORIGIN = "http://engine.invalid"

BEGIN = """async () => {
  const get = async (name) => new Uint8Array(await (await fetch(`/model/${name}`)).arrayBuffer());
  const { ExportedModel } = await import("/page/engine/exported_model.js");
  const ort = await import("/model/runtime.mjs");
  const description = JSON.parse(new TextDecoder().decode(await get("description")));
  const [graph, ridge, wasm] = [await get("graph"), await get("ridge"), await get("wasm")];
  const began = performance.now();
  const parts = { description, graph, ridge: ridge.length ? ridge : null };
  globalThis.model = await ExportedModel.open(parts, ort, wasm);
  return performance.now() - began;
}"""
"""Opens the recognizer, and returns the time without that for reading its files."""

PREDICT = """async (clips) => {
  const found = [];
  for (const { shape, joints } of clips) {
    const sample = { shape, joints: Float32Array.from(joints), imageSize: null };
    const times = [performance.now()];
    const prepared = model.prepared(sample);
    model.clips.of(prepared, model.description.clips.test_clips);
    times.push(performance.now());
    model.ridge?.logProbabilities(prepared);
    times.push(performance.now());
    const [probs] = await model.predict([sample]);
    times.push(performance.now());
    found.push({ probs: [...probs], times: times.slice(1).map((time, n) => time - times[n]) });
  }
  return found;
}"""
"""Returns probabilities and the times of clips, classifier, and everything."""


def main(
    model: Annotated[Path, typer.Argument(help="File that 'skeletonagent export' wrote.")],
    archive: Annotated[Path, typer.Argument(help="Archive with clips for it.")],
    clips: Annotated[int, typer.Option(min=2, help="Number of clips.")] = 40,
    seed: Annotated[int, typer.Option(help="Seed of their choice.")] = 0,
) -> None:
    """Print a table of milliseconds a clip, and the largest difference of probabilities."""
    samples = chosen_clips(archive, clips, seed)
    exported = ExportedModel.open(model)
    start, found = in_browser(exported, samples)
    wanted, seconds = in_python(exported, samples)
    times = np.array([one["times"] for one in found[1:]]) / 1000
    table = Table("milliseconds", "median", "quartiles", box=None)
    rows = {
        "browser: preprocessing and clips": times[:, 0],
        "browser: kernel ridge classifier": times[:, 1],
        "browser: everything": times[:, 2],
        "Python, ONNX Runtime: everything": np.array(seconds[1:]),
    }
    for name, values in rows.items():
        spread = Spread.of(values.tolist()).milliseconds()
        low, high = spread["lower"], spread["upper"]
        table.add_row(name, f"{spread['median']:.1f}", f"{low:.1f} to {high:.1f}")
    probs = np.array([one["probs"] for one in found])
    output.print(table)
    output.print(
        f"the recognizer is opened in {start:.0f} ms; probabilities of {clips} clips differ by "
        f"{np.abs(probs - wanted).max():.1e} at most"
    )


def chosen_clips(archive: Path, count: int, seed: int) -> list[SkeletonSequence]:
    """Return some clips of an archive."""
    sequences = list(Archive.open(archive, mode="c").sequences(confidence=False))
    chosen = np.random.default_rng(seed).choice(len(sequences), count, replace=False)
    return [sequences[number] for number in chosen]


def page_server(served: Mapping[str, bytes]) -> Callable[[Any], None]:
    """Return a handler of a browser's requests: given contents by their paths, else the page's."""

    def answer(route: Any) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path in served:
            kind = "text/javascript" if path.endswith(".mjs") else "application/octet-stream"
            route.fulfill(body=served[path], content_type=kind)
            return
        name = str(PurePosixPath(path.removeprefix("/page/")))
        content, media_type = page_files().get(name, (b"<!doctype html>", "text/html"))
        route.fulfill(body=content, content_type=media_type)

    return answer


def in_browser(
    model: ExportedModel, samples: list[SkeletonSequence]
) -> tuple[float, list[dict[str, Any]]]:
    """Return milliseconds for opening, and for each clip its probabilities and times."""
    given, runtime = BrowserModel.of(model), find_web_runtime()
    served = {
        "/model/description": description_text(given.description).encode(),
        "/model/graph": given.graph,
        "/model/ridge": given.ridge or b"",
        "/model/wasm": runtime.wasm.read_bytes(),
        "/model/runtime.mjs": runtime.module.read_bytes(),
    }

    bodies = [
        {"shape": list(sample.joints.shape), "joints": sample.joints.ravel().tolist()}
        for sample in samples
    ]
    path: Any = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.route(f"{ORIGIN}/**", page_server(served))
        page.goto(f"{ORIGIN}/")
        start: float = page.evaluate(BEGIN)
        found: list[dict[str, Any]] = page.evaluate(PREDICT, bodies)
        browser.close()
    return start, found


def in_python(
    model: ExportedModel, samples: list[SkeletonSequence]
) -> tuple[np.ndarray, list[float]]:
    """Return the probabilities of each clip, and the seconds for it."""
    rows, seconds = [], []
    for sample in samples:
        begin = time.perf_counter()
        rows.append(model.predict_samples([sample]).probs[0])
        seconds.append(time.perf_counter() - begin)
    return np.stack(rows), seconds


if __name__ == "__main__":
    typer.run(main)
