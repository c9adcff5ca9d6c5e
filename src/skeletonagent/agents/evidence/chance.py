"""Differences beyond chance: p-values of many differences, and their joint correction.

Arrays are NumPy's: what is compared is small, and its operators have half of PyTorch's overhead.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtri, stdtr, stdtrit  # type: ignore[import-untyped]

SIGNIFICANCE = 0.05
"""Probability that chance alone makes one of the differences tested together look real."""
_MOST_FREEDOM = 256
"""Degrees of freedom from which on bounds of p-values are those of so many."""


class WelchTest(NamedTuple):
    """Statistics of Welch's test of two means."""

    ratio: Float[np.ndarray, "*a"]
    """Differences over their standard errors, without sign; 0 where nothing varies."""
    freedom: Float[np.ndarray, "*a"]
    """Degrees of freedom of Welch and Satterthwaite, at least one."""

    @classmethod
    def of(
        cls,
        off: Float[np.ndarray, "*a"],
        error: Float[np.ndarray, "*a"],
        squares: Float[np.ndarray, "*a"],
    ) -> WelchTest:
        """Return the statistics of differences.

        Args:
            off: Differences of means.
            error: Squares of their standard errors, sums of those of the means.
            squares: Sums of the squares of these parts, each by its degrees of freedom.
        """
        varies = error > 0
        freedom = np.where(varies, error * error / np.maximum(squares, 1e-300), 1.0)
        ratio = np.abs(off) / np.sqrt(np.where(varies, error, np.inf))
        return cls(ratio, np.maximum(freedom, 1.0))

    def p_values(self) -> Float[np.ndarray, "*a"]:
        """Return the two-sided p-values; 1 where nothing varies."""
        return np.asarray(2 * stdtr(self.freedom, -self.ratio))

    def significant(self, doubled: Bool[np.ndarray, "y k"]) -> Bool[np.ndarray, "y k"]:
        """Return which differences are beyond chance by Holm's correction, each row by itself.

        It is ``holm(p) < SIGNIFICANCE``. Most p-values are so small that no number of tests
        corrects them away, or too large for a single one; they are told apart by bounds, which is
        quicker than to compute them.

        Args:
            doubled: Whether the p-value is doubled, for one of two differences was chosen.
        """
        tests = self.ratio.shape[-1]
        sure, single = _bounds(tests)
        whole = np.minimum(self.freedom, _MOST_FREEDOM).astype(np.intp)
        p = np.where(self.ratio > sure[whole], 0.0, 1.0)
        unsure = (self.ratio > single) & (p > 0)
        p[unsure] = 2 * stdtr(self.freedom[unsure], -self.ratio[unsure]) * (1 + doubled[unsure])
        # Holm's method rejects all that is smaller than the first p-value that fails.
        ascending = np.sort(p, axis=-1)
        fails = ascending * np.arange(tests, 0, -1) >= SIGNIFICANCE
        rows, first = np.arange(len(p)), fails.argmax(axis=-1)
        limit = np.where(fails[rows, first], ascending[rows, first], np.inf)
        return np.asarray(p < limit[:, None])


@lru_cache(maxsize=8)
def _bounds(tests: int) -> tuple[Float[np.ndarray, " f"], float]:
    """Return bounds of ratios that leave no doubt, among so many tests.

    Returns:
        By whole degrees of freedom the ratio above which a p-value, even if doubled, is significant
        whatever the other tests show; and the one below which none is significant even alone: that
        of the normal distribution. Both with a margin for rounding.
    """
    freedom = np.arange(_MOST_FREEDOM + 1).clip(min=1)
    sure = -stdtrit(freedom, SIGNIFICANCE / tests / 4) * (1 + 1e-6)
    return sure, float(-ndtri(SIGNIFICANCE / 2) * (1 - 1e-6))


def holm(p: Float[np.ndarray, "*y k"]) -> Float[np.ndarray, "*y k"]:
    """Return p-values of tests made together, corrected for their number by Holm's method.

    Tests of each row are made together.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order = p.argsort(axis=-1)
    left = np.arange(p.shape[-1], 0, -1)
    stepped = np.maximum.accumulate(np.take_along_axis(p, order, axis=-1) * left, axis=-1)
    corrected = np.empty_like(stepped)
    np.put_along_axis(corrected, order, np.minimum(stepped, 1.0), axis=-1)
    return corrected
