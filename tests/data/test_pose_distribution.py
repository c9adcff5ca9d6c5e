"""Distribution of poses: the conditional mean, joints that are never seen, the kept numbers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.data.random_bodies import SMALL_BODY, body_store

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.pose_model import PoseModel
from skeletonagent.data.pose_distribution import PoseDistribution
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import AbsentRule, Origin

V = SMALL_BODY.num_joints


def poses(frames: int, seed: int = 0, ways: int = 3) -> np.ndarray:
    """Return poses (T, V, 3) of a body that moves in a few ways."""
    rng = np.random.default_rng(seed)
    body = np.random.default_rng(7)
    mean, axes = body.normal(size=(V, 3)) + 3, body.normal(size=(ways, V, 3))
    noise = 0.01 * rng.normal(size=(frames, V, 3))
    return mean + np.einsum("tk,kvd->tvd", rng.normal(size=(frames, ways)), axes) + noise


def stored(joints: np.ndarray) -> ClipStore:
    prepare = Preprocessor(origin=Origin.NONE)
    return prepare(body_store([joints[None].astype(np.float32)]))


def distribution(frames: int = 400) -> PoseDistribution:
    found = PoseDistribution.of(stored(poses(frames)))
    assert found is not None
    return found


def test_absent_joints_lie_where_a_normal_distribution_expects_them() -> None:
    known, rng = distribution(), np.random.default_rng(1)
    given = torch.from_numpy(poses(20, seed=2)).float()
    seen = torch.from_numpy(rng.random((20, V)) < 0.7) | (torch.arange(V) < 2)
    filled = known.expected(given, seen)
    assert torch.equal(filled[seen], given[seen])
    axes = known._movable_axes.flatten(1).numpy()
    covariance = axes.T @ axes + known.noise * np.eye(3 * V)
    mean = known.mean.double().flatten().numpy()
    for row in range(20):
        of = np.repeat(seen[row].numpy(), 3)
        away = given[row].double().flatten().numpy()[of] - mean[of]
        wanted = mean + covariance[:, of] @ np.linalg.solve(covariance[np.ix_(of, of)], away)
        np.testing.assert_allclose(filled[row].flatten()[~of], wanted[~of], atol=1e-3)
    assert (filled - given).norm(dim=-1)[~seen].max() < 0.2  # noise of 0.01 in each joint


def test_a_body_may_have_moved_anywhere() -> None:
    known = distribution()
    given, seen = torch.from_numpy(poses(9, seed=3)), torch.ones(9, V, dtype=torch.bool)
    seen[:, 5] = False
    away = torch.tensor([40.0, -7.0, 90.0], dtype=given.dtype)
    here, there = known.expected(given, seen), known.expected(given + away, seen)
    torch.testing.assert_close(here + away, there, atol=0.05, rtol=0)


def test_poses_are_learned_from_frames_that_lack_joints() -> None:
    joints = poses(2000)
    joints[np.random.default_rng(5).random(joints.shape[:2]) < 0.2] = 0
    some = PoseDistribution.of(stored(joints))
    assert some is not None
    torch.testing.assert_close(some.mean, distribution(2000).mean, atol=0.15, rtol=0)
    given, seen = torch.from_numpy(poses(9, seed=3)), torch.ones(9, V, dtype=torch.bool)
    seen[:, 5] = False
    assert (some.expected(given, seen) - given).norm(dim=-1).max() < 0.7


def test_a_joint_that_is_never_seen_stays_absent() -> None:
    joints = poses(100)
    joints[:, 3] = 0
    known = PoseDistribution.of(stored(joints))
    assert known is not None and known.known.tolist() == [v != 3 for v in range(V)]
    given = torch.from_numpy(joints[:4])
    seen = torch.arange(V).ne(3).expand(4, V).clone()
    seen[:2, 0] = False
    seen[3] = False
    filled = known.expected(given, seen)
    assert not filled[:, 3].any() and torch.equal(filled[2:], given[2:])
    assert (filled[:2, 0] - given[:2, 0]).norm(dim=-1).max() < 0.2
    kept = PoseModel.from_json(json.loads(json.dumps(known.model.to_json())), V)
    again = PoseDistribution.from_model(kept)
    assert torch.equal(again.axes, known.axes) and again.noise == known.noise
    assert torch.equal(again.mean.nan_to_num(99), known.mean.nan_to_num(99))


def test_the_distribution_in_a_plane_is_that_of_x_and_y() -> None:
    known = distribution().in_coordinates(2)
    given, seen = torch.from_numpy(poses(9, seed=3))[..., :2], torch.ones(9, V, dtype=torch.bool)
    seen[:, 5] = False
    assert (known.expected(given, seen) - given).norm(dim=-1).max() < 0.2


def test_nothing_is_known_of_nobody_and_of_joints_at_zero() -> None:
    nobody = stored(poses(5) * 0)
    zeros = Preprocessor(origin=Origin.NONE, absent_rule=AbsentRule.ZERO)
    assert PoseDistribution.of(nobody) is None
    assert PoseDistribution.of(zeros(replace(nobody, present=None))) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"mean": [[0.0] * 3]},
        {"axes": [[0.0]]},
        {"axes": [[[float("nan")] * 3] * V]},
        {"noise": None},
    ],
)
def test_damaged_numbers_are_refused(damage: dict) -> None:
    with pytest.raises((TypeError, ValueError)):
        PoseModel.from_json(distribution().model.to_json() | damage, V)
