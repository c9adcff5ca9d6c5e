"""Classes of mirrored clips: names of real data sets, and properties of any names."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.data.mirror_classes import NO_CLASS, mirror_classes, mirrored_labels


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["wave", "left kick", "right kick"], (0, 2, 1)),
        (["Left_Kick", "right-kick"], (1, 0)),
        (["LeftHandWave", "RightHandWave", "bothHandsWave"], (1, 0, 2)),
        (["right hand wave", "clap"], (None, 1)),
        (["right arm swipe to the left", "right arm swipe to the right"], (None, None)),
        (["right arm swipe to the left", "left arm swipe to the right"], (1, 0)),
        (["circle (clockwise)", "circle (counter clockwise)"], (1, 0)),
        (["circle clockwise", "circle anti-clockwise"], (1, 0)),
        (["circle cw", "circle ccw", "CounterClockwise", "Clockwise"], (1, 0, 3, 2)),
        (["right hand circle (clockwise)", "right hand circle (counterclockwise)"], (None, None)),
        (["stand upright", "leftover food", "clap"], (0, 1, 2)),
        (["turn left", "turn right", "Turn Right"], (None, None, None)),
        (["wave", "wave"], (0, 1)),
        ([], ()),
    ],
)
def test_names_that_differ_in_the_side_belong_together(
    names: list[str], expected: tuple[int | None, ...]
) -> None:
    assert mirror_classes(names) == expected


words = st.sampled_from(["left", "Right", "clockwise", "counter clockwise", "hand", "wave", "2"])


@given(names=st.lists(st.lists(words, max_size=4).map("_".join), max_size=8))
def test_the_mirror_image_of_the_mirror_image_is_the_class(names: list[str]) -> None:
    classes = mirror_classes(names)
    for label, mirrored in enumerate(classes):
        if mirrored is not None:
            assert classes[mirrored] == label
            sides = ("left", "right", "clockwise")
            assert (mirrored == label) is not any(side in names[label].lower() for side in sides)


def test_labels_are_none_where_no_class_names_a_side() -> None:
    cpu = torch.device("cpu")
    assert mirrored_labels(("wave", "clap"), cpu) is None
    labels = mirrored_labels(("left kick", "wave", "right kick", "right wave"), cpu)
    assert labels is not None
    assert labels.tolist() == [2, 1, 0, NO_CLASS]
