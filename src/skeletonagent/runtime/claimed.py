"""Prior scores of classes by what is claimed of them, of one sample in NumPy.

For what they are see :mod:`skeletonagent.agents.evidence.claim_prior`, where they are fitted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.claims import Claim, claim_joints
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature

PRIOR_SATURATION = 1.5
"""Deviation from the mean, in standard deviations, from which on a claim hardly says more."""

_COLUMNS = {feature: column for column, feature in enumerate(MotionFeature)}


@dataclass(frozen=True)
class FittedClaims:
    """Claims about classes, in units of the training samples.

    Args:
        claims: Claims about each class, none about a class of which nothing is known.
        mean: Mean of each distinct claim's value over the training samples.
        scale: Its standard deviation there.
        center: Mean score of each class over the training samples.
        spread: Mean over the classes of the scores' standard deviation there.
    """

    claims: tuple[tuple[Claim, ...], ...]
    mean: Float[np.ndarray, " k"]
    scale: Float[np.ndarray, " k"]
    center: Float[np.ndarray, " y"]
    spread: float

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> FittedClaims | None:
        """Return the claims that arrays hold, among others; None if they hold none.

        Raises:
            KeyError: If an array is missing.
            ValueError: If arrays do not fit each other, or a claim cannot be read.
        """
        if "claims.lines" not in arrays:
            return None
        lines = json.loads(arrays["claims.lines"].astype(np.uint8).tobytes())
        if not isinstance(lines, list) or not all(isinstance(one, list) for one in lines):
            raise ValueError("the claims are no lists of lines")
        claims = tuple(tuple(Claim.parse(str(line)) for line in one) for one in lines)
        sizes = {"mean": len(_each_once(claims)), "scale": len(_each_once(claims))}
        for name, size in (sizes | {"center": len(claims)}).items():
            if arrays[f"claims.{name}"].shape != (size,):
                raise ValueError(f"claims.{name} of other than {size} numbers")
        if arrays["claims.spread"].size != 1:
            raise ValueError("claims.spread is no single number")
        mean, scale, center = (arrays[f"claims.{name}"] for name in ("mean", "scale", "center"))
        return cls(claims, mean, scale, center, float(arrays["claims.spread"]))

    def scores(
        self,
        layout: SkeletonLayout,
        values: Float[np.ndarray, "v q"],
        known: Bool[np.ndarray, "v q"],
    ) -> Float[np.ndarray, " y"]:
        """Return the scores of a sample; 0 for a class without claims.

        Args:
            layout: The skeleton.
            values: Motion features of each joint, the means over its bodies.
            known: Whether each is known; those that are not play no part.
        """
        distinct = _each_once(self.claims)
        measured = [_value(claim, layout, values, known) for claim in distinct]
        deviations = np.array(
            [
                0.0 if value is None else (value - mean) / scale
                for value, mean, scale in zip(measured, self.mean, self.scale, strict=True)
            ],
            dtype=np.float32,
        )
        said = dict(zip(distinct, np.tanh(deviations / PRIOR_SATURATION), strict=True))
        sums = [
            sum(claim.sign * said[claim] for claim in of_class) / max(1, len(of_class)) ** 0.5
            for of_class in self.claims
        ]
        scores: np.ndarray = (np.array(sums, dtype=np.float32) - self.center) / self.spread
        return scores.astype(np.float32)


def _value(
    claim: Claim,
    layout: SkeletonLayout,
    values: Float[np.ndarray, "v q"],
    known: Bool[np.ndarray, "v q"],
) -> float | None:
    """Return what a claim is about; None where it is not known."""
    about = claim_joints(claim, layout)
    if about is None:
        return None
    column, sides = _COLUMNS[claim.feature], []
    for group in about.groups:
        joints = [joint for joint in group if known[joint, column]]
        if not joints:
            return None
        sides.append(float(values[joints, column].mean()))
    return max(sides) if about.highest else min(sides)


def _each_once(claims: Sequence[Sequence[Claim]]) -> tuple[Claim, ...]:
    """Return all claims, each once, in the order in which they come up."""
    return tuple(dict.fromkeys(claim for of_class in claims for claim in of_class))
