"""Prediction job that is opened: its source in numbered parts, and the recognizer for each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from skeletonagent.cluster.items import ArchiveItems, ItemSource, open_items, part_bounds
from skeletonagent.cluster.recognizing import ItemRecognizer
from skeletonagent.cluster.rows import ROWS_SCHEMA, rows_table, write_rows
from skeletonagent.cluster.settings import CLIPS_OF_A_PART, FILES_OF_A_PART, PredictionJob
from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_files import read_outside_bytes
from skeletonagent.core.program import program_name
from skeletonagent.inference.exported_model import exported_file
from skeletonagent.inference.loading import open_predictor
from skeletonagent.inference.predictor import Predictor
from skeletonagent.inference.samples import require_joints


@dataclass(frozen=True)
class PartReport:
    """What was predicted of a part.

    Args:
        part: Number of the part.
        recordings: Number of samples or recordings.
        rows: Number of rows.
        problems: Number of samples or files that could not be read.
        process: Id of the process that predicted it.
        remarks: What was said meanwhile.
    """

    part: int
    recordings: int
    rows: int
    problems: int
    process: int
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class OpenedJob:
    """Prediction job whose source and recognizer are open.

    Args:
        job: The job.
        items: The source.
        model: The recognizer.
    """

    job: PredictionJob
    items: ItemSource
    model: Predictor

    @classmethod
    def open(cls, job: PredictionJob) -> OpenedJob:
        """Return a job with its source and its recognizer.

        Raises:
            DataError: If the source cannot be read, or has other joints than the recognizer.
            CheckpointError: If there is no trained run.
            ConfigError: If a setting cannot be used.
        """
        items = open_items(job.source)
        model = _open_recognizer(job)
        if isinstance(items, ArchiveItems):
            archive = items.stream.archive
            require_joints(archive.content.layout, model.input_format, archive.path)
            if model.input_format.has_confidence and "keypoint_score" not in archive.arrays:
                raise DataError("has no keypoint confidence, which was trained on", path=job.source)
        return cls(job, items, model)

    @cached_property
    def part_size(self) -> int:
        """Samples or files of a part."""
        usual = CLIPS_OF_A_PART if self.items.is_archive else FILES_OF_A_PART
        return self.job.part_size or usual

    @property
    def num_parts(self) -> int:
        """Number of parts of the source."""
        return -(-len(self.items) // self.part_size)

    @property
    def finds_segments(self) -> bool:
        """Whether the actions within recordings are found."""
        given = self.job.segments
        return not self.items.is_archive if given is None else given

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        """What the predictions are: equal for all parts, processes and machines of a job."""
        model = self.model
        return {
            "schema": ROWS_SCHEMA,
            "program": program_name(),
            "source": {
                "name": self.job.source.resolve().name,
                "items": len(self.items),
                "sha256": self.items.fingerprint(),
            },
            "part_size": self.part_size,
            "parts": self.num_parts,
            "model": {
                "sha256": _checksum(model),
                "backbone": model.config.model.backbone,
                "streams": [stream.value for stream in model.streams],
                "layout": model.layout.name,
                "engine": "onnx" if model.is_exported else "torch",
                "device": str(model.device),
            },
            "class_names": list(model.class_names),
            "kind": "segments" if self.finds_segments else "clips",
            "settings": self.job.to_json(),
        }

    def predict_part(self, number: int, path: Path) -> PartReport:
        """Predict a part, and write it to a file.

        Args:
            number: Number of the part.
            path: File to write.

        Raises:
            DataError: If the source is damaged, or lacks what the recognizer needs.
        """
        bounds = part_bounds(number, self.part_size, len(self.items))
        confidence = self.model.input_format.has_confidence
        recognizer = ItemRecognizer(self.model, self.job, self.finds_segments)
        found = recognizer.rows(self.items.read(*bounds, confidence=confidence))
        write_rows(rows_table(found.rows, self.properties, found.remarks), path)
        return PartReport(
            part=number,
            recordings=len({(row.position, row.recording) for row in found.rows}),
            rows=len(found.rows),
            problems=sum(row.problem is not None for row in found.rows),
            process=os.getpid(),
            remarks=found.remarks,
        )


def _open_recognizer(job: PredictionJob) -> Predictor:
    """Return the recognizer; its engine does not depend on which one is the faster here."""
    engine = job.engine
    if engine == "auto":
        engine = "torch" if exported_file(job.run, "auto") is None else "onnx"
    model = open_predictor(job.run, job.device, engine=engine, overrides=job.overrides)
    if model.is_exported:
        return model
    from skeletonagent.inference.action_examples import knowing_actions

    return knowing_actions(model)


def _checksum(model: Predictor) -> str:
    """Return the checksum of the weights, and of the classifier beside them, if there is one."""
    digest = hashlib.sha256()
    if model.is_exported:
        digest.update(read_outside_bytes(model.runs[0]))
        return digest.hexdigest()
    for stream in model.torch_models:
        for name, tensor in sorted(stream.recognizer.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        if stream.kernel_ridge is not None:
            digest.update(stream.kernel_ridge.to_bytes())
    return digest.hexdigest()
