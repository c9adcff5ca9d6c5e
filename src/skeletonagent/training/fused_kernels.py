"""Fused kernels in the place of torch's, for the blocks of a recognizer in training."""

from __future__ import annotations

import os

from torch import nn

from skeletonagent.core.errors import ConfigError
from skeletonagent.models.blocks import STBlock
from skeletonagent.models.graph_conv import DGGraphConv
from skeletonagent.training.distributed import DistributedContext

INTERPRETER = "TRITON_INTERPRET"
"""Environment variable by which Triton runs kernels on a CPU, slowly, to test them."""


def use_triton(recognizer: nn.Module, context: DistributedContext) -> None:
    """Let kernels of Triton compute a recognizer's blocks in training.

    Args:
        recognizer: Recognizer of the backbone ``skeletonagent`` or ``dg-stgcn``.
        context: Device and ranks of the run.

    Raises:
        ConfigError: If there is no GPU, several ranks, no Triton, or another backbone.
    """
    blocks = [module for module in recognizer.modules() if isinstance(module, STBlock)]
    if not blocks or not all(isinstance(block.graph, DGGraphConv) for block in blocks):
        raise ConfigError(
            "training.kernels triton has kernels for the backbones skeletonagent and dg-stgcn "
            "alone; set model.backbone to one of them, or training.kernels=torch"
        )
    if context.world_size > 1:
        raise ConfigError(
            f"training.kernels triton trains on a single GPU, not in {context.world_size} "
            "processes; set training.kernels=torch"
        )
    if context.device.type != "cuda" and os.environ.get(INTERPRETER) != "1":
        raise ConfigError(
            f"training.kernels triton needs an NVIDIA GPU, and the run is on {context.device}; set "
            "device=cuda, or training.kernels=torch"
        )
    try:
        from skeletonagent.models.gpu_kernels.operations import TritonOperations
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        raise ConfigError(
            "training.kernels triton needs Triton, which torch for CUDA brings along; install "
            "skeletonagent[triton], or set training.kernels=torch"
        ) from error
    from skeletonagent.models.gpu_kernels.block import MapBlock

    forward = MapBlock(TritonOperations())
    for block in blocks:
        block.training_forward = forward
