"""Bodies as stored: rows, sums and means against loops, places of bodies."""

from __future__ import annotations

from itertools import chain

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.random_bodies import SMALL_BODY, body_store, random_bodies

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import bone_ends
from skeletonagent.data.bone_lengths import mean_bone_lengths
from skeletonagent.data.settings import Origin
from skeletonagent.data.stored_bodies import StoredBodies, body_chunks

SEEDS = st.integers(0, 9999)


def random_samples(seed: int) -> list[np.ndarray]:
    return [
        random_bodies(seed + i, 1 + (seed + i) % 3, 1 + (seed * i) % 5, absent=0.3, leaves=0.3)
        for i in range(4)
    ]


def stored(samples: list[np.ndarray]) -> StoredBodies:
    return next(body_chunks(body_store(samples)))


def test_chunks_hold_all_samples_in_order() -> None:
    samples = random_samples(3)
    chunks = list(body_chunks(body_store(samples), 3))
    assert [len(chunk.lengths) for chunk in chunks] == [3, 1]
    rows = np.concatenate([joints.reshape(-1, 8, 3) for joints in samples])
    np.testing.assert_array_equal(torch.cat([chunk.frames for chunk in chunks]), rows)


@given(seed=SEEDS)
def test_means_over_frames_equal_a_loop(seed: int) -> None:
    samples = random_samples(seed)
    bodies = stored(samples)
    means, known = bodies.body_means(bodies.joints, bodies.present)
    row = 0
    for joints in samples:
        for body in joints:
            for joint in range(8):
                seen = [frame[joint] for frame in body if frame[joint].any()]
                assert bool(known[row, joint]) == bool(seen)
                expected = np.mean(seen, axis=0) if seen else np.zeros(3)
                np.testing.assert_allclose(means[row, joint], expected, atol=1e-5)
            row += 1
    assert row == len(means)


@given(seed=SEEDS)
def test_rows_of_a_body_are_those_of_the_same_frame(seed: int) -> None:
    samples = random_samples(seed)
    bodies = stored(samples)
    rng = np.random.default_rng(seed)
    numbers = [int(rng.integers(len(joints))) for joints in samples]
    ours = bodies.frames[bodies.rows_of(torch.tensor(numbers))]
    expected = [
        np.broadcast_to(joints[number], joints.shape).reshape(-1, 8, 3)
        for joints, number in zip(samples, numbers, strict=True)
    ]
    np.testing.assert_array_equal(ours, np.concatenate(expected))


@given(seed=SEEDS)
def test_first_body_where_equals_a_loop(seed: int) -> None:
    samples = random_samples(seed)
    there = [[bool(body.any()) for body in joints] for joints in samples]
    ours = stored(samples).first_body_where(torch.tensor(list(chain(*there))))
    assert ours.tolist() == [row.index(True) if any(row) else 0 for row in there]


def literal_place(body: np.ndarray, frame: int) -> np.ndarray | None:
    if body[:, 0].any():
        return body[frame, 0] if body[frame, 0].any() else None
    near = [v for v in range(1, 6) if body[frame][[v, SMALL_BODY.mirror[v]]].any(axis=1).all()]
    seen = body[frame][near] if near else body[frame][body[frame].any(axis=1)]
    return seen.mean(axis=0) if len(seen) else None


@given(seed=SEEDS)
def test_origins_equal_a_loop(seed: int) -> None:
    samples = random_samples(seed)
    samples[1][:, :, 0] = 0
    for origin in (Origin.PERSON, Origin.GROUP):
        ours = stored(samples).seen_origins(SMALL_BODY, origin)
        for joints, point in zip(samples, ours, strict=True):
            lead = next((m for m, body in enumerate(joints) if body.any()), None)
            expected = np.zeros(3)
            if lead is not None:
                places = [[literal_place(body, t) for t in range(len(body))] for body in joints]
                first = next(t for t, place in enumerate(places[lead]) if place is not None)
                counted = [lead] if origin is Origin.PERSON else range(len(joints))
                seen = [places[m][first] for m in counted if places[m][first] is not None]
                expected = np.mean(seen, axis=0)
            np.testing.assert_allclose(point, expected, atol=1e-5)


def test_without_bones_lengths_are_those_to_the_center() -> None:
    layout = SkeletonLayout("points", ("a", "b", "c"), (), center=1)
    assert bone_ends(layout) == ([0, 1, 2], [1, 1, 1])
    assert bone_ends(SMALL_BODY)[0] == [1, 2, 3, 4, 5, 6, 7]


def test_a_sample_without_bones_in_sight_has_length_one() -> None:
    nobody, far = np.zeros((1, 2, 8, 3), np.float32), np.zeros((2, 2, 8, 3), np.float32)
    far[0, :, 0], far[0, :, 1] = 1, 4
    np.testing.assert_allclose(
        mean_bone_lengths(stored([nobody, far]), SMALL_BODY), [1, 3 * np.sqrt(3)], rtol=1e-6
    )
