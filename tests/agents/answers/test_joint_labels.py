from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents.answers.joint_labels import (
    JointLabel,
    answer_lines,
    labels_in,
    parse_label,
    parse_labels,
    split_joints,
)
from skeletonagent.core.layout import COCO_17, KINECT_25, LAYOUTS, SkeletonLayout


@given(layout=st.sampled_from(list(LAYOUTS.values())), data=st.data())
def test_a_rendered_label_is_its_joint_and_found_in_a_text(
    layout: SkeletonLayout, data: st.DataObject
) -> None:
    joint = data.draw(st.integers(0, layout.num_joints - 1))
    label = parse_label(layout.label(joint))
    assert label is not None and label.joint(layout) == joint
    assert str(label) == layout.label(joint)
    assert labels_in(f"Of all, {label} of him moves.", layout) == [(str(label), joint)]


def test_number_and_name_must_agree() -> None:
    assert JointLabel(8, "").joint(KINECT_25) == 7
    assert JointLabel(8, "hand, left").joint(KINECT_25) == 7
    assert JointLabel(8, "right hand").joint(KINECT_25) is None
    assert JointLabel(26, "").joint(KINECT_25) is None
    assert JointLabel(26, "tail").nowhere(KINECT_25) and JointLabel(0, "").nowhere(KINECT_25)
    assert not JointLabel(26, "left hand").nowhere(KINECT_25)
    assert not JointLabel(25, "tail").nowhere(KINECT_25)


@pytest.mark.parametrize("line", ["8, 10 and 12.", "8;10 , 12", "8, 10, and 12", "8 & 10, 12,"])
def test_labels_are_set_apart_in_many_ways(line: str) -> None:
    assert parse_labels(line) == [JointLabel(8, ""), JointLabel(10, ""), JointLabel(12, "")]


def test_what_is_no_label_is_told() -> None:
    assert parse_labels("8-left eye, 9 or 10") == [JointLabel(8, "left eye"), None]
    assert parse_labels("none") == parse_labels("") == [None]


def test_only_what_names_a_joint_is_a_label_in_a_text() -> None:
    text = "The 1-handed grip, 90-degree bends and 18-left hand stay; 10-wrist (left) moves."
    assert labels_in(text, COCO_17) == []
    assert labels_in("a 10-left  wrist's turn", COCO_17) == [("10-left  wrist", 9)]


def test_a_line_is_split_where_the_next_joint_is_described() -> None:
    line = "10-left wrist: follows 8-left elbow; 11-right wrist: rests. 8-left elbow: bends."
    assert split_joints(line, COCO_17) == [
        "10-left wrist: follows 8-left elbow",
        "11-right wrist: rests.",
        "8-left elbow: bends.",
    ]


def test_lines_lose_blanks_asterisks_and_spaces() -> None:
    assert answer_lines(" **a**  b \n\n * \n c\u2019s") == ["a b", "c's"]
