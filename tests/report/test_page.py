from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skeletonagent.core.dialogue import Dialogue, Step
from skeletonagent.core.errors import DataError
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import KINECT_20
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.report.clip_view import VIEW_SCRIPTS
from skeletonagent.report.page import SCRIPTS, report_page
from skeletonagent.report.sections import ReportOptions
from skeletonagent.training.callbacks import RunLogger
from skeletonagent.training.run_directory import RunDirectory

from .conftest import CLASSES, EVIL, RunMaker, epoch, said
from .test_record import SESSION

SECTIONS = (
    "accuracy", "curves", "classes", "matrix", "agents", "topologies", "embedding", "player",
    "record",
)  # fmt: skip


class Page(HTMLParser):
    """Reads a page as a browser would."""

    VOID = ("meta", "link")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text: dict[str, str] = {}
        self.identity = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        facts = dict(attributes)
        self.addresses += [str(facts[name]) for name in ("src", "href") if name in facts]
        self.identity = facts.get("id") or self.identity
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text[self.identity] = self.text.get(self.identity, "") + data

    @property
    def data(self) -> dict[str, Any]:
        whole: dict[str, Any] = json.JSONDecoder().raw_decode(self.text["data"])[0]
        return whole


@pytest.fixture(scope="module")
def page(runs: Path) -> Page:
    paths = tuple(runs / name for name in ("guided", "again", "unguided"))
    return Page(report_page(ReportOptions(paths, clips=4, live=True)))


def test_the_page_holds_all_of_a_finished_run(page: Page) -> None:
    assert not page.open
    assert tuple(page.data["sections"]) == SECTIONS
    assert all(page.data["sections"].values())
    assert page.data["main"] == "guided"
    assert len(page.data["sections"]["player"]["clips"]) == 4


def test_nothing_comes_from_elsewhere(page: Page) -> None:
    assert all(address.startswith(("#", "data:")) for address in page.addresses)


def test_what_comes_from_outside_stays_text(page: Page) -> None:
    assert page.data["classes"][0] == EVIL
    assert page.tags.count("script") == 3 and "b" not in page.tags and "i" not in page.tags
    assert "a <machine>" in " ".join(page.text.values())


def test_the_script_makes_no_markup_of_texts() -> None:
    folder = Path(__file__).parents[2] / "src" / "skeletonagent" / "report" / "templates"
    assert {path.stem for path in folder.glob("*.js")} == {*SCRIPTS, *VIEW_SCRIPTS}
    for path in folder.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", path.read_text()
        )


def test_a_run_under_way_says_what_is_not_there_yet(runs: Path) -> None:
    going = Page(report_page(ReportOptions((runs / "going",))))
    missing = [name for name, data in going.data["sections"].items() if data is None]
    assert missing == ["accuracy", "classes", "player"]
    assert "tested once, at the end" in " ".join(going.text.values())
    assert "epochs done" in " ".join(going.text.values())
    begun = Page(report_page(ReportOptions((runs / "begun",))))
    assert [name for name, data in begun.data["sections"].items() if data] == ["record"]


