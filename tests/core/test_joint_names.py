"""Sides and limbs that joint names of many tools say."""

from __future__ import annotations

import pytest

from skeletonagent.core.joint_names import (
    LIMBS,
    canonical_name,
    limb_of,
    side_and_rest,
    sides_and_rests,
)
from skeletonagent.core.layout import (
    BODY_25,
    H36M_17,
    HALPE_26,
    MEDIAPIPE_33,
    OPENPOSE_15,
    OPENPOSE_18,
    SMPL_22,
    SMPL_24,
    SkeletonLayout,
)

CMU = (
    "root lhipjoint lfemur ltibia lfoot ltoes rhipjoint rfemur rtibia rfoot rtoes lowerback "
    "upperback thorax lowerneck upperneck head lclavicle lhumerus lradius lwrist lhand lfingers "
    "lthumb rclavicle rhumerus rradius rwrist rhand rfingers rthumb"
)
MIXAMO = (
    "mixamorig:Hips mixamorig:Spine mixamorig:Neck mixamorig:Head mixamorig:LeftShoulder "
    "mixamorig:LeftArm mixamorig:LeftForeArm mixamorig:LeftHand mixamorig:RightShoulder "
    "mixamorig:RightArm mixamorig:RightForeArm mixamorig:RightHand mixamorig:LeftUpLeg "
    "mixamorig:LeftLeg mixamorig:LeftFoot mixamorig:LeftToeBase mixamorig:RightUpLeg "
    "mixamorig:RightLeg mixamorig:RightFoot mixamorig:RightToeBase"
)
PLUG_IN_GAIT = "LFHD RFHD C7 T10 CLAV LSHO RSHO LELB RELB LWRA RWRA LASI RASI LKNE RKNE LTOE RTOE"


@pytest.mark.parametrize(
    ("name", "limb"),
    [
        ("l sole", "left leg"), ("r_patella", "right leg"), ("l_olecranon", "left arm"),
        ("lfemur", "left leg"), ("rhumerus", "right arm"), ("LeftUpLeg", "left leg"),
        ("LeftForeArm", "left arm"), ("RightToeBase", "right leg"), ("l_wrist", "left arm"),
        ("wrist_l", "left arm"), ("Wrist.R", "right arm"), ("left pinky", "left arm"),
        ("right index", "right arm"), ("left foot index", "left leg"), ("LBigToe", "left leg"),
        ("HandR", "right arm"), ("rShin", "right leg"), ("left eye outer", "torso"),
        ("right ear", "torso"), ("mouth_left", "torso"), ("middle of hips", "torso"),
        ("shoulder center", "torso"), ("lowerback", "torso"), ("rear", "torso"),
        ("leg", "torso"), ("Hips", "torso"), ("left collar", "left arm"),
    ],
)  # fmt: skip
def test_limbs(name: str, limb: str) -> None:
    assert limb_of(*side_and_rest(name)) == limb and limb in LIMBS


@pytest.mark.parametrize("names", [CMU.split(), MIXAMO.split(), PLUG_IN_GAIT.split()])
def test_every_joint_of_a_side_has_its_counterpart(names: list[str]) -> None:
    layout = SkeletonLayout("x", tuple(names), ())
    sided = [name for name, (side, _) in zip(names, sides_and_rests(names), strict=True) if side]
    assert len(layout.pairs) * 2 == len(sided)
    for left, right in layout.pairs:
        assert names[left].lower().replace("l", "", 1) == names[right].lower().replace("r", "", 1) \
            or names[left].replace("Left", "Right") == names[right]  # fmt: skip


def test_a_first_letter_is_a_side_only_beside_its_counterpart() -> None:
    assert sides_and_rests(("lear", "rear")) == (("left", "ear"), ("right", "ear"))
    assert sides_and_rests(("rear", "front")) == (("", "rear"), ("", "front"))


def test_spellings_of_a_name() -> None:
    spellings = ("LeftBigToe", "left_big_toe", "LBigToe", "big toe left", "x:left big toe")
    assert {canonical_name(name) for name in spellings} == {"left bigtoe"}


PARENTS = {
    BODY_25: "1 1 1 2 3 1 5 6 1 8 9 10 8 12 13 0 0 15 16 14 19 14 11 22 11",
    OPENPOSE_18: "1 1 1 2 3 1 5 6 1 8 9 1 11 12 0 0 14 15",
    OPENPOSE_15: "1 1 1 2 3 1 5 6 14 8 9 14 11 12 1",
    MEDIAPIPE_33: "0 0 1 2 0 4 5 3 6 0 0 0 0 11 12 13 14 15 16 15 16 15 16 11 12 23 24 25 26 27 28 "
    "27 28",
    H36M_17: "0 0 1 2 0 4 5 0 7 8 9 8 11 12 8 14 15",
    HALPE_26: "18 0 0 1 2 18 18 5 6 7 8 19 19 11 12 13 14 18 18 18 15 16 20 21 15 16",
    SMPL_24: "0 0 0 0 1 2 3 4 5 6 7 8 9 9 9 12 13 14 16 17 18 19 20 21",
    SMPL_22: "0 0 0 0 1 2 3 4 5 6 7 8 9 9 9 12 13 14 16 17 18 19",
}
"""Parents in the tools' own tables."""


@pytest.mark.parametrize("layout", PARENTS, ids=lambda layout: layout.name)
def test_bones_of_the_tools_layouts(layout: SkeletonLayout) -> None:
    assert layout.parents == tuple(map(int, PARENTS[layout].split()))
    unpaired = set(range(layout.num_joints)) - {j for pair in layout.pairs for j in pair}
    assert all("left" not in layout.joints[j] and "right" not in layout.joints[j] for j in unpaired)
