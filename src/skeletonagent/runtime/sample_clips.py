"""Test clips of one sample in NumPy: frame sampling, and the input stream of the settings.

This is what :class:`skeletonagent.data.clip_sampler.ClipSampler` does for many samples in PyTorch;
both give the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int, Num

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.data.clip_frames import sample_test_frames, sample_test_positions
from skeletonagent.data.settings import ClipSettings, ConfidenceRule, FrameSampling
from skeletonagent.runtime.preparation import PreparedSample, flattened

_test_frames = lru_cache(maxsize=256)(sample_test_frames)
"""Frames of test clips, which depend on lengths alone: seeding the generator takes longest."""


@dataclass(frozen=True)
class SampleClips:
    """Test clips of prepared samples, as an exported recognizer takes them.

    Args:
        settings: Length, stream and sampling of the clips.
        persons: M, bodies that a clip has room for.
    """

    settings: ClipSettings
    persons: int

    def of(self, sample: PreparedSample, count: int) -> Float[np.ndarray, "n m t v c"]:
        """Return the test clips of a sample.

        Args:
            sample: The sample.
            count: Number of clips.
        """
        return self._to_stream(sample, self._gathered(sample, count))

    def num_bodies(self, sample: PreparedSample) -> int:
        """Return the number of bodies of a sample that a clip has room for."""
        return min(sample.bodies.persons, self.persons)

    def _gathered(self, sample: PreparedSample, count: int) -> Float[np.ndarray, "n m t v d"]:
        """Return joints at the frames of clips, or their differences to the sample's next frame."""
        length, frames = sample.bodies.frames.shape[1], self.settings.frames
        if self._is_linear:
            return self._interpolated(sample, sample_test_positions(length, frames, count))
        numbers = _test_frames(length, frames, count, self.settings.test_sampling)
        joints = self._at_frames(sample, numbers)
        if not self.settings.differences_first:
            return joints
        following = self._at_frames(sample, np.minimum(numbers + 1, length - 1))
        return difference(following, joints, self._subtracted(sample))

    @property
    def _is_linear(self) -> bool:
        return self.settings.sampling is FrameSampling.LINEAR

    def _subtracted(self, sample: PreparedSample) -> int:
        """Return the number of leading channels that bones and frame differences subtract."""
        mean = self.settings.confidence_rule is ConfidenceRule.MEAN
        return sample.bodies.coordinates if mean else int(sample.bodies.frames.shape[-1])

    def _marks(self, sample: PreparedSample) -> bool:
        """Return whether joints have a last channel that is 1 where they are present."""
        return sample.marks_present and self.settings.stream is not Stream.JOINT

    def _at_frames(
        self, sample: PreparedSample, numbers: Int[np.ndarray, "n t"]
    ) -> Float[np.ndarray, "n m t v d"]:
        """Return frames of a sample in M bodies; those that are missing are zeros."""
        frames = sample.bodies.frames
        if self._marks(sample):
            marks = sample.bodies.present[..., None].astype(np.float32)
            frames = np.concatenate([frames, marks], axis=-1)
        room = np.zeros((self.persons, *frames.shape[1:]), dtype=np.float32)
        there = self.num_bodies(sample)
        room[:there] = frames[:there]
        return room[:, numbers].swapaxes(0, 1)

    def _interpolated(
        self, sample: PreparedSample, positions: Float[np.ndarray, "n t"]
    ) -> Float[np.ndarray, "n m t v d"]:
        """Return a sample at positions in time; all channels are interpolated.

        A joint that is absent in one of the two frames around a position has the values of the
        other frame.
        """
        before, after = (
            self._at_frames(sample, rounded(positions).astype(np.int64))
            for rounded in (np.floor, np.ceil)
        )
        seen_before, seen_after = (
            np.any(frames[..., : sample.bodies.coordinates] != 0, axis=-1, keepdims=True)
            for frames in (before, after)
        )
        weights = (positions - np.floor(positions))[:, None, :, None, None]
        weights = np.where(seen_before == seen_after, weights, seen_after.astype(np.float32))
        way = after - before
        clips: np.ndarray = np.where(
            weights < 0.5, before + weights * way, after - way * (1 - weights)
        )
        return clips

    def _to_stream(
        self, sample: PreparedSample, clips: Float[np.ndarray, "n m t v d"]
    ) -> Float[np.ndarray, "n m t v c"]:
        """Return clips in the input stream of the settings."""
        stream, subtracted = self.settings.stream, self._subtracted(sample)
        if sample.drops_depth:
            clips, subtracted = flattened(clips), subtracted - 1
        vectors = _bones(clips, sample.layout, stream, subtracted)
        if stream.is_motion and not self.settings.differences_first:
            vectors = _motion(vectors, subtracted, separate=self._is_linear)
        if self._marks(sample):
            vectors = vectors[..., :-1] * (vectors[..., -1:] == 1)
        return vectors


def difference(
    end: Num[np.ndarray, "*n c"], start: Num[np.ndarray, "*n c"], coordinates: int
) -> Float[np.ndarray, "*n c"]:
    """Return ``end - start`` in the leading channels and the mean of both in the others."""
    found: np.ndarray = end - start
    found[..., coordinates:] = (end[..., coordinates:] + start[..., coordinates:]) / 2
    return found


def _bones(
    joints: Float[np.ndarray, "n m t v c"], layout: SkeletonLayout, stream: Stream, subtracted: int
) -> Float[np.ndarray, "n m t v c"]:
    """Return each joint minus its parent (bone) or grandparent (k-bone), or joints unchanged."""
    starts = {Stream.BONE: layout.parents, Stream.KBONE: layout.grandparents}.get(stream.base)
    if starts is None:
        return joints
    return difference(joints, joints[..., list(starts), :], subtracted)


def _motion(
    clips: Float[np.ndarray, "n m t v c"], subtracted: int, *, separate: bool
) -> Float[np.ndarray, "n m t v c"]:
    """Return the difference from each frame to the next one; zero for the last frame.

    Args:
        clips: Clips of one sample.
        subtracted: Number of leading channels that are subtracted.
        separate: Whether each clip ends by itself; otherwise it is followed by the next one.
    """
    n, m, t, v, c = clips.shape
    sequences = clips if separate else clips.swapaxes(0, 1).reshape(1, m, n * t, v, c)
    following = np.concatenate([sequences[:, :, 1:], sequences[:, :, -1:]], axis=2)
    found = difference(following, sequences, subtracted)
    return found if separate else found.reshape(m, n, t, v, c).swapaxes(0, 1)
