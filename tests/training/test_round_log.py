"""File of all rounds: it grows by what a round adds, and a kill leaves what was whole."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from skeletonagent.core.dialogue import Dialogue, Exchange, Question, Step
from skeletonagent.core.dialogue_io import DialogueCollection, write_dialogue, write_metadata
from skeletonagent.core.layout import COCO_17
from skeletonagent.training import round_log
from skeletonagent.training.callbacks import RunLogger
from skeletonagent.training.round_log import RoundLog, whole_rounds
from skeletonagent.training.run_directory import RunDirectory

ROUNDS = [
    {"round": n, "classes": [{"action": "wave, {]}\n", "sentence": "x" * n}]} for n in range(4)
]


def log_of(path: Path, earlier: list[dict[str, Any]] | None = None) -> RoundLog:
    return RoundLog(path, earlier or [], lambda: json.loads(path.read_text())["rounds"])


def test_what_is_appended_is_what_is_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, log, sizes = tmp_path / "guidance.json", log_of(tmp_path / "guidance.json"), []
    write = round_log.write_from

    def counted(path: Path, position: int, content: bytes) -> None:
        sizes.append(len(content))
        write(path, position, content)

    monkeypatch.setattr(round_log, "write_from", counted)
    for number, record in enumerate(ROUNDS):
        log.write(record)
        assert json.loads(path.read_text()) == {"rounds": ROUNDS[: number + 1]}
    assert sizes == [sizes[0], sizes[0] + 1, sizes[0] + 2]  # whatever was before
    again = log_of(tmp_path / "again.json", ROUNDS[:3])
    again.write(ROUNDS[3])
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_a_line_cut_short_is_left_out_and_no_other() -> None:
    """The text of every cut behind the first round holds the rounds that are whole in it."""
    lines = [json.dumps(record) for record in ROUNDS[:3]]
    text = '{"rounds": [\n' + ",\n".join(lines) + "\n]}\n"
    assert whole_rounds(text) == text
    ends = [text.index(line) + len(line) for line in lines]
    for cut in range(ends[0], len(text)):
        whole = json.loads(whole_rounds(text[:cut]))["rounds"]
        assert whole == ROUNDS[: sum(end <= cut for end in ends)]


@pytest.mark.parametrize("text", ["", "{}", "[", '{"rounds": [', json.dumps({"rounds": ROUNDS})])
def test_other_content_is_left_as_it_is(text: str) -> None:
    assert whole_rounds(text) == text


def test_rounds_that_another_rewrote_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "guidance.json"
    log = log_of(path)
    for record in ROUNDS[:2]:
        log.write(record)
    path.write_text(json.dumps({"rounds": ROUNDS[:2]}, indent=1))
    for record in ROUNDS[2:]:
        log.write(record)
    assert json.loads(path.read_text())["rounds"] == ROUNDS


def test_a_run_killed_while_it_wrote_a_round_is_resumed_to_the_same_files(
    tmp_path: Path, world: ModuleType
) -> None:
    """Wherever the kill cuts the last line."""

    def train(path: Path, rounds: range, first_epoch: int) -> RunDirectory:
        logger = RunLogger(RunDirectory(path), first_epoch)
        for number in rounds:
            before = world.make_guidance(number - 1) if number > rounds[0] else None
            logger.on_guidance(before, world.make_guidance(number))
        return RunDirectory(path)

    whole = train(tmp_path / "whole", range(3), 0).guidance.read_bytes()
    last = whole.index(b'{"round": 2')
    for cut in range(last - 2, len(whole), 7):
        killed = train(tmp_path / "killed", range(3), 0)
        killed.guidance.write_bytes(whole[:cut])
        assert [one["round"] for one in killed.read_rounds()][:2] == [0, 1]
        train(killed.path, range(1, 3), 1)
        assert killed.guidance.read_bytes() == whole


def dialogue_of(answers: list[str]) -> Dialogue:
    asked = Question("wave", Step.DISTINGUISH, COCO_17.joints, ("clap",), "What differs?")
    return Dialogue("wave", tuple(Exchange(asked, answer) for answer in answers))


def test_a_dialogue_that_goes_on_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "001_wave.jsonl"
    first, longer, other = map(dialogue_of, (["a"], ["a", "b"], ["c", "b"]))
    write_metadata(tmp_path, COCO_17, ["wave"])
    changes = ((None, first, False), (first, longer, True), (longer, other, False))
    for before, after, same_file in changes:
        file = path.stat().st_ino if path.exists() else None
        write_dialogue(tmp_path, 0, after, before)
        assert DialogueCollection.load(tmp_path).dialogues == (after,)
        assert (path.stat().st_ino == file) is same_file
    path.unlink()
    write_dialogue(tmp_path, 0, longer, first)  # somebody removed it
    assert DialogueCollection.load(tmp_path).dialogues == (longer,)


def test_an_exchange_cut_short_is_left_out_with_a_warning(tmp_path: Path) -> None:
    write_metadata(tmp_path, COCO_17, ["wave"])
    write_dialogue(tmp_path, 0, dialogue_of(["a", "b"]))
    path = tmp_path / "001_wave.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.warns(UserWarning, match="the last line is not complete and was left out"):
        found = DialogueCollection.load(tmp_path)
    assert found.dialogues == (dialogue_of(["a"]),)
