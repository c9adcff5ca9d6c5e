"""Flip, linear maps, noise, exchange: literal references, known values, invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.random_clips import channels, layouts, random_clips, seeded
from torch import Tensor

from skeletonagent.core.layout import (
    COCO_20,
    KINECT_20,
    KINECT_25,
    SkeletonLayout,
)
from skeletonagent.core.streams import Stream
from skeletonagent.data.augmentation import (
    augment_clips,
    clip_spreads,
    exchange_bodies,
    horizontal_flip,
    rotation_matrices,
    swap_left_right,
    turn_to_sides,
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


def about(axis: int, theta: float) -> np.ndarray:
    """Return the rotation about one axis, in the sense of spec 2.2, RandomRot."""
    cos, sin = math.cos(theta), math.sin(theta)
    a, b, sign = {0: (1, 2, 1), 1: (0, 2, -1), 2: (0, 1, 1)}[axis]
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = cos
    matrix[a, b], matrix[b, a] = sign * sin, -sign * sin
    return matrix


@given(angles=st.tuples(angle, angle, angle))
def test_rotations_are_about_x_then_y_then_z(angles: tuple[float, float, float]) -> None:
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


@given(seed=seeds, c=st.sampled_from([2, 3]))
def test_linear_maps_equal_a_loop_over_clips(seed: int, c: int) -> None:
    augment = AugmentSettings(rotation=0.3, yaw=2.0, scale=0.2, axis_scale=0.5)
    clips = random_clips(KINECT_20, c, n=3, seed=seed)
    changed = augment_clips(clips, KINECT_20, augment, seeded(seed))
    drawn = seeded(seed)
    random = 2 * torch.rand(3, 5, generator=drawn).numpy() - 1
    yaw = 2 * torch.rand(3, generator=drawn).numpy() - 1 if c == 3 else None
    normal = torch.randn(3, c, generator=drawn).numpy()
    for n in range(3):
        if yaw is None:
            turn = about(2, 0.3 * random[n, 1])[:2, :2]
        else:
            x, y, z = 0.3 * random[n, 1], 0.3 * random[n, 2] + 2.0 * yaw[n], 0.3 * random[n, 3]
            turn = about(2, z) @ about(1, y) @ about(0, x)
        factors = (1 + 0.2 * random[n, 4]) * np.exp(0.5 * normal[n])
        for joint, moved in zip(clips[n].reshape(-1, c), changed[n].reshape(-1, c), strict=True):
            np.testing.assert_allclose(
                moved, factors * (turn @ joint.double().numpy()), rtol=1e-4, atol=1e-4
            )


def test_yaw_alone_keeps_heights_and_turns_all_around() -> None:
    unit = torch.zeros(500, 1, 1, KINECT_20.num_joints, 3)
    unit[..., :2] = 1
    turned = augment_clips(unit, KINECT_20, AugmentSettings(rotation=0.0, yaw=math.pi), seeded(0))[
        :, 0, 0, 0
    ]
    torch.testing.assert_close(turned[:, 1], torch.ones(500))
    angles = torch.atan2(turned[:, 2], turned[:, 0])
    assert (angles.histc(8, -math.pi, math.pi) > 30).all()


def with_gaps(clips: Tensor, share: float = 0.3, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Return clips of which a share of the joints is absent, and which ones."""
    absent = torch.rand(clips.shape[:-1], generator=seeded(seed)) < share
    return clips.masked_fill(absent[..., None], 0), absent


def literal_spread(clip: Tensor) -> float:
    """Return the spread of a clip, one coordinate at a time."""
    rows = [row for row in clip.flatten(0, -2).double().tolist() if any(row)]
    if not rows:
        return 0.0
    squares = []
    for axis in range(clip.shape[-1]):
        mean = sum(row[axis] for row in rows) / len(rows)
        squares.append(sum((row[axis] - mean) ** 2 for row in rows) / len(rows))
    return math.sqrt(sum(squares) / len(squares))


@given(seed=seeds, c=st.sampled_from([2, 3]), share=st.sampled_from([0.0, 0.4, 1.0]))
def test_the_spread_is_that_of_the_seen_joints(seed: int, c: int, share: float) -> None:
    clips, absent = with_gaps(random_clips(KINECT_20, c, seed=seed) * 3 + 100, share, seed)
    expected = [literal_spread(clip) for clip in clips]
    spreads = clip_spreads(clips, ~absent[..., None])
    torch.testing.assert_close(spreads, torch.tensor(expected), rtol=1e-4, atol=0)


