"""The demo: its score of the salient joints, and what it replaces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from skeletonagent.core.dialogue import Dialogue, Exchange, Question, Step
from skeletonagent.core.errors import ConfigError, RunInUseError
from skeletonagent.core.files import lock_file
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17, KINECT_25
from skeletonagent.data.synthetic.generate import SYNTHETIC_PAIRS, true_joints
from skeletonagent.experiments.config import Config, with_overrides, write_config
from skeletonagent.experiments.demo import claim_folder, latest_exchanges, score_joints
from skeletonagent.training.run_directory import RunDirectory


def guidance_of(*classes: ClassGuidance) -> list[Guidance]:
    return [Guidance(KINECT_25, classes)]


def test_by_hand() -> None:
    nod = ClassGuidance("nod", (2, 3, 7, 8), "", ("wave", "shake head"))  # 2 of 4, and 2 of 2
    kick = ClassGuidance("kick", (14,), "", ("step",))  # 1 of 1, and 1 of 4
    alone = ClassGuidance("step", (1, 2), "", ("bow",))  # no known truth
    unasked = ClassGuidance("bow", (1, 2), "")
    assert score_joints(guidance_of(nod, kick, alone, unasked)) == {
        "precision": pytest.approx(3 / 5), "recall": pytest.approx(3 / 6), "classes": 2,
    }  # fmt: skip


def test_the_truth_is_perfect() -> None:
    classes = [
        ClassGuidance(action, tuple(sorted(true_joints(action, pair.actions))), "", pair.actions)
        for pair in SYNTHETIC_PAIRS
        for action in pair.actions
    ]
    assert score_joints(guidance_of(*classes)) == {"precision": 1, "recall": 1, "classes": 18}


def test_joints_of_several_runs_are_counted_together() -> None:
    right, wrong = (
        guidance_of(ClassGuidance("kick", (14,), "", ("step",))),
        guidance_of(ClassGuidance("kick", (3,), "", ("step",))),
    )
    assert score_joints([*right, *wrong]) == {
        "precision": 1 / 2, "recall": 1 / 8, "classes": 2,
    }  # fmt: skip


def test_nothing_chosen_is_nothing_found() -> None:
    assert score_joints(guidance_of(ClassGuidance("nod", (), "", ("shake head",)))) == {
        "precision": 0, "recall": 0, "classes": 1,
    }  # fmt: skip
    assert score_joints(guidance_of(ClassGuidance("nod", (2,), ""))) == {
        "precision": 0, "recall": 0, "classes": 0,
    }  # fmt: skip


WAVE = ClassGuidance("wave [a]", (9,), "the hand [b] swings", ("salute [c]",), notes=("odd [d]",))
REST = ClassGuidance("rest", (), "nothing moves")


def test_latest_targeted_exchanges() -> None:
    exchanges = tuple(
        Exchange(Question("rest", step, ("a",), (), "?"), answer)
        for step, answer in ((Step.OVERVIEW, "x"), (Step.DISTINGUISH, "y"), (Step.DISTINGUISH, "z"))
    )
    asked = replace(REST, joints=(9, 10), rivals=("w",), dialogue=Dialogue("rest", exchanges))
    assert latest_exchanges(Guidance(COCO_17, (WAVE, asked)), ["rest", "wave [a]"]) == [
        {"action": "rest", "rivals": ["w"], "joints": ["left wrist", "right wrist"],
         "sentence": "nothing moves", "answer": "z"},
        {"action": "wave [a]", "rivals": ["salute [c]"], "joints": ["left wrist"],
         "sentence": "the hand [b] swings", "answer": None},
    ]  # fmt: skip


def write_demo(out: Path) -> None:
    """Write what a demo leaves behind."""
    claim_folder(out, [out / "guided" / "seed0", out / "baseline" / "seed0"])
    for name in ("guided", "baseline"):
        (out / name / "seed0").mkdir(parents=True)
        (out / name / "seed0" / "summary.json").write_text("{}")


def test_an_earlier_demo_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    write_demo(out)
    (out / "notes.txt").write_text("mine")
    (out / "guided" / "thesis").mkdir()
    claim_folder(out, [out / "guided" / "seed0"])
    assert not (out / "guided" / "seed0").exists() and not (out / "baseline" / "seed0").exists()
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "guided" / "thesis").is_dir()


@pytest.mark.parametrize("kind", ["file", "runs", "guided"])
def test_a_folder_of_others_is_left_alone(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    if kind == "file":
        out.write_text("mine")
    else:
        (out / kind / "seed0").mkdir(parents=True)
        (out / kind / "seed0" / "config.yaml").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="was not written by the demo"):
        claim_folder(out, [out / "guided" / "seed0"])
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    claim_folder(tmp_path, [tmp_path / "guided" / "seed0"])
    assert (tmp_path / ".skeletonagent-demo").is_file()


@pytest.mark.parametrize("names", ['["../other"]', '["guided/seed0/.."]', '["/etc"]', '["notes"]'])
def test_a_changed_marker_removes_no_other_folder(names: str, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    for folder in (tmp_path / "other", out / "notes", out / "guided"):
        folder.mkdir(parents=True)
    (out / ".skeletonagent-demo").write_text(f'{{"runs": {names}}}')
    claim_folder(out, [out / "guided" / "seed0"])
    assert (tmp_path / "other").is_dir() and (out / "notes").is_dir() and (out / "guided").is_dir()


@pytest.mark.parametrize("text", ["", "[]", '{"runs": 3}', '{"runs": [3]}'])
def test_a_damaged_marker_is_no_marker(text: str, tmp_path: Path) -> None:
    (tmp_path / ".skeletonagent-demo").write_text(text)
    with pytest.raises(ConfigError, match="damaged"):
        claim_folder(tmp_path, [])


def test_a_run_on_other_data_is_not_replaced(tmp_path: Path) -> None:
    write_demo(tmp_path)
    mine = RunDirectory(tmp_path / "guided" / "seed0")
    write_config(with_overrides(Config(), ["data.archive=/data/mine"]), mine.config)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="is a run on /data/mine"):
        claim_folder(tmp_path, [])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_demo_that_is_under_way_is_not_replaced(tmp_path: Path) -> None:
    write_demo(tmp_path)
    with (
        lock_file(tmp_path / "guided" / "seed0" / "lock"),
        pytest.raises(RunInUseError, match="is writing to"),
    ):
        claim_folder(tmp_path, [])
    assert (tmp_path / "guided" / "seed0" / "summary.json").exists()