def test_what_was_chosen_is_shown_as_text(runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "chosen"
    shutil.copytree(runs / "begun", path)
    heading = "What was chosen for these data"
    assert heading not in report_page(ReportOptions((path,)))
    RunDirectory(path).choices.write_text(json.dumps({"reasons": ["one", EVIL], "recipe": {}}))
    page = Page(report_page(ReportOptions((path,))))
    words = " ".join(page.text.values())
    assert heading in words and "one" in words and EVIL in words
    RunDirectory(path).choices.write_text("{")
    with pytest.raises(DataError, match="damaged"):
        report_page(ReportOptions((path,)))


def test_an_unguided_run_has_no_agents(runs: Path) -> None:
    page = Page(report_page(ReportOptions((runs / "unguided",), clips=0)))
    assert page.data["sections"]["agents"] is None and page.data["sections"]["player"] is None
    words = " ".join(page.text.values())
    assert "trained without agents" in words and "requested without clips" in words


def test_without_data_or_a_sound_checkpoint_the_rest_is_there(runs: Path, tmp_path: Path) -> None:
    page = Page(report_page(ReportOptions((runs / "guided",), archive=str(tmp_path / "no.npz"))))
    assert page.data["sections"]["player"] is None and page.data["sections"]["agents"]
    assert "--data" in " ".join(page.text.values())
    torn = tmp_path / "torn"
    shutil.copytree(runs / "guided", torn)
    for file in torn.glob("checkpoints/*/tensors.safetensors"):
        file.write_bytes(b"torn")
    page = Page(report_page(ReportOptions((torn,))))
    sections = page.data["sections"]
    assert sections["topologies"] is None and sections["player"] is None and sections["accuracy"]
    assert "cannot be shown" in " ".join(page.text.values())


def test_the_baseline_is_compared(runs: Path) -> None:
    page = Page(report_page(ReportOptions((runs / "guided",), runs / "unguided", clips=0)))
    assert page.data["sections"]["classes"]["comparison"]["names"] == ["guided", "unguided"]
    words = " ".join(page.text.values())
    assert "points over unguided" in words and "of one pair of runs" in words


def test_runs_of_one_folder_are_titled_by_it(runs: Path, tmp_path: Path) -> None:
    for seed in range(4):
        shutil.copytree(runs / "guided", tmp_path / "mine" / f"seed{seed}")
    shutil.copytree(runs / "unguided", tmp_path / "other")
    own = tuple(tmp_path / "mine" / f"seed{seed}" for seed in range(4))
    page = report_page(ReportOptions((*own, tmp_path / "other"), clips=0))
    assert "<title>mine, 4 runs compared with unguided" in page
    alone = report_page(ReportOptions(own[:2], clips=0))
    assert "<title>mine: seed0, seed1" in alone


def test_a_model_that_failed_is_said_at_the_top(runs: Path, tmp_path: Path) -> None:
    assert 'class="alert' not in report_page(ReportOptions((runs / "guided",), clips=0))
    path = tmp_path / "failed"
    shutil.copytree(runs / "guided", path)
    run = RunDirectory(path)
    agents = {"chat": EVIL, "classes": 3, "guided": {}, "unanswered": {"HTTP 401 <i>": 3},
              "identical_sentences": [[EVIL, CLASSES[1]]]}  # fmt: skip
    run.summary.write_text(json.dumps((run.read_summary() or {}) | {"agents": agents}))
    whole = report_page(ReportOptions((path,), clips=0))
    words = " ".join(Page(whole).text.values())
    assert "0 of 3 classes" in words and "3 WITHOUT GUIDANCE" in words and "HTTP 401 <i>" in words
    assert "one sentence for several classes" in words
    assert whole.count('role="alert"') == 1 and EVIL not in whole


def test_the_head_has_what_an_experiment_is_repeated_by(runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(runs / "guided", path)
    sessions = [SESSION | {"machine": f"{EVIL} CPU", "command": f"skeletonagent {EVIL}"}]
    RunDirectory(path).provenance.write_text(json.dumps({"sessions": sessions}))
    page = Page(report_page(ReportOptions((path, runs / "again"), clips=0)))
    words = " ".join(page.text.values())
    for part in ("0123456789 with changes", "0.1.0", f"{EVIL} CPU", "seeds", "0, 1"):
        assert part in words
    assert page.data["sections"]["record"]["sessions"][0]["command"] == f"skeletonagent {EVIL}"


def test_a_damaged_run_is_refused(make_run: RunMaker, tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text("{")
    with pytest.raises(DataError, match="metrics"):
        report_page(ReportOptions((tmp_path / "run",)))


def asked(name: str, rounds: int) -> Dialogue:
    answers = (said(name, Step.DISTINGUISH, "Joints: 1", number) for number in range(rounds))
    return Dialogue(name, tuple(answers))


def test_a_report_of_hundreds_of_classes_stays_small(tmp_path: Path) -> None:
    y, n = 400, 4000
    names = tuple(f"action number {label}" for label in range(y))
    rng = np.random.default_rng(0)
    run = RunDirectory(tmp_path / "large")
    write_config(Config(), run.config)
    recorder = RunLogger(run)
    before = None
    for round_ in range(3):
        told = tuple(
            ClassGuidance(name, (round_,), f"As of {round_}.", (), asked(name, round_))
            for name in names
        )
        now = Guidance(KINECT_20, told, round_)
        recorder.on_guidance(before, now)
        before = now
    records = (json.dumps({**asdict(epoch(0)), "epoch": number}) for number in range(150))
    run.metrics.write_text("\n".join(records) + "\n")
    scores = rng.random((n, y)).astype(np.float32)
    ClassProbabilities(tuple(f"clip{k}" for k in range(n)), rng.integers(0, y, n), scores).save(
        run.predictions
    )
    page = report_page(ReportOptions((run.path,)))
    assert len(page) < 2_000_000
    assert len(Page(page).data["classes"]) == y
