"""Dialogues beside the checkpoints: what is new is written, and every checkpoint finds its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Question, Step
from skeletonagent.core.errors import CheckpointError, CorruptCheckpointError
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17
from skeletonagent.training.checkpoint import Checkpoint, CheckpointFolder, load_checkpoint
from skeletonagent.training.dialogue_log import (
    DIALOGUE_LOG,
    DialogueLog,
    DialoguePosition,
    LoggedDialogues,
)


def exchange(action: str, answer: str, number: int = 0) -> Exchange:
    question = Question(action, Step.DISTINGUISH, COCO_17.joints, (), "what?", round=number)
    return Exchange(question, answer)


def dialogue(action: str, *answers: str) -> Dialogue:
    return Dialogue(action, tuple(exchange(action, a, n) for n, a in enumerate(answers)))


def read(path: Path, position: DialoguePosition, actions: Sequence[str]) -> list[Dialogue]:
    classes = LoggedDialogues.read(path, position).to_json()
    return [
        Dialogue.from_json({"action": action, "exchanges": exchanges}, COCO_17.joints)
        for action, exchanges in zip(actions, classes, strict=True)
    ]


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_an_epoch_without_a_round_writes_nothing(tmp_path: Path) -> None:
    log = DialogueLog(tmp_path / DIALOGUE_LOG)
    dialogues = [dialogue("wave", "a", "b\u2028c\nd"), Dialogue("jump")]
    first = log.append(dialogues)
    written = log.path.stat().st_mtime_ns
    assert log.append(dialogues) == first == log.append([replace(one) for one in dialogues])
    assert log.path.stat().st_mtime_ns == written and first.latest == (1, -1)
    assert read(log.path, first, ["wave", "jump"]) == dialogues


def test_a_round_writes_what_it_adds(tmp_path: Path) -> None:
    log = DialogueLog(tmp_path / DIALOGUE_LOG)
    wave = dialogue("wave", "a", "b")
    first = log.append([wave, dialogue("jump", "c")])
    longer = wave.with_exchange(exchange("wave", "d", 2))
    second = log.append([longer, dialogue("jump", "c")])
    assert lines(log.path) == 4
    corrected = replace(longer, exchanges=(*longer.exchanges[:1], exchange("wave", "e", 1)))
    third = log.append([corrected, dialogue("jump", "c")])
    assert lines(log.path) == 5
    for position, said in ((first, wave), (second, longer), (third, corrected)):
        assert read(log.path, position, ["wave", "jump"]) == [said, dialogue("jump", "c")]
    restored = DialoguePosition.from_json(json.loads(json.dumps(third.to_json())))
    assert restored == third


rounds = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.text(max_size=3)), min_size=1, max_size=8
)


@given(changes=rounds, killed=st.integers(0, 8))
def test_a_resumed_log_is_that_of_an_uninterrupted_run(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[int, int, str]],
    killed: int,
) -> None:
    """Whatever is cut off a dialogue and said instead, and wherever a process ends."""
    states = [[Dialogue("a"), Dialogue("b"), Dialogue("c")]]
    for label, kept, answer in changes:
        following = list(states[-1])
        said = following[label].exchanges[:kept]
        new = exchange(following[label].action, answer, len(said))
        following[label] = Dialogue(following[label].action, (*said, new))
        states.append(following)
    folder = tmp_path_factory.mktemp("log")
    whole = DialogueLog(folder / "whole.jsonl")
    positions = [whole.append(state) for state in states]
    log = DialogueLog(folder / "part.jsonl")
    for done, state in enumerate(states):
        position = log.append(state)
        if done == killed:  # what was written after the checkpoint is written over
            log.append([*state[:2], dialogue("c", "never", "saved")])
            logged = LoggedDialogues.read(log.path, position)
            log = DialogueLog(log.path)
            log.resume(logged, read(log.path, position, ["a", "b", "c"]))
    assert log.path.exists() and log.append(states[-1]) == positions[-1]
    assert read(log.path, positions[-1], ["a", "b", "c"]) == states[-1]
    assert log.path.read_bytes()[: positions[-1].size] == whole.path.read_bytes()


def test_a_file_that_was_removed_is_written_anew(tmp_path: Path) -> None:
    log = DialogueLog(tmp_path / DIALOGUE_LOG)
    first = log.append([dialogue("wave", "a")])
    log.path.unlink()
    second = log.append([dialogue("wave", "a", "b")])
    assert second.size > first.size and lines(log.path) == 2
    assert read(log.path, second, ["wave"]) == [dialogue("wave", "a", "b")]


def saved(folder: Path, said: Dialogue, epoch: int, log: DialogueLog) -> Path:
    guidance = Guidance(COCO_17, (ClassGuidance("wave", (1,), "It waves.", (), said),))
    metadata = {
        "guidance": guidance.to_json_without_dialogues(),
        "dialogues": log.append([said]).to_json(),
    }
    return CheckpointFolder(folder).save(Checkpoint(epoch, {"w": torch.zeros(2)}, metadata))


def test_checkpoints_find_their_dialogues(tmp_path: Path) -> None:
    log = DialogueLog(tmp_path / DIALOGUE_LOG)
    said = [dialogue("wave", "a"), dialogue("wave", "a", "b")]
    paths = [saved(tmp_path, one, epoch, log) for epoch, one in enumerate(said)]
    for path, one in zip(paths, said, strict=True):
        assert load_checkpoint(path).guidance(COCO_17).classes[0].dialogue == one
    content = log.path.read_bytes()
    log.path.write_bytes(content[:-3] + b"x" + content[-2:])
    with pytest.raises(CorruptCheckpointError, match=r"dialogues\.jsonl is damaged"):
        load_checkpoint(paths[1])
    latest = CheckpointFolder(tmp_path).latest()  # the older one's part of the file is whole
    assert latest.checkpoint is not None and latest.checkpoint.epoch == 0 and latest.corrupt


def test_a_copy_of_a_checkpoint_alone_has_joints_and_sentences(tmp_path: Path) -> None:
    path = saved(tmp_path / "run", dialogue("wave", "a"), 1, DialogueLog(tmp_path / DIALOGUE_LOG))
    alone = load_checkpoint(path)
    guidance = alone.guidance(COCO_17)
    assert alone.dialogues is None
    assert guidance.classes == (ClassGuidance("wave", (1,), "It waves."),)


@pytest.mark.parametrize("latest", [[7], [-2], ["x"], 3, [0, 0]])
def test_positions_that_make_no_sense_are_errors(tmp_path: Path, latest: object) -> None:
    log = DialogueLog(tmp_path / DIALOGUE_LOG)
    guidance = Guidance(COCO_17, (ClassGuidance("wave", (1,), "It waves."),))
    position = log.append([dialogue("wave", "a")]).to_json() | {"latest": latest}
    metadata = {"guidance": guidance.to_json_without_dialogues(), "dialogues": position}
    folder = CheckpointFolder(tmp_path)
    with pytest.raises(CheckpointError):
        load_checkpoint(folder.save(Checkpoint(1, {}, metadata))).guidance(COCO_17)


def test_lines_that_run_in_a_circle_are_errors() -> None:
    record = {"before": 0, **exchange("wave", "a").to_json(), "outcome": Outcome.ACCEPTED.value}
    logged = LoggedDialogues(DialoguePosition(latest=(0,)), (json.dumps(record),))
    with pytest.raises(ValueError, match="comes later"):
        logged.to_json()
