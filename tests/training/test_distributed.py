"""Devices by name, and the precision a step is run in."""

from __future__ import annotations

import os

import pytest
import torch

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.training.distributed import (
    LaunchInfo,
    describe_device,
    init_distributed,
    pick_device,
)
from skeletonagent.training.settings import Precision

WITH_GPU = torch.cuda.is_available()


def test_the_processor_is_always_there() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert "CPU" in describe_device(torch.device("cpu"))


def test_auto_takes_the_fastest() -> None:
    assert pick_device("auto").type == ("cuda" if WITH_GPU else "cpu")


@pytest.mark.parametrize("name", ["abacus", "", "cpu:x", "meta"])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name!r}.*use auto, cpu, cuda"):
        pick_device(name)


@pytest.mark.skipif(WITH_GPU, reason="needs a machine without a GPU")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_missing_gpu_is_said_to_be_missing(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name!r}.*no usable GPU; use cpu"):
        pick_device(name)


@pytest.mark.parametrize(("precision", "dtype"), [("32", torch.float32), ("bf16", torch.bfloat16)])
def test_products_are_taken_in_the_precision_asked_for(
    precision: Precision, dtype: torch.dtype
) -> None:
    context = init_distributed(torch.device("cpu"), precision)
    linear = torch.nn.Linear(2, 2)
    module = context.wrap(linear)
    with context.autocast():
        assert linear(torch.ones(1, 2)).dtype == dtype
    assert module(torch.ones(1, 2)).dtype == torch.float32  # losses are taken in full precision
    assert linear.weight.dtype == torch.float32


def test_alone_everything_is_ones_own() -> None:
    context = init_distributed(torch.device("cpu"), "32")
    assert (context.world_size, context.rank, context.is_main) == (1, 0, True)
    assert context.broadcast_object("said") == "said"
    assert context.all_gather_object(3) == [3]
    assert context.all_reduce_max(5) == 5
    assert context.run_on_main(lambda: "made") == "made"
    assert torch.equal(context.all_reduce_sum_(torch.ones(2)), torch.ones(2))
    with pytest.raises(DataError, match="no such"):
        context.run_on_main(lambda: (_ for _ in ()).throw(DataError("no such file")))
    with pytest.raises(RuntimeError, match="connection lost"), context.name_lost_ranks():
        raise RuntimeError("connection lost")


LAUNCHES = {
    "alone": ({}, LaunchInfo()),
    "torchrun": (
        {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "RANK": "5"},
        LaunchInfo(8, 2, 5),
    ),
    "srun": (
        {
            "SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_NNODES": "2",
            "SLURM_JOB_NAME": "train", "SLURM_STEP_ID": "0", "SLURM_JOB_ID": "1",
        },
        LaunchInfo(4, 2, 3),
    ),
    "a batch script without srun": ({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train"}, LaunchInfo()),
}  # fmt: skip


@pytest.mark.parametrize("how", LAUNCHES)
def test_the_environment_tells_how_many_there_are(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    environment, expected = LAUNCHES[how]
    for name in list(os.environ):
        if name.startswith(("SLURM_", "TORCHELASTIC_")):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert LaunchInfo.detect() == expected


def test_processes_cannot_share_one_gpu_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LaunchInfo, "detect", lambda: LaunchInfo(2))
    with pytest.raises(ConfigError, match="2 processes cannot share device cuda:1"):
        init_distributed(torch.device("cuda:1"), "32")
