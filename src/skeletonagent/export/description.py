"""Description in an exported file: all that prediction needs beside the graph."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePath
from typing import Any

from skeletonagent.core.errors import DataError, SkeletonAgentError
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.json_files import JsonRecord, parse_json
from skeletonagent.core.outside_files import problem_line
from skeletonagent.core.outside_text import printable_values
from skeletonagent.core.program import program_name
from skeletonagent.experiments.metadata import RecognizerMetadata

EXPORT_SCHEMA = "skeletonagent.export/1"
"""Name and version of the form of descriptions in exported files."""

PROPERTY = "skeletonagent"
"""Name under which a file in ONNX carries its description."""

KERNEL_RIDGE = "skeletonagent.kernel_ridge"
"""Name under which it carries the classifier beside the network, in base64, if there is one."""

_MOST_CHARACTERS = 16 << 20
"""Longest description that is read."""

_LONGEST_TEXT = 20_000
_MOST_FRAMES, _MOST_CLIPS, _MOST_BATCH = 100_000, 1_000, 100_000
_SECTIONS = ("data", "clips", "model", "kernel_ridge")


@dataclass(frozen=True)
class MeasuredAccuracy:
    """Accuracy of an exported recognizer on the test part of a data set.

    Args:
        data: Name of the data set.
        split: Name of its split.
        samples: Number of samples.
        top1: Share of samples whose most probable class is the true one.
        reference: The same of the recognizer in PyTorch, in single precision.
        agreement: Share of samples of which both name the same class.
    """

    data: str
    split: str
    samples: int
    top1: float
    reference: float
    agreement: float

    def __str__(self) -> str:
        """Return the accuracy in words."""
        return (
            f"top-1 {self.top1:.2%} on {self.samples} samples of {self.split} of {self.data}, "
            f"{self.reference:.2%} in PyTorch; the same class for {self.agreement:.2%}"
        )


@dataclass(frozen=True)
class ExportDescription:
    """What an exported recognizer was trained on, and how its clips are made.

    Args:
        metadata: Shapes, names and settings.
        guidance: Guidance that the training ended with, without its dialogues.
        threshold: Probability below which an action is unknown.
        threshold_from: Where the threshold comes from, in words.
        epoch: Number of epochs of the training.
        held_out: Probability of the class of each held-out clip that was recognized rightly, from
            which the threshold was chosen; none if it was not.
        held_out_entropies: Entropy of each of these clips, from which the limit of what is known
            follows; none in files of earlier versions.
        precision: Number format of the weights: ``fp32``, ``fp16`` or ``int8``.
        accuracy: Accuracy where it was measured.
        license: Licence of the training data, as told by who exported it; empty if unknown.
        program: Program that wrote the file.
    """

    metadata: RecognizerMetadata
    guidance: Guidance
    threshold: float
    threshold_from: str
    epoch: int
    held_out: tuple[float, ...] = ()
    held_out_entropies: tuple[float, ...] = ()
    precision: str = "fp32"
    accuracy: MeasuredAccuracy | None = None
    license: str = ""
    program: str = program_name()

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """M, T, V and C of a clip."""
        metadata = self.metadata
        layout = metadata.layout
        frames = metadata.config.clips.frames
        return metadata.persons, frames, layout.num_joints, metadata.channels

    def to_text(self) -> str:
        """Return the description as a text in JSON, without paths of this machine."""
        metadata = self.metadata.to_json()
        config = metadata["config"]
        batch_size = config["training"]["batch_size"]
        metadata["config"] = {name: config[name] for name in _SECTIONS} | {
            "training": {"batch_size": batch_size}
        }
        metadata["config"]["data"]["archive"] = PurePath(config["data"]["archive"]).name
        metadata["config"]["kernel_ridge"]["base"] = PurePath(config["kernel_ridge"]["base"]).name
        metadata["sources"] = [
            source | {"archive": source["archive"] and PurePath(source["archive"]).name}
            for source in metadata["sources"]
        ]
        guidance = [
            {
                "sentence": of_class.sentence,
                "joints": [self.guidance.layout.joints[joint] for joint in of_class.joints],
            }
            for of_class in self.guidance.classes
        ]
        value = {
            "form": EXPORT_SCHEMA,
            "recognizer": metadata,
            "guidance": guidance,
            "threshold": self.threshold,
            "threshold_from": self.threshold_from,
            "epoch": self.epoch,
            "held_out": list(self.held_out),
            "held_out_entropies": list(self.held_out_entropies),
            "precision": self.precision,
            "accuracy": self.accuracy and asdict(self.accuracy),
            "license": self.license,
            "program": self.program,
        }
        return json.dumps(value)

    @classmethod
    def from_text(cls, text: str, path: Path) -> ExportDescription:
        """Return the description of :meth:`to_text`; texts in it are cleaned.

        Args:
            text: The text, from a file of unknown origin.
            path: The file.

        Raises:
            DataError: If it is no such description, or one of another version.
        """
        if len(text) > _MOST_CHARACTERS:
            raise DataError(f"describes itself in {len(text) >> 20} million characters", path=path)
        value = printable_values(parse_json(text, RecordedDescription, path), _LONGEST_TEXT)
        if value["form"] != EXPORT_SCHEMA:
            raise DataError(
                f"is of the form {value['form']}, this version reads {EXPORT_SCHEMA}; export "
                "it again, or install the version that wrote it",
                path=path,
            )
        try:
            metadata = RecognizerMetadata.from_json(value["recognizer"])
            guidance = _guidance(value["guidance"], metadata)
        except (SkeletonAgentError, LookupError, TypeError, ValueError) as error:
            raise DataError(f"is damaged: {problem_line(error)}", path=path) from error
        accuracy = value["accuracy"]
        described = cls(
            metadata=metadata,
            guidance=guidance,
            threshold=value["threshold"],
            threshold_from=value["threshold_from"],
            epoch=value["epoch"],
            held_out=tuple(value["held_out"]),
            held_out_entropies=tuple(value["held_out_entropies"] or ()),
            precision=value["precision"],
            accuracy=accuracy
            and MeasuredAccuracy(
                **{item.name: accuracy[item.name] for item in fields(MeasuredAccuracy)}
            ),
            license=value["license"],
            program=value["program"],
        )
        if problem := described._problem():
            raise DataError(f"is damaged: {problem}", path=path)
        return described

    def _problem(self) -> str:
        """Return why the description cannot be used, nothing if it can."""
        config = self.metadata.config
        names = self.metadata.class_names
        for name, value, most in (
            ("frames", config.clips.frames, _MOST_FRAMES),
            ("test clips", config.clips.test_clips, _MOST_CLIPS),
            ("clips in a batch", config.training.batch_size, _MOST_BATCH),
            ("persons", self.metadata.persons, _MOST_CLIPS),
        ):
            if not 1 <= value <= most:
                return f"{value} {name}, {most} at most"
        for share in (self.threshold, *self.held_out):
            if not 0 <= share <= 1:
                return f"a probability of {share}"
        if self.held_out_entropies and (
            len(self.held_out_entropies) != len(self.held_out) or min(self.held_out_entropies) < 0
        ):
            return f"{len(self.held_out_entropies)} entropies of {len(self.held_out)} clips"
        if len(set(names)) != len(names) or not names:
            return "class names repeat, or there are none"
        return ""

    def require_graph(self, clip_shape: Sequence[Any], num_classes: Any, path: Path) -> None:
        """Check that a graph takes and returns what is described.

        Raises:
            DataError: If it does not.
        """
        described = (*self.clip_shape, len(self.metadata.class_names))
        found = (*clip_shape, num_classes)
        if found != described:
            raise DataError(
                f"is damaged: persons, frames, joints, channels and classes are {described} by "
                f"its description and {found} in its graph",
                path=path,
            )


class RecordedAccuracy(JsonRecord):
    """Accuracy in a description."""

    data: str
    split: str
    samples: int
    top1: float
    reference: float
    agreement: float


class RecordedSentence(JsonRecord):
    """Guidance of a class in a description."""

    sentence: str
    joints: list[str]


class RecordedDescription(JsonRecord):
    """Content of a description."""

    form: str
    recognizer: dict[str, Any]
    guidance: list[RecordedSentence]
    threshold: float
    threshold_from: str
    epoch: int
    held_out: list[float]
    held_out_entropies: list[float] | None = None
    precision: str
    accuracy: RecordedAccuracy | None
    license: str
    program: str


def _guidance(values: Sequence[Mapping[str, Any]], metadata: RecognizerMetadata) -> Guidance:
    """Return the guidance of each class.

    Raises:
        ValueError: If there are more or fewer than classes, or a joint is none of the layout.
    """
    joints = metadata.layout.joints
    classes = [
        ClassGuidance(
            action=name,
            joints=tuple(joints.index(joint) for joint in value["joints"]),
            sentence=value["sentence"],
        )
        for name, value in zip(metadata.class_names, values, strict=True)
    ]
    return Guidance(metadata.layout, tuple(classes))
