"""Segments of a stream of frames: found as the frames come, alike for files and cameras."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from jaxtyping import Float

from skeletonagent.core.guidance import Guidance
from skeletonagent.core.input_format import InputFormat
from skeletonagent.inference.bodies_in_frame import FrameBodies, absent_body, read_frame
from skeletonagent.inference.explain import explain_label
from skeletonagent.inference.joining import LabelledTrack, SegmentJoiner
from skeletonagent.inference.labelling import (
    UNKNOWN_LABEL,
    LabelledClip,
    LabelledSpan,
    SpanLabeller,
)
from skeletonagent.inference.movement import joint_movement
from skeletonagent.inference.pairs import nearest_pairs, pair_name
from skeletonagent.inference.predictions import ClassShare
from skeletonagent.inference.segment_settings import SHORTEST_SECONDS, SegmentSettings
from skeletonagent.inference.segments import ActionSegment
from skeletonagent.inference.track import ClipRequest, PersonTrack, SpanEnd, TrackItem

ClassifyClips = Callable[
    [Sequence[Float[np.ndarray, "m t v c"]]],
    Float[np.ndarray, "n y"],
]
"""Class probabilities of clips; NaN marks joints that were not seen."""


CheckSource = Callable[[Float[np.ndarray, "m t v c"]], str | None]
"""Says in what frames are unlike the training clips; None where in nothing."""

CHECKED_SECONDS = 5.0
"""Time after which a stream is compared with the training clips, in seconds."""


@dataclass(frozen=True)
class WindowEvent:
    """First word on a movement that goes on; its segment may get another label.

    Args:
        person: Name of the person, or of two together.
        frame: Frame after the last one that was looked at.
        label: Name of the class, or ``unknown``.
        score: Probability of the most probable class.
        top: The most probable classes with their probabilities, best first.
    """

    person: str
    frame: int
    label: str
    score: float
    top: tuple[ClassShare, ...]


@dataclass(frozen=True)
class SegmentEvent:
    """Segment that is complete.

    Args:
        segment: The segment.
    """

    segment: ActionSegment


StreamEvent = WindowEvent | SegmentEvent


@dataclass(frozen=True)
class StreamTask:
    """What a stream is recognized with.

    Args:
        classify: Function that returns the class probabilities of clips.
        settings: Settings of windows, pauses and labels.
        input_format: Joints and channels of a frame.
        guidance: Guidance that the training ended with.
        persons: Bodies that the recognizer has room for.
        top_k: Classes that are listed for a segment.
        check_source: Comparison of the first frames with the training clips; None for none.
    """

    classify: ClassifyClips
    settings: SegmentSettings
    input_format: InputFormat
    guidance: Guidance
    persons: int
    top_k: int = 5
    check_source: CheckSource | None = None


@dataclass
class SegmentStream:
    """Stream of frames of which segments are found while they come.

    Memory does not grow with the length of the stream: of each person in view, the frames are kept
    that a clip may still need, at most those of the longest action and of a pause. The same frames
    have the same segments however they arrive.

    Args:
        task: What is recognized, and how.
        previews: Whether there is an event for a movement that goes on, every ``stride`` frames.
        clips_at_once: Clips that are collected before they are classified together; with one,
            events are as early as they can be, and each clip is classified alone.

    Examples:
        >>> import numpy as np
        >>> import skeletonagent as sa
        >>> stream = sa.load("runs/first", device="cpu").stream(fps=30, threshold=0.0)
        >>> frames = np.random.default_rng(0).normal(size=(40, 17, 2))
        >>> events = [event for frame in frames for event in stream.push(frame)]
        >>> type(stream.finish()[-1]).__name__
        'SegmentEvent'
    """

    task: StreamTask
    previews: bool = True
    clips_at_once: int = 1
    frame: int = field(default=0, init=False)
    _tracks: dict[tuple[str, ...], PersonTrack] = field(default_factory=dict, init=False)
    _labellers: dict[str, SpanLabeller] = field(default_factory=dict, init=False)
    _waiting: list[TrackItem] = field(default_factory=list, init=False)
    _words: dict[str, None] = field(default_factory=dict, init=False)
    _too_short: int = field(default=0, init=False)
    _origin: float | None = field(default=None, init=False)
    _joiner: SegmentJoiner = field(init=False)
    _unchecked: list[Float[np.ndarray, "v c"]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._joiner = SegmentJoiner(self.task.settings.join)
        self._unchecked = [] if self.task.check_source else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out or taken for something else so far, in words."""
        limit = f"less than {SHORTEST_SECONDS} s"
        if not self._too_short:
            return tuple(self._words)
        if self._too_short == 1:
            return (*self._words, f"a movement of {limit} is left out")
        return (*self._words, f"{self._too_short} movements of {limit} are left out")

    def push(self, frame: FrameBodies, timestamp: float | None = None) -> list[StreamEvent]:
        """Take the next frame, and return what is known now that was not before.

        Args:
            frame: Joints of one body, (V, C), or of several, (M, V, C), NumPy or torch, or by the
                names of persons; NaN where a joint was not seen. None if nobody is there.
            timestamp: Time of the frame in seconds from any zero; frames that were dropped since
                the last one count as frames of nobody, and a frame that comes too late is left
                out. If it is not given, no frame was dropped.

        Raises:
            DataError: If a body has other joints or channels than the recognizer takes.
        """
        bodies, words = read_frame(frame, self.task.input_format)
        self._words |= dict.fromkeys(words)
        dropped = 0 if timestamp is None else self._frame_at(timestamp) - self.frame
        if dropped < 0:
            self._words |= {"frames that came too late are left out": None}
            return []
        # After so many frames of nobody, nothing is remembered that further ones could change.
        told_apart = min(dropped, self._forgotten_after + 1)
        for _ in range(told_apart):
            self._take({})
        self.frame += dropped - told_apart
        self._take(bodies)
        return self._events()

    def finish(self) -> list[StreamEvent]:
        """Return what was still open; the stream may then go on as a new one."""
        for names in list(self._tracks):
            self._end(names)
        self._check_source()
        return self._events(all_of_them=True)

    def _frame_at(self, timestamp: float) -> int:
        """Return the number of the frame of a time; the first frame has the number it has."""
        fps = self.task.settings.fps
        if self._origin is None:
            self._origin = timestamp - self.frame / fps
        return round((timestamp - self._origin) * fps)

    @property
    def _forgotten_after(self) -> int:
        """Frames of absence after which a track has nothing open."""
        return 3 * self.task.settings.span_rules.pause

    def _take(self, bodies: Mapping[str, Float[np.ndarray, "v c"]]) -> None:
        """Hand the bodies of a frame to their tracks."""
        if self._unchecked is not None and bodies:
            self._unchecked.append(bodies[min(bodies)])
            if len(self._unchecked) >= CHECKED_SECONDS * self.task.settings.fps:
                self._check_source()
        for names, together in self._present(bodies).items():
            if names not in self._tracks:
                self._tracks[names] = self._new_track(names)
            absent = absent_body(self.task.input_format)
            joints = np.stack([bodies.get(name, absent) for name in names])
            self._waiting += self._tracks[names].push(joints, together)
        self.frame += 1
        for names, track in list(self._tracks.items()):
            if track.absent > self._forgotten_after and track.is_still:
                self._end(names)

    def _check_source(self) -> None:
        """Compare the first frames with the training clips, once."""
        frames, self._unchecked = self._unchecked, None
        if frames and self.task.check_source is not None:
            word = self.task.check_source(np.stack(frames)[None])
            self._words |= {word: None} if word else {}

    def _present(
        self, bodies: Mapping[str, Float[np.ndarray, "v c"]]
    ) -> dict[tuple[str, ...], bool]:
        """Return the tracks of a frame, those there are and new ones, and whether they are seen."""
        settings = self.task.settings
        seen: set[tuple[str, ...]] = set()
        if settings.singles.any():
            seen |= {(name,) for name in bodies}
        if settings.pairs.any() and self.task.persons > 1:
            seen |= nearest_pairs(bodies, self.task.input_format.coordinates)
        return {names: names in seen for names in chain(self._tracks, sorted(seen))}

    def _new_track(self, names: tuple[str, ...]) -> PersonTrack:
        settings = self.task.settings
        return PersonTrack(
            pair_name(names),
            settings.fps,
            settings.span_rules,
            settings.window_rules(self.previews),
            self.task.input_format.coordinates,
            self.frame,
        )

    def _end(self, names: tuple[str, ...]) -> None:
        track = self._tracks.pop(names)
        self._waiting += track.finish()
        self._too_short += track.too_short

    def _events(self, all_of_them: bool = False) -> list[StreamEvent]:
        """Classify what is waiting, if that is enough, and return the events."""
        clips = [item for item in self._waiting if isinstance(item, ClipRequest)]
        enough = self.clips_at_once if self.clips_at_once > 1 else 0
        if len(clips) < enough and not all_of_them:
            return []
        items, self._waiting = self._waiting, []
        events = list(self._labelled(items, self._classified(clips)))
        began = {track.name: track.movement_from for track in self._tracks.values()}
        return events + self._segment_events(self._joiner.settle(began))

    def _segment_events(self, spans: Iterable[LabelledTrack]) -> list[StreamEvent]:
        return [SegmentEvent(self._segment(track, span)) for track, span in spans]

    def _classified(self, clips: Sequence[ClipRequest]) -> Iterator[Float[np.ndarray, " y"]]:
        if not clips:
            return iter(())
        joints = [clip.joints for clip in clips]
        # Arithmetic of single precision may depend on the company, in the last bit.
        parts = [[one] for one in joints] if self.clips_at_once == 1 else [joints]
        probs = np.concatenate([self.task.classify(part) for part in parts])
        if not np.isfinite(probs).all():
            self._words |= {"coordinates are too large or too small to recognize anything": None}
        return iter(probs)

    def _labelled(
        self, items: Sequence[TrackItem], probs: Iterator[Float[np.ndarray, " y"]]
    ) -> Iterator[StreamEvent]:
        for item in items:
            if isinstance(item, SpanEnd):
                labeller = self._labellers.pop(item.track)
                yield from self._joined(item.track, labeller.finish(item.end))
            elif item.is_preview:
                yield self._preview(item, next(probs))
            else:
                clip = LabelledClip(item.start, item.end, next(probs), self._movement(item))
                labeller = self._labellers.setdefault(item.track, self._labeller(item))
                yield from self._joined(item.track, labeller.add(clip))

    def _joined(self, track: str, spans: Iterable[LabelledSpan]) -> list[StreamEvent]:
        return [
            event for span in spans for event in self._segment_events(self._joiner.add(track, span))
        ]

    def _labeller(self, clip: ClipRequest) -> SpanLabeller:
        return SpanLabeller(self.task.settings.label_rules(len(clip.joints) > 1), clip.span)

    def _movement(self, clip: ClipRequest) -> Float[np.ndarray, " v"]:
        return joint_movement(clip.joints[..., : self.task.input_format.coordinates])

    def _preview(self, clip: ClipRequest, probs: Float[np.ndarray, " y"]) -> WindowEvent:
        rules = self.task.settings.label_rules(len(clip.joints) > 1)
        possible = np.where(rules.allowed & np.isfinite(probs), probs, 0)
        label, top = rules.label(possible), self._top(possible)
        name = self.task.settings.class_names[label] if label >= 0 else UNKNOWN_LABEL
        return WindowEvent(clip.track, clip.end, name, top[0][1], top[: self.task.top_k])

    def _segment(self, person: str, span: LabelledSpan) -> ActionSegment:
        names, top = self.task.settings.class_names, self._top(span.probs)
        joint_names = self.task.input_format.layout.joints
        return ActionSegment(
            person=person,
            start=span.start,
            end=span.end,
            label=UNKNOWN_LABEL if span.label is None else names[span.label],
            score=float(span.probs.max() if span.label is None else span.probs[span.label]),
            top=top[: self.task.top_k],
            explanation=explain_label(
                span.label, top, span.movement, joint_names, self.task.guidance
            ),
        )

    def _top(self, probs: Float[np.ndarray, " y"]) -> tuple[ClassShare, ...]:
        """Return the most probable classes, at least two, best first."""
        order = np.argsort(-probs, kind="stable")[: max(2, self.task.top_k)]
        names = self.task.settings.class_names
        return tuple((names[label], float(probs[label])) for label in order)
