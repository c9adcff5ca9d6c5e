"""The block and the way around it."""

from __future__ import annotations

import torch
from torch import nn

from skeletonagent.models.layers import Block, shortcut


def test_shortcut_is_the_identity_where_it_can_be() -> None:
    x = torch.randn(2, 8, 5, 3)
    assert shortcut(8, 8)(x) is x
    assert shortcut(8, 8, 2)(x).shape == (2, 8, 3, 3)
    assert shortcut(8, 16)(x).shape == (2, 16, 5, 3)


def test_block_goes_around_only_if_there_is_a_way() -> None:
    x = torch.randn(2, 8, 5, 3)
    torch.testing.assert_close(Block(nn.Identity(), nn.Identity(), None)(x), x.relu())
    torch.testing.assert_close(Block(nn.Identity(), nn.Identity(), nn.Identity())(x), 2 * x.relu())
