"""Joints of one skeleton in another one: by side and name, never by number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skeletonagent.core.joint_matching import match_joints
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_20, KINECT_25, LAYOUTS
from skeletonagent.core.skeleton_layout import SkeletonLayout


def matched(source: SkeletonLayout, target: SkeletonLayout) -> dict[str, str]:
    """Return the name in the source by the name in the target."""
    joints = match_joints(source, target)
    return {target.joints[v]: source.joints[j] for v, j in enumerate(joints) if j is not None}


def of(*names: str) -> SkeletonLayout:
    """Return a skeleton without bones."""
    return SkeletonLayout("own", names, ())


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_a_skeleton_has_all_joints_of_its_own(layout: SkeletonLayout) -> None:
    assert match_joints(layout, layout) == tuple(range(layout.num_joints))


@pytest.mark.parametrize(
    "name", ["left wrist", "l_wrist", "wrist_l", "LeftWrist", "Left Wrist", "lwrist", "wrist.L"]
)
def test_spellings_of_a_side(name: str) -> None:
    assert matched(of("right wrist", "left wrist"), of("head", name)) == {name: "left wrist"}


def test_kinects() -> None:
    """The joint ``spine`` of the second is between the shoulders, not that of the first."""
    both = matched(KINECT_20, KINECT_25)
    assert both["base of spine"] == "hip center"
    assert both["middle of spine"] == "spine"
    assert both["spine"] == "shoulder center"
    assert set(KINECT_25.joints) - set(both) == {
        "neck", "left hand tip", "left thumb", "right hand tip", "right thumb",
    }  # fmt: skip


def test_a_camera_and_a_sensor() -> None:
    both = matched(KINECT_25, COCO_17)
    parts = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    sided = {f"{side} {part}" for side in ("left", "right") for part in parts}
    assert both == {name: name for name in sided}
    assert matched(KINECT_25, COCO_20).keys() - both.keys() == {
        "middle of hips", "middle of shoulders",
    }  # fmt: skip


def test_bones_of_a_motion_capture_stand_for_the_joints_that_they_start_at() -> None:
    capture = of(
        "Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "LeftShoulder", "LeftArm", "LeftForeArm",
        "LeftHand",
    )  # fmt: skip
    assert matched(KINECT_25, capture) == {
        "Hips": "base of spine",
        "LeftUpLeg": "left hip",
        "LeftLeg": "left knee",
        "LeftFoot": "left ankle",
        "LeftArm": "left shoulder",
        "LeftForeArm": "left elbow",
        "LeftHand": "left wrist",
    }


def test_numbers_say_nothing() -> None:
    one = SkeletonLayout("one", ("joint 0", "joint 1", "joint 2"), ((1, 0), (2, 1)))
    assert match_joints(one, replace(one, name="other")) == (0, 1, 2)
    other = SkeletonLayout("other", one.joints, ((1, 0), (2, 0)))
    assert match_joints(one, other) == (None, None, None)


def test_what_is_not_clear_is_not_matched() -> None:
    assert matched(of("hips", "pelvis", "head"), of("mid hip", "head")) == {"head": "head"}


def test_a_joint_near_another_stands_for_it_where_that_is_lacking() -> None:
    assert matched(of("belly", "face"), of("spine", "head")) == {"spine": "belly", "head": "face"}
    assert matched(of("torso"), KINECT_25) == {"middle of spine": "torso"}
    assert matched(of("belly", "spine", "face", "head"), of("spine", "head")) == {
        "spine": "spine", "head": "head",
    }  # fmt: skip
