"""Features of whole samples, for classifiers that are no networks: time series and motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from skeletonagent.agents.evidence.motion_features import MotionFeatures, measure_motion
from skeletonagent.core.clips import ClipStore

SERIES_FRAMES = 64
"""Frames that a sample is resampled to as a time series."""


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
    shape = (len(store), store.max_persons, store.layout.num_joints, store.coordinates)
    series = np.zeros((*shape, frames), dtype=np.float32)
    seen = np.zeros(shape, dtype=np.float32)
    for index in range(len(store)):
        joints = store.sequence(index).joints[: shape[1], ..., : store.coordinates]
        present = (joints != 0).any(axis=-1)
        times = np.linspace(0, joints.shape[1] - 1, frames)
        for body, joint in zip(*present.any(axis=1).nonzero(), strict=True):
            (at,) = present[body, :, joint].nonzero()
            seen[index, body, joint] = 1
            for coordinate in range(shape[-1]):
                values = joints[body, at, joint, coordinate]
                series[index, body, joint, coordinate] = np.interp(times, at, values)
    return series.reshape(len(store), -1, frames), seen.reshape(len(store), -1)


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
