"""Skeletons, texts and confidences are drawn where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.video.drawing import DrawnPerson, draw_persons

BLACK = np.zeros((120, 160, 3), np.uint8)
JOINTS = np.array([[30.0, 100], [80, 100], [130, 100]])
BONES = [(1, 0), (2, 1)]


def test_bones_are_drawn_on_a_copy() -> None:
    drawn = draw_persons(BLACK, [DrawnPerson(JOINTS)], BONES)
    assert not BLACK.any()
    assert drawn[100, 50].any() and drawn[100, 110].any() and not drawn[80:90].any()


def test_what_was_not_seen_is_left_out() -> None:
    joints = JOINTS.copy()
    joints[2] = np.nan
    drawn = draw_persons(BLACK, [DrawnPerson(joints)], BONES)
    assert drawn[100, 50].any() and not drawn[:, 95:].any()
    nobody = draw_persons(BLACK, [DrawnPerson(np.full((3, 2), np.nan), text="wave")], BONES)
    assert not nobody.any()


def test_little_confidence_is_drawn_hollow() -> None:
    sure = draw_persons(BLACK, [DrawnPerson(JOINTS[:1], np.array([0.9]))], [])
    unsure = draw_persons(BLACK, [DrawnPerson(JOINTS[:1], np.array([0.2]))], [])
    assert sure[100, 30].any() and not unsure[100, 30].any() and unsure.any()


def test_persons_have_colours_of_their_own() -> None:
    one, two = (draw_persons(BLACK, [DrawnPerson(JOINTS, colour=n)], BONES) for n in (0, 1))
    assert not np.array_equal(one[100, 50], two[100, 50])


@given(x=st.floats(-500, 500), y=st.floats(-500, 500))
def test_text_stays_inside_the_picture(x: float, y: float) -> None:
    drawn = draw_persons(BLACK, [DrawnPerson(np.array([[x, y]]), text="wave 93 %")], [])
    assert drawn.any()


def test_a_caption_is_drawn_at_the_top() -> None:
    drawn = draw_persons(BLACK, [], [], caption="no person")
    assert drawn[:30].any() and not drawn[40:].any()


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 500, 3)])
def test_tiny_pictures_are_no_obstacle(shape: tuple[int, int, int]) -> None:
    image = np.zeros(shape, np.uint8)
    assert draw_persons(image, [DrawnPerson(JOINTS, text="wave")], BONES, "x").shape == shape
