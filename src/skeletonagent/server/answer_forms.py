"""Forms of the answers, as OpenAPI describes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class AnswerForm(BaseModel):
    """Base class of the forms; answers may get further keys."""

    model_config = ConfigDict(extra="allow")


class ErrorAnswer(AnswerForm):
    """Why a request is not answered as asked."""

    detail: str


class HealthAnswer(AnswerForm):
    """That the server runs."""

    status: Literal["ok"]


class LayoutForm(AnswerForm):
    """Skeleton of a recognizer."""

    name: str
    joints: list[str]
    bones: list[tuple[int, int]]
    root: int


class ModelAnswer(AnswerForm):
    """What a recognizer is, and what its server takes."""

    name: str
    class_names: list[str]
    layout: LayoutForm
    channels: Literal[2, 3]
    has_confidence: bool
    fps: float | None
    window: int
    stride: int
    threshold: float
    rest: str
    pair_classes: list[str]
    backbone: str
    engine: Literal["onnx", "torch"]
    video: bool
    why_no_video: str
    persons: int
    limits: dict[str, float]
    sentences: dict[str, str]
    warnings: list[str]


class ShareForm(AnswerForm):
    """Class with its probability."""

    label: str
    score: float


class WeightForm(AnswerForm):
    """Joint with its share of the movement."""

    joint: str
    weight: float


class ExplanationForm(AnswerForm):
    """What speaks for a label."""

    joints: list[WeightForm]
    joints_from: Literal["guidance", "movement"]
    runner_up: ShareForm | None
    sentences: dict[str, str]


class SegmentForm(AnswerForm):
    """Action of a person."""

    person: str
    start_frame: int
    end_frame: int
    start: float | None
    end: float | None
    label: str
    score: float
    top: list[ShareForm]
    explanation: ExplanationForm


class SpanForm(AnswerForm):
    """Frames in which a person is seen."""

    start_frame: int
    end_frame: int
    start: float | None
    end: float | None


class PersonForm(AnswerForm):
    """Person of a recording."""

    person: str
    frames: int
    spans: list[SpanForm]


class TrackForm(AnswerForm):
    """Joints of a person, null where nothing was seen."""

    person: str
    first_frame: int
    frames: list[list[list[float] | None] | None]


class KeypointsForm(AnswerForm):
    """Joints of a recording."""

    persons: list[TrackForm]
    names: list[str]
    bones: list[tuple[int, int]]
    image_size: tuple[float, float] | None


class WindowForm(AnswerForm):
    """Window with the probability of each class."""

    person: str
    start_frame: int
    end_frame: int
    scores: dict[str, float]


class PredictionAnswer(AnswerForm):
    """Actions in a recording, in the form skeletonagent.prediction/1.

    With ``keypoints=true`` there are ``keypoints`` and ``timeline`` too.
    """

    form: Literal["skeletonagent.prediction/1"] = Field(alias="schema")
    name: str
    source: None
    fps: float | None
    frames: int
    layout: str
    engine: dict[str, Any]
    segments: list[SegmentForm]
    persons: list[PersonForm]
    warnings: list[str]
    keypoints: KeypointsForm | None = None
    timeline: list[WindowForm] | None = None
