"""Devices by name, and the precision a step is run in."""

from __future__ import annotations

import pytest
import torch

from skeletonagent.core.errors import ConfigError
from skeletonagent.training.engine import Precision, describe_device, pick_device, start_engine

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


@pytest.mark.skipif(WITH_GPU, reason="there is a GPU")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_missing_gpu_is_said_to_be_missing(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name!r}.*no usable GPU; use cpu"):
        pick_device(name)


@pytest.mark.parametrize(("precision", "dtype"), [("32", torch.float32), ("bf16", torch.bfloat16)])
def test_products_are_taken_in_the_precision_asked_for(
    precision: Precision, dtype: torch.dtype
) -> None:
    engine = start_engine(torch.device("cpu"), precision)
    linear = torch.nn.Linear(2, 2)
    module, _ = engine.setup(linear, torch.optim.SGD(linear.parameters(), lr=0.1))
    with engine.autocast():
        assert linear(torch.ones(1, 2)).dtype == dtype
    assert module(torch.ones(1, 2)).dtype == torch.float32  # losses are taken in full precision
    assert linear.weight.dtype == torch.float32