@given(seed=seeds, c=st.sampled_from([2, 3]), confidence=st.booleans())
def test_jitter_equals_a_loop_over_joints(seed: int, c: int, confidence: bool) -> None:
    clips, absent = with_gaps(random_clips(KINECT_20, c, seed=seed) * 5 + 50)
    scores = random_clips(KINECT_20, 1, seed=seed + 1).abs()
    given_clips = torch.cat([clips, scores], -1) if confidence else clips
    augment = AugmentSettings(rotation=0.0, jitter=0.1)
    changed = augment_clips(given_clips, KINECT_20, augment, seeded(seed), c)
    drawn = seeded(seed)
    torch.rand(len(clips), 5, generator=drawn)
    noise = torch.randn(clips.shape, generator=drawn)
    expected, spreads = clips.clone(), [literal_spread(clip) for clip in clips]
    for n, m, t, v in np.ndindex(*clips.shape[:-1]):
        if not absent[n, m, t, v]:
            expected[n, m, t, v] += 0.1 * spreads[n] * noise[n, m, t, v]
    torch.testing.assert_close(changed[..., :c], expected, rtol=1e-5, atol=1e-4)
    assert torch.equal(changed[..., :c].any(dim=-1), ~absent)
    torch.testing.assert_close(changed[..., c:], given_clips[..., c:], atol=0, rtol=0)


def test_jitter_does_not_depend_on_the_unit() -> None:
    clips, _ = with_gaps(random_clips(COCO_20, 2))
    augment = AugmentSettings(rotation=0.0, jitter=0.05)
    metres = augment_clips(clips, COCO_20, augment, seeded(0))
    millimetres = augment_clips(clips * 1000, COCO_20, augment, seeded(0))
    torch.testing.assert_close(millimetres, metres * 1000)


@given(m=st.integers(1, 3), seed=seeds)
def test_bodies_exchange_places_where_there_are_two(m: int, seed: int) -> None:
    clips = torch.randn(16, m, 2, 3, 3, generator=seeded(seed))
    seen = torch.rand(16, m, generator=seeded(seed)) < 0.7
    clips = clips * seen[:, :, None, None, None]
    exchanged = exchange_bodies(clips)
    for before, after, bodies in zip(clips, exchanged, seen.tolist(), strict=True):
        two = sum(bodies) == 2 and bodies[0] and bodies[1]
        expected = before[[1, 0, *range(2, m)]] if two else before
        torch.testing.assert_close(after, expected, atol=0, rtol=0)


def test_the_frequency_of_exchanges_is_their_probability() -> None:
    clips = random_clips(KINECT_20, n=400)
    augment = AugmentSettings(rotation=0.0, person_swap=0.25)
    changed = augment_clips(clips, KINECT_20, augment, seeded(0))
    exchanged = (changed == clips.flip(1)).flatten(1).all(dim=1)
    assert ((changed == clips).flatten(1).all(dim=1) | exchanged).all()
    assert 0.15 < float(exchanged.float().mean()) < 0.35


@given(seed=seeds, confidence=st.booleans())
def test_bodies_that_changed_sides_get_a_half_turn(seed: int, confidence: bool) -> None:
    stored = torch.randn(12, 2, 3, 4, 3 + confidence, generator=seeded(seed))
    stored[0, 1] = 0  # nobody beside the first
    clips = stored * torch.where(torch.rand(12, generator=seeded(seed)) < 0.5, -1.0, 1.0).view(
        -1, 1, 1, 1, 1
    )
    turned = turn_to_sides(clips, stored, 3)
    for before, original, after in zip(clips, stored, turned, strict=True):
        expected = before.clone()
        (a, b), (c, d) = ((x[0, ..., 0].mean(), x[1, ..., 0].mean()) for x in (before, original))
        if original[1].any() and (a - b) * (c - d) < 0:
            expected[..., 0] *= -1
            expected[..., 2] *= -1
        torch.testing.assert_close(after, expected, atol=0, rtol=0)


