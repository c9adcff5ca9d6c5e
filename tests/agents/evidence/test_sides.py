from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents.evidence.effect_sizes import EffectSizes
from skeletonagent.agents.evidence.motion_features import MotionFeature
from skeletonagent.agents.evidence.reviewer import identical_sets, missing_sides
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout

NOSE, LEFT_ELBOW, RIGHT_ELBOW, LEFT_WRIST, RIGHT_WRIST = 0, 7, 8, 9, 10


def effects(*either: int, layout: SkeletonLayout = COCO_17) -> EffectSizes:
    """Return effects whose largest, of each joint, is that of either side where so said."""
    size = torch.full((layout.num_joints, len(MotionFeature)), 0.5)
    size[:, 2] = -2.0
    marked = torch.zeros(size.shape, dtype=torch.bool)
    marked[:, 0] = True  # a smaller effect, which decides nothing
    marked[list(either), 2] = True
    return EffectSizes(size, marked)


def test_without_evidence_a_pair_belongs_together() -> None:
    assert missing_sides("wave", (NOSE, LEFT_WRIST), COCO_17) == (RIGHT_WRIST,)
    assert missing_sides("wave", (RIGHT_ELBOW, LEFT_WRIST), COCO_17) == (LEFT_ELBOW, RIGHT_WRIST)
    assert missing_sides("wave", (NOSE, LEFT_WRIST, RIGHT_WRIST), COCO_17) == ()
    assert missing_sides("wave", (), COCO_17) == ()


def test_evidence_decides_by_a_joints_largest_effect() -> None:
    joints = (LEFT_ELBOW, LEFT_WRIST)
    assert missing_sides("wave", joints, COCO_17, effects()) == ()
    known = effects(LEFT_WRIST, RIGHT_WRIST)
    assert missing_sides("wave", joints, COCO_17, known) == (RIGHT_WRIST,)


@pytest.mark.parametrize(
    ("action", "sided"),
    [
        ("right hand wave", True),
        ("bowling (right hand)", True),
        ("swipe_LEFT", True),
        ("step leftward", True),
        ("turn rightwards", True),
        ("left-handed throw", True),
        ("bright lights", False),
        ("upright row", False),
        ("righteous cleft", False),
        ("wave", False),
    ],
)
def test_a_class_named_after_a_side_is_done_by_that_side(action: str, sided: bool) -> None:
    missing = missing_sides(action, (LEFT_WRIST,), COCO_17)
    assert missing == (() if sided else (RIGHT_WRIST,))


@given(
    joints=st.sets(st.integers(0, 24)).map(lambda chosen: tuple(sorted(chosen))),
    either=st.sets(st.integers(0, 24)),
)
def test_with_the_missing_sides_nothing_is_missing(
    joints: tuple[int, ...], either: set[int]
) -> None:
    both = either | {KINECT_25.mirror[joint] for joint in either}
    for known in (None, effects(*both, layout=KINECT_25)):
        missing = missing_sides("wave", joints, KINECT_25, known)
        assert not set(missing) & set(joints)
        assert set(missing) <= {KINECT_25.mirror[joint] for joint in joints}
        whole = tuple(sorted({*joints, *missing}))
        assert missing_sides("wave", whole, KINECT_25, known) == ()
        mirrored = tuple(sorted(KINECT_25.mirror[joint] for joint in joints))
        expected = sorted(KINECT_25.mirror[joint] for joint in missing)
        assert list(missing_sides("wave", mirrored, KINECT_25, known)) == expected


def guidance(*classes: tuple[str, tuple[int, ...], tuple[str, ...]]) -> Guidance:
    return Guidance(
        COCO_17, tuple(ClassGuidance(name, joints, "", rivals) for name, joints, rivals in classes)
    )


def test_mutual_rivals_with_the_same_joints_are_found() -> None:
    found = identical_sets(
        guidance(
            ("a", (1, 2), ("b", "c", "d")),
            ("b", (1, 2), ("a",)),
            ("c", (1, 2), ("b",)),  # the rival of none it is confused with
            ("d", (1, 3), ("a",)),
            ("e", (), ("f",)),
            ("f", (), ("e",)),
        )
    )
    assert found == ((0, 1),)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([(), (1,), (1, 2)]),
            st.sets(st.integers(0, 4)),
        ),
        min_size=5,
        max_size=5,
    )
)
def test_identical_sets_equal_the_definition(
    drawn: list[tuple[tuple[int, ...], set[int]]],
) -> None:
    names = "abcde"
    classes = [
        (name, joints, tuple(names[rival] for rival in rivals))
        for name, (joints, rivals) in zip(names, drawn, strict=True)
    ]
    expected = set()
    for i in range(5):
        for j in range(i + 1, 5):
            mutual = j in drawn[i][1] and i in drawn[j][1]
            if mutual and drawn[i][0] == drawn[j][0] != ():
                expected.add((i, j))
    assert set(identical_sets(guidance(*classes))) == expected
