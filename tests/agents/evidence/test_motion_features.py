from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents.evidence.motion_features import (
    compute_motion_features,
    measure_motion,
)
from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout
from skeletonagent.core.motion_feature import PAIR_FEATURES, MotionFeature

TRIO = SkeletonLayout(
    "trio",
    ("pelvis", "head", "left hand", "right hand", "left foot", "right foot"),
    ((1, 0), (2, 1), (3, 1), (4, 0), (5, 0)),
)


def store_of(*clips: np.ndarray, layout: SkeletonLayout = TRIO) -> ClipStore:
    sequences = [
        SkeletonSequence(joints.astype(np.float32), 0, str(n)) for n, joints in enumerate(clips)
    ]
    return ClipStore.from_sequences(sequences, layout, ["a"])


def measured(
    *clips: np.ndarray, layout: SkeletonLayout = TRIO
) -> dict[MotionFeature, torch.Tensor]:
    """Return each quantity as N V."""
    values = compute_motion_features(store_of(*clips, layout=layout), torch.arange(len(clips)))
    return dict(zip(MotionFeature, values.unbind(dim=-1), strict=True))


def cross(t: int, channels: int = 3) -> np.ndarray:
    """Return a still body with bones of one and square angles."""
    pose = np.zeros((6, channels))
    pose[:, :2] = [(0, 0), (0, 1), (1, 1), (-1, 1), (0.6, -0.8), (-0.6, -0.8)]
    return np.tile(pose + 5.0, (1, t, 1, 1))


def literal(joints: np.ndarray, layout: SkeletonLayout) -> dict[MotionFeature, list[float]]:
    """Return some quantities of one body seen throughout, as their definitions say."""
    x = joints.astype(np.float64)
    x = x / np.mean([np.linalg.norm(frame[c] - frame[p]) for frame in x for c, p in layout.bones])
    q = x - x[:, [layout.center]]
    place = q.mean(axis=0)
    up = place[1] - (place[4] + place[5]) / 2
    up /= np.linalg.norm(up)
    thirds = len(x) / 3
    first = [t for t in range(len(x)) if t < thirds]
    last = [t for t in range(len(x)) if t + 1 > 2 * thirds]
    values: dict[MotionFeature, list[float]] = {quantity: [] for quantity in MotionFeature}
    for v in range(6):
        room, own = x[:, v], x[:, v] if v == layout.center else q[:, v]
        moves = [np.linalg.norm(np.diff(path, axis=0), axis=1).mean() for path in (room, own)]
        rises = [(path @ up).std() for path in (room, own)]
        values[MotionFeature.HEIGHT].append(place[v] @ up)
        values[MotionFeature.REACH].append(np.linalg.norm(q[:, v], axis=1).mean())
        values[MotionFeature.HEAD_DISTANCE].append(np.linalg.norm(q[:, v] - q[:, 1], axis=1).mean())
        values[MotionFeature.GAP].append(
            np.linalg.norm(x[:, v] - x[:, layout.mirror[v]], axis=1).mean()
        )
        values[MotionFeature.SPEED].append(min(moves))
        values[MotionFeature.VERTICAL_RANGE].append(min(rises))
        values[MotionFeature.NET_RISE].append(
            (room[last].mean(axis=0) - room[first].mean(axis=0)) @ up
        )
    return values


@given(t=st.integers(2, 12), c=st.sampled_from([2, 3]), seed=st.integers(0, 99))
def test_quantities_are_what_they_are_defined_to_be(t: int, c: int, seed: int) -> None:
    joints = cross(t, c) + np.random.default_rng(seed).normal(0, 0.2, (1, t, 6, c))
    got = measured(joints, cross(15, c))
    for quantity, values in literal(joints[0], TRIO).items():
        if values:
            expected = torch.tensor(values, dtype=torch.float32)
            torch.testing.assert_close(
                got[quantity][0],
                expected,
                atol=1e-4,
                rtol=1e-4,
                msg=lambda text, name=quantity: f"{name}: {text}",
            )


