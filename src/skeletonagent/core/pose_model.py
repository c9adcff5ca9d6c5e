"""Distribution of poses as it is kept with a recognizer, in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

FREE_MOVE = 100.0
"""Standard deviation of the place of the whole body, in standard deviations of a coordinate."""


@dataclass(frozen=True)
class PoseModel:
    """Normal distribution of preprocessed poses: mean, principal axes and noise.

    Args:
        mean: Mean place of each joint; NaN of joints that are hardly ever seen.
        axes: Principal axes, as long as the standard deviation along them.
        noise: Variance of each coordinate apart from the axes.
    """

    mean: Float[np.ndarray, "v d"]
    axes: Float[np.ndarray, "k v d"]
    noise: float

    @property
    def known(self) -> Bool[np.ndarray, " v"]:
        """Whether the place of each joint is known."""
        finite: np.ndarray = np.isfinite(self.mean).all(axis=1)
        return finite

    def to_json(self) -> dict[str, Any]:
        """Return the distribution as plain values."""
        return {
            "mean": [None if row[0] != row[0] else row for row in self.mean.tolist()],
            "axes": self.axes.tolist(),
            "noise": self.noise,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], joints: int) -> PoseModel:
        """Return the distribution of :meth:`to_json`.

        Raises:
            KeyError: If a part is missing.
            TypeError: If one is of another type.
            ValueError: If it is not of so many joints.
        """
        axes = np.array(value["axes"], dtype=np.float32)
        if axes.ndim != 3 or axes.shape[1] != joints or len(value["mean"]) != joints:
            raise ValueError(f"poses of other than {joints} joints")
        absent = [np.nan] * axes.shape[2]
        mean = np.array([row or absent for row in value["mean"]], dtype=np.float32)
        if mean.shape != axes.shape[1:] or not np.isfinite(axes).all():
            raise ValueError("poses are no numbers, or have other axes than means")
        return cls(mean, axes, float(value["noise"]))
