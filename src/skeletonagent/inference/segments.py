"""Segments of recordings: who did what from when to when, and why it was recognized."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from skeletonagent.inference.labelling import UNKNOWN_LABEL
from skeletonagent.inference.predictions import ClassShare, Predictions
from skeletonagent.inference.spans import FrameSpan

PREDICTION_SCHEMA = "skeletonagent.prediction/1"
"""Name and version of the form that predictions are written in as JSON."""


@dataclass(frozen=True)
class JointWeight:
    """Joint that an action is recognized by.

    Args:
        joint: Name of the joint.
        weight: Its share of the movement of all joints listed, from 0 to 1.
    """

    joint: str
    weight: float


@dataclass(frozen=True)
class Explanation:
    """What speaks for the label of a segment.

    Args:
        joints: Joints with their share of the movement, the largest first.
        from_guidance: Whether the joints are those that the guidance calls salient for the class;
            otherwise they are those that moved most.
        runner_up: The class that is the most probable after the label.
        sentences: By class, the sentences of the guidance that tell the label and the runner-up
            apart; empty if the training had no agents.
    """

    joints: tuple[JointWeight, ...] = ()
    from_guidance: bool = False
    runner_up: ClassShare | None = None
    sentences: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as plain values."""
        return {
            "joints": [{"joint": j.joint, "weight": _rounded(j.weight)} for j in self.joints],
            "joints_from": "guidance" if self.from_guidance else "movement",
            "runner_up": self.runner_up and _share(self.runner_up),
            "sentences": dict(self.sentences),
        }


@dataclass(frozen=True)
class ActionSegment:
    """Frames of a recording in which one action is seen.

    Args:
        person: Name of the person, or of two that act together, as in ``1+2``.
        start: First frame.
        end: Frame after the last one.
        label: Name of the class, or :data:`~skeletonagent.inference.labelling.UNKNOWN_LABEL`.
        score: Probability of the class; of an unknown action, that of the most probable class.
        top: The most probable classes with their probabilities, best first.
        explanation: What speaks for the label.
    """

    person: str
    start: int
    end: int
    label: str
    score: float
    top: tuple[ClassShare, ...]
    explanation: Explanation = field(default_factory=Explanation)

    @property
    def is_known(self) -> bool:
        """Whether the label is the name of a class."""
        return self.label != UNKNOWN_LABEL

    def to_json(self, fps: float | None) -> dict[str, Any]:
        """Return the segment as plain values; seconds are None if the frame rate is unknown."""
        return {
            "person": self.person,
            "start_frame": self.start,
            "end_frame": self.end,
            "start": _seconds(self.start, fps),
            "end": _seconds(self.end, fps),
            "label": self.label,
            "score": _rounded(self.score),
            "top": [_share(share) for share in self.top],
            "explanation": self.explanation.to_json(),
        }


@dataclass(frozen=True)
class PersonSpans:
    """Person of a recording, and when it was seen.

    Args:
        person: Name of the person.
        frames: Number of frames in which a joint of it was seen.
        spans: Frames in which it was seen without a break.
    """

    person: str
    frames: int
    spans: tuple[FrameSpan, ...]

    def to_json(self, fps: float | None) -> dict[str, Any]:
        """Return the person as plain values."""
        return {
            "person": self.person,
            "frames": self.frames,
            "spans": [
                {
                    "start_frame": start,
                    "end_frame": end,
                    "start": _seconds(start, fps),
                    "end": _seconds(end, fps),
                }
                for start, end in self.spans
            ],
        }


@dataclass(frozen=True, repr=False)
class RecordingPrediction:
    """Actions in one recording.

    Args:
        name: Name of the recording.
        source: File or folder that it comes from, None if it was in memory.
        fps: Frames a second; None if unknown.
        frames: Number of frames.
        layout: Name of the skeleton.
        engine: What recognized the actions: program, run, device, and the settings of the windows.
        segments: Segments, in the order of their starts.
        persons: Persons that were seen.
        warnings: What the reader should know about the result.

    Examples:
        >>> import numpy as np
        >>> import skeletonagent as sa
        >>> model = sa.load("runs/first", device="cpu")
        >>> joints = np.random.default_rng(0).normal(size=(40, 17, 2))
        >>> found = model.segment(joints, fps=30, threshold=0.0)
        >>> found.frames, found.fps, [person.person for person in found.persons]
        (40, 30.0, ['1'])
        >>> found.to_json()["schema"]
        'skeletonagent.prediction/1'
    """

    name: str
    source: str | None
    fps: float | None
    frames: int
    layout: str
    engine: Mapping[str, Any]
    segments: tuple[ActionSegment, ...] = ()
    persons: tuple[PersonSpans, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as plain values, in the form of :data:`PREDICTION_SCHEMA`."""
        return {
            "schema": PREDICTION_SCHEMA,
            "name": self.name,
            "source": self.source,
            "fps": self.fps,
            "frames": self.frames,
            "layout": self.layout,
            "engine": dict(self.engine),
            "segments": [segment.to_json(self.fps) for segment in self.segments],
            "persons": [person.to_json(self.fps) for person in self.persons],
            "warnings": list(self.warnings),
        }

    def __len__(self) -> int:
        """Return the number of segments."""
        return len(self.segments)

    def __iter__(self) -> Iterator[ActionSegment]:
        """Yield the segments."""
        return iter(self.segments)

    def __repr__(self) -> str:
        """Return the segments, a line for each."""
        title = (
            f"RecordingPrediction of {self.name}: {self.frames} frame(s), "
            f"{len(self.persons)} person(s), {len(self.segments)} segment(s)"
        )
        lines = [
            f"  {segment.start}-{segment.end} person {segment.person}: {segment.label} "
            f"{segment.score:.1%}"
            for segment in self.segments
        ]
        return "\n".join([title, *lines])


def trimmed_clips(
    predictions: Predictions, source: str, layout: str, engine: Mapping[str, Any]
) -> list[RecordingPrediction]:
    """Return clips of one label each as recordings of one segment.

    Args:
        predictions: Class probabilities of the clips.
        source: File or folder that they come from.
        layout: Name of the skeleton.
        engine: What is to be said about the recognizer.
    """
    return [
        RecordingPrediction(
            name=clip.sample_id,
            source=source,
            fps=rate,
            frames=frames,
            layout=layout,
            engine=engine,
            segments=(
                ActionSegment(
                    person="all",
                    start=0,
                    end=frames,
                    label=clip.class_name,
                    score=clip.probability,
                    top=clip.top,
                    explanation=Explanation(runner_up=clip.top[1] if len(clip.top) > 1 else None),
                ),
            ),
        )
        for clip, frames, rate in zip(predictions, predictions.frames, predictions.fps, strict=True)
    ]


def _share(share: ClassShare) -> dict[str, Any]:
    name, probability = share
    return {"label": name, "score": _rounded(probability)}


def _rounded(value: float) -> float:
    """Return a number to the sixth decimal, below which single precision says nothing."""
    return round(value, 6)


def _seconds(frame: int, fps: float | None) -> float | None:
    return None if fps is None else round(frame / fps, 3)
