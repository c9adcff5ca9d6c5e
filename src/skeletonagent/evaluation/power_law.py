"""Power law of a learning curve: how the error falls with the number of training clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import curve_fit  # type: ignore[import-untyped]

FEWEST_SIZES = 4
"""Numbers of clips that a power law is fitted to, at least: it has three parameters."""

_EXPONENTS = (0.25, 0.5, 1.0, 2.0)
"""Exponents that a fit begins with; the best of the fits is taken."""

_LARGEST_EXPONENT = 4.0


@dataclass(frozen=True)
class PowerLaw:
    """Error rate as a function of the number n of training clips of a class, ``a + b n^-c``.

    Source: Hestness et al. 2017 (arXiv 1712.00409), section 3.

    Args:
        floor: a, the error that no number of clips goes below.
        factor: b.
        exponent: c.
    """

    floor: float
    factor: float
    exponent: float

    def error(self, clips: float) -> float:
        """Return the error rate at a number of training clips of a class."""
        return float(self.floor + self.factor * clips**-self.exponent)

    def gain(self, clips: float, more: float) -> float:
        """Return by how much the error falls from one number of clips to another."""
        return self.error(clips) - self.error(more)


def fit_power_law(clips: Sequence[float], errors: Sequence[float]) -> PowerLaw | None:
    """Return the power law with the least squared differences to measured errors.

    Its floor, and what it adds to the floor at the smallest number of clips, are between 0 and 1,
    so that it does not rise. None if there are fewer than four numbers of clips, or no fit
    converges.

    Args:
        clips: Numbers of training clips of a class, above 0, each once.
        errors: Error rate at each.
    """
    if len(clips) < FEWEST_SIZES:
        return None
    smallest = min(clips)
    ratios, values = np.asarray(clips, dtype=float) / smallest, np.asarray(errors, dtype=float)
    fits = [fit for start in _EXPONENTS if (fit := _fit(ratios, values, start)) is not None]
    if not fits:
        return None
    floor, fall, exponent = min(
        fits, key=lambda fit: float(((_error(ratios, *fit) - values) ** 2).sum())
    )
    return PowerLaw(floor, fall * smallest**exponent, exponent)


def _fit(
    ratios: Float[np.ndarray, " n"], errors: Float[np.ndarray, " n"], start: float
) -> tuple[float, float, float] | None:
    """Return floor, fall and exponent that a fit ends with, None if it does not converge."""
    lowest, highest = float(errors.min()), float(errors.max())
    first = np.clip([lowest / 2, highest - lowest / 2, start], 1e-3, [0.999, 0.999, 3.9])
    bounds = ([0, 0, 1e-2], [1, 1, _LARGEST_EXPONENT])
    try:
        found, _ = curve_fit(_error, ratios, errors, p0=first, bounds=bounds, max_nfev=2000)
    except RuntimeError:
        return None
    floor, fall, exponent = map(float, found)
    return floor, fall, exponent


def _error(
    ratio: Float[np.ndarray, " n"], floor: float, fall: float, exponent: float
) -> Float[np.ndarray, " n"]:
    error: np.ndarray = floor + fall * ratio**-exponent
    return error
