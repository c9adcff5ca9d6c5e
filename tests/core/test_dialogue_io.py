"""Dialogues on disk: there and back, and what is said of damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Provenance, Question, Step
from skeletonagent.core.dialogue_io import DialogueCollection, file_name
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, UAV_17, SkeletonLayout


def talk(action: str, layout: SkeletonLayout, answer: str) -> Dialogue:
    question = Question(action, Step.DISTINGUISH, layout.joints, ("clap",), "Why?", "Say.", (3,), 2)
    source = Provenance(
        "openai:gpt-4o", {"temperature": 0}, "2026-01-01T00:00:00Z", 1.5, 7, 3, 2, ("x",)
    )
    first = Exchange(question, "99", Outcome.REJECTED, "range", source)
    return Dialogue(action, (Exchange(question, answer, Outcome.REPAIRED, "why", None, (first,)),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    said = tuple(talk(name, UAV_17, "line\nline ü") for name in ("a/b", "wave", "wave"))
    DialogueCollection(UAV_17, said).save(tmp_path / "dialogues")
    return tmp_path / "dialogues"


def test_there_and_back(folder: Path) -> None:
    loaded = DialogueCollection.load(folder)
    assert loaded == DialogueCollection.load(folder.parent), (
        "a run's dialogues are found in its folder"
    )
    assert loaded.layout == UAV_17
    expected = tuple(talk(name, UAV_17, "line\nline ü") for name in ("a/b", "wave", "wave"))
    assert loaded.dialogues == expected


def test_a_class_without_a_dialogue(tmp_path: Path) -> None:
    empty = DialogueCollection(COCO_17, (Dialogue("wave"),))
    empty.save(tmp_path)
    assert DialogueCollection.load(tmp_path) == empty


def test_file_names_are_numbered_short_and_harmless() -> None:
    assert file_name(0, "drink water") == "001_drink_water.jsonl"
    assert file_name(99, "../../x") == "100__x.jsonl"
    assert len(file_name(0, "x" * 999)) < 100


def line(**fields: object) -> str:
    about = {"step": "overview", "round": 0, "question": "What?", "answer": "It moves."}
    return json.dumps({**about, "outcome": "accepted", **fields}) + "\n"


def test_separators_of_lines_within_an_answer_part_no_lines(folder: Path) -> None:
    """Files of earlier versions have them as they came."""
    text = line(answer="one\u2028two\x85three").encode().decode("unicode-escape")
    (folder / "002_wave.jsonl").write_text(text, encoding="utf-8")
    (loaded,) = DialogueCollection.load(folder).dialogues[1].exchanges
    assert loaded.answer == "one\ntwo\nthree"


def test_texts_of_a_record_are_cleaned(folder: Path) -> None:
    source = {"model": "m\x1b]0;title\x07", "faults": ["\x1b[2J"]}
    (folder / "002_wave.jsonl").write_text(line(answer="It \ud83d\x1b[2Jmoves.", source=source))
    (loaded,) = DialogueCollection.load(folder).dialogues[1].exchanges
    assert loaded.answer == "It \ufffdmoves."
    assert loaded.source == Provenance("m", faults=("",))


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("about.json", "{", "is damaged"),
        ("about.json", "[]", "is damaged"),
        ("about.json", "{}", "does not describe dialogues"),
        ("002_wave.jsonl", "nothing\n", "is damaged"),
        ("about.json", '{"layout": [], "class_names": 3}', "does not describe dialogues"),
        ("002_wave.jsonl", '{"step": "chat"}\n', "does not hold a dialogue"),
        ("002_wave.jsonl", line(answer=None), "'answer' must be of the type str, got None"),
        ("002_wave.jsonl", line(answer=["one"]), "'answer' must be of the type str"),
        ("002_wave.jsonl", line(rivals=[7]), "'rivals' must be a list of texts"),
        ("002_wave.jsonl", line(rivals="clap"), "'rivals' must be of the type list"),
        ("002_wave.jsonl", line(counts=["x"]), "does not hold a dialogue"),
        ("002_wave.jsonl", line(round="1"), "'round' must be of the type int"),
        ("002_wave.jsonl", line(earlier=[3]), "does not hold a dialogue"),
        ("002_wave.jsonl", line(source={"model": None}), "'model' must be of the type str"),
        ("002_wave.jsonl", line(source={"model": "m", "requests": "9"}), "'requests' must be"),
        ("002_wave.jsonl", line(source={"model": "m", "mood": 1}), "does not hold a dialogue"),
        ("002_wave.jsonl", "[" * 100_000, "is damaged"),
        ("002_wave.jsonl", None, "cannot be read"),
    ],
)
def test_what_is_damaged_is_named(
    folder: Path, name: str, content: str | None, complaint: str
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(DataError, match=complaint) as caught:
        DialogueCollection.load(folder)
    assert caught.value.path == folder / name
