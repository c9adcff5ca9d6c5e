"""Renumbered persons: who is joined, who is not, and samples beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.random_bodies import body_store, random_bodies

from skeletonagent.data.person_joining import MOST_LOST_FRAMES, joined_bodies
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.renumbered import join_renumbered
from skeletonagent.data.stored_bodies import body_chunks


def joined(samples: list[np.ndarray]) -> list[np.ndarray]:
    bodies = join_renumbered(next(body_chunks(body_store(samples))))
    ends = np.cumsum([np.prod(joints.shape[:2]) for joints in samples])[:-1]
    parts = np.split(bodies.frames.numpy(), ends)
    assert np.array_equal(bodies.present.numpy(), bodies.frames.numpy().any(axis=-1))
    return [part.reshape(joints.shape) for part, joints in zip(parts, samples, strict=True)]


def renumbered(whole: np.ndarray, numbers: list[int], persons: int = 3) -> np.ndarray:
    """Return the frames of one body as those of several, -1 for frames in which nobody is seen."""
    joints = np.zeros((persons, *whole.shape), dtype=np.float32)
    for frame, number in enumerate(numbers):
        if number >= 0:
            joints[number, frame] = whole[frame]
    return joints


@pytest.mark.parametrize(
    "numbers",
    [[0, 0, 0, 1, 1, 1], [1, 1, 2, 2, 0, 0], [0, 1, 0, 1, 2, 1], [2, -1, -1, 0, 0, -1]],
)
def test_a_person_of_several_numbers_is_one_body(numbers: list[int]) -> None:
    whole = random_bodies(0, 1)[0]
    (ours,) = joined([renumbered(whole, numbers)])
    expected = np.where(np.array(numbers)[:, None, None] >= 0, whole, 0)
    first = min(number for number in numbers if number >= 0)
    np.testing.assert_array_equal(ours[first], expected)
    assert not np.delete(ours, first, axis=0).any()
    placed = Preprocessor()(body_store([renumbered(whole, numbers)])).sequence(0).joints
    assert placed.shape[1] == sum(number >= 0 for number in numbers)
    assert not placed[1:].any()


def test_another_person_stays_another() -> None:
    both = random_bodies(1, 2)
    both[0, 3:] = both[1, :3] = 0  # one goes, the other comes two metres beside
    elsewhere = renumbered(random_bodies(2, 1)[0], [0, 0, 0, 1, 1, 1], 2)
    elsewhere[1, 5] += 0.1
    elsewhere[0, 5] = elsewhere[1, 5]  # seen at once
    away = renumbered(random_bodies(3, 1)[0], [0, 0, 1, 1, 0, 1], 2)
    away[1, 5, :, 0] += 3  # near at first, far away later
    for ours, given_joints in zip(
        joined([both, elsewhere, away]), [both, elsewhere, away], strict=True
    ):
        np.testing.assert_array_equal(ours, given_joints)


@pytest.mark.parametrize("lost", [0, MOST_LOST_FRAMES, MOST_LOST_FRAMES + 1])
def test_a_person_who_is_away_for_long_is_another(lost: int) -> None:
    whole = np.repeat(random_bodies(0, 1)[0][:1], lost + 2, axis=0)
    (ours,) = joined([renumbered(whole, [0, *[-1] * lost, 1], 2)])
    assert bool(ours[1].any()) == (lost > MOST_LOST_FRAMES)


def test_bodies_without_a_common_joint_are_not_compared() -> None:
    joints = renumbered(random_bodies(0, 1)[0], [0, 0, 0, 1, 1, 1], 2)
    joints[0, 2, :4] = joints[1, 3, 4:] = 0
    (ours,) = joined([joints])
    np.testing.assert_array_equal(ours, joints)


@given(seed=st.integers(0, 9999))
def test_samples_do_not_affect_each_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = [
        renumbered(random_bodies(seed + n, 1)[0], rng.integers(-1, 3, 6).tolist())
        if n % 2
        else random_bodies(seed + n, 1 + n % 3, absent=0.3, leaves=0.4)
        for n in range(5)
    ]
    together = joined(samples)
    for joints, ours in zip(samples, together, strict=True):
        np.testing.assert_array_equal(ours, joined([joints])[0])
        seen = [body.any(axis=(1, 2)) for body in joints]
        np.testing.assert_array_equal(ours.any(axis=(0, 2, 3)), np.any(seen, axis=0))
        taken = joined_bodies(joints, joints.any(axis=-1))
        assert (np.sort(taken, axis=0) <= np.arange(len(joints))[:, None]).all()
