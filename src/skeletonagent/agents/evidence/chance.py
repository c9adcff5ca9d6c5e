"""Differences beyond chance: p-values of many differences, and their joint correction."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from scipy.special import stdtr  # type: ignore[import-untyped]
from torch import Tensor

SIGNIFICANCE = 0.05
"""Probability that chance alone makes one of the differences tested together look real."""


class WelchTest(NamedTuple):
    """Statistics of Welch's test of two means."""

    ratio: Float[Tensor, "*a"]
    """Differences over their standard errors, without sign; 0 where nothing varies."""
    freedom: Float[Tensor, "*a"]
    """Degrees of freedom of Welch and Satterthwaite, at least one."""

    @classmethod
    def of(
        cls, off: Float[Tensor, "*a"], error: Float[Tensor, "*a"], squares: Float[Tensor, "*a"]
    ) -> WelchTest:
        """Return the statistics of differences.

        Args:
            off: Differences of means.
            error: Squares of their standard errors, sums of those of the means.
            squares: Sums of the squares of these parts, each by its degrees of freedom.
        """
        varies = error > 0
        freedom = torch.where(varies, error.square() / squares.clamp(min=1e-300), 1.0)
        ratio = off.abs() / torch.where(varies, error, torch.inf).sqrt()
        return cls(ratio, freedom.clamp(min=1.0))

    def p_values(self) -> Float[Tensor, "*a"]:
        """Return the two-sided p-values; 1 where nothing varies."""
        p = 2 * stdtr(self.freedom.double().numpy(), -self.ratio.double().numpy())
        return torch.as_tensor(p).to(self.ratio.dtype)


def holm(p: Float[Tensor, "*y k"]) -> Float[Tensor, "*y k"]:
    """Return p-values of tests made together, corrected for their number by Holm's method.

    Tests of each row are made together.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    ascending, order = p.sort(dim=-1)
    left = torch.arange(p.shape[-1], 0, -1, dtype=p.dtype)
    stepped = (ascending * left).cummax(dim=-1).values.clamp(max=1.0)
    return torch.empty_like(stepped).scatter_(-1, order, stepped)
