"""Rotation, flip and dropped parts: known values, invariances, frequencies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.random_clips import channels, layouts, random_clips, seeded

from skeletonagent.core.layout import (
    COCO_20,
    KINECT_20,
    KINECT_25,
    LIMBS,
    SkeletonLayout,
)
from skeletonagent.core.streams import Stream
from skeletonagent.data.augmentation import (
    augment_clips,
    horizontal_flip,
    rotation_matrices,
    swap_left_right,
)
from skeletonagent.data.settings import AugmentSettings
from skeletonagent.data.streams import bone_vectors

seeds = st.integers(0, 9999)


angle = st.floats(-7, 7, width=32)


@given(angles=st.one_of(st.tuples(angle), st.tuples(angle, angle, angle)))
def test_rotations_keep_lengths_and_sides(angles: tuple[float, ...]) -> None:
    turn = rotation_matrices(torch.tensor([angles], dtype=torch.float64))[0]
    torch.testing.assert_close(turn @ turn.T, torch.eye(len(turn), dtype=torch.float64))
    assert float(torch.linalg.det(turn)) == pytest.approx(1)


@given(angles=st.tuples(angle, angle, angle))
def test_rotations_are_about_x_then_y_then_z(angles: tuple[float, float, float]) -> None:
    def about(axis: int, theta: float) -> np.ndarray:
        cos, sin = math.cos(theta), math.sin(theta)
        signs = {0: (1, 2, 1), 1: (0, 2, -1), 2: (0, 1, 1)}  # the sense of spec 2.2, RandomRot
        a, b, sign = signs[axis]
        matrix = np.eye(3)
        matrix[a, a] = matrix[b, b] = cos
        matrix[a, b], matrix[b, a] = sign * sin, -sign * sin
        return matrix

    expected = about(2, angles[2]) @ about(1, angles[1]) @ about(0, angles[0])
    turn = rotation_matrices(torch.tensor([angles], dtype=torch.float64))[0]
    np.testing.assert_allclose(turn.numpy(), expected, atol=1e-12)


def test_quarter_turns() -> None:
    quarter = math.pi / 2
    turns = rotation_matrices(torch.eye(3) * quarter)
    x, y, z = torch.eye(3)
    for turn, (start, end) in zip(turns, [(y, -z), (z, -x), (x, -y)], strict=True):
        torch.testing.assert_close(turn @ start, end, atol=1e-6, rtol=0)
    plane = rotation_matrices(torch.tensor([[quarter]]))[0]
    torch.testing.assert_close(plane, turns[2, :2, :2])


@layouts
@channels
def test_horizontal_flip_is_its_own_inverse(layout: SkeletonLayout, c: int) -> None:
    clips = random_clips(layout, c)
    before = clips.clone()
    image = horizontal_flip(clips, layout)
    torch.testing.assert_close(clips, before, atol=0, rtol=0)
    torch.testing.assert_close(horizontal_flip(image, layout), clips, atol=0, rtol=0)
    assert not torch.equal(image, clips)


def test_horizontal_flip_exchanges_sides_and_negates_x() -> None:
    clips = random_clips(KINECT_20)
    image = horizontal_flip(clips, KINECT_20)
    opposite = torch.tensor([-1.0, 1.0, 1.0])
    left, right = (KINECT_20.joints.index(f"{side} knee") for side in ("left", "right"))
    head = KINECT_20.joints.index("head")
    for joint, source in [(left, right), (right, left), (head, head)]:
        torch.testing.assert_close(image[..., joint, :], clips[..., source, :] * opposite)


@layouts
def test_horizontal_flip_of_pixels_stays_within_the_image(layout: SkeletonLayout) -> None:
    clips = random_clips(layout, c=2).abs() + 1
    clips[:, 1, :, 0] = 0  # a joint nobody saw
    widths = torch.tensor([640.0, 320.0, 100.0, 7.0])
    image = horizontal_flip(clips, layout, widths)
    for joint, source in enumerate(layout.mirror):
        x = clips[..., source, 0]
        there = torch.where(x == 0, x, widths[:, None, None] - x)
        torch.testing.assert_close(image[..., joint, 0], there)
        torch.testing.assert_close(image[..., joint, 1], clips[..., source, 1])
    torch.testing.assert_close(horizontal_flip(image, layout, widths), clips, atol=1e-4, rtol=0)


@layouts
def test_swap_left_right_keeps_positions(layout: SkeletonLayout) -> None:
    clips = random_clips(layout)
    changed = augment_clips(clips, layout, AugmentSettings(rotation=0.0, swap=1.0), seeded(0))
    unpaired = sorted(set(range(layout.num_joints)) - {v for pair in layout.pairs for v in pair})
    torch.testing.assert_close(changed[..., unpaired, :], clips[..., unpaired, :], atol=0, rtol=0)
    for left, right in layout.pairs:
        torch.testing.assert_close(changed[..., left, :], clips[..., right, :], atol=0, rtol=0)
        torch.testing.assert_close(changed[..., right, :], clips[..., left, :], atol=0, rtol=0)
    torch.testing.assert_close(swap_left_right(changed, layout), clips, atol=0, rtol=0)


@layouts
def test_at_most_one_arm_or_leg_is_dropped_from_a_clip(layout: SkeletonLayout) -> None:
    clips = random_clips(layout, n=400)
    changed = augment_clips(clips, layout, AugmentSettings(rotation=0.0, part_drop=0.5), seeded(0))
    limbs = [set(layout.parts[limb]) for limb in LIMBS if limb != "torso"]
    dropped = [{v for v in range(layout.num_joints) if not clip[:, :, v].any()} for clip in changed]
    assert all(joints in limbs for joints in dropped if joints)
    assert all(limb in dropped for limb in limbs)
    assert 0.4 < sum(map(bool, dropped)) / len(dropped) < 0.6
    kept = changed != 0
    torch.testing.assert_close(changed[kept], clips[kept], atol=0, rtol=0)


def test_without_arms_and_legs_nothing_is_dropped() -> None:
    trunk = SkeletonLayout("trunk", ("a", "b", "c", "d"), ((1, 0), (2, 1), (3, 2)))
    clips = random_clips(trunk)
    augment = AugmentSettings(rotation=0.0, part_drop=1.0)
    torch.testing.assert_close(augment_clips(clips, trunk, augment, seeded(0)), clips)


@given(seed=seeds, d=st.sampled_from([2, 3]))
def test_confidence_is_not_augmented(seed: int, d: int) -> None:
    augment = AugmentSettings(rotation=1.0, scale=0.3, mirror=0.5, swap=0.5, part_drop=0.5)
    clips = random_clips(COCO_20, d, seed=seed)
    confidence = random_clips(COCO_20, 1, seed=seed + 1).abs()
    both = augment_clips(torch.cat([clips, confidence], -1), COCO_20, augment, seeded(seed), d)
    torch.testing.assert_close(
        both[..., :d], augment_clips(clips, COCO_20, augment, seeded(seed)), atol=0, rtol=0
    )
    for clip, before in zip(both[..., d], confidence[..., 0], strict=True):
        kept = clip[:, :, clip.flatten(0, 1).any(0)].flatten(0, 1).mT
        rows = {tuple(row) for row in before.flatten(0, 1).mT.tolist()}
        assert {tuple(row) for row in kept.tolist()} <= rows


@given(seed=seeds, c=st.sampled_from([2, 3]), mirror=st.sampled_from([0.0, 0.5]))
def test_augmentation_commutes_with_bones_and_frame_differences(
    seed: int, c: int, mirror: float
) -> None:
    layout = KINECT_25 if c == 3 else COCO_20
    augment = AugmentSettings(rotation=1.0, scale=0.3, mirror=mirror, swap=mirror)
    clips = random_clips(layout, c, seed=seed)
    changed = augment_clips(clips, layout, augment, seeded(seed))
    for stream in (Stream.BONE, Stream.KBONE):
        torch.testing.assert_close(
            bone_vectors(changed, layout, stream),
            augment_clips(bone_vectors(clips, layout, stream), layout, augment, seeded(seed)),
            atol=1e-5,
            rtol=1e-5,
        )
    torch.testing.assert_close(
        changed.diff(dim=2),
        augment_clips(clips.diff(dim=2), layout, augment, seeded(seed)),
        atol=1e-5,
        rtol=1e-5,
    )


@channels
def test_each_clip_has_one_rotation_and_one_scale_within_the_limits(c: int) -> None:
    clips = random_clips(COCO_20, c, n=200)
    augment = AugmentSettings(rotation=0.4, scale=0.1)
    changed = augment_clips(clips, COCO_20, augment, seeded(1))

    ratio = changed.norm(dim=-1) / clips.norm(dim=-1)  # n m t v
    factor = ratio[:, 0, 0, 0]
    torch.testing.assert_close(ratio, factor[:, None, None, None].expand_as(ratio))
    assert 0.9 <= float(factor.min()) < 0.91 and 1.09 < float(factor.max()) <= 1.1

    turn = torch.linalg.lstsq(clips.flatten(1, 3), changed.flatten(1, 3)).solution.mT
    turn = turn / factor[:, None, None]
    largest = math.acos((float(turn.diagonal(dim1=1, dim2=2).sum(1).min()) - (c - 2)) / 2)
    assert 0.3 < largest <= 0.4 * (1 if c == 2 else 3)
    assert len({round(float(first), 5) for first in turn[:, 0, 1]}) > 190


@channels
def test_rotation_angles_have_both_signs_and_do_not_depend_on_the_scale(c: int) -> None:
    unit = torch.zeros(300, 1, 1, KINECT_20.num_joints, c)
    unit[..., 0] = 1
    augment = AugmentSettings(rotation=0.4, scale=0.1)
    changed = augment_clips(unit, KINECT_20, augment, seeded(2))[:, 0, 0, 0]
    angles = torch.atan2(changed[:, 1], changed[:, 0])
    assert -0.41 < float(angles.min()) < -0.38 and 0.38 < float(angles.max()) < 0.41
    together = torch.corrcoef(torch.stack([angles, changed.norm(dim=1)]))
    assert abs(float(together[0, 1])) < 0.2


def test_without_augmentation_clips_are_unchanged() -> None:
    clips = random_clips(KINECT_20)
    same = augment_clips(clips, KINECT_20, AugmentSettings(rotation=0.0), seeded(0))
    torch.testing.assert_close(same, clips, atol=0, rtol=0)


def test_the_frequency_of_flips_is_their_probability() -> None:
    clips = random_clips(KINECT_20, n=400)
    always = augment_clips(clips, KINECT_20, AugmentSettings(rotation=0.0, mirror=1.0), seeded(0))
    torch.testing.assert_close(always, horizontal_flip(clips, KINECT_20), atol=0, rtol=0)
    some = augment_clips(clips, KINECT_20, AugmentSettings(rotation=0.0, mirror=0.25), seeded(0))
    flipped = (some == always).flatten(1).all(dim=1)
    assert ((some == clips).flatten(1).all(dim=1) | flipped).all()
    assert 0.15 < float(flipped.float().mean()) < 0.35


def test_absent_joints_stay_zero_and_augmentation_depends_on_the_generator_alone() -> None:
    clips = random_clips(KINECT_20)
    clips[:, 1] = 0
    augment = AugmentSettings(rotation=0.5, scale=0.2, mirror=0.5)
    first = augment_clips(clips, KINECT_20, augment, seeded(3))
    assert not first[:, 1].any() and first[:, 0].all()
    torch.testing.assert_close(
        augment_clips(clips, KINECT_20, augment, seeded(3)), first, atol=0, rtol=0
    )
    assert not torch.equal(augment_clips(clips, KINECT_20, augment, seeded(4)), first)
