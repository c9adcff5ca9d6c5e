"""Differences beyond chance: p-values of many differences, and their joint correction."""

from __future__ import annotations

import torch
from jaxtyping import Float
from scipy.special import stdtr  # type: ignore[import-untyped]
from torch import Tensor

SIGNIFICANCE = 0.05
"""Probability that chance alone makes one of the differences tested together look real."""


def p_values(
    off: Float[Tensor, "*a"], error: Float[Tensor, "*a"], squares: Float[Tensor, "*a"]
) -> Float[Tensor, "*a"]:
    """Return the two-sided p-values of Welch's test; 1 where nothing varies.

    Args:
        off: Differences of means.
        error: Squares of their standard errors, sums of those of the means.
        squares: Sums of the squares of these parts, each by its degrees of freedom, so that
            ``error ** 2 / squares`` are the degrees of freedom of Welch and Satterthwaite.
    """
    varies = error > 0
    freedom = torch.where(varies, error.square() / squares.clamp(min=1e-300), 1.0).clamp(min=1.0)
    ratio = off.abs() / torch.where(varies, error, 1.0).sqrt()
    p = 2 * torch.as_tensor(stdtr(freedom.double().numpy(), -ratio.double().numpy()))
    return torch.where(varies, p.to(off.dtype), 1.0)


def holm(p: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    """Return p-values of tests made together, corrected for their number by Holm's method.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    ascending, order = p.sort()
    left = torch.arange(len(p), 0, -1, dtype=p.dtype)
    stepped = (ascending * left).cummax(dim=0).values.clamp(max=1.0)
    return torch.empty_like(stepped).scatter_(0, order, stepped)
