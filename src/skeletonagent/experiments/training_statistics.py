"""Statistics of training clips as stored, by which recordings of another source are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.clip_measures import ClipMeasures

FAR = 1.6
"""Deviation from the median beyond which a clip is unlike the training clips, as a multiple of that
of their first or last percentile.

Measured by ``benchmarks/other_sensor.py`` on all splits of UTD-MHAD, NW-UCLA, SBU and JHMDB: at
most 2.3 % of the test clips are farther away in any measure.
"""
_FEW = 20
"""Number of training clips at which percentiles say so little that limits are twice as wide."""


@dataclass(frozen=True)
class UsualRange:
    """Range of a measure over training clips.

    Args:
        low: First percentile.
        median: Median.
        high: Last percentile.
    """

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Float[np.ndarray, " n"]) -> UsualRange:
        """Return the range of the values that are known; of zeros if none is."""
        known = values[np.isfinite(values)]
        low, median, high = np.quantile(known, [0.01, 0.5, 0.99]) if len(known) else (0.0,) * 3
        return cls(float(low), float(median), float(high))

    def deviations(self, values: Float[np.ndarray, " n"], least: float) -> Float[np.ndarray, " n"]:
        """Return how far values are from the median, as shares of the way to the percentile.

        Args:
            values: Values; NaN where unknown, which does not deviate.
            least: Smallest way that is looked at.
        """
        above = (values - self.median) / max(self.high - self.median, least)
        below = (self.median - values) / max(self.median - self.low, least)
        largest = np.maximum(above, below)
        deviations: np.ndarray = np.where(np.isnan(largest), 0.0, largest)
        return deviations

    def to_json(self) -> list[float]:
        """Return the range as plain values."""
        return [self.low, self.median, self.high]


_RANGES = ("size", "speed", "roughness", "absent", "tilt", "turn", "front", "misfit")
_LEAST = {
    "size": 0.22, "speed": 0.7, "roughness": 0.35, "absent": 0.05, "tilt": 10.0, "turn": 20.0,
    "front": 0.05, "misfit": 1.0,
}  # fmt: skip
"""Smallest deviation of each measure that is looked at: of logarithms, a share, degrees, bone
lengths and standard deviations."""
_CENTERS = ("bones", "seen", "up", "left")
_LEAST_DEVIATION = 0.02
"""Standard deviation of a bone's logarithm that is looked at: bodies differ by as much."""
_RIDGE = 0.01
"""Variance added to that of standardized bones."""


