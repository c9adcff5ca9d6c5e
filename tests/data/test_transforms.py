"""Centring, bones, rotation, mirror image: literal loops, known values, invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import COCO_20, KINECT_20, KINECT_25, LAYOUTS, SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.data.transforms import (
    Augment,
    Origin,
    augmented,
    bones,
    center_sequence,
    mirrored,
    normalise,
    rotation_matrices,
)

seeds = st.integers(0, 9999)
layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
channels = pytest.mark.parametrize("c", [2, 3])


def random_clips(layout: SkeletonLayout, c: int = 3, n: int = 4, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 2, 5, layout.num_joints, c, generator=generator)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def body_seen(present: np.ndarray, seed: int, v: int = 4, c: int = 3) -> np.ndarray:
    """Return joints of persons who are there in the frames where ``present`` (M, T) is true."""
    joints = np.random.default_rng(seed).normal(size=(*present.shape, v, c)) + 5
    return np.where(present[:, :, None, None], joints, 0).astype(np.float32)


def literally_centred(joints: np.ndarray, center: int) -> np.ndarray:
    persons = list(joints)
    seen = [[bool((frame != 0).any()) for frame in person] for person in persons]
    if not any(map(any, seen)):
        return joints
    if len(persons) == 2 and sum(seen[0]) < sum(seen[1]):
        persons.reverse()
        seen.reverse()
    kept = [t for t, there in enumerate(seen[0]) if there]
    origin = persons[0][kept[0]][center]
    centred = np.zeros((len(persons), len(kept), *joints.shape[2:]), dtype=joints.dtype)
    for m, person in enumerate(persons):
        for i, t in enumerate(kept):
            for v, joint in enumerate(person[t]):
                if (joint != 0).any():
                    centred[m, i, v] = joint - origin
    return centred


presences = st.lists(
    st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=2
).filter(lambda rows: any(map(any, rows)))


@given(rows=presences, center=st.integers(0, 3), seed=seeds)
def test_centring_equals_a_loop(rows: list[list[bool]], center: int, seed: int) -> None:
    joints = body_seen(np.array(rows), seed)
    joints[0, :, 2] = 0  # a joint nobody saw
    np.testing.assert_array_equal(
        center_sequence(joints, center), literally_centred(joints, center)
    )


@given(rows=presences, seed=seeds)
def test_centring_puts_the_centre_joint_first_and_does_nothing_twice(
    rows: list[list[bool]], seed: int
) -> None:
    centred = center_sequence(body_seen(np.array(rows), seed), 1)
    np.testing.assert_array_equal(centred[0, 0, 1], 0)
    np.testing.assert_array_equal(center_sequence(centred, 1), centred)


@given(rows=presences, seed=seeds)
def test_centring_does_not_care_where_people_stand(rows: list[list[bool]], seed: int) -> None:
    joints = body_seen(np.array(rows), seed)
    moved = np.where(joints != 0, joints + np.float32([20, -30, 40]), 0).astype(np.float32)
    np.testing.assert_allclose(center_sequence(moved, 0), center_sequence(joints, 0), atol=1e-4)


def test_the_one_seen_longer_comes_first_and_frames_without_it_go() -> None:
    joints = body_seen(np.array([[1, 1, 0, 0], [0, 1, 1, 1]], dtype=bool), seed=0)
    centred = center_sequence(joints, 0)
    assert centred.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(centred[0], joints[1, 1:] - joints[1, 1, 0])
    assert centred[1, 0].any() and not centred[1, 1:].any()


def test_of_two_seen_equally_long_the_first_stays_first() -> None:
    joints = body_seen(np.array([[1, 1], [1, 1]], dtype=bool), seed=0)
    np.testing.assert_array_equal(center_sequence(joints, 0)[1], joints[1] - joints[0, 0, 0])


def test_a_group_is_centred_midway_between_those_who_are_there() -> None:
    joints = body_seen(np.array([[1, 1], [1, 1]], dtype=bool), seed=0)
    centred = center_sequence(joints, 0, Origin.GROUP)
    middle = (joints[0, 0, 0] + joints[1, 0, 0]) / 2
    np.testing.assert_allclose(centred, joints - middle, atol=1e-5)
    np.testing.assert_allclose(centred[0, 0, 0], -centred[1, 0, 0], atol=1e-5)


def test_whoever_comes_later_does_not_move_the_middle() -> None:
    joints = body_seen(np.array([[1, 1, 1], [0, 1, 1]], dtype=bool), seed=0)
    np.testing.assert_array_equal(
        center_sequence(joints, 0, Origin.GROUP), center_sequence(joints, 0)
    )


@given(row=presences.filter(lambda rows: len(rows) == 1), seed=seeds)
def test_one_person_is_a_group(row: list[list[bool]], seed: int) -> None:
    joints = body_seen(np.array(row), seed)
    np.testing.assert_array_equal(
        center_sequence(joints, 1, Origin.GROUP), center_sequence(joints, 1)
    )


def test_a_sample_without_anybody_is_left_alone() -> None:
    nobody = np.zeros((2, 3, 4, 3), dtype=np.float32)
    np.testing.assert_array_equal(center_sequence(nobody, 0), nobody)


def test_a_store_is_centred_sample_by_sample() -> None:
    layout = SkeletonLayout("four", ("a", "b", "c", "d"), ((1, 0), (2, 1), (3, 2)), center=1)
    seen = [np.array([[0, 1, 1, 1]], dtype=bool), np.array([[1, 1, 0], [1, 1, 1]], dtype=bool)]
    sequences = [
        SkeletonSequence(body_seen(present, seed=i), i, f"sample {i}", group=7 + i)
        for i, present in enumerate(seen)
    ]
    store = normalise(ClipStore.from_sequences(sequences, layout, ("one", "two")))
    assert (store.sample_ids, store.groups) == (("sample 0", "sample 1"), (7, 8))
    assert store.layout is layout and store.class_names == ("one", "two")
    assert store.labels.tolist() == [0, 1]
    for index, sequence in enumerate(sequences):
        np.testing.assert_array_equal(
            store.sequence(index).joints, center_sequence(sequence.joints, 1)
        )


@layouts
def test_bones_equal_a_loop_over_joints(layout: SkeletonLayout) -> None:
    joints = random_clips(layout)
    parent = dict(layout.bones)
    for stream in (Stream.BONE, Stream.BONE_MOTION, Stream.KBONE, Stream.KBONE_MOTION):
        expected = torch.zeros_like(joints)
        for v in range(layout.num_joints):
            if v not in parent:
                continue
            end = parent[v]
            if stream.base is Stream.KBONE:
                end = parent.get(end, v)  # below a root the partner is the joint itself
            expected[..., v, :] = joints[..., v, :] - joints[..., end, :]
        torch.testing.assert_close(bones(joints, layout, stream), expected)
    for stream in (Stream.JOINT, Stream.JOINT_MOTION):
        torch.testing.assert_close(bones(joints, layout, stream), joints)


@layouts
@pytest.mark.parametrize("stream", [Stream.BONE, Stream.KBONE])
def test_a_translation_changes_no_bone(layout: SkeletonLayout, stream: Stream) -> None:
    joints = random_clips(layout)
    moved = joints + torch.tensor([1.0, -2.0, 3.0])
    torch.testing.assert_close(
        bones(moved, layout, stream), bones(joints, layout, stream), atol=1e-5, rtol=0
    )


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
def test_the_mirror_image_of_the_mirror_image_is_the_original(
    layout: SkeletonLayout, c: int
) -> None:
    clips = random_clips(layout, c)
    before = clips.clone()
    image = mirrored(clips, layout)
    torch.testing.assert_close(clips, before, atol=0, rtol=0)
    torch.testing.assert_close(mirrored(image, layout), clips, atol=0, rtol=0)
    assert not torch.equal(image, clips)


def test_a_mirror_swaps_left_and_right_and_turns_x_around() -> None:
    clips = random_clips(KINECT_20)
    image = mirrored(clips, KINECT_20)
    opposite = torch.tensor([-1.0, 1.0, 1.0])
    left, right = (KINECT_20.joints.index(f"{side} knee") for side in ("left", "right"))
    head = KINECT_20.joints.index("head")
    for joint, source in [(left, right), (right, left), (head, head)]:
        torch.testing.assert_close(image[..., joint, :], clips[..., source, :] * opposite)


@given(seed=seeds, c=st.sampled_from([2, 3]), mirror=st.sampled_from([0.0, 0.5]))
def test_augmenting_commutes_with_bones_and_differences(seed: int, c: int, mirror: float) -> None:
    layout = KINECT_25 if c == 3 else COCO_20
    augment = Augment(rotation=1.0, scale=0.3, mirror=mirror)
    clips = random_clips(layout, c, seed=seed)
    changed = augmented(clips, layout, augment, seeded(seed))
    for stream in (Stream.BONE, Stream.KBONE):
        torch.testing.assert_close(
            bones(changed, layout, stream),
            augmented(bones(clips, layout, stream), layout, augment, seeded(seed)),
            atol=1e-5,
            rtol=1e-5,
        )
    torch.testing.assert_close(
        changed.diff(dim=2),
        augmented(clips.diff(dim=2), layout, augment, seeded(seed)),
        atol=1e-5,
        rtol=1e-5,
    )


@channels
def test_each_clip_is_turned_and_scaled_as_a_whole_within_the_limits(c: int) -> None:
    clips = random_clips(COCO_20, c, n=200)
    augment = Augment(rotation=0.4, scale=0.1)
    changed = augmented(clips, COCO_20, augment, seeded(1))

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
def test_turns_reach_either_side_whatever_the_size(c: int) -> None:
    unit = torch.zeros(300, 1, 1, KINECT_20.num_joints, c)
    unit[..., 0] = 1
    augment = Augment(rotation=0.4, scale=0.1)
    changed = augmented(unit, KINECT_20, augment, seeded(2))[:, 0, 0, 0]
    angles = torch.atan2(changed[:, 1], changed[:, 0])
    assert -0.41 < float(angles.min()) < -0.38 and 0.38 < float(angles.max()) < 0.41
    together = torch.corrcoef(torch.stack([angles, changed.norm(dim=1)]))
    assert abs(float(together[0, 1])) < 0.2


def test_without_changes_clips_stay_as_they_are() -> None:
    clips = random_clips(KINECT_20)
    same = augmented(clips, KINECT_20, Augment(rotation=0.0), seeded(0))
    torch.testing.assert_close(same, clips, atol=0, rtol=0)


def test_mirroring_happens_as_often_as_asked() -> None:
    clips = random_clips(KINECT_20, n=400)
    always = augmented(clips, KINECT_20, Augment(rotation=0.0, mirror=1.0), seeded(0))
    torch.testing.assert_close(always, mirrored(clips, KINECT_20), atol=0, rtol=0)
    some = augmented(clips, KINECT_20, Augment(rotation=0.0, mirror=0.25), seeded(0))
    flipped = (some == always).flatten(1).all(dim=1)
    assert ((some == clips).flatten(1).all(dim=1) | flipped).all()
    assert 0.15 < float(flipped.float().mean()) < 0.35


def test_absent_joints_stay_absent_and_the_draw_depends_on_the_generator_alone() -> None:
    clips = random_clips(KINECT_20)
    clips[:, 1] = 0
    augment = Augment(rotation=0.5, scale=0.2, mirror=0.5)
    first = augmented(clips, KINECT_20, augment, seeded(3))
    assert not first[:, 1].any() and first[:, 0].all()
    torch.testing.assert_close(
        augmented(clips, KINECT_20, augment, seeded(3)), first, atol=0, rtol=0
    )
    assert not torch.equal(augmented(clips, KINECT_20, augment, seeded(4)), first)
