"""Kernel ridge classifier of whole samples in NumPy, as an exported file carries it.

For what it is see :mod:`skeletonagent.experiments.kernel_ridge`, where it is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.errors import DataError
from skeletonagent.runtime.body_arrays import BodyArrays
from skeletonagent.runtime.body_motion import motion_of_body
from skeletonagent.runtime.claimed import FittedClaims
from skeletonagent.runtime.preparation import PreparedSample
from skeletonagent.runtime.rocket import FixedRocket

SERIES_FRAMES = 64
"""Frames that a sample is resampled to as a time series."""

BASE_WEIGHT = 0.5
"""Weight of the kernel of a base's features where those of MultiRocket and of motion have 1.

Of 0, 1/4, 1/2 and 1, which held-out subjects of UTD-MHAD, NW-UCLA and JHMDB hardly told apart but
from 0, see docs/results/base.md.
"""

OUTLIER = 8.0
"""Standard deviations beyond which a feature says no more."""


@dataclass(frozen=True)
class FittedRidge:
    """Kernel ridge classifier that was fitted in training.

    Args:
        rocket: MultiRocket's transform.
        arrays: Its numbers by name, as :meth:`skeletonagent.experiments.kernel_ridge.KernelRidge`
            writes them.
        persons: M, bodies whose features are taken.
        claims: What is claimed of each class; None if nothing counts.
    """

    rocket: FixedRocket
    arrays: Mapping[str, np.ndarray]
    persons: int
    claims: FittedClaims | None = None

    @classmethod
    def from_bytes(cls, content: bytes, path: Path, persons: int) -> FittedRidge:
        """Return the classifier in the form of safetensors.

        Args:
            content: The bytes.
            path: File that they are from.
            persons: Bodies whose features are taken.

        Raises:
            DataError: If they are none.
        """
        import safetensors
        import safetensors.numpy

        try:
            arrays = safetensors.numpy.load(content)
            rocket = FixedRocket.from_arrays(arrays)
            require_ridge_shapes(arrays, rocket.num_features)
            _require_known_names(arrays)
            claims = FittedClaims.from_arrays(arrays)
            if claims is not None and len(claims.claims) != len(arrays["intercept"]):
                raise ValueError(f"claims about {len(claims.claims)} classes")
        except (
            safetensors.SafetensorError,
            KeyError,
            ValueError,
            TypeError,
            RecursionError,
        ) as error:
            raise DataError(f"is no kernel ridge classifier: {error}", path=path) from error
        return cls(rocket, arrays, persons, claims)

    @property
    def base_width(self) -> int:
        """Number of features of a base that count; 0 if there is none."""
        return len(self.arrays["base.mean"]) if "base.mean" in self.arrays else 0

    @property
    def num_classes(self) -> int:
        """Number of classes that it knows; actions that were added follow them."""
        return len(self.arrays["intercept"])

    def log_probabilities(
        self, sample: PreparedSample, of_base: Float[np.ndarray, " d"] | None = None
    ) -> Float[np.ndarray, " y"]:
        """Return the logarithms of the class probabilities of a sample.

        Args:
            sample: The sample.
            of_base: Its features as the base returns them, if there is one.

        Raises:
            DataError: If it has other joints or bodies than those of the training.
        """
        arrays, bodies = self.arrays, sample.without_depth
        series, seen = whole_series(bodies, self.persons)
        motion_features = [
            motion_of_body(joints, sample.layout) for joints in bodies.joints[: self.persons]
        ]
        values = _of_room(motion_features, self.persons)
        wanted = len(arrays["channel_means"])
        if len(series) != wanted or len(values) != len(arrays["of_motion.mean"]):
            raise DataError(
                f"the kernel ridge classifier was fitted to {wanted} time series of a sample, got "
                f"{len(series)}"
            )
        series = series + ((1 - seen) * arrays["channel_means"])[:, None]
        features = self._standard(self.rocket.transform(series), "of_rocket")
        motion = self._standard(values, "of_motion")
        similar = _gaussian(arrays["motion"], motion, float(arrays["reach"]))
        if of_base is not None and self.base_width:
            reach, own = float(arrays["base.reach"]), self._standard(of_base, "base")
            similar += BASE_WEIGHT * _gaussian(arrays["base.features"], own, reach)
        similar = similar.astype(np.float32)
        decisions = features @ arrays["weights"] + similar @ arrays["dual"] + arrays["intercept"]
        scaled = np.float32(arrays["sharpness"]) * decisions
        logs = _log_shares(scaled)
        if self.claims is None:
            return logs
        scores = self.claims.scores(sample.layout, *_means_of_bodies(motion_features))
        return _log_shares(logs + np.float32(arrays["claim_weight"]) * scores)

    def _standard(self, features: Float[np.ndarray, " f"], name: str) -> Float[np.ndarray, " f"]:
        """Return features of mean 0 and deviation 1; unknown ones are 0."""
        mean, scale = self.arrays[f"{name}.mean"], self.arrays[f"{name}.scale"]
        standard: np.ndarray = np.nan_to_num((features - mean) / scale)
        return standard.clip(-OUTLIER, OUTLIER)

    def join(
        self,
        probs: Float[np.ndarray, "n y"],
        samples: Sequence[PreparedSample],
        weight: float,
        of_base: Float[np.ndarray, "n d"] | None = None,
    ) -> Float[np.ndarray, "n y"]:
        """Return the weighted geometric mean of a network's probabilities and those of this.

        Classes that this does not know, which come last, keep their odds against the most probable
        of the others: whether one of them is recognized is the network's say.

        Args:
            probs: Probabilities of the network.
            samples: The same samples in the same order.
            weight: Weight of this where the network's is 1.
            of_base: Features of the samples as the base returns them, if there is one.
        """
        known, joined = self.num_classes, probs.copy()
        mass = probs[:, :known].sum(axis=1, keepdims=True)
        best = np.maximum(probs[:, :known].max(axis=1, keepdims=True), 1e-12)
        logs = np.log(np.maximum(probs[:, :known] / np.maximum(mass, 1e-12), 1e-6))
        base_rows = [None] * len(samples) if of_base is None else of_base
        rows = [self.log_probabilities(*pair) for pair in zip(samples, base_rows, strict=True)]
        own = np.stack(rows).astype(logs.dtype)
        both = (logs + weight * own) / (1 + weight)
        shares = np.exp(both - both.max(axis=1, keepdims=True))
        joined[:, :known] = mass * shares / shares.sum(axis=1, keepdims=True)
        if probs.shape[1] > known:
            joined[:, known:] *= joined[:, :known].max(axis=1, keepdims=True) / best
            joined /= joined.sum(axis=1, keepdims=True)
        return joined


def require_ridge_shapes(arrays: Mapping[str, Any], features: int) -> None:
    """Check that arrays or tensors of a file fit each other and so many features of MultiRocket.

    Raises:
        KeyError: If one is missing.
        ValueError: If they do not fit.
    """
    (classes,), (samples, motion) = arrays["intercept"].shape, arrays["motion"].shape
    wanted = {
        "weights": (features, classes),
        "dual": (samples, classes),
        "of_rocket.mean": (features,),
        "of_rocket.scale": (features,),
        "of_motion.mean": (motion,),
        "of_motion.scale": (motion,),
    }
    if "base.features" in arrays:
        width = arrays["base.features"].shape[-1]
        wanted |= {"base.features": (samples, width), "base.mean": (width,), "base.scale": (width,)}
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} of shape {tuple(arrays[name].shape)}, {shape} wanted")


def whole_series(
    bodies: BodyArrays, persons: int, frames: int = SERIES_FRAMES
) -> tuple[Float[np.ndarray, "k t"], Float[np.ndarray, " k"]]:
    """Return a sample as time series of one length, and which of these are of joints ever seen.

    Bodies, joints and coordinates are the K channels. A joint is interpolated linearly in time
    between the frames in which it is seen, and held before the first and after the last of these.
    A channel of a joint that is never seen, or of a body that is not there, is zeros.

    Args:
        bodies: Bodies of the sample.
        persons: Number of bodies that there is room for.
        frames: Number of frames of a series.
    """
    joints = bodies.joints[:persons]
    shape = (persons, *joints.shape[2:])
    series = np.zeros((*shape, frames), dtype=np.float32)
    seen = np.zeros(shape, dtype=np.float32)
    present = np.any(joints != 0, axis=-1)
    times = np.linspace(0, joints.shape[1] - 1, frames)
    for body, joint in zip(*present.any(axis=1).nonzero(), strict=True):
        (at,) = present[body, :, joint].nonzero()
        seen[body, joint] = 1
        for coordinate in range(shape[-1]):
            series[body, joint, coordinate] = np.interp(
                times, at, joints[body, at, joint, coordinate]
            )
    return series.reshape(-1, frames), seen.reshape(-1)


_Features = tuple[Float[np.ndarray, "v q"], Bool[np.ndarray, "v q"]]


def _of_room(bodies: Sequence[_Features], persons: int) -> Float[np.ndarray, " f"]:
    """Return the motion features of as many bodies as there is room for; NaN where not known."""
    parts = [np.where(known, values, np.nan).astype(np.float32) for values, known in bodies]
    absent = np.full_like(parts[0], np.nan)
    room = [*parts, *[absent] * (persons - len(parts))]
    return np.concatenate([part.reshape(-1) for part in room])


def _means_of_bodies(bodies: Sequence[_Features]) -> _Features:
    """Return the means of motion features over the bodies in which they are known; else 0."""
    values, known = (np.stack(parts) for parts in zip(*bodies, strict=True))
    share = known / np.maximum(known.sum(axis=0, keepdims=True), 1)
    return (share * values).sum(axis=0), np.any(known, axis=0)


def _gaussian(
    ones: Float[np.ndarray, "n d"], other: Float[np.ndarray, " d"], reach: float
) -> Float[np.ndarray, " n"]:
    """Return the Gaussian kernel of rows and one more in double precision."""
    away = ones.astype(np.float64) - other.astype(np.float64)
    similar: np.ndarray = np.exp(-np.square(away).sum(axis=1) / reach)
    return similar


def _log_shares(decisions: Float[np.ndarray, " y"]) -> Float[np.ndarray, " y"]:
    """Return the logarithm of the softmax."""
    shifted = decisions - decisions.max()
    logs: np.ndarray = shifted - np.log(np.exp(shifted).sum())
    return logs


_NAMES = {
    "channel_means", "weights", "motion", "reach", "dual", "intercept", "sharpness", "claim_weight",
}  # fmt: skip
_GROUPS = ("rocket.", "of_rocket.", "of_motion.", "claims.", "base.")


def _require_known_names(arrays: Mapping[str, Any]) -> None:
    """Check that nothing is there that would count and is not read.

    Raises:
        ValueError: If there is.
    """
    unknown = sorted(name for name in arrays if name not in _NAMES and not name.startswith(_GROUPS))
    if unknown:
        raise ValueError(
            f"this version does not read {', '.join(unknown)[:200]}; install the one that wrote it"
        )
