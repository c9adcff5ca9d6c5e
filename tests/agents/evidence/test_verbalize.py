from __future__ import annotations

import numpy as np
import pytest

from skeletonagent.agents.evidence import verbalize
from skeletonagent.agents.evidence.effect_sizes import EffectSizes
from skeletonagent.core.layout import KINECT_25
from skeletonagent.core.motion_feature import MotionFeature

LEFT, RIGHT, HEAD = (KINECT_25.joints.index(n) for n in ("left hand", "right hand", "head"))
WRIST = KINECT_25.joints.index("right wrist")


def effects(*cells: tuple[int, MotionFeature, float], either: bool = False) -> EffectSizes:
    size = np.zeros((25, len(MotionFeature)))
    for joint, quantity, d in cells:
        size[joint, list(MotionFeature).index(quantity)] = d
    moves = np.ones(25, dtype=bool)
    return EffectSizes(size, (size != 0) & either, np.abs(size) > 0.2, moves)


def test_a_larger_value_is_more_and_a_smaller_one_less() -> None:
    higher = effects((RIGHT, MotionFeature.HEIGHT, 2.0))
    assert verbalize.effect_clauses(KINECT_25, higher, [RIGHT]) == ["the right hand stays higher"]
    lower = effects((RIGHT, MotionFeature.HEIGHT, -2.0))
    assert verbalize.effect_clauses(KINECT_25, lower, [RIGHT]) == ["the right hand stays lower"]


@pytest.mark.parametrize(
    ("joints", "expected"),
    [
        ([RIGHT, LEFT], "both hands move faster"),
        ([RIGHT, WRIST], "the right wrist and hand move faster"),
        ([RIGHT, WRIST, LEFT], "both hands and the right wrist move faster"),
        ([HEAD], "the head moves faster"),
    ],
)
def test_joints_are_named_together(joints: list[int], expected: str) -> None:
    faster = effects(*((joint, MotionFeature.SPEED, 1.0) for joint in joints))
    assert verbalize.effect_clauses(KINECT_25, faster, joints) == [expected]


def test_either_side_is_one_side() -> None:
    higher = effects((LEFT, MotionFeature.HEIGHT, 2), (RIGHT, MotionFeature.HEIGHT, 2), either=True)
    expected = ["the hand of one side stays higher"]
    assert verbalize.effect_clauses(KINECT_25, higher, [LEFT, RIGHT]) == expected


def test_a_pair_does_things_together_and_only_if_both_are_spoken_of() -> None:
    apart = effects((LEFT, MotionFeature.GAP, -2), (RIGHT, MotionFeature.GAP, -2))
    assert verbalize.effect_clauses(KINECT_25, apart, [LEFT, RIGHT]) == [
        "the two hands stay closer together"
    ]
    assert verbalize.effect_clauses(KINECT_25, apart, [LEFT]) == []


def test_one_subject_is_named_once_and_one_verb_is_said_once() -> None:
    several = effects(
        (RIGHT, MotionFeature.HEIGHT, 3.0),
        (RIGHT, MotionFeature.HEAD_DISTANCE, -2.9),
        (RIGHT, MotionFeature.SPEED, 2.8),
        (HEAD, MotionFeature.NET_RISE, -2.0),
    )
    assert verbalize.effect_clauses(KINECT_25, several, [RIGHT, HEAD], most=4) == [
        "the right hand stays higher and closer to the head, and moves faster",
        "the head sinks more by the end",
    ]


def test_small_differences_are_left_out() -> None:
    small = effects((RIGHT, MotionFeature.HEIGHT, 0.1))
    assert verbalize.effect_clauses(KINECT_25, small, [RIGHT]) == []
    assert verbalize.joint_details(small, RIGHT) == ""
    uneven = effects((RIGHT, MotionFeature.HEIGHT, 4.0), (HEAD, MotionFeature.SPEED, 1.0))
    assert verbalize.effect_clauses(KINECT_25, uneven, [RIGHT, HEAD]) == [
        "the right hand stays higher"
    ]


def test_what_may_be_chance_is_left_out() -> None:
    both = effects((RIGHT, MotionFeature.HEIGHT, 2.0), (LEFT, MotionFeature.HEIGHT, 1.9))
    both.beyond[LEFT] = False
    expected = ["the right hand stays higher"]
    assert verbalize.effect_clauses(KINECT_25, both, [LEFT, RIGHT]) == expected
    assert verbalize.joint_details(both, LEFT) == ""
    assert verbalize.joint_details(both, RIGHT) == "stays higher"


def test_every_quantity_has_words_for_more_and_less() -> None:
    for quantity in MotionFeature:
        for d in (1.0, -1.0):
            cells = effects((LEFT, quantity, d), (RIGHT, quantity, d))
            (clause,) = verbalize.effect_clauses(KINECT_25, cells, [LEFT, RIGHT])
            assert clause.startswith(("both hands ", "the two hands "))


def test_listing() -> None:
    assert verbalize.join_list([]) == ""
    assert verbalize.join_list(["a"]) == "a"
    assert verbalize.join_list(["a", "b"]) == "a and b"
    assert verbalize.join_list(["a", "b", "c"]) == "a, b and c"
