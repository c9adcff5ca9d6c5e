"""Features of whole samples, for classifiers that are no networks: time series and motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from skeletonagent.agents.evidence.motion_features import MotionFeatures, measure_motion
from skeletonagent.core.clips import ClipStore
from skeletonagent.runtime.body_arrays import BodyArrays
from skeletonagent.runtime.ridge import SERIES_FRAMES, whole_series


def resampled_series(
    store: ClipStore, frames: int = SERIES_FRAMES
) -> tuple[Float[np.ndarray, "n k t"], Float[np.ndarray, "n k"]]:
    """Return all samples as time series of one length, and which of these are of joints ever seen.

    Bodies, joints and coordinates are the K channels. A joint is interpolated linearly in time
    between the frames in which it is seen, and held before the first and after the last of these.
    A channel of a joint that is never seen, or of a body that is not there, is zeros.

    Args:
        store: Samples.
        frames: Number of frames of a series.
    """
    rows = [
        whole_series(
            BodyArrays.of(store.sequence(index).joints, store.coordinates),
            store.max_persons,
            frames,
        )
        for index in range(len(store))
    ]
    series, seen = zip(*rows, strict=True)
    return np.stack(series), np.stack(seen)


def motion_features_of_bodies(
    store: ClipStore,
) -> tuple[Float[np.ndarray, "n q"], Bool[np.ndarray, "n q"]]:
    """Return the motion features of every body's joints in all samples, and which are known.

    Those that are not known, or of a body that is not there, are zeros.
    """
    bodies = [_features_of_body(store, body) for body in range(store.max_persons)]
    values = np.concatenate([body.values.flatten(1).numpy() for body in bodies], axis=1)
    known = np.concatenate([body.known.flatten(1).numpy() for body in bodies], axis=1)
    return values, known


def _features_of_body(store: ClipStore, body: int) -> MotionFeatures:
    """Return the motion features of one body of all samples."""
    (samples,) = (store.persons.cpu() > body).nonzero(as_tuple=True)
    alone = replace(
        store,
        starts=store.starts + body * store.lengths,
        persons=torch.ones_like(store.persons),
        person_slots=1,
    )
    measured = measure_motion(alone, samples)
    values = torch.zeros(len(store), *measured.values.shape[1:])
    known = torch.zeros_like(values, dtype=torch.bool)
    values[samples], known[samples] = measured.values, measured.known
    return MotionFeatures(values, known)


def sample_series(store: ClipStore) -> tuple[Float[Tensor, "n k t"], Float[Tensor, "n k"]]:
    """Return :func:`resampled_series` as tensors."""
    series, seen = resampled_series(store)
    return torch.from_numpy(series), torch.from_numpy(seen)


def with_neutral_channels(
    series: Float[Tensor, "n k t"], seen: Float[Tensor, "n k"], means: Float[Tensor, " k"]
) -> Float[Tensor, "n k t"]:
    """Return series in which a channel that was never seen is constant at its mean."""
    return series + ((1 - seen) * means)[..., None]


def sample_motion(store: ClipStore) -> Float[Tensor, "n q"]:
    """Return motion features, NaN where they are not known."""
    values, known = motion_features_of_bodies(store)
    return torch.from_numpy(np.where(known, values, np.nan).astype(np.float32))
