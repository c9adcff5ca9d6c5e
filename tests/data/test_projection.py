"""Clips in x and y of joints in 3D, and joints of pictures beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.random_bodies import SMALL_BODY, STANDING, random_bodies, turn

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.errors import DataError
from skeletonagent.core.streams import Stream
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.projection import as_clips_show, without_depth
from skeletonagent.data.settings import (
    AugmentSettings,
    ClipSettings,
    FrameSampling,
    Orientation,
    Origin,
    Scale,
)

seeds = st.integers(0, 9999)
STILL = AugmentSettings(rotation=0)
FLAT = Preprocessor(scale=Scale.BODY, orientation=Orientation.BODY, dims=2)


def stored(*bodies: np.ndarray, has_confidence: bool = False) -> ClipStore:
    samples = [
        SkeletonSequence(joints.astype(np.float32), 0, f"clip{n}")
        for n, joints in enumerate(bodies)
    ]
    return ClipStore.from_sequences(samples, SMALL_BODY, ("act",), has_confidence)


def sampler(store: ClipStore, augment: AugmentSettings = STILL, **settings: object) -> ClipSampler:
    chosen = {"frames": 6, "test_clips": 1, "sampling": FrameSampling.LINEAR, **settings}
    return ClipSampler(store, ClipSettings(**chosen), augment)  # type: ignore[arg-type]


def picture(joints: np.ndarray, size: float = 100.0) -> np.ndarray:
    """Return joints as a camera far in front of them has them in pixels: y points down."""
    seen = joints.any(axis=-1, keepdims=True)
    return np.where(seen, joints[..., :2] * [size, -size] + [320, 240], 0)


@given(seed=seeds, persons=st.integers(1, 3), origin=st.sampled_from([Origin.PERSON, Origin.GROUP]))
def test_a_picture_is_preprocessed_to_what_the_projection_is(
    seed: int, persons: int, origin: Origin
) -> None:
    """Whatever its unit, its origin and the direction of its y."""
    joints = random_bodies(seed, persons, absent=0.1)
    upright = Preprocessor(Scale.BODY, origin, dims=2)
    flat, seen = upright(stored(picture(joints))), upright(stored(joints))
    assert not flat.drops_depth and seen.drops_depth
    assert (flat.clip_channels, seen.clip_channels) == (2, 2)
    torch.testing.assert_close(flat.frames, without_depth(seen.frames), rtol=1e-3, atol=1e-3)
    turned = replace(upright, orientation=Orientation.BODY)
    assert torch.equal(turned(stored(picture(joints))).frames, flat.frames)


@given(seed=seeds, angle=st.floats(0, 6.28))
def test_it_does_not_matter_how_a_body_stood_to_the_sensor(seed: int, angle: float) -> None:
    joints = random_bodies(seed, 1)
    other = joints @ (turn(0, angle) @ turn(1, 1.3)).T
    one, two = FLAT(stored(joints)), FLAT(stored(other))
    torch.testing.assert_close(one.frames, two.frames, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("joints", "sign"),
    [
        (STANDING, 1),
        (STANDING * [1, -1, -1], -1),
        (STANDING[:, [1, 0, 2]], 1),  # lies
        (STANDING[:, :2], 1),
        (STANDING[:, :2] * [1, -1], -1),
        (STANDING[:, [1, 0]], -1),  # lies, in a picture
    ],
)
def test_y_points_up(joints: np.ndarray, sign: int) -> None:
    given = np.broadcast_to(joints, (1, 6, *joints.shape))
    store = Preprocessor(origin=Origin.NONE, dims=2)(stored(given))
    expected = torch.tensor(joints, dtype=torch.float32)
    expected[:, 1:] *= sign
    torch.testing.assert_close(store.frames[0], expected)


def test_clips_are_x_and_y_of_the_joints() -> None:
    bodies = [random_bodies(n, persons=1 + n % 2) for n in range(3)]
    store, whole = FLAT(stored(*bodies)), replace(FLAT(stored(*bodies)), drops_depth=False)
    numbers = torch.arange(3)
    flat, full = (
        sampler(each).train_batch(numbers, torch.Generator().manual_seed(0)).clips
        for each in (store, whole)
    )
    assert torch.equal(flat, full[..., :2])
    tested, all_of = (next(sampler(s).test_batches(numbers, 3)).clips for s in (store, whole))
    assert torch.equal(tested, all_of[..., :2])
    assert torch.equal(as_clips_show(store).frames, store.frames[..., :2])
    assert as_clips_show(whole) is whole


def test_views_vary_since_clips_are_rotated_before() -> None:
    """Seen from the side by an angle, a body shows its depth: x becomes cos x + sin z."""
    store = FLAT(stored(random_bodies(1, persons=1)))
    numbers = torch.zeros(200, dtype=torch.long)
    batch = sampler(store, AugmentSettings(rotation=0, yaw=3.1)).train_batch(
        numbers, torch.Generator().manual_seed(0)
    )
    plain = next(sampler(replace(store, drops_depth=False)).test_batches(numbers[:1], 1)).clips[
        0, 0
    ]
    x, z = plain[..., 0].flatten(), plain[..., 2].flatten()
    basis = torch.stack([x, z], dim=1)
    for clip in batch.clips[:, 0]:
        fitted = torch.linalg.lstsq(basis, clip[..., 0].reshape(-1, 1)).solution
        torch.testing.assert_close(basis @ fitted, clip[..., 0].reshape(-1, 1), atol=1e-3, rtol=0)
        assert float(fitted.norm()) == pytest.approx(1, abs=1e-3)
        torch.testing.assert_close(clip[..., 1], plain[..., 1])
    assert float(batch.clips[..., 0].std(dim=0).max()) > 0.3


@pytest.mark.parametrize("stream", list(Stream))
@pytest.mark.parametrize("sampling", list(FrameSampling))
def test_every_stream_has_the_channels_of_the_plane(
    stream: Stream, sampling: FrameSampling
) -> None:
    joints = random_bodies(3, persons=1)
    joints = np.concatenate([joints, np.full_like(joints[..., :1], 0.5)], axis=-1)
    store = FLAT(stored(joints, has_confidence=True))
    flat = sampler(store, stream=stream, sampling=sampling)
    full = sampler(replace(store, drops_depth=False), stream=stream, sampling=sampling)
    clips, whole = (
        s.train_batch(torch.tensor([0]), torch.Generator().manual_seed(0)).clips
        for s in (flat, full)
    )
    assert store.clip_channels == 3 and torch.equal(clips, without_depth(whole))
    assert torch.equal(clips[..., 2], torch.full_like(clips[..., 2], 0.5))


def test_depth_is_asked_for_where_it_is_needed() -> None:
    with pytest.raises(DataError, match="needs joints in 3D"):
        replace(FLAT, dims="auto")(stored(picture(random_bodies(0, 1))))