@pytest.mark.parametrize(("mirror", "person_swap"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_the_first_body_stays_on_its_side(mirror: float, person_swap: float) -> None:
    clips = random_clips(KINECT_20)
    clips[:, 0, ..., 0] += 5
    augment = AugmentSettings(rotation=0.0, mirror=mirror, person_swap=person_swap, keep_sides=True)
    changed = augment_clips(clips, KINECT_20, augment, seeded(0))
    assert not torch.equal(changed, clips)
    assert (changed[:, 0, ..., 0].mean(dim=(1, 2)) > changed[:, 1, ..., 0].mean(dim=(1, 2))).all()


def test_sides_are_not_kept_in_the_plane() -> None:
    stored = random_clips(KINECT_20, c=2)
    torch.testing.assert_close(turn_to_sides(-stored, stored), -stored, atol=0, rtol=0)


def test_mirrored_clips_can_be_chosen() -> None:
    clips = random_clips(KINECT_20)
    chosen = torch.tensor([True, False, True, False])
    changed = augment_clips(
        clips, KINECT_20, AugmentSettings(rotation=0.0, mirror=0.5), seeded(0), mirrored=chosen
    )
    expected = torch.where(
        chosen[:, None, None, None, None], horizontal_flip(clips, KINECT_20), clips
    )
    torch.testing.assert_close(changed, expected, atol=0, rtol=0)


def test_depth_is_dropped_after_rotation() -> None:
    clips = random_clips(KINECT_20)
    augment = AugmentSettings(rotation=0.5, depth_drop=1.0)
    flat = augment_clips(clips, KINECT_20, augment, seeded(0))
    rotated = augment_clips(clips, KINECT_20, AugmentSettings(rotation=0.5), seeded(0))
    assert not flat[..., 2].any()
    torch.testing.assert_close(flat[..., :2], rotated[..., :2], atol=0, rtol=0)
    many = random_clips(KINECT_20).repeat(4, 1, 1, 1, 1)
    some = augment_clips(many, KINECT_20, AugmentSettings(depth_drop=0.5), seeded(1))
    assert {bool(clip[..., 2].any()) for clip in some} == {True, False}
    plane = random_clips(KINECT_20, c=2)
    assert augment_clips(plane, KINECT_20, augment, seeded(0))[..., 1].any()


probabilities = st.sampled_from([0.0, 0.5, 1.0])


@given(
    augment=st.builds(
        AugmentSettings,
        rotation=st.sampled_from([0.0, 0.5]),
        scale=st.sampled_from([0.0, 0.3]),
        yaw=st.sampled_from([0.0, 3.0]),
        axis_scale=st.sampled_from([0.0, 0.3]),
        jitter=st.sampled_from([0.0, 0.2]),
        depth_drop=probabilities,
        part_drop=probabilities,
        joint_drop=st.sampled_from([0.0, 0.3]),
        occlusion=probabilities,
        mirror=probabilities,
        swap=probabilities,
        person_swap=probabilities,
    ),
    c=st.sampled_from([2, 3]),
    seed=seeds,
)
def test_what_is_absent_stays_absent_and_the_generator_decides(
    augment: AugmentSettings, c: int, seed: int
) -> None:
    clips, _ = with_gaps(random_clips(KINECT_20, c, seed=seed), seed=seed)
    clips[1, 1] = 0
    clips[2] = 0
    confidence = torch.cat([clips, clips[..., :1].abs()], dim=-1)
    changed = augment_clips(confidence, KINECT_20, augment, seeded(seed), c)
    again = augment_clips(confidence, KINECT_20, augment, seeded(seed), c)
    torch.testing.assert_close(changed, again, atol=0, rtol=0)
    assert changed.isfinite().all()
    assert not changed[1, 1].any() and not changed[2].any()
    # A joint may have come from four places: its own and that of its pair, of either body.
    before = confidence.any(dim=-1)
    sources = torch.stack([before, before.flip(1)])
    possible = (sources | sources[..., list(KINECT_20.mirror)]).any(dim=0)
    if not augment.person_swap:
        possible = sources[0] | sources[0][..., list(KINECT_20.mirror)]
        if not (augment.mirror or augment.swap):
            possible = sources[0]
    assert not (changed.any(dim=-1) & ~possible).any()
