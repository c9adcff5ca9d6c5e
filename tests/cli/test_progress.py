"""Display of a training: the agents' words as they were said, all of it on standard error."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from skeletonagent.cli.console import console
from skeletonagent.cli.progress import TrainingDisplay, exchange_panel
from skeletonagent.core.dialogue import Dialogue, Exchange, Question, Step
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17
from skeletonagent.training.callbacks import EpochRecord
from skeletonagent.training.settings import TrainSettings

WAVE = ClassGuidance("wave [a]", (9,), "the hand [b] swings", ("salute [c]",), notes=("odd [d]",))
REST = ClassGuidance("rest", (), "nothing moves")


def guidance_of(*classes: ClassGuidance, round_: int = 0) -> Guidance:
    return Guidance(COCO_17, classes, round_)


def record(epoch: int, validation: float | None = None) -> EpochRecord:
    return EpochRecord(epoch, 1.234, 0.5, 0.25, 0.25, 0.75, validation, 0.1, 0, 456.0, 2.0)


def test_a_panel_repeats_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    console.print(exchange_panel(WAVE, COCO_17))
    shown = capsys.readouterr()
    assert shown.out == ""
    for words in ("wave [a]", "salute [c]", "left wrist", "“the hand [b] swings”", "odd [d]"):
        assert words in shown.err
    console.print(exchange_panel(REST, COCO_17))
    quiet = capsys.readouterr().err
    assert "no other class" in quiet and " all" in quiet


def test_only_what_is_new_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    display = TrainingDisplay(TrainSettings(epochs=3), 0, "title")
    display.on_guidance(None, guidance_of(WAVE, REST))
    assert capsys.readouterr().err == ""
    question = Question("rest", Step.DISTINGUISH, ("a",), ("wave",), "What?")
    asked = replace(REST, dialogue=Dialogue("rest", (Exchange(question, "nothing"),)))
    display.on_guidance(guidance_of(WAVE, REST), guidance_of(WAVE, asked, round_=1))
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
