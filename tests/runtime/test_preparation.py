"""Clips made in NumPy against those made in PyTorch, over all settings that predictions use."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from tests.data.random_bodies import SMALL_BODY, random_bodies
from tests.runtime.both_ways import compare_clips, in_numpy, in_torch

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.streams import Stream
from skeletonagent.data.pose_distribution import PoseDistribution
from skeletonagent.data.settings import (
    AbsentRule,
    ClipSettings,
    ConfidenceRule,
    DataSettings,
    FrameSampling,
    Gaps,
    MotionRule,
    Orientation,
    OrientationPer,
    Origin,
    SamplingRule,
    Scale,
)

CLOSE = 1e-6
COMPACT = DataSettings(
    origin=Origin.GROUP, scale=Scale.BODY, orientation=Orientation.BODY, gaps=Gaps.INTERPOLATE
)
LINEAR = [ClipSettings(frames=8, stream=s, sampling=FrameSampling.LINEAR) for s in Stream]
RECIPES = [
    ClipSettings(frames=8, stream=stream, motion_rule=motion, test_sampling=sampling)
    for stream, motion, sampling in product(Stream, MotionRule, SamplingRule)
]


def samples(
    seed: int = 0, confidence: bool = False, coordinates: int = 3
) -> list[SkeletonSequence]:
    """Return samples of one to three bodies, some joints, frames and bodies absent."""
    rng = np.random.default_rng(seed)
    found = []
    for number, persons in enumerate([1, 2, 1, 3, 2, 1]):
        joints = random_bodies(seed + number, persons, 5 + 4 * number, 0.15, 0.2)
        joints = joints[..., :coordinates].copy()
        if number == 2:
            joints[:, :, 3] = 0  # a shoulder that is never seen
        if number == 4:
            joints[1, :10], joints[0, 10:] = 0, 0  # bodies take turns
        if confidence:
            score = rng.random((*joints.shape[:-1], 1)).astype(np.float32)
            joints = np.concatenate([joints, score], axis=-1)
        found.append(SkeletonSequence(joints, 0, str(number)))
    nobody = np.zeros((1, 6, 8, coordinates + confidence), np.float32)
    return [*found, SkeletonSequence(nobody, 0, "nobody")]


@pytest.mark.parametrize("number", range(9))
def test_bodies_are_placed_and_turned_alike(number: int) -> None:
    """Every ninth of all combinations, so that each is compared in one of the cases."""
    everything = product(AbsentRule, Origin, Scale, Orientation, Gaps, OrientationPer)
    for rule, origin, scale, orientation, gaps, per in list(everything)[number::9]:
        settings = DataSettings(
            origin=origin, scale=scale, orientation=orientation, orientation_per=per,
            gaps=gaps, absent_rule=rule,
        )  # fmt: skip
        assert compare_clips(samples(7), settings, SMALL_BODY, LINEAR[:1]) < CLOSE, settings


def test_every_stream_is_sampled_alike() -> None:
    for settings in (COMPACT, DataSettings(absent_rule=AbsentRule.ZERO)):
        assert compare_clips(samples(), settings, SMALL_BODY, [*LINEAR, *RECIPES]) < CLOSE


@pytest.mark.parametrize("rule", list(ConfidenceRule))
def test_confidence_is_carried_alike(rule: ConfidenceRule) -> None:
    clips = [ClipSettings(8, stream, confidence_rule=rule, sampling=sampling)
             for stream, sampling in product(Stream, FrameSampling)]  # fmt: skip
    flat = DataSettings(scale=Scale.BODY, gaps=Gaps.INTERPOLATE, confidence=True)
    for coordinates, settings in ((3, COMPACT), (2, flat)):
        given = samples(3, confidence=True, coordinates=coordinates)
        assert compare_clips(given, settings, SMALL_BODY, clips, has_confidence=True) < CLOSE


@pytest.mark.parametrize("coordinates", [2, 3])
@pytest.mark.parametrize("scale", list(Scale))
def test_joints_in_a_plane_are_alike(coordinates: int, scale: Scale) -> None:
    for orientation in Orientation:
        settings = DataSettings(dims=2, scale=scale, orientation=orientation)
        given = samples(5, coordinates=coordinates)
        assert compare_clips(given, settings, SMALL_BODY, LINEAR[:2]) < CLOSE


def test_coco_is_completed_and_divided_by_the_image_alike() -> None:
    rng = np.random.default_rng(1)
    given = []
    for number in range(4):
        joints = rng.uniform(50, 400, (1 + number % 2, 9, 17, 2)).astype(np.float32)
        joints[rng.random(joints.shape[:-1]) < 0.1] = 0
        given.append(SkeletonSequence(joints, 0, str(number), image_size=(640.0, 480.0)))
    for scale, rule in product(Scale, AbsentRule):
        settings = DataSettings(scale=scale, absent_rule=rule)
        assert compare_clips(given, settings, COCO_17, [LINEAR[0], LINEAR[1]]) < CLOSE


@pytest.mark.parametrize("origin", [Origin.PERSON, Origin.GROUP])
@pytest.mark.parametrize("per", list(OrientationPer))
def test_absent_joints_are_expected_alike(origin: Origin, per: OrientationPer) -> None:
    for orientation, scale in product(Orientation, (Scale.BODY, Scale.NONE)):
        settings = DataSettings(
            origin=origin, scale=scale, orientation=orientation, orientation_per=per,
            gaps=Gaps.INTERPOLATE,
        )  # fmt: skip
        learned = in_torch([*samples(20), *samples(30)], settings, SMALL_BODY)
        poses = PoseDistribution.of(learned)
        assert poses is not None
        given = samples(9)
        assert compare_clips(given, settings, SMALL_BODY, LINEAR[:2], poses=poses) < CLOSE


def test_what_is_not_finite_or_cannot_be_turned_is_refused() -> None:
    flat = SkeletonSequence(np.ones((1, 4, 8, 2), np.float32), 0, "flat")
    with pytest.raises(DataError, match="needs joints in 3D"):
        in_numpy(flat, COMPACT, SMALL_BODY)
    broken = SkeletonSequence(np.full((1, 4, 8, 3), np.nan, np.float32), 0, "broken")
    with pytest.raises(DataError, match=r"broken.*NaN"):
        in_numpy(broken, COMPACT, SMALL_BODY)


def test_frames_and_marks_are_those_of_torch() -> None:
    given = samples(11)
    store = in_torch(given, COMPACT, SMALL_BODY)
    for number, sample in enumerate(given):
        found = in_numpy(sample, COMPACT, SMALL_BODY).bodies
        rows = store.rows(torch.tensor([number]))
        assert store.present is not None
        assert (found.present.reshape(-1, 8) == store.present[rows].numpy()).all()
        np.testing.assert_allclose(
            found.frames.reshape(-1, 8, 3), store.frames[rows].numpy(), atol=1e-5
        )
