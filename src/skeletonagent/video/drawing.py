"""Drawing of skeletons, labels and confidences onto pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.video.reading import INSTALL_VIDEO, VideoFrame

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

COLOURS = ("#ff9f1c", "#2ec4f1", "#8ac926", "#ff5d8f", "#c77dff", "#ffe066")
"""Colours of persons, which differ also for people who see red and green alike."""

_FAINT = 0.5
"""Confidence below which a joint is drawn hollow and its bones thin."""

_TEXT_SHARE = 1 / 36
"""Height of the text as a share of the picture's shorter side."""


@dataclass(frozen=True)
class DrawnPerson:
    """Person to be drawn.

    Args:
        joints: Joints in pixels; NaN where a joint was not seen.
        confidence: Confidence of each joint; None if unknown.
        text: Text above the person, such as name, action and its probability; may be empty.
        colour: Number of the person, which chooses the colour.
    """

    joints: Float[np.ndarray, "v 2"]
    confidence: Float[np.ndarray, " v"] | None = None
    text: str = ""
    colour: int = 0


def draw_persons(
    image: UInt8[np.ndarray, "h w 3"],
    persons: Sequence[DrawnPerson],
    bones: Sequence[tuple[int, int]],
    caption: str = "",
) -> UInt8[np.ndarray, "h w 3"]:
    """Return a copy of a picture with persons drawn onto it.

    Joints that were not seen are left out; those of little confidence are hollow.

    Args:
        image: The picture in RGB.
        persons: Persons in its pixels.
        bones: Pairs of joints to connect.
        caption: Line at the top of the picture; may be empty.

    Raises:
        ConfigError: If Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise ConfigError(f"drawing needs Pillow; install it with {INSTALL_VIDEO}") from error
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    height = max(11.0, min(picture.size) * _TEXT_SHARE)
    draw.font = ImageFont.load_default(height)
    for person in persons:
        _draw_person(draw, person, bones, max(2, round(height / 7)))
    for person in persons:
        seen = person.joints[~np.isnan(person.joints).any(axis=1)]
        if person.text and len(seen):
            left, top = seen.min(axis=0)
            _draw_text(draw, (left, top - 2 * height), person.text, _colour(person), image.shape)
    if caption:
        _draw_text(draw, (0, 0), caption, "white", image.shape)
    return np.asarray(picture).copy()


def drawn_frames(
    frames: Iterable[VideoFrame],
    recording: KeypointRecording,
    text_of: Callable[[int, int], str] = lambda frame, row: "",
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Return the pictures of a video with the persons of its recording drawn onto them.

    Args:
        frames: Pictures, one for each frame of the recording; where they end earlier, so does the
            result.
        recording: Persons in pixels of the pictures.
        text_of: Returns the text above a person, by number of the frame and row of the person.

    Raises:
        ConfigError: If joints are not in pixels, or have no known skeleton.
    """
    if recording.layout is None or recording.image_size is None or recording.coordinates != 2:
        raise ConfigError(
            "only joints in pixels, of a known skeleton, can be drawn onto a video; leave out world"
        )
    return _drawn(frames, recording, recording.layout.bones, text_of)


def _drawn(
    frames: Iterable[VideoFrame],
    recording: KeypointRecording,
    bones: Sequence[tuple[int, int]],
    text_of: Callable[[int, int], str],
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    confidence = recording.confidence
    for number, frame in zip(range(recording.num_frames), frames, strict=False):
        persons = [
            DrawnPerson(
                joints=recording.joints[row, number].astype(float),
                confidence=None if confidence is None else confidence[row, number].astype(float),
                text=text_of(number, row),
                colour=row,
            )
            for row in range(len(recording.joints))
        ]
        seen = any(not np.isnan(person.joints).all() for person in persons)
        yield draw_persons(frame.image, persons, bones, caption="" if seen else "nobody found")


def _draw_person(
    draw: ImageDraw, person: DrawnPerson, bones: Sequence[tuple[int, int]], width: int
) -> None:
    colour = _colour(person)
    confidence = np.ones(len(person.joints)) if person.confidence is None else person.confidence
    seen = ~np.isnan(person.joints).any(axis=1)
    clear = np.nan_to_num(confidence) >= _FAINT
    for child, parent in bones:
        if seen[child] and seen[parent]:
            ends = [tuple(person.joints[child]), tuple(person.joints[parent])]
            bold = clear[child] and clear[parent]
            draw.line(ends, fill=colour, width=width if bold else max(1, width // 2))
    for joint in np.flatnonzero(seen):
        fill = colour if clear[joint] else None
        draw.circle(tuple(person.joints[joint]), 1.2 * width, fill=fill, outline=colour)


def _draw_text(
    draw: ImageDraw,
    corner: tuple[float, float],
    text: str,
    colour: str,
    shape: tuple[int, ...],
) -> None:
    """Draw text on a dark ground, moved so that it lies inside the picture."""
    _, _, right, bottom = draw.textbbox((0, 0), text)
    x = float(np.clip(corner[0], 0, max(0.0, shape[1] - right - 6)))
    y = float(np.clip(corner[1], 0, max(0.0, shape[0] - bottom - 6)))
    draw.rectangle((x, y, x + right + 6, y + bottom + 6), fill="#101418")
    draw.text((x + 3, y + 3), text, fill=colour)


def _colour(person: DrawnPerson) -> str:
    return COLOURS[person.colour % len(COLOURS)]
