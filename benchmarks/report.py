"""Size of the report of a long training of many classes, and how soon a browser shows it.

A real run is reported: a narrow recognizer learns from generated clips for as many epochs as the
paper's, and every fifth epoch the agents ask a stand-in whose answers are as long as a language
model's and more varied than any. What it learns and is told says nothing; how much there is to
show does. Opening is timed in Chromium without a window, from the address to the last section
drawn, in a new context each time.

Example:
  python -m benchmarks.report --json report.json
  python -m benchmarks.report --classes 3 --epochs 2
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from playwright.sync_api import sync_playwright

from benchmarks.generated import Persons, generated
from benchmarks.measuring import Spread, print_rows, write_facts
from benchmarks.program import paper_config, run_answered
from benchmarks.stand_in import StandIn
from skeletonagent.data.archive import write_archive
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.report.page import report_page
from skeletonagent.report.sections import ReportOptions
from skeletonagent.training.callbacks import CallbackList
from skeletonagent.training.run_directory import RunDirectory

PERIOD = 5
"""Epochs between rounds, as in the paper's training."""
SNAPSHOTS = 10
"""How often what was learned is kept, for embedding and graphs."""
WORDS = 24
"""Of each sentence of an answer: every step but the lists of joints has one or more."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main(
    classes: Annotated[int, typer.Option(min=2, max=400, help="Y.")] = 400,
    epochs: Annotated[int, typer.Option(min=1, help="Of the training.")] = 150,
    sequences: Annotated[int, typer.Option(min=1, help="For each class, 3 or more.")] = 3,
    frames: Annotated[int, typer.Option(min=1, help="T of what is trained.")] = 8,
    width: Annotated[int, typer.Option(min=8, help="Of the recognizer.")] = 8,
    repeats: Annotated[int, typer.Option(min=1, help="How often the page is opened.")] = 5,
    out: Annotated[Path | None, typer.Option(help="File for the report.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Train, report, open the report, and tell what that took."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        config = _config(epochs, frames, width)
        questions = _train(config, run, classes * max(3, sequences), classes)
        began = time.perf_counter()
        page = report_page(ReportOptions((run,), archive=str(Path(folder) / "generated")))
        making = time.perf_counter() - began
        path = out or Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        rounds = len(RunDirectory(run).read_rounds())
        opening = _opened(path.resolve(), repeats)
    facts = {
        "classes": classes,
        "epochs": epochs,
        "rounds": rounds,
        "questions": questions,
        "megabytes": len(page.encode()) / 1e6,
        "seconds_to_make": making,
        "seconds_to_open": vars(Spread.of(opening)),
    }
    print_rows("report", [{**facts, "seconds_to_open": Spread.of(opening).median}])
    write_facts(facts, json)


def _config(epochs: int, frames: int, width: int) -> Config:
    config = paper_config("cpu", "32", clips_in_batch=16, frames=frames)
    changes = [
        f"model.width={width}",
        f"training.epochs={epochs}",
        f"training.guidance_period={PERIOD}",
        "training.learning_rate=0.05",
        f"training.feature_snapshots={SNAPSHOTS}",
        "clips.test_clips=1",
        "agents.wait=true",
    ]
    return with_overrides(config, changes)


def _train(config: Config, run: Path, sequences: int, classes: int) -> int:
    """Train beside the archive, and return how many questions were asked."""
    data = generated(sequences, Persons.NTU, classes)
    write_archive(data, run.parent)
    answer = StandIn(words=WORDS)
    run_answered(config, data, run, answer, watch=lambda *_: nullcontext(CallbackList(())))
    return answer.number


def _opened(path: Path, repeats: int) -> Sequence[float]:
    """Return the seconds until a page is drawn, after it was opened once."""
    found: Any = next(filter(None, map(shutil.which, BROWSERS)), None)
    seconds = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for _ in range(1 + repeats):
            context = browser.new_context()
            page = context.new_page()
            began = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-drawn]", timeout=120_000)
            seconds.append(time.perf_counter() - began)
            context.close()
        browser.close()
    return seconds[1:]


if __name__ == "__main__":
    typer.run(main)
