"""What a person sees: the agents' words as they were said, all of it on standard error."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from skeletonagent.cli.console import (
    TrainingDisplay,
    asked_and_answered,
    console,
    exchange_panel,
    print_json,
)
from skeletonagent.core.dialogue import Dialogue, Exchange, Question, Step
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17
from skeletonagent.training.callbacks import EpochRecord
from skeletonagent.training.settings import TrainSettings

WAVE = ClassGuidance("wave [a]", (9,), "the hand [b] swings", ("salute [c]",), notes=("odd [d]",))
REST = ClassGuidance("rest", (), "nothing moves")


def told(*classes: ClassGuidance, round_: int = 0) -> Guidance:
    return Guidance(COCO_17, classes, round_)


def record(epoch: int, validation: float | None = None) -> EpochRecord:
    return EpochRecord(epoch, 1.234, 0.5, 0.25, 0.25, 0.75, validation, 0.1, 0, 456.0, 2.0)


def test_json_is_one_line_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": "line\nbreak", "b": [1.5, None]})
    shown = capsys.readouterr()
    assert shown.err == "" and shown.out.count("\n") == 1
    assert json.loads(shown.out) == {"a": "line\nbreak", "b": [1.5, None]}


def test_a_panel_repeats_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    console.print(exchange_panel(WAVE, told(WAVE)))
    shown = capsys.readouterr()
    assert shown.out == ""
    for words in ("wave [a]", "salute [c]", "left wrist", "“the hand [b] swings”", "odd [d]"):
        assert words in shown.err
    console.print(exchange_panel(REST, told(REST)))
    quiet = capsys.readouterr().err
    assert "no other class" in quiet and " all" in quiet


def test_only_what_is_new_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    display = TrainingDisplay(TrainSettings(epochs=3), 0, "title")
    display.on_guidance(None, told(WAVE, REST))
    assert capsys.readouterr().err == ""
    question = Question("rest", Step.DISTINGUISH, ("a",), ("wave",), "What?")
    asked = replace(REST, dialogue=Dialogue("rest", (Exchange(question, "nothing"),)))
    display.on_guidance(told(WAVE, REST), told(WAVE, asked, round_=1))
    shown = capsys.readouterr().err
    assert "round 1: asked about 1 class(es)" in shown
    assert "nothing moves" in shown and "swings" not in shown


def test_without_a_terminal_ten_lines_are_enough(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingDisplay(TrainSettings(epochs=40), 0, "title [x]") as display:
        for epoch in range(40):
            display.on_step(epoch, 1, torch.ones(2, 4))
            display.on_epoch(record(epoch, validation=0.5 if epoch < 20 else None))
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 10
    assert lines[0] == "epoch 4: loss 1.234  train 75.0%  validation 50.0%  456 clips/s"
    assert lines[-1] == "epoch 40: loss 1.234  train 75.0%  456 clips/s"
    assert shown.out == ""


def test_the_latest_targeted_answer_is_told() -> None:
    exchanges = tuple(
        Exchange(Question("rest", step, ("a",), (), "?"), answer)
        for step, answer in ((Step.OVERVIEW, "x"), (Step.DISTINGUISH, "y"), (Step.DISTINGUISH, "z"))
    )
    asked = replace(REST, joints=(9, 10), rivals=("w",), dialogue=Dialogue("rest", exchanges))
    assert asked_and_answered(told(WAVE, asked), ["rest", "wave [a]"]) == [
        {"action": "rest", "rivals": ["w"], "joints": ["left wrist", "right wrist"],
         "sentence": "nothing moves", "answer": "z"},
        {"action": "wave [a]", "rivals": ["salute [c]"], "joints": ["left wrist"],
         "sentence": "the hand [b] swings", "answer": None},
    ]  # fmt: skip
