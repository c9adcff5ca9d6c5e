from __future__ import annotations

import pytest
import torch

from skeletonagent.agents import wording
from skeletonagent.agents.evidence import Effects
from skeletonagent.agents.quantities import Quantity
from skeletonagent.core.layout import KINECT_25

LEFT, RIGHT, HEAD = (KINECT_25.joints.index(n) for n in ("left hand", "right hand", "head"))
WRIST = KINECT_25.joints.index("right wrist")


def effects(*cells: tuple[int, Quantity, float], either: bool = False) -> Effects:
    size = torch.zeros(25, len(Quantity), dtype=torch.double)
    for joint, quantity, d in cells:
        size[joint, list(Quantity).index(quantity)] = d
    return Effects(size, (size != 0) & either)


def test_a_larger_value_is_more_and_a_smaller_one_less() -> None:
    higher = effects((RIGHT, Quantity.HEIGHT, 2.0))
    assert wording.clauses(KINECT_25, higher, [RIGHT]) == ["the right hand stays higher"]
    lower = effects((RIGHT, Quantity.HEIGHT, -2.0))
    assert wording.clauses(KINECT_25, lower, [RIGHT]) == ["the right hand stays lower"]


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
    faster = effects(*((joint, Quantity.SPEED, 1.0) for joint in joints))
    assert wording.clauses(KINECT_25, faster, joints) == [expected]


def test_either_side_is_one_side() -> None:
    higher = effects((LEFT, Quantity.HEIGHT, 2), (RIGHT, Quantity.HEIGHT, 2), either=True)
    expected = ["the hand of one side stays higher"]
    assert wording.clauses(KINECT_25, higher, [LEFT, RIGHT]) == expected


def test_a_pair_does_things_together_and_only_if_both_are_spoken_of() -> None:
    apart = effects((LEFT, Quantity.GAP, -2), (RIGHT, Quantity.GAP, -2))
    assert wording.clauses(KINECT_25, apart, [LEFT, RIGHT]) == [
        "the two hands stay closer together"
    ]
    assert wording.clauses(KINECT_25, apart, [LEFT]) == []


def test_one_subject_is_named_once_and_one_verb_is_said_once() -> None:
    several = effects(
        (RIGHT, Quantity.HEIGHT, 3.0),
        (RIGHT, Quantity.HEAD_DISTANCE, -2.9),
        (RIGHT, Quantity.SPEED, 2.8),
        (HEAD, Quantity.CLIMB, -2.0),
    )
    assert wording.clauses(KINECT_25, several, [RIGHT, HEAD], most=4) == [
        "the right hand stays higher and closer to the head, and moves faster",
        "the head sinks more by the end",
    ]


def test_small_differences_are_left_out() -> None:
    small = effects((RIGHT, Quantity.HEIGHT, 0.1))
    assert wording.clauses(KINECT_25, small, [RIGHT]) == []
    assert wording.details(small, RIGHT) == ""
    uneven = effects((RIGHT, Quantity.HEIGHT, 4.0), (HEAD, Quantity.SPEED, 1.0))
    assert wording.clauses(KINECT_25, uneven, [RIGHT, HEAD]) == ["the right hand stays higher"]


def test_every_quantity_has_words_for_more_and_less() -> None:
    for quantity in Quantity:
        for d in (1.0, -1.0):
            cells = effects((LEFT, quantity, d), (RIGHT, quantity, d))
            (clause,) = wording.clauses(KINECT_25, cells, [LEFT, RIGHT])
            assert clause.startswith(("both hands ", "the two hands "))


def test_listing() -> None:
    assert wording.listing([]) == ""
    assert wording.listing(["a"]) == "a"
    assert wording.listing(["a", "b"]) == "a and b"
    assert wording.listing(["a", "b", "c"]) == "a, b and c"
