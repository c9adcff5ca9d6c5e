"""The block and the way around it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from skeletonagent.models.batch_norm import SyncableBatchNorm2d
from skeletonagent.models.blocks import ConvBNSequence, STBlock, conv1x1, shortcut


def test_products_are_convolutions() -> None:
    x, conv = torch.randn(3, 4, 5, 2), nn.Conv2d(4, 6, 1)
    torch.testing.assert_close(conv1x1(conv.weight, x, conv.bias), conv(x))
    conv.bias = None
    torch.testing.assert_close(conv1x1(conv.weight, x), conv(x))


def test_products_stay_in_autocasts_precision() -> None:
    x, conv = torch.randn(3, 4, 5, 2), nn.Conv2d(4, 6, 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv1x1(conv.weight, x, conv.bias).dtype == torch.bfloat16


@pytest.mark.parametrize("training", [True, False])
def test_chain_equals_its_layers_one_after_another(training: bool) -> None:
    chain = ConvBNSequence(
        SyncableBatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 1, stride=(2, 1)),
        SyncableBatchNorm2d(6),
        nn.Conv2d(6, 3, 1),
    )
    plain = nn.Sequential(*copy.deepcopy(chain))
    x, probe = torch.randn(3, 4, 5, 2), torch.randn(3, 3, 3, 2)
    for layers in (chain, plain):
        layers.train(training)
        (layers(x) * probe).sum().backward()
    torch.testing.assert_close(chain.train(False)(x), plain.train(False)(x), rtol=1e-4, atol=1e-5)
    for (name, parameter), other in zip(chain.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-4, atol=1e-4, msg=name)
    for (name, buffer), other in zip(chain.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(buffer, other, msg=name)


def test_shortcut_is_the_identity_where_it_can_be() -> None:
    x = torch.randn(2, 8, 5, 3)
    assert shortcut(8, 8)(x) is x
    assert shortcut(8, 8, 2)(x).shape == (2, 8, 3, 3)
    assert shortcut(8, 16)(x).shape == (2, 16, 5, 3)


def test_block_goes_around_only_if_there_is_a_way() -> None:
    x = torch.randn(2, 8, 5, 3)
    torch.testing.assert_close(STBlock(nn.Identity(), nn.Identity(), None)(x), x.relu())
    torch.testing.assert_close(
        STBlock(nn.Identity(), nn.Identity(), nn.Identity())(x), 2 * x.relu()
    )
