"""Layouts: the known skeletons literally, and what is derived from any."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.layout import (
    COCO_17,
    COCO_20,
    KINECT_20,
    KINECT_25,
    LAYOUTS,
    LIMBS,
    UAV_17,
    SkeletonLayout,
)

PARENTS = {
    "kinect-25": "0-1 1-20 2-20 3-2 4-20 5-4 6-5 7-6 8-20 9-8 10-9 11-10 12-0 13-12 14-13 15-14 "
    "16-0 17-16 18-17 19-18 20-20 21-22 22-7 23-24 24-11",
    "coco-20": "0-19 1-0 2-0 3-1 4-2 5-19 6-19 7-5 8-6 9-7 10-8 11-17 12-17 13-11 14-12 15-13 "
    "16-14 17-18 18-19 19-19",
    "uav-17": "0-0 1-1 2-1 3-2 4-1 5-4 6-5 7-1 8-7 9-8 10-7 11-10 12-11 13-0 14-0 15-13 16-14",
}
GRANDPARENTS = {
    "kinect-25": "0-20 1-1 2-2 3-20 4-4 5-20 6-4 7-5 8-8 9-20 10-8 11-9 12-1 13-0 14-12 15-13 "
    "16-1 17-0 18-16 19-17 20-20 21-7 22-6 23-11 24-10",
    "coco-20": "0-0 1-19 2-19 3-0 4-0 5-5 6-6 7-19 8-19 9-5 10-6 11-18 12-18 13-17 14-17 15-11 "
    "16-12 17-19 18-18 19-19",
    "uav-17": "0-0 1-1 2-2 3-1 4-4 5-1 6-4 7-7 8-1 9-7 10-1 11-7 12-10 13-13 14-14 15-0 16-0",
}
"""Partners of the released code, but for 11-7 of UAV, which there is 11-4 against its own rule."""


def partners(text: str) -> tuple[int, ...]:
    pairs = [tuple(map(int, pair.split("-"))) for pair in text.split()]
    assert [joint for joint, _ in pairs] == list(range(len(pairs)))
    return tuple(partner for _, partner in pairs)


@pytest.mark.parametrize("name", PARENTS)
def test_bones_and_kbones_of_the_benchmarks(name: str) -> None:
    assert LAYOUTS[name].parents == partners(PARENTS[name])
    assert LAYOUTS[name].grandparents == partners(GRANDPARENTS[name])


def test_parts_of_the_benchmarks() -> None:
    def parts(layout: SkeletonLayout) -> list[tuple[int, ...]]:
        assert tuple(layout.parts) == LIMBS
        return [layout.parts[limb] for limb in LIMBS]

    assert parts(KINECT_25) == [
        (0, 1, 2, 3, 20),
        (4, 5, 6, 7, 21, 22),
        (8, 9, 10, 11, 23, 24),
        (12, 13, 14, 15),
        (16, 17, 18, 19),
    ]
    assert parts(COCO_20) == [
        (0, 1, 2, 3, 4, 17, 18, 19),
        (5, 7, 9),
        (6, 8, 10),
        (11, 13, 15),
        (12, 14, 16),
    ]
    assert parts(UAV_17) == [(0, 13, 14, 15, 16), (4, 5, 6), (1, 2, 3), (10, 11, 12), (7, 8, 9)]


def test_pairs_of_the_benchmarks() -> None:
    arms_and_legs = [*zip(range(4, 8), range(8, 12)), *zip(range(12, 16), range(16, 20))]  # noqa: B905
    assert KINECT_20.pairs == tuple(arms_and_legs)
    assert KINECT_25.pairs == (*arms_and_legs, (21, 23), (22, 24))
    assert COCO_17.pairs == tuple((left, left + 1) for left in range(1, 17, 2))
    assert COCO_20.pairs == COCO_17.pairs
    assert set(UAV_17.pairs) == {
        (4, 1),
        (5, 2),
        (6, 3),
        (10, 7),
        (11, 8),
        (12, 9),
        (14, 13),
        (16, 15),
    }


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_known_layout_is_sound(layout: SkeletonLayout) -> None:
    v = layout.num_joints
    assert LAYOUTS[layout.name] is layout
    assert sorted(joint for part in layout.parts.values() for joint in part) == list(range(v))
    assert [layout.mirror[layout.mirror[joint]] for joint in range(v)] == list(range(v))
    assert all(layout.parents[root] == root == layout.grandparents[root] for root in layout.roots)
    for left, right in layout.pairs:
        assert "left" in layout.joints[left]
        assert "right" in layout.joints[right]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_mirrored_body_has_the_same_bones(layout: SkeletonLayout) -> None:
    bones = {frozenset(bone) for bone in layout.bones}
    mirrored = {frozenset(layout.mirror[joint] for joint in bone) for bone in bones}
    lopsided = {frozenset({1, 7})} if layout is UAV_17 else set()  # the hips hang on one shoulder
    assert bones - mirrored == lopsided


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left hand", "right hand"),
        ("L_Hand", "R_Hand"),
        ("hand-l", "hand-r"),
        ("LeftHand", "RightHand"),
    ],
)
def test_sides_are_read_off_many_spellings(left: str, right: str) -> None:
    layout = SkeletonLayout("x", ("head", right, left), ((1, 0), (2, 0)))
    assert layout.pairs == ((2, 1),)
    assert layout.mirror == (0, 2, 1)
    assert layout.parts["left arm"] == (2,)
    assert layout.parts["right arm"] == (1,)
    assert layout.parts["torso"] == (0,)


def test_what_has_no_counterpart_is_its_own_mirror_image() -> None:
    layout = SkeletonLayout("x", ("lower spine", "left hand", "right foot"), ((1, 0), (2, 0)))
    assert layout.pairs == ()
    assert layout.mirror == (0, 1, 2)


def test_labels_count_from_one() -> None:
    layout = SkeletonLayout("x", ("Head", "Left_Hand  Tip"), ((1, 0),))
    assert layout.label(1) == "2-left hand tip"
    assert layout.display_name(0) == "head"
    assert KINECT_25.label(7) == "8-left hand"


@pytest.mark.parametrize(
    ("joints", "bones", "center", "message"),
    [
        ((), (), 0, "names must be given"),
        (("a", "a"), (), 0, "differ"),
        (("a", "b"), ((1, 0),), 2, "outside 0..1"),
        (("a", "b"), ((1, 0),), -1, "outside 0..1"),
        (("a", "b"), ((1, 2),), 0, r"\(1, 2\)"),
        (("a", "b"), ((1, -1),), 0, r"\(1, -1\)"),
        (("a", "b"), ((1, 1),), 0, r"\(1, 1\)"),
        (("a", "b", "c"), ((1, 0), (1, 2)), 0, "two parents"),
        (("a", "b"), ((0, 1), (1, 0)), 0, "circle"),
        (("a", "b", "c", "d"), ((1, 2), (2, 3), (3, 1)), 0, "circle"),
    ],
)
def test_no_tree_is_refused(
    joints: tuple[str, ...], bones: tuple[tuple[int, int], ...], center: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SkeletonLayout("x", joints, bones, center)


@given(st.lists(st.integers(0, 7), min_size=8, max_size=8))
def test_exactly_forests_are_accepted(parents: list[int]) -> None:
    bones = tuple((joint, parent) for joint, parent in enumerate(parents) if joint != parent)
    tops = list(range(8))
    for _ in range(8):  # more steps than the deepest tree has levels
        tops = [parents[joint] for joint in tops]
    forest = all(parents[joint] == joint for joint in tops)
    try:
        layout = SkeletonLayout("x", tuple("abcdefgh"), bones)
    except ValueError:
        assert not forest
    else:
        assert forest
        assert layout.parents == tuple(parents)
        assert layout.roots == set(tops)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_json_keeps_everything(layout: SkeletonLayout) -> None:
    assert SkeletonLayout.from_json(json.loads(json.dumps(layout.to_json()))) == layout


@pytest.mark.parametrize(
    ("change", "error"),
    [({"bones": [[0, 99]]}, ValueError), ({"bones": 3}, TypeError), ({"joints": []}, ValueError)],
)
def test_what_describes_no_skeleton_is_refused(
    change: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        SkeletonLayout.from_json(UAV_17.to_json() | change)


@pytest.mark.parametrize("value", [float("inf"), 1.0, "1", None, True, [1]])
def test_positions_of_joints_are_whole_numbers(value: object) -> None:
    for change in ({"center": value}, {"bones": [[1, value]]}, {"pairs": [[value, 2]]}):
        with pytest.raises(TypeError, match="joints are counted 0, 1, 2 and so on"):
            SkeletonLayout.from_json(UAV_17.to_json() | change)
