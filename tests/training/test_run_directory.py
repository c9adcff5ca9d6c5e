"""The run directory: what is in it after each epoch and round, and after a kill."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from skeletonagent.core.dialogue import Dialogue, Exchange, Question, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import DataError
from skeletonagent.core.guidance import Guidance
from skeletonagent.training.callbacks import Callback, CallbackList, EpochRecord, RunLogger
from skeletonagent.training.run_directory import RunDirectory


def record(epoch: int, loss: float = 1.0) -> EpochRecord:
    return EpochRecord(epoch, loss, 0.5, 0.25, 0.25, 0.75, None, 0.1, 0, 100.0, 2.0)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def with_answer(guidance: Guidance, label: int, answer: str) -> Guidance:
    """Return the next round, in which one class was asked about."""
    before = guidance.classes[label]
    question = Question(before.action, Step.DISTINGUISH, ("a", "b"), ("rest",), "What?")
    new = replace(before, dialogue=Dialogue(before.action, (Exchange(question, answer),)))
    classes = (*guidance.classes[:label], new, *guidance.classes[label + 1 :])
    return replace(guidance, classes=classes, round=guidance.round + 1)


def test_a_line_per_epoch(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    assert run.read_metrics() == []
    recorder = RunLogger(run)
    for epoch in range(3):
        recorder.on_step(epoch, 1, torch.zeros(1, 4))
        recorder.on_epoch(record(epoch))
        assert (
            lines(run.metrics)
            == run.read_metrics()
            == [asdict(record(n)) for n in range(epoch + 1)]
        )


def test_what_a_line_leaves_out_has_its_default(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.metrics.write_text('{"epoch": 0, "cls": 0.5}\n')
    (read,) = run.read_metrics()
    assert read.keys() == asdict(record(0)).keys()
    assert (read["cls"], read["round"], read["seconds"]) == (0.5, 0, 0.0)
    assert read["loss"] is read["validation_top1"] is None


def test_a_resumed_run_forgets_what_has_no_checkpoint(tmp_path: Path, world: ModuleType) -> None:
    run = RunDirectory(tmp_path)
    killed = RunLogger(run)
    killed.on_guidance(None, world.make_guidance(0))
    for epoch in range(4):
        killed.on_epoch(record(epoch, loss=9.0))
        killed.on_guidance(world.make_guidance(epoch), world.make_guidance(epoch + 1))
    again = RunLogger(run, first_epoch=2)
    again.on_guidance(None, world.make_guidance(2))
    again.on_epoch(record(2))
    assert [(line["epoch"], line["loss"]) for line in run.read_metrics()] == [
        (0, 9.0), (1, 9.0), (2, 1.0),
    ]  # fmt: skip
    assert [r["round"] for r in json.loads(run.guidance.read_text())["rounds"]] == [0, 1, 2]


def test_a_run_begun_anew_keeps_nothing(tmp_path: Path, world: ModuleType) -> None:
    run = RunDirectory(tmp_path)
    for _ in range(2):
        recorder = RunLogger(run)
        recorder.on_guidance(None, world.make_guidance(0))
        recorder.on_guidance(world.make_guidance(0), world.make_guidance(1))
        recorder.on_epoch(record(0))
    assert len(run.read_metrics()) == 1
    assert [r["round"] for r in json.loads(run.guidance.read_text())["rounds"]] == [0, 1]


def test_rounds_tell_joints_and_sentences(tmp_path: Path, world: ModuleType) -> None:
    run = RunDirectory(tmp_path)
    RunLogger(run).on_guidance(None, world.make_guidance(1))
    (first,) = json.loads(run.guidance.read_text())["rounds"]
    assert first["classes"][0] == {
        "action": "lift", "joints": ["2-shoulder"], "sentence": "lift as of round 1",
        "rivals": [], "notes": [], "claims": [], "claim_results": [],
    }  # fmt: skip


def test_dialogues_are_written_when_they_change(tmp_path: Path, world: ModuleType) -> None:
    run = RunDirectory(tmp_path)
    recorder = RunLogger(run)
    first = with_answer(world.make_guidance(0), 1, "the hand")
    recorder.on_guidance(None, first)
    files = sorted(path.name for path in run.dialogues.glob("*.jsonl"))
    assert files == ["001_lift.jsonl", "002_swing.jsonl", "003_rest.jsonl"]
    assert lines(run.dialogues / files[1]) == [
        {"action": "swing", "step": "distinguish", "round": 0, "rivals": ["rest"],
         "question": "What?", "answer": "the hand", "outcome": "accepted"},
    ]  # fmt: skip
    said = DialogueCollection.load(tmp_path).dialogues
    assert [d.action for d in said] == [c.action for c in first.classes]
    assert said[1].answer(Step.DISTINGUISH) == "the hand"
    before = {name: (run.dialogues / name).stat().st_ino for name in files}
    recorder.on_guidance(first, with_answer(first, 1, "the elbow"))
    after = {name: (run.dialogues / name).stat().st_ino for name in files}
    assert [name for name in files if before[name] != after[name]] == [files[1]]
    assert lines(run.dialogues / files[1])[0]["answer"] == "the elbow"


def test_no_class_name_leads_out_of_the_folder(tmp_path: Path, world: ModuleType) -> None:
    run = RunDirectory(tmp_path / "run")
    guidance = world.make_guidance(0)
    wild = replace(guidance.classes[0], action="../../a/b: c*\n")
    RunLogger(run).on_guidance(None, replace(guidance, classes=(wild, *guidance.classes[1:])))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert len(list(run.dialogues.iterdir())) == 4


DAMAGED: dict[str, tuple[str, ...]] = {
    "metrics": ("{", '{"epoch": 0}\nnothing\n', "null\n", "[]", '{"epoch": "1"}', '{"loss": 1.0}',
                '{"epoch": -1}', '{"epoch": 0, "loss": []}', '{"epoch": 0.5}', '{"epoch": 1e400}'),
    "guidance": ("{}", "[]", '{"rounds": 3}', '{"rounds": [3]}', '{"rounds": [{"round": 0}]}',
                 ('{"rounds": [{"round": 0, "classes": [{"action": "a", "joints": ["hand"], '
                 '"sentence": "", "rivals": [], "notes": []}]}]}')),
    "summary": ("5", '"x"', "[]", "null", '{"top1": "high"}', '{"test": {"a": {"top1": 1}}}',
                '{"parameters": {}}', '{"parameters": null}'),
    "choices": ("5", '{"reasons": 5}', '{"reasons": [5]}'),
    "baseline": ("{}", "[]", '{"split": "a", "methods": 3}', '{"split": "a", "methods": [{}]}'),
    "cost": ("5", "{}", '{"wall_seconds": "1", "processor_seconds": 1}'),
    "evaluation_parts": ("5", "[]", '{"a": 5}', '{"a": [5]}'),
}  # fmt: skip
"""What is no record of a run, by the name of the file."""


def read_record(run: RunDirectory, name: str) -> object:
    readers = {"guidance": run.read_rounds, "choices": run.read_reasons}
    return readers.get(name, getattr(run, f"read_{name}", None))()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "content"),
    [(name, text) for name, texts in DAMAGED.items() for text in (*texts, "[" * 10**5)],
    ids=lambda text: text[:24],
)
def test_damaged_records_are_named(tmp_path: Path, name: str, content: str) -> None:
    run = RunDirectory(tmp_path)
    getattr(run, name).write_text(content)
    with pytest.raises(DataError, match=rf"{name}\.jsonl?: is damaged") as error:
        read_record(run, name)
    assert "\n" not in str(error.value)


def test_rounds_of_other_classes_are_damage(tmp_path: Path, world: ModuleType) -> None:
    run = RunDirectory(tmp_path)
    RunLogger(run).on_guidance(None, world.make_guidance(1))
    assert len(run.read_rounds(3)) == 1
    with pytest.raises(DataError, match=r"guidance\.json: .* a round has 3 of 4 classes"):
        run.read_rounds(4)


@pytest.mark.parametrize("name", DAMAGED)
def test_records_that_are_no_text_are_named_and_missing_ones_are_none(
    tmp_path: Path, name: str
) -> None:
    run = RunDirectory(tmp_path)
    assert not read_record(run, name)
    getattr(run, name).write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=rf"{name}\.jsonl?: .*is no UTF-8 text"):
        read_record(run, name)


def test_problems_are_remembered(tmp_path: Path) -> None:
    recorder = RunLogger(RunDirectory(tmp_path))
    recorder.on_problem("nobody answers")
    recorder.on_problem("still nobody")
    assert (tmp_path / "problems.log").read_text() == "nobody answers\nstill nobody\n"


def test_a_run_has_begun_once_it_is_configured(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert not run.exists
    run.config.write_text("")
    assert run.exists


def test_several_callbacks_are_one(world: ModuleType) -> None:
    recorders = [world.Recorder(), world.Recorder()]
    together: Callback = CallbackList(recorders)
    together.on_step(1, 2, torch.zeros(3, 4))
    together.on_epoch(record(1))
    together.on_guidance(None, world.make_guidance(0))
    together.on_problem("nobody answers")
    together.on_answers(3, 9)
    for notes in recorders:
        assert notes.problems == ["nobody answers"]
        assert notes.answers == [(3, 9)]
        assert notes.steps == [(1, 2, 3)]
        assert notes.epochs == [record(1)]
        assert notes.guidance == [(None, world.make_guidance(0))]