@dataclass(frozen=True)
class TrainingStatistics:
    """Statistics of training clips as stored, before preprocessing.

    Args:
        samples: Number of clips that were measured.
        size: Logarithm of the mean bone length, in the unit of the data.
        speed: Logarithm of the mean way of a joint from one frame to the next, in bone lengths.
        roughness: Logarithm of the roughness of movement.
        absent: Share of the joints that are absent in frames in which their body is there.
        tilt: Angle of the body's up from ``up``, in degrees.
        turn: Angle of the body's left from ``left``, in degrees.
        front: Way from the ankles to the feet along left x up, over the mean bone length.
        misfit: Root mean square deviation of the bones from ``bones``, in standard deviations.
        bones: Mean logarithm of each bone's length over the mean one; NaN of bones never seen.
        bone_weights: Inverse of the covariance of these logarithms, shrunk.
        seen: Share of the frames in which each joint is there while its body is.
        up: Mean direction of the body's up.
        left: Mean direction of the body's left.
    """

    samples: int
    size: UsualRange
    speed: UsualRange
    roughness: UsualRange
    absent: UsualRange
    tilt: UsualRange
    turn: UsualRange
    front: UsualRange
    misfit: UsualRange
    bones: tuple[float, ...]
    bone_weights: tuple[tuple[float, ...], ...]
    seen: tuple[float, ...]
    up: tuple[float, ...]
    left: tuple[float, ...]

    @classmethod
    def of(cls, measures: ClipMeasures) -> TrainingStatistics | None:
        """Return the statistics of measured clips; None if there is none."""
        if not len(measures):
            return None
        bones = _mean(measures.bones)
        centers = {
            "bones": bones,
            "bone_weights": _inverse_covariance(np.nan_to_num(measures.bones - bones)),
            "seen": _mean(measures.seen),
            "up": _mean_direction(measures.up),
            "left": _mean_direction(measures.left),
        }
        scalars = _scalars(measures, centers)
        values: dict[str, Any] = {name: UsualRange.of(scalars[name]) for name in _RANGES}
        values |= {name: tuple(map(float, centers[name])) for name in _CENTERS}
        weights = tuple(tuple(map(float, row)) for row in centers["bone_weights"])
        return cls(samples=len(measures), **values, bone_weights=weights)

    @property
    def coordinates(self) -> int:
        """Number of coordinates that were measured, 2 or 3."""
        return len(self.up)

    def scalars(
        self, measures: ClipMeasures, rate: float = 1.0
    ) -> dict[str, Float[np.ndarray, " n"]]:
        """Return the measures of clips as they are compared, by the names of the ranges.

        Args:
            measures: Measures of clips of the same joints and coordinates.
            rate: Frames a second over those of the training clips, where both are known.
        """
        scalars = _scalars(measures, self._centers)
        return scalars | {"speed": scalars["speed"] + math.log(rate)}

    @cached_property
    def _centers(self) -> dict[str, Float[np.ndarray, "..."]]:
        return {name: np.array(getattr(self, name)) for name in (*_CENTERS, "bone_weights")}

    def deviations(
        self, measures: ClipMeasures, rate: float = 1.0
    ) -> dict[str, Float[np.ndarray, " n"]]:
        """Return how far clips are from the training clips in each measure; above 1 is far.

        Arguments are those of :meth:`scalars`.
        """
        return self.deviations_of(self.scalars(measures, rate))

    def deviations_of(
        self, scalars: Mapping[str, Float[np.ndarray, " n"]]
    ) -> dict[str, Float[np.ndarray, " n"]]:
        """Return the deviations of what :meth:`scalars` returned."""
        far = FAR * (1 + _FEW / self.samples)
        return {
            name: getattr(self, name).deviations(values, _LEAST[name]) / far
            for name, values in scalars.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return the statistics as plain values."""
        return {
            "samples": self.samples,
            **{name: getattr(self, name).to_json() for name in _RANGES},
            **{name: list(map(_or_none, getattr(self, name))) for name in _CENTERS},
            "bone_weights": [list(row) for row in self.bone_weights],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TrainingStatistics:
        """Return the statistics of :meth:`to_json`.

        Raises:
            KeyError: If one is missing.
        """
        values: dict[str, Any] = {name: UsualRange(*map(float, value[name])) for name in _RANGES}
        values |= {name: tuple(map(_or_nan, value[name])) for name in _CENTERS}
        return cls(
            samples=int(value["samples"]),
            **values,
            bone_weights=tuple(tuple(map(float, row)) for row in value["bone_weights"]),
        )


def _scalars(
    measures: ClipMeasures, centers: Mapping[str, Float[np.ndarray, "..."]]
) -> dict[str, Float[np.ndarray, " n"]]:
    away = measures.bones - centers["bones"]
    known = np.isfinite(away).sum(axis=1)
    away = np.nan_to_num(away)
    with np.errstate(divide="ignore", invalid="ignore"):
        scalars = {
            "size": np.log(measures.size),
            "speed": np.log(measures.speed),
            "roughness": np.log(measures.roughness),
            "absent": measures.absent,
            "tilt": _angles(measures.up, centers["up"]),
            "turn": _angles(measures.left, centers["left"]),
            "front": measures.front,
            "misfit": np.sqrt(((away @ centers["bone_weights"]) * away).sum(axis=1) / known),
        }
    return {name: np.where(np.isfinite(v), v, np.nan) for name, v in scalars.items()}


def _mean(values: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " k"]:
    """Return the mean of the known values of each column, NaN where none is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    return mean


def _inverse_covariance(deviations: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "k k"]:
    """Return the inverse of the covariance of columns, shrunk towards independent ones.

    Source: Ledoit and Wolf 2004 (J. Multivariate Analysis 88), of standardized columns.
    """
    n, k = deviations.shape
    deviation = np.sqrt(np.square(deviations).mean(axis=0)).clip(min=_LEAST_DEVIATION)
    columns = deviations / deviation
    sample = columns.T @ columns / n
    apart = np.square(sample - np.eye(k) * np.trace(sample) / k).sum()
    error = (np.square(np.square(columns).sum(axis=1)).sum() / n - np.square(sample).sum()) / n
    shrinkage = min(1.0, error / apart) if apart > 0 else 1.0
    covariance = (1 - shrinkage) * sample + shrinkage * np.eye(k) * np.trace(sample) / k
    covariance += _RIDGE * np.eye(k)
    inverse: np.ndarray = np.linalg.inv(covariance) / np.outer(deviation, deviation)
    return inverse


def _mean_direction(directions: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"]:
    """Return the mean of unit vectors as one; zeros where none is known."""
    mean = np.nan_to_num(directions).sum(axis=0)
    length = float(np.linalg.norm(mean))
    direction: np.ndarray = mean / length if length > 0 else mean
    return direction


def _angles(
    directions: Float[np.ndarray, "n d"], center: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " n"]:
    """Return the angles between unit vectors and one of them, in degrees; NaN where unknown."""
    if not center.any():
        return np.full(len(directions), np.nan)
    angles: np.ndarray = np.degrees(np.arccos(np.clip(directions @ center, -1, 1)))
    return angles


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
