"""Messages of a stream's client, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field

from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.outside_text import printable_line
from skeletonagent.server.request_json import Body, Rate, Size, body_array
from skeletonagent.server.server_errors import RequestError

_MOST_NAME = 100
_LATEST = 1e8
"""Latest time of a frame, in seconds."""

PersonName = Annotated[str, Field(min_length=1, max_length=_MOST_NAME)]


class StreamMessage(BaseModel):
    """Base class of the messages."""

    model_config = ConfigDict(extra="forbid", strict=True)


class StreamToken(StreamMessage):
    """Token of the server, in a message before all others."""

    token: str


class StreamHead(StreamMessage):
    """First message: what will come."""

    fps: Rate
    kind: Literal["keypoints", "pictures"]
    image_size: Annotated[list[Size], Field(min_length=2, max_length=2)] | None = None

    @property
    def size(self) -> tuple[float, float] | None:
        """Width and height of the image in pixels."""
        return None if self.image_size is None else (self.image_size[0], self.image_size[1])


class FrameMessage(StreamMessage):
    """Bodies of a frame, or the end."""

    t: Annotated[float, Field(ge=0, le=_LATEST, allow_inf_nan=False)] | None = None
    bodies: dict[PersonName, Body | None] | list[Body | None] | None = None
    end: bool = False


def frame_bodies(
    frame: FrameMessage, input_format: InputFormat, most: int
) -> Mapping[str, Float[np.ndarray, "v c"]]:
    """Return the bodies of a frame by the names of their persons; NaN where nothing was seen.

    Args:
        frame: The message.
        input_format: Joints and channels of the recognizer.
        most: Largest number of persons.

    Raises:
        RequestError: If there are too many, or they have other joints or channels.
    """
    given = frame.bodies if frame.bodies is not None else []
    named = (
        {printable_line(name, _MOST_NAME): body for name, body in given.items()}
        if isinstance(given, dict)
        else {str(number): body for number, body in enumerate(given, start=1)}
    )
    if len(named) > most:
        raise RequestError(413, f"{len(named)} persons are more than the {most} that are taken")
    joints, channels = input_format.layout.num_joints, input_format.channels
    found = {}
    for name, body in named.items():
        if body is None:
            continue
        if len(body) != joints:
            raise RequestError(
                422, f"a body has {len(body)} joints; {input_format.layout.name} has {joints}"
            )
        array = body_array([[body]], joints)[0, 0]
        if np.isnan(array).all():
            continue
        found[name] = _with_channels(array, channels, input_format)
    return found


def _with_channels(
    body: Float[np.ndarray, "v d"], channels: int, input_format: InputFormat
) -> Float[np.ndarray, "v c"]:
    """Return a body with the channels of the recognizer.

    Raises:
        RequestError: If it lacks one.
    """
    coordinates = input_format.coordinates
    if body.shape[1] < coordinates:
        raise RequestError(
            422, f"joints have {body.shape[1]} numbers; the recognizer takes {coordinates}"
        )
    if not input_format.has_confidence:
        return body[:, :coordinates]
    if body.shape[1] >= channels:
        return np.concatenate([body[:, :coordinates], body[:, -1:]], axis=1)
    certain = np.where(np.isnan(body[:, :1]), np.nan, 1.0)
    return np.concatenate([body[:, :coordinates], certain], axis=1)