def test_a_still_body_has_places_and_no_motion() -> None:
    got = measured(cross(9))
    torch.testing.assert_close(got[MotionFeature.HEIGHT][0], torch.tensor([0, 1, 1, 1, -0.8, -0.8]))
    torch.testing.assert_close(got[MotionFeature.GAP][0], torch.tensor([0, 0, 2, 2, 1.2, 1.2]))
    torch.testing.assert_close(got[MotionFeature.OUTWARD][0], torch.tensor([0, 0, 1, 1, 0.6, 0.6]))
    for still in (
        "SPEED",
        "VERTICAL_RANGE",
        "HORIZONTAL_RANGE",
        "NET_RISE",
        "NET_LATERAL",
        "SIGNED_AREA",
        "SYMMETRY",
    ):
        torch.testing.assert_close(got[MotionFeature[still]], torch.zeros(1, 6), atol=1e-5, rtol=0)


def test_only_the_center_of_a_gliding_body_moves() -> None:
    joints = cross(10)
    joints[0, :, :, 0] += 0.25 * np.arange(10)[:, None]
    speed = measured(joints)[MotionFeature.SPEED][0]
    torch.testing.assert_close(speed, torch.tensor([0.25, 0, 0, 0, 0, 0]), atol=1e-5, rtol=0)


def test_a_bow_moves_the_head_and_not_the_feet() -> None:
    joints = cross(10)
    joints[0, :, :4, 1] -= 0.05 * np.arange(10)[:, None]
    rise = measured(joints)[MotionFeature.VERTICAL_RANGE][0]
    assert rise[0] > 0.1
    torch.testing.assert_close(rise[4:], torch.zeros(2), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("hand", "way", "sign"), [(2, 1, 1), (2, -1, -1), (3, 1, -1), (3, -1, 1)])
def test_a_circle_counts_its_area_with_the_way_it_goes(hand: int, way: int, sign: int) -> None:
    joints = np.tile(cross(1), (1, 41, 1, 1))
    angle = way * np.linspace(0, 2 * math.pi, 41)
    joints[0, :, hand, 0] += 0.2 * np.cos(angle)
    joints[0, :, hand, 1] += 0.2 * np.sin(angle)
    circle = measured(joints)[MotionFeature.SIGNED_AREA][0]
    assert circle[hand].item() == pytest.approx(sign * math.pi * 0.2**2, rel=0.1)
    assert circle.abs().argmax() == hand


def test_hands_moving_alike_are_together_and_a_lone_hand_is_not() -> None:
    wave = 0.2 * np.sin(np.arange(20))
    both, one = cross(20), cross(20)
    both[0, :, 2:4, 1] += wave[:, None]
    one[0, :, 2, 1] += wave
    got = measured(both, one)[MotionFeature.SYMMETRY]
    torch.testing.assert_close(got[0, 2:4], torch.ones(2), atol=1e-2, rtol=0)
    assert got[1, 2:4].max() < 0.01


def test_absent_bodies_and_joints_do_not_count() -> None:
    rng = np.random.default_rng(0)
    alone = cross(12) + rng.normal(0, 0.1, (1, 12, 6, 3))
    accompanied = np.concatenate([alone, np.zeros_like(alone)])
    late = np.concatenate([alone, alone])
    late[1, :5] = 0
    hidden = cross(12)
    hidden[0, 3:6, 2] = 0
    got = compute_motion_features(
        store_of(alone, accompanied, late, hidden, cross(12)), torch.arange(5)
    )
    torch.testing.assert_close(got[1], got[0])
    assert (got[2] - got[0]).abs().max() < 1
    torch.testing.assert_close(got[3], got[4], atol=1e-5, rtol=0)


