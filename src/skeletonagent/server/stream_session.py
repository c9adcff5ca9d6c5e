"""One stream: frames at a constant rate into the recognizer, its events as plain values."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.inference.recording_input import fit_recording
from skeletonagent.inference.segment_stream import SegmentEvent, SegmentStream, StreamEvent
from skeletonagent.pose.estimate import PoseOptions, build_estimator
from skeletonagent.pose.estimator import PersonPose, PoseEstimator
from skeletonagent.server.drawn_keypoints import joint_lists
from skeletonagent.server.server_errors import RequestError
from skeletonagent.server.service import RecognitionService
from skeletonagent.server.stream_frames import StreamHead

HELD_SECONDS = 0.5
"""Time for which a frame stands for those after it that did not come, in seconds."""

_MOST_PIXELS = 4096 * 2160
"""Largest picture, in pixels."""

FrameJoints = Mapping[str, Float[np.ndarray, "v c"]]


@dataclass
class StreamSession:
    """Stream of one client.

    Frames come at times of their own. At each moment of the constant rate that was announced the
    latest frame counts, for half a second; after that nobody is there.

    Args:
        stream: Stream that finds the segments.
        fps: Frames a second.
        input_format: Joints and channels of a body.
    """

    stream: SegmentStream
    fps: float
    input_format: InputFormat
    _said: set[str] = field(default_factory=set)
    _shown: FrameJoints | None = None
    _shown_at: float = 0.0
    _tick: int = 0

    @classmethod
    def begin(
        cls, service: RecognitionService, head: StreamHead
    ) -> tuple[StreamSession, list[str]]:
        """Return the stream that a client's first message asks for, and what is to be said."""
        stream, words = service.stream(head.fps, head.size)
        return cls(stream, head.fps, service.predictor.input_format), words

    def push(self, moment: float | None, bodies: FrameJoints) -> list[dict[str, Any]]:
        """Take a frame, and return what is known now.

        Args:
            moment: Time in seconds from the beginning; None right after the frame before.
            bodies: Joints by the names of persons.

        Raises:
            DataError: If they cannot be recognized.
        """
        if moment is None:
            return self._told(self.stream.push(bodies))
        events: list[StreamEvent] = []
        if self._shown is None:
            self._tick = round(moment * self.fps)
        elif moment <= self._shown_at:
            return self._told([], "frames that came too late are left out")
        else:
            events = self._until(moment)
        self._shown, self._shown_at = bodies, moment
        return self._told(events)

    def _until(self, moment: float) -> list[StreamEvent]:
        """Hand on the frame that is shown at each moment up to a time."""
        events: list[StreamEvent] = []
        end = min(moment, self._shown_at + HELD_SECONDS)
        while self._tick + 0.5 <= end * self.fps:
            events += self.stream.push(self._shown, timestamp=self._tick / self.fps)
            self._tick += 1
        self._tick = max(self._tick, round(moment * self.fps) if moment > end else 0)
        return events

    def picture(self, content: bytes) -> list[dict[str, Any]]:
        """Refuse a picture, where joints were announced.

        Raises:
            RequestError: In any case.
        """
        del content
        raise RequestError(422, "joints were announced; send JSON, no pictures")

    def finish(self) -> list[dict[str, Any]]:
        """Return what was still open."""
        events: list[StreamEvent] = []
        if self._shown is not None:
            events = list(self.stream.push(self._shown, timestamp=self._tick / self.fps))
            self._shown = None
        return self._told([*events, *self.stream.finish()])

    def _told(self, events: Sequence[StreamEvent], *words: str) -> list[dict[str, Any]]:
        """Return events as plain values, after warnings that were not given yet."""
        new = [word for word in (*words, *self.stream.warnings) if word not in self._said]
        self._said |= set(new)
        return [
            *({"type": "warning", "text": word} for word in new),
            *(self._to_json(event) for event in events),
        ]

    def _to_json(self, event: StreamEvent) -> dict[str, Any]:
        if isinstance(event, SegmentEvent):
            return {"type": "segment", **event.segment.to_json(self.fps)}
        return {
            "type": "window",
            "person": event.person,
            "frame": event.frame,
            "t": round(event.frame / self.fps, 3),
            "label": event.label,
            "score": round(event.score, 6),
            "top": [{"label": label, "score": round(score, 6)} for label, score in event.top],
        }


@dataclass
class PictureSession(StreamSession):
    """Stream of one client who sends pictures, in which joints are found here."""

    estimator: PoseEstimator | None = None
    min_confidence: float = 0.0
    _begin: float | None = None

    @classmethod
    def begin(
        cls, service: RecognitionService, head: StreamHead
    ) -> tuple[PictureSession, list[str]]:
        """Return the stream that a client's first message asks for, and what is to be said."""
        stream, words = service.stream(head.fps, head.size)
        options = PoseOptions(max_persons=service.settings.max_persons)
        session = cls(
            stream,
            head.fps,
            service.predictor.input_format,
            estimator=build_estimator(options),
            min_confidence=options.min_confidence,
        )
        return session, words

    def picture(self, content: bytes) -> list[dict[str, Any]]:
        """Take a picture, and return the joints in it and what is known now.

        Raises:
            RequestError: If it cannot be read.
        """
        image, now = read_picture(content), monotonic()
        first = self._begin is None
        self._begin = now if self._begin is None else self._begin
        moment = now - self._begin
        assert self.estimator is not None
        persons = self.estimator.step(image, moment)
        pixels = {str(person.number): self._pixels(person) for person in persons}
        events = self.push(moment, {str(one.number): self._joints(one) for one in persons})
        frame = {
            "type": "frame",
            "t": round(moment, 3),
            "bodies": {name: joint_lists(body[None], 1)[0] for name, body in pixels.items()},
        }
        if first:  # these joints are not those of the recognizer
            frame |= {
                "names": list(MEDIAPIPE_33.joints),
                "bones": list(map(list, MEDIAPIPE_33.bones)),
            }
        return [frame, *events]

    def _pixels(self, person: PersonPose) -> Float[np.ndarray, "v c"]:
        return self._seen(person, person.body.points)

    def _joints(self, person: PersonPose) -> Float[np.ndarray, "v c"]:
        """Return the joints of a person as the recognizer takes them."""
        body = person.body
        world = self.input_format.coordinates == 3 and body.world is not None
        recording = KeypointRecording(
            name=f"person {person.number}",
            joints=self._seen(person, body.world if world else body.points)[None, None],
            layout=MEDIAPIPE_33,
            confidence=body.confidence[None, None],
        )
        joints: np.ndarray = fit_recording(recording, self.input_format).joints[0, 0]
        return joints

    def _seen(self, person: PersonPose, places: Any) -> Float[np.ndarray, "v c"]:
        joints: np.ndarray = np.asarray(places, dtype=float).copy()
        joints[person.body.confidence < self.min_confidence] = np.nan
        return joints


def read_picture(content: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Return the pixels of a JPEG.

    Raises:
        RequestError: If it cannot be read, or is too large.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise RequestError(413, "the picture has too many pixels")
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RequestError(422, "a picture cannot be read as JPEG") from error
