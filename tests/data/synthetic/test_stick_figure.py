"""The stick figure: rigid bones, human proportions, mirror symmetry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skeletonagent.core.layout import KINECT_25
from skeletonagent.data.synthetic.stick_figure import (
    REST,
    BodySize,
    ControlledPart,
    rotation,
    stick_figure,
)

JOINT = {name: joint for joint, name in enumerate(KINECT_25.joints)}
controls = arrays(np.float64, (2, 7, 3), elements=st.floats(-0.4, 0.4))
angles = arrays(np.float64, (3,), elements=st.floats(-3, 3))


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    return np.stack(
        [np.linalg.norm(joints[..., c, :] - joints[..., p, :], axis=-1) for c, p in KINECT_25.bones]
    )


@given(angles)
def test_rotation_equals_the_product_of_turns_about_the_axes(angles: np.ndarray) -> None:
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    np.testing.assert_allclose(rotation(angles), about_y @ about_x @ about_z, atol=1e-12)


def test_leaning_forward_brings_what_is_up_to_the_front() -> None:
    forward = rotation(np.array([math.pi / 2, 0, 0]))
    np.testing.assert_allclose(forward @ [0, 1, 0], [0, 0, 1], atol=1e-12)


@pytest.mark.parametrize("height", [1.5, 1.7, 1.95])
def test_a_standing_figure_has_human_proportions(height: float) -> None:
    at_rest = stick_figure(BodySize(height=height), REST[None])[0]
    up = {name: at_rest[joint, 1] / height for name, joint in JOINT.items()}
    assert 0.88 < up["head"] < 0.97  # the middle of the head, so below the full height
    assert 0.48 < up["base of spine"] < 0.58
    for side in ("left", "right"):
        assert (
            0 <= up[f"{side} foot"] < up[f"{side} ankle"] < up[f"{side} knee"] < up[f"{side} hip"]
        )
        assert 0.22 < up[f"{side} knee"] < 0.32
        assert up[f"{side} hand tip"] < up[f"{side} elbow"] < up[f"{side} shoulder"] < up["head"]
    assert at_rest[JOINT["left shoulder"], 0] > 0 > at_rest[JOINT["right shoulder"], 0]
    assert at_rest[JOINT["left foot"], 2] > at_rest[JOINT["left ankle"], 2]


@given(controls)
def test_bones_keep_their_length_whatever_is_asked(controls: np.ndarray) -> None:
    reference = bone_lengths(stick_figure(BodySize(), REST[None]))
    lengths = bone_lengths(stick_figure(BodySize(), controls))
    np.testing.assert_allclose(lengths, np.broadcast_to(reference, lengths.shape), atol=1e-9)


@given(controls)
def test_a_mirrored_pose_gives_the_mirrored_figure(controls: np.ndarray) -> None:
    swapped = [
        ControlledPart.PELVIS,
        ControlledPart.TRUNK,
        ControlledPart.HEAD,
        ControlledPart.OTHER_HAND,
        ControlledPart.HAND,
        ControlledPart.OTHER_FOOT,
        ControlledPart.FOOT,
    ]
    mirrored = controls[:, swapped].copy()
    mirrored[:, ControlledPart.PELVIS, 0] *= -1
    mirrored[:, [ControlledPart.TRUNK, ControlledPart.HEAD], 1:] *= -1
    expected = stick_figure(BodySize(), controls)[:, KINECT_25.mirror] * (-1, 1, 1)
    np.testing.assert_allclose(stick_figure(BodySize(), mirrored), expected, atol=1e-9)


def test_hands_and_feet_get_where_they_are_sent_when_in_reach() -> None:
    pose = REST[None].copy()
    pose[0, ControlledPart.HAND] = (0.05, 0.05, 0.13)
    pose[0, ControlledPart.FOOT] = (0.06, 0.15, 0.10)
    joints = stick_figure(BodySize(height=1.0), pose)[0]
    top = joints[JOINT["spine"]]
    np.testing.assert_allclose(joints[JOINT["left wrist"]] - top, (0.05, 0.05, 0.13), atol=1e-9)
    np.testing.assert_allclose(joints[JOINT["left ankle"]], (0.06, 0.15, 0.10), atol=1e-9)


def test_elbows_hang_and_knees_bend_forward() -> None:
    pose = REST[None].copy()
    pose[0, ControlledPart.HAND] = (0.05, 0.05, 0.13)
    pose[0, ControlledPart.PELVIS] = (0, -0.2, 0)
    joints = stick_figure(BodySize(), pose)[0]
    assert joints[JOINT["left elbow"], 1] < joints[JOINT["left shoulder"], 1]
    for side in ("left", "right"):
        assert joints[JOINT[f"{side} knee"], 2] > joints[JOINT[f"{side} hip"], 2] + 0.1
