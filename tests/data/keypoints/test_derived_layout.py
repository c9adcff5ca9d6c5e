"""Layouts derived from motion: bones that keep their length."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from skeletonagent.core.errors import DataError
from skeletonagent.data.keypoints.derived_layout import derived_layout


def moving_body(seed: int, frames: int = 120, joints: int = 13) -> tuple[np.ndarray, np.ndarray]:
    """Return joints (1, T, V, 3) of a random tree whose joints all turn, and their parents."""
    rng = np.random.default_rng(seed)
    parents = np.array([0, *(rng.integers(max(0, j - 3), j) for j in range(1, joints))])
    offsets = rng.normal(size=(joints, 3))
    offsets /= np.linalg.norm(offsets, axis=1, keepdims=True)
    places = np.zeros((frames, joints, 3))
    places[:, 0] = rng.normal(size=(frames, 3)).cumsum(axis=0) * 0.05
    turned = [Rotation.from_euler("XYZ", rng.normal(size=(frames, 3)).cumsum(axis=0) * 0.2)]
    for joint in range(1, joints):
        angles = rng.normal(size=(frames, 3)).cumsum(axis=0) * 0.2
        turned.append(turned[parents[joint]] * Rotation.from_euler("XYZ", angles))
        places[:, joint] = places[:, parents[joint]] + turned[joint].apply(offsets[joint])
    return places[None], parents


@pytest.mark.parametrize("seed", range(5))
def test_bones_of_a_moving_body_are_found(seed: int) -> None:
    joints, parents = moving_body(seed)
    layout = derived_layout(joints)
    expected = {frozenset((joint, int(parents[joint]))) for joint in range(1, 13)}
    assert {frozenset(bone) for bone in layout.bones} == expected
    assert layout.joints[:2] == ("joint 1", "joint 2") and layout.roots == {layout.center}
    assert layout.pairs == ()


def test_absent_joints_and_several_recordings() -> None:
    joints, parents = moving_body(7)
    gaps = joints.copy()
    gaps[np.random.default_rng(0).uniform(size=gaps.shape[:3]) < 0.3] = np.nan
    layout = derived_layout([gaps, joints, np.full_like(joints, np.nan), joints])
    assert len(layout.bones) == 12
    found = {frozenset(bone) for bone in layout.bones}
    assert found == {frozenset((joint, int(parents[joint]))) for joint in range(1, 13)}


def test_joints_that_are_never_seen_cannot_be_joined() -> None:
    joints, _ = moving_body(1)
    joints[:, :, 4] = np.nan
    with pytest.raises(DataError, match="some joints are never seen together"):
        derived_layout(joints)
