"""Skeletons, texts and confidences are drawn where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.video.drawing import DrawnPerson, draw_persons, drawn_frames
from skeletonagent.video.reading import VideoFrame

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


def recording(**fields: object) -> KeypointRecording:
    joints = np.full((1, 3, 17, 2), np.nan)
    joints[0, 1] = np.random.default_rng(0).uniform(60, 100, (17, 2))
    given = {"layout": COCO_17, "image_size": (160.0, 120.0), "joints": joints, **fields}
    return KeypointRecording("r", **given)


def test_frames_are_drawn_one_by_one_until_either_ends() -> None:
    frames = [VideoFrame(BLACK, n / 10) for n in range(5)]
    drawn = list(drawn_frames(frames, recording()))
    assert len(drawn) == 3
    assert drawn[1][60:100, 60:100].any() and not drawn[0][60:100, 60:100].any()
    assert drawn[0][:30].any()  # says that nobody is there
    assert len(list(drawn_frames(frames[:1], recording()))) == 1


@pytest.mark.parametrize(
    "fields", [{"layout": None}, {"image_size": None}, {"joints": np.zeros((1, 3, 17, 3))}]
)
def test_joints_that_are_not_of_the_picture_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="in pixels"):
        drawn_frames([], recording(**fields))