def test_bodies_present_are_averaged() -> None:
    rng = np.random.default_rng(0)
    one, two = (cross(12) + rng.normal(0, 0.1, (1, 12, 6, 3)) for _ in range(2))
    got = compute_motion_features(store_of(np.concatenate([one, two]), one, two), torch.arange(3))
    torch.testing.assert_close(got[0], got[1:].mean(dim=0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("channels", [2, 3])
def test_place_size_heading_and_direction_of_y_make_no_difference(
    bodies: ModuleType, layout: SkeletonLayout, channels: int
) -> None:
    store = bodies.people(layout, [bodies.swung("left", 0.5)], clips=4, channels=channels)
    mapped = 37.0 * (store.frames @ heading(channels)) + torch.arange(1, channels + 1) * 20.0
    upside_down = mapped * torch.tensor([1.0, -1.0, 1.0])[:channels]
    expected = compute_motion_features(store, torch.arange(4))
    for frames in (mapped, upside_down):
        got = compute_motion_features(replace(store, frames=frames), torch.arange(4))
        torch.testing.assert_close(got, expected, atol=2e-3, rtol=1e-3)


def heading(channels: int) -> torch.Tensor:
    """Return a turn about the vertical; in 2D there is none but the identity."""
    if channels == 2:
        return torch.eye(2)
    cos, sin = math.cos(0.7), math.sin(0.7)
    return torch.tensor([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def test_chunks_make_no_difference(bodies: ModuleType) -> None:
    store = bodies.people(COCO_17, [bodies.raised("left"), bodies.swung("right", 0.3)])
    at_once = compute_motion_features(store, torch.arange(16))
    in_chunks = compute_motion_features(store, torch.arange(16), chunk=5000)
    torch.testing.assert_close(in_chunks, at_once)
    chosen = torch.tensor([9, 2])
    values = compute_motion_features(store, chosen, chunk=5000)
    torch.testing.assert_close(values, at_once[chosen])


@pytest.mark.parametrize("bones", [(), ((1, 0),)])
def test_nameless_joints_without_bones_can_be_measured(bones: tuple[tuple[int, int], ...]) -> None:
    layout = SkeletonLayout("dots", ("a", "b", "c"), bones)
    joints = np.random.default_rng(0).normal(0, 1, (2, 7, 3, 3))
    values = compute_motion_features(store_of(joints, layout=layout), torch.arange(1))
    assert values.isfinite().all() and values.abs().sum() > 0


def test_a_clip_of_one_frame_or_of_nothing_is_finite() -> None:
    empty = np.zeros((1, 4, 25, 3))
    single = np.random.default_rng(0).normal(0, 1, (1, 1, 25, 3))
    values = compute_motion_features(store_of(empty, single, layout=KINECT_25), torch.arange(2))
    assert values.isfinite().all()
    assert values[0].abs().sum() == 0


def test_features_of_joints_never_seen_are_not_known() -> None:
    whole, lacking = cross(12), cross(12)
    lacking[0, :, 2] = 0
    motion = measure_motion(store_of(whole, lacking), torch.arange(2))
    assert motion.known[0].all() and not motion.known[1, 2].any()
    pairs = [list(MotionFeature).index(feature) for feature in PAIR_FEATURES]
    partner = motion.known[1, 3]
    assert not partner[pairs].any() and int(partner.sum()) == len(MotionFeature) - len(pairs)
    for feature in (MotionFeature.HEIGHT, MotionFeature.REACH, MotionFeature.OUTWARD):
        column = list(MotionFeature).index(feature)
        ours, expected = motion.values[1, 3:, column], motion.values[0, 3:, column]
        torch.testing.assert_close(ours, expected, atol=0.2, rtol=0.2)  # another mean bone length


def test_a_joint_that_one_body_lacks_is_that_of_the_other() -> None:
    rng = np.random.default_rng(0)
    one, two = (cross(12) + rng.normal(0, 0.1, (1, 12, 6, 3)) for _ in range(2))
    two[0, :, 4] = 0
    both, first = (
        measure_motion(store_of(joints), torch.arange(1))
        for joints in (np.concatenate([one, two]), one)
    )
    torch.testing.assert_close(both.values[0, 4], first.values[0, 4])
    assert both.known.all()
