"""Random clips and layouts that tests of augmentation and streams share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from skeletonagent.core.layout import LAYOUTS, SkeletonLayout

layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
channels = pytest.mark.parametrize("c", [2, 3])


def random_clips(layout: SkeletonLayout, c: int = 3, n: int = 4, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 2, 5, layout.num_joints, c, generator=generator)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
