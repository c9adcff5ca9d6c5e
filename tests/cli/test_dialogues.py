"""``dialogues``: the authors' files brought in, and any dialogues looked over."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.invocation import invoke, invoke_twice

from skeletonagent.agents import prompts
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


def test_published_dialogues_are_written_and_read_again(release: Path, tmp_path: Path) -> None:
    out, names = tmp_path / "out", tmp_path / "names.txt"
    command = ("dialogues", "import", release, "--dataset", "finegym", "--class-names", names)
    done = invoke(*command, "--out", out, "--json")
    printed = done.json
    assert printed["out"] == str(out) and "1 dialogues written" in done.err
    assert "repaired" in invoke(*command, "--out", tmp_path / "again").out
    (dialogue,) = DialogueCollection.load(out).dialogues
    assert dialogue.answer(Step.JOINT_DETAILS) == "8-left elbow: rises.\n12-left hip: turns."
    checked, shown = invoke_twice("dialogues", "check", out)
    assert {**checked, "out": str(out)} == printed
    assert checked["oddities"] == {
        key: int(key in ("unsorted", "one_sided")) for key in checked["oddities"]
    }
    assert "1 leap, joint_details: repaired, the joints are not in ascending order" in shown
    with pytest.raises(DataError, match="already"):
        invoke(*command, "--out", out)


def test_the_authors_files_are_checked_where_they_lie(release: Path, tmp_path: Path) -> None:
    (tmp_path / "label_map").mkdir()
    (tmp_path / "names.txt").rename(tmp_path / "label_map" / "finegym.txt")
    checked, _ = invoke_twice("dialogues", "check", tmp_path, "--dataset", "finegym")
    assert checked["classes"] == 1


def test_a_runs_dialogues_are_checked(tmp_path: Path) -> None:
    question = prompts.question(Step.DISTINGUISH, "wave [x]", COCO_17, ("clap",))
    exchanges = tuple(Exchange(question, f"Joints: {n}") for n in range(10))
    DialogueCollection(COCO_17, (Dialogue("wave [x]", exchanges),)).save(
        tmp_path / "run" / "dialogues"
    )
    checked, shown = invoke_twice("dialogues", "check", tmp_path / "run")
    assert checked["outcomes"]["distinguish"]["rejected"] == 10
    assert "1 wave [x], distinguish: rejected" in shown and "and 2 more answers" in shown


def test_what_holds_no_dialogues_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder of dialogues or a run"):
        invoke_twice("dialogues", "check", tmp_path)


def test_a_label_set_is_exported_once(tmp_path: Path) -> None:
    done = invoke("dialogues", "export", "nw-ucla", "--out", tmp_path / "said", "--json")
    stats = done.json
    assert stats["classes"] == 10 and not stats["findings"]
    assert "10 dialogues written" in done.err
    again, _ = invoke_twice("dialogues", "check", tmp_path / "said")
    assert {**again, "out": stats["out"]} == stats
    with pytest.raises(DataError, match="holds dialogues already"):
        invoke("dialogues", "export", "nw-ucla", "--out", tmp_path / "said")
    with pytest.raises(DataError, match="no class notes 'nowhere' are bundled"):
        invoke("dialogues", "export", "nowhere", "--out", tmp_path / "nowhere")
