"""Live recognition: pictures in as they come, pictures with skeletons and actions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, UInt8

from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.inference.recording_input import fit_recording
from skeletonagent.inference.segment_stream import SegmentEvent, SegmentStream, StreamEvent
from skeletonagent.inference.segments import ActionSegment
from skeletonagent.pose.estimator import PersonPose, PoseEstimator
from skeletonagent.pose.landmarks import BodyLandmarks
from skeletonagent.pose.smoothing import BodySmoother
from skeletonagent.video.drawing import DrawnPerson, draw_persons
from skeletonagent.video.reading import VideoFrame

SHOWN_SECONDS = 2.0
"""Time for which an action stays written over its person after it was recognized, in seconds."""


@dataclass
class LiveRecognition:
    """Recognition of the actions in pictures of a camera, drawn onto them.

    Args:
        estimator: Estimator of the poses.
        layout: Skeleton of its joints.
        min_confidence: Confidence below which a joint counts as not seen.
        stream: Stream that recognizes the actions.
        smooth: Whether joints are smoothed over time.
    """

    estimator: PoseEstimator
    layout: SkeletonLayout
    min_confidence: float
    stream: SegmentStream
    smooth: bool = False
    segments: list[ActionSegment] = field(default_factory=list, init=False)
    _words: dict[str, None] = field(default_factory=dict, init=False)
    _labels: dict[str, tuple[str, int]] = field(default_factory=dict, init=False)
    _smoothers: dict[int, _PersonSmoother] = field(default_factory=dict, init=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What had to be assumed or was left out so far, in words."""
        return (*self._words, *self.stream.warnings)

    def step(self, frame: VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
        """Return the next picture with skeletons, labels and probabilities drawn onto it.

        Args:
            frame: The picture, later than the one before.

        Raises:
            DataError: If the recognizer takes joints that the estimator does not give.
        """
        persons = self._smoothed(self.estimator.step(frame.image, frame.time))
        bodies = {str(person.number): self._joints(person) for person in persons}
        self._note(self.stream.push(bodies, timestamp=frame.time))
        drawn = [
            DrawnPerson(
                joints=_seen(person.body.points, person.body.confidence, self.min_confidence),
                confidence=person.body.confidence,
                text="  ".join(filter(None, [str(person.number), self._label(person)])),
                colour=person.number - 1,
            )
            for person in persons
        ]
        caption = "" if persons else "nobody found"
        return draw_persons(frame.image, drawn, self.layout.bones, caption=caption)

    def _smoothed(self, persons: Sequence[PersonPose]) -> Sequence[PersonPose]:
        """Return the persons with smoothed joints, if that is wanted."""
        if not self.smooth:
            return persons
        fps = self.stream.task.settings.fps
        known = self._smoothers
        self._smoothers = {  # who comes back begins anew
            person.number: known.get(person.number) or _PersonSmoother(fps) for person in persons
        }
        return [
            replace(
                person,
                body=self._smoothers[person.number].push(person.body, self.min_confidence),
            )
            for person in persons
        ]

    def finish(self) -> Sequence[ActionSegment]:
        """Return all actions, those that were still open among them, by their start."""
        self._note(self.stream.finish())
        return sorted(self.segments, key=lambda one: (one.start, one.end, one.person))

    def _joints(self, person: PersonPose) -> Float[np.ndarray, "v c"]:
        """Return the joints of a person as the recognizer takes them."""
        input_format: InputFormat = self.stream.task.input_format
        body = person.body
        places = body.world if input_format.coordinates == 3 else body.points
        if places is None:  # of an ONNX model; that it lacks depth is said below
            places = body.points
        joints = _seen(places, body.confidence, self.min_confidence)
        recording = KeypointRecording(
            name=f"person {person.number}",
            joints=joints[None, None],
            layout=self.layout,
            confidence=body.confidence[None, None],
        )
        fitted = fit_recording(recording, input_format)
        self._words |= dict.fromkeys(fitted.warnings)
        wanted: np.ndarray = fitted.joints[0, 0]
        return wanted

    def _note(self, events: Sequence[StreamEvent]) -> None:
        """Keep what is to be written over persons, and segments that are complete."""
        until = self.stream.frame + round(SHOWN_SECONDS * self.stream.task.settings.fps)
        for event in events:
            found = event.segment if isinstance(event, SegmentEvent) else event
            for person in found.person.split("+"):
                self._labels[person] = (f"{found.label} {found.score:.0%}", until)
            if isinstance(event, SegmentEvent):
                self.segments.append(event.segment)

    def _label(self, person: PersonPose) -> str:
        text, until = self._labels.get(str(person.number), ("", 0))
        return text if self.stream.frame <= until else ""


class _PersonSmoother:
    """Smoother of the landmarks of a person, in pixels and in metres."""

    def __init__(self, fps: float) -> None:
        self._points = BodySmoother(fps, world=False)
        self._world = BodySmoother(fps, world=True)

    def push(self, body: BodyLandmarks, least: float) -> BodyLandmarks:
        """Return the landmarks of the next picture, those of less confidence NaN."""
        points = self._points.push(_seen(body.points, body.confidence, least))
        world = body.world
        if world is not None:
            world = self._world.push(_seen(world, body.confidence, least))
        return replace(body, points=points, world=world)


def _seen(
    places: Float[np.ndarray, "v d"], confidence: Float[np.ndarray, " v"], least: float
) -> Float[np.ndarray, "v d"]:
    joints = places.astype(float)
    joints[confidence < least] = np.nan
    return joints
