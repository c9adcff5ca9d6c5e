"""Modules in which every term counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

Shake = Callable[..., nn.Module]


def shake(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give gates and normalisations values at which every term counts, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in module.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(torch.rand(buffer.shape, generator=generator))
    return module.eval()


@pytest.fixture(scope="session")
def shaken() -> Shake:
    return shake
