"""Fused kernels: what they need is said clearly, and nothing changes without them."""

from __future__ import annotations

import sys

import pytest
import torch

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import COCO_17
from skeletonagent.models.blocks import STBlock
from skeletonagent.models.recognizer import Recognizer, build_recognizer
from skeletonagent.training.distributed import DistributedContext
from skeletonagent.training.fused_kernels import INTERPRETER, use_triton
from skeletonagent.training.launch import LaunchInfo
from skeletonagent.training.settings import (
    DistributedSettings,
    Freeze,
    StepKernels,
    TrainSettings,
)


def recognizer(backbone: str = "skeletonagent") -> Recognizer:
    return build_recognizer(
        backbone, COCO_17, channels=3, persons=1, num_classes=2, text_dim=4, width=8
    )


def context(device: str = "cuda", ranks: int = 1) -> DistributedContext:
    launch = LaunchInfo(world_size=ranks) if ranks > 1 else None
    return DistributedContext(torch.device(device), "32", DistributedSettings(), launch)


def test_blocks_are_computed_by_kernels() -> None:
    pytest.importorskip("triton", reason="needs Triton")
    model = recognizer()
    use_triton(model, context())
    blocks = [module for module in model.modules() if isinstance(module, STBlock)]
    assert len(blocks) == 9
    assert all(block.training_forward is not None for block in blocks)


def test_a_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(INTERPRETER, raising=False)
    with pytest.raises(ConfigError, match=r"needs an NVIDIA GPU, .* on cpu; set device=cuda"):
        use_triton(recognizer(), context("cpu"))


def test_several_ranks_are_refused() -> None:
    with pytest.raises(ConfigError, match="not in 2 processes"):
        use_triton(recognizer(), context(ranks=2))


@pytest.mark.parametrize("backbone", ["stgcn++", "joint-cnn"])
def test_backbones_without_kernels_are_refused(backbone: str) -> None:
    with pytest.raises(ConfigError, match="skeletonagent and dg-stgcn alone"):
        use_triton(recognizer(backbone), context())


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if ".gpu_kernels" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(ConfigError, match=r"install skeletonagent\[triton\]"):
        use_triton(recognizer(), context())


def test_frozen_norms_are_refused() -> None:
    with pytest.raises(ValueError, match="kernels triton take the norms' statistics"):
        TrainSettings(kernels=StepKernels.TRITON, freeze=Freeze.NORMS, init_from="base")
