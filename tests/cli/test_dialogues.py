"""``dialogues``: the authors' files brought in, and any dialogues looked over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from skeletonagent.agents import prompts
from skeletonagent.cli.dialogues import app
from skeletonagent.core.dialogue import Dialogue, Exchange, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17

PARTS = "\n".join(f"{part}: still." for part in prompts.BODY_PARTS)
ANSWERS = ["A hand rises.", PARTS, "8, 12", "12-left hip: turns.\n8-left elbow: rises.", "It is."]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Return the folder of one published class, whose details are out of order."""
    folder = tmp_path / "finegym"
    folder.mkdir()
    rounds = enumerate(ANSWERS, start=1)
    text = "".join(
        f"\nRound {n} Question:\n'leap'?\n\nRound {n} Answer:\n{answer}\n\n{'=' * 80}\n"
        for n, answer in rounds
    )
    (folder / "001_leap.txt").write_text(text)
    (tmp_path / "names.txt").write_text("leap\n\n")
    return folder


def typed(*arguments: object) -> tuple[dict[str, Any], str]:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_published_dialogues_are_written_and_read_again(release: Path, tmp_path: Path) -> None:
    out, names = tmp_path / "out", tmp_path / "names.txt"
    command = ("import", release, "--dataset", "finegym", "--out", out, "--class-names", names)
    printed, shown = typed(*command)
    assert printed["out"] == str(out) and "1 dialogues written" in shown
    (dialogue,) = DialogueCollection.load(out).dialogues
    assert dialogue.answer(Step.JOINT_DETAILS) == "8-left elbow: rises.\n12-left hip: turns."
    checked, shown = typed("check", out)
    assert {**checked, "out": str(out)} == printed
    assert checked["oddities"] == {
        key: int(key in ("unsorted", "one_sided")) for key in checked["oddities"]
    }
    assert "1 leap, joint_details: repaired, the joints are not in ascending order" in shown
    with pytest.raises(DataError, match="already"):
        typed(*command)


def test_the_authors_files_are_checked_where_they_lie(release: Path, tmp_path: Path) -> None:
    (tmp_path / "label_map").mkdir()
    (tmp_path / "names.txt").rename(tmp_path / "label_map" / "finegym.txt")
    checked, _ = typed("check", tmp_path, "--dataset", "finegym")
    assert checked["classes"] == 1


def test_a_runs_dialogues_are_checked(tmp_path: Path) -> None:
    question = prompts.question(Step.DISTINGUISH, "wave [x]", COCO_17, ("clap",))
    exchanges = tuple(Exchange(question, f"Joints: {n}") for n in range(10))
    DialogueCollection(COCO_17, (Dialogue("wave [x]", exchanges),)).save(
        tmp_path / "run" / "dialogues"
    )
    checked, shown = typed("check", tmp_path / "run")
    assert checked["outcomes"]["distinguish"]["rejected"] == 10
    assert "1 wave [x], distinguish: rejected" in shown and "and 2 more answers" in shown


def test_what_holds_no_dialogues_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder of dialogues or a run"):
        typed("check", tmp_path)


def test_a_label_set_is_exported_once(tmp_path: Path) -> None:
    found, told = typed("export", "nw-ucla", "--out", tmp_path / "said")
    assert found["classes"] == 10 and not found["findings"]
    assert "10 dialogues written" in told
    again, _ = typed("check", tmp_path / "said")
    assert {**again, "out": found["out"]} == found
    with pytest.raises(DataError, match="holds dialogues already"):
        typed("export", "nw-ucla", "--out", tmp_path / "said")
    with pytest.raises(DataError, match="no label set 'nowhere' is bundled"):
        typed("export", "nowhere", "--out", tmp_path / "nowhere")
