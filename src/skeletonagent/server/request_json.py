"""Keypoints in the JSON of a request: checked once, and turned into a recording."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any, TypeVar

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import COCO_17, COCO_20, LAYOUTS, SkeletonLayout, layout_by_name
from skeletonagent.core.outside_text import printable_line
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.server.server_errors import RequestError

_LARGEST = 3.0e38
"""Largest coordinate, which single precision still has."""

Coordinate = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST, allow_inf_nan=False)]
Joint = Annotated[list[Coordinate], Field(min_length=2, max_length=4)]
Body = Annotated[list[Joint | None], Field(min_length=1)]
Size = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]

_MOST_NAME = 200

Form = TypeVar("Form", bound=BaseModel)


class KeypointsBody(BaseModel):
    """Keypoints of one recording, of one person or of several."""

    model_config = ConfigDict(extra="forbid", strict=True)

    frames: Annotated[list[list[Body | None] | None] | None, Field(min_length=1)] = Field(
        None,
        description="Bodies of each frame, each person at its own place, null where absent. A "
        "body has a place for each joint, [x, y], [x, y, z] or either with a score at the end, "
        "or null where the joint was not seen.",
    )
    keypoints: Annotated[list[Body | None] | None, Field(min_length=1)] = Field(
        None, description="In place of frames, the body of a single person in each frame."
    )
    fps: Rate | None = Field(None, description="Frames a second.")
    layout: Annotated[str, Field(max_length=_MOST_NAME)] | None = Field(
        None, description="Name of the skeleton, where it is not the recognizer's."
    )
    name: Annotated[str, Field(max_length=_MOST_NAME)] | None = Field(
        None, description="Name of the recording."
    )
    image_size: Annotated[list[Size], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Width and height of the image in pixels, where joints are its pixels."
    )


def parse_keypoints(
    content: bytes, input_format: InputFormat, most_frames: int, most_persons: int
) -> KeypointRecording:
    """Return the recording in the body of a request.

    Args:
        content: The body, JSON of a :class:`KeypointsBody`.
        input_format: Joints and channels of the recognizer.
        most_frames: Largest number of frames.
        most_persons: Largest number of persons.

    Raises:
        RequestError: If it is anything else; the sentence says where and what.
    """
    read = _regular_body(content)
    if read is not None:
        body, bodies = read
        require_size(bodies.shape[1], bodies.shape[0], most_frames, most_persons)
        layout = wanted_layout(body.layout, bodies.shape[2], input_format)
    else:
        body = parse_body(content, KeypointsBody)
        if (body.frames is None) == (body.keypoints is None):
            raise RequestError(422, "give either frames or keypoints")
        frames = [frame or () for frame in body.frames or [[one] for one in body.keypoints or ()]]
        require_size(len(frames), max(map(len, frames)), most_frames, most_persons)
        layout = wanted_layout(body.layout, num_joints(frames), input_format)
        bodies = body_array(frames, layout.num_joints)
    joints, confidence = split_channels(bodies, input_format)
    size = body.image_size
    return KeypointRecording(
        name=printable_line(body.name or "recording", _MOST_NAME),
        joints=joints,
        layout=layout,
        confidence=confidence,
        fps=body.fps,
        image_size=None if size is None else (size[0], size[1]),
        person_ids=tuple(str(number + 1) for number in range(len(joints))),
    )


_ANY_OBJECT = TypeAdapter(dict[str, Any])


def _regular_body(
    content: bytes,
) -> tuple[KeypointsBody, Float[np.ndarray, "m t v c"]] | None:
    """Return a body without its frames, and these as an array, if nothing in them is absent.

    Most bodies are so, and read in half the time. Of all others, and of those with any mistake,
    None is returned: they are checked value by value.
    """
    try:
        fields = _ANY_OBJECT.validate_json(content)
        frames, single = fields.pop("frames", None), fields.pop("keypoints", None)
        if (frames is None) == (single is None):
            return None
        bodies = _regular_array(frames if single is None else [[one] for one in single])
        body = KeypointsBody.model_validate(fields)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None
    if bodies is None:
        return None
    _require_single_keys(content)
    return body, bodies


def _regular_array(frames: Sequence[Any]) -> Float[np.ndarray, "m t v c"] | None:
    """Return frames of equal bodies as an array; None if they hold anything else than numbers.

    Raises:
        TypeError: If something is no list where one has to be.
        OverflowError: If a number is too large.
    """
    bodies = list(chain.from_iterable(frames))
    joints = list(chain.from_iterable(bodies))
    numbers = list(chain.from_iterable(joints))
    kinds = {type(each) for level in (frames, bodies, joints) for each in level}
    shape = [set(map(len, level)) for level in (frames, bodies, joints)]
    if kinds != {list} or not set(map(type, numbers)) <= {float, int} or not numbers:
        return None
    if any(len(lengths) > 1 for lengths in shape):
        return None
    persons, places, width = (lengths.pop() for lengths in shape)
    array = np.array(numbers, dtype=np.float64)
    if not 2 <= width <= 4 or not np.abs(array).max() <= _LARGEST:
        return None
    return array.reshape(len(frames), persons, places, width).swapaxes(0, 1)


def require_size(frames: int, persons: int, most_frames: int, most_persons: int) -> None:
    """Check the size of a recording.

    Raises:
        RequestError: If it has too many frames or persons.
    """
    if frames > most_frames:
        raise RequestError(413, f"{frames} frames are more than the {most_frames} that are taken")
    if persons > most_persons:
        raise RequestError(
            413, f"{persons} persons are more than the {most_persons} that are taken"
        )


def parse_body(content: bytes, form: type[Form]) -> Form:
    """Return a body of JSON.

    Args:
        content: The body.
        form: Form that it must have.

    Raises:
        RequestError: If it is no JSON, has another form, or a key twice.
    """
    try:
        body = form.model_validate_json(content)
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False, include_context=False)[0]
        status = 400 if mistake["type"] == "json_invalid" else 422
        raise RequestError(status, _sentence(mistake)) from error
    _require_single_keys(content)
    return body


def _sentence(mistake: Any) -> str:
    """Return what is wrong with a body, and where; nothing of its content."""
    if mistake["type"] == "json_invalid":
        return f"the body is no JSON that can be read: {mistake['msg'].partition(': ')[2]}"
    if mistake["type"] == "extra_forbidden":
        return "the body has a key that is not known; see /openapi.json for those that are"
    place = "".join(
        f"[{part}]" if isinstance(part, int) else f"{'.' * bool(n)}{part}"
        for n, part in enumerate(mistake["loc"])
    )
    return printable_line(f"{place or 'the body'}: {mistake['msg']}", 300)


_STRINGS = re.compile(rb'("(?:[^"\\]|\\.)*")(\s*:)?', re.DOTALL)


def _require_single_keys(content: bytes) -> None:
    """Check that no key is there twice; there are no objects within the body's.

    Raises:
        RequestError: If one is.
    """
    keys = [json.loads(text) for text, colon in _STRINGS.findall(content) if colon]
    if len(set(keys)) < len(keys):
        raise RequestError(422, "the body has a key twice")


Bodies = Sequence[Sequence[Sequence[Sequence[float] | None] | None]]
"""Bodies of each frame as JSON has them."""


def num_joints(frames: Bodies) -> int | None:
    """Return the number of joints of all bodies, None if there are none.

    Raises:
        RequestError: If they differ in it.
    """
    lengths = {len(body) for frame in frames for body in frame if body is not None}
    return _one_length(lengths, "bodies have {} and {} joints; each needs all of them")


def body_array(frames: Bodies, joints: int) -> Float[np.ndarray, "m t v c"]:
    """Return the bodies of frames; NaN where a person or a joint was not seen.

    Args:
        frames: Bodies of each frame.
        joints: Number of joints of each.

    Raises:
        RequestError: If joints differ in their numbers.
    """
    seen = filter(None, chain.from_iterable(body or () for frame in frames for body in frame))
    width = _one_length(set(map(len, seen)), "joints have {} and {} numbers; all need as many")
    absent = [np.nan] * (width or 2)
    nobody = [absent] * joints
    persons = max(1, *map(len, frames)) if frames else 1
    rows = [
        [
            nobody if body is None else [joint or absent for joint in body]
            for body in (*frame, *[None] * (persons - len(frame)))
        ]
        for frame in frames
    ]
    return np.array(rows, dtype=np.float64).swapaxes(0, 1)


def _one_length(lengths: set[int], problem: str) -> int | None:
    """Return the number that all lengths are, None if there is none."""
    found = sorted(lengths)
    if len(found) > 1:
        raise RequestError(422, problem.format(*found[:2]))
    return found[0] if found else None


def split_channels(
    bodies: Float[np.ndarray, "m t v c"], input_format: InputFormat
) -> tuple[Float[np.ndarray, "m t v d"], Float[np.ndarray, "m t v"] | None]:
    """Return coordinates and, if there is one, the score of each joint.

    Of three numbers the third is z, unless the recognizer takes x, y and a score.
    """
    has_score = bodies.shape[-1] == 4 or (
        bodies.shape[-1] == 3 and input_format.has_confidence and input_format.coordinates == 2
    )
    if not has_score:
        return bodies, None
    return bodies[..., :-1], bodies[..., -1]


def wanted_layout(
    name: str | None, joints: int | None, input_format: InputFormat
) -> SkeletonLayout:
    """Return the skeleton of bodies: the one that is named, else the recognizer's.

    Args:
        name: Name that a client gives; None for the recognizer's.
        joints: Number of joints of the bodies; None if there are none.
        input_format: Joints and channels of the recognizer.

    Raises:
        RequestError: If there is none of that name, or it has other joints.
    """
    layout = own = input_format.layout
    if name is not None and name != own.name:
        try:
            layout = layout_by_name(name)
        except ConfigError as error:
            known = f"{', '.join(LAYOUTS)} and the recognizer's, {own.name}"
            raise RequestError(422, f"no layout has that name; there are {known}") from error
    elif own.joints == COCO_20.joints and joints == COCO_17.num_joints:
        layout = COCO_17  # the recognizer completes it
    if joints not in (None, layout.num_joints):
        raise RequestError(
            422,
            f"bodies have {joints} joints and {layout.name} has {layout.num_joints}; name another "
            "layout, or send null for joints that were not seen",
        )
    return layout
