"""Devices by name, and the precision a step is run in."""

from __future__ import annotations

import pytest
import torch

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.training.distributed import describe_device, init_distributed, pick_device
from skeletonagent.training.launch import LaunchInfo
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


def test_a_tuple_of_outputs_is_single_precision_and_whole_numbers_stay() -> None:
    class Pair(torch.nn.Module):
        def forward(
            self, x: torch.Tensor, labels: torch.Tensor, missing: None
        ) -> tuple[torch.Tensor, ...]:
            assert x.dtype == torch.bfloat16 and missing is None
            return x @ x.T, labels

    module = init_distributed(torch.device("cpu"), "bf16").wrap(Pair())
    product, labels = module(torch.ones(2, 3), torch.tensor([1, 2]), None)
    assert product.dtype == torch.float32 and labels.dtype == torch.int64


def test_in_single_precision_alone_nothing_is_wrapped() -> None:
    linear = torch.nn.Linear(2, 2)
    assert init_distributed(torch.device("cpu"), "32").wrap(linear) is linear


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


def test_processes_cannot_share_one_gpu_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LaunchInfo, "detect", lambda: LaunchInfo(2))
    with pytest.raises(ConfigError, match="2 processes cannot share device cuda:1"):
        init_distributed(torch.device("cuda:1"), "32")
