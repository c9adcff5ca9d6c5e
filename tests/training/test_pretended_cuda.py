"""The program on a GPU that is pretended: one device for all operands, and steps without waits."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.pretended_cuda import PretendedTensor, TwoDevicesError, pretended_cuda
from tests.small_run import SETTINGS, small_archive

from skeletonagent.evaluation import predict as evaluation
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.experiments.datasets import prepare_dataset
from skeletonagent.experiments.run import no_display, run_experiment
from skeletonagent.training import train_epoch

GUIDED = ("training.guidance_period=1", "training.ema_decay=0.8", "training.batch_size=2")
KINDS = {
    "the paper's": ("model.backbone=skeletonagent", "loss.mixup=0.1"),
    "compact": ("model.backbone=joint-cnn", "training.optimizer=adamw", "kernel_ridge.weight=0.5"),
    "streamed": ("data.placement=host", "data.shard_megabytes=0.05"),
}


def result_of(folder: Path, *settings: str) -> Any:
    """Train on few clips of up to two bodies, guided by the analyst, and test."""
    own = [f"{name}={value}" for name, value in SETTINGS.items()]
    config = with_overrides(Config(), [*own, *GUIDED, "data.split=halves", *settings])
    config = with_overrides(config, [f"data.archive={small_archive(folder / 'archive')}"])
    data = prepare_dataset(config.data)
    return run_experiment(config, data, folder / "run", resume=False, watch=no_display)


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_a_training_on_one_gpu(
    settings: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No step waits, no test batch waits, and losses and result are those of the CPU."""
    of_steps: list[int] = []
    of_batches: list[list[int]] = []
    add, test_batches = train_epoch.EpochState.add, evaluation.iterate_batches

    def added(state: Any, *arguments: Any) -> None:
        add(state, *arguments)
        of_steps.append(len(mode.waits))

    def iterated(*arguments: Any) -> Any:
        marks: list[int] = []
        for batch in test_batches(*arguments):
            yield batch
            marks.append(len(mode.waits))
        of_batches.append(marks)

    on_cpu = result_of(tmp_path / "cpu", *settings)
    monkeypatch.setattr(train_epoch.EpochState, "add", added)
    monkeypatch.setattr(evaluation, "iterate_batches", iterated)
    with pretended_cuda() as mode:
        result = result_of(tmp_path / "gpu", *settings, "device=cuda:0")
    assert [*Counter(of_steps).values()] == [3, 3], of_steps  # three steps of two epochs
    assert of_batches
    for marks in of_batches:  # the first batch sees which lengths there are
        assert len(marks) > 2 and len({*marks}) == 1, of_batches
    assert result["top1"] == on_cpu["top1"]
    records, wanted = (
        [json.loads(line) for line in (tmp_path / place / "run" / "metrics.jsonl").open()]
        for place in ("gpu", "cpu")
    )
    for record, expected in zip(records, wanted, strict=True):
        assert record["loss"] == pytest.approx(expected["loss"], rel=0.01)


def test_the_pretence_tells_waits_and_devices() -> None:
    with pretended_cuda() as mode:
        numbers = torch.arange(6.0, device="cuda").view(2, 3)
        assert type(numbers) is PretendedTensor
        assert numbers.device.type == "cuda" and (numbers + 1).is_cuda
        total = (numbers * torch.tensor(2.0)).sum()
        assert mode.waits == []
        assert float(total) == 30.0
        chosen = numbers[numbers > 3]
        assert np.array_equal(chosen.cpu().numpy(), [4.0, 5.0])
        assert [wait.split()[0] for wait in mode.waits] == ["__float__", "__getitem__", "cpu"]
        with pytest.raises(TwoDevicesError, match=r"add has an operand of \(3,\) on the CPU"):
            numbers + torch.ones(3)
    assert type(torch.ones(1)) is torch.Tensor
