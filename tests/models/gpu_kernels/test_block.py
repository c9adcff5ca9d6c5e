"""A block by operations on maps is the block: features, gradients, running statistics."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from skeletonagent.core.layout import COCO_17
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.blocks import STBlock
from skeletonagent.models.gpu_kernels.block import MapBlock
from skeletonagent.models.gpu_kernels.plain import PlainOperations


@pytest.mark.parametrize(("name", "channels"), [("skeletonagent", 8), ("dg-stgcn", 3)])
def test_operations_on_maps_give_what_the_blocks_give(name: str, channels: int) -> None:
    blocks = BACKBONES[name].build(COCO_17, 3, 2, 8).blocks.double()
    for key, parameter in blocks.named_parameters():
        if key.endswith(("alpha", "beta", "share")):
            nn.init.normal_(parameter)
    other = copy.deepcopy(blocks)
    for block in other:
        assert isinstance(block, STBlock)
        block.training_forward = MapBlock(PlainOperations())
    x = torch.randn(3, channels, 9, 17, dtype=torch.float64)
    found = []
    for module in (blocks, other):
        y = module(x)
        y.square().sum().backward()
        found.append([y, *(p.grad for p in module.parameters()), *module.buffers()])
    for wanted, got in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted)


def test_maps_have_the_precision_of_autocast() -> None:
    block = BACKBONES["dg-stgcn"].build(COCO_17, 3, 2, 8).blocks[0]
    x, found = torch.randn(2, 3, 5, 17), []
    for forward in (None, MapBlock(PlainOperations())):
        block.training_forward = forward
        with torch.autocast("cpu", torch.bfloat16):
            found.append(block(x))
    assert found[0].dtype == found[1].dtype == torch.bfloat16
    torch.testing.assert_close(found[1], found[0], rtol=0.1, atol=0.1)


def test_evaluation_takes_the_blocks_own_forward_pass() -> None:
    block = BACKBONES["skeletonagent"].build(COCO_17, 3, 2, 8).blocks[0].eval()
    x = torch.randn(1, 8, 4, 17)
    wanted = block(x)

    def fail(*_: object) -> torch.Tensor:
        raise AssertionError

    block.training_forward = fail
    assert torch.equal(block(x), wanted)
