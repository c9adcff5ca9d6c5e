"""Parquet files of predictions: a row for each clip, or for each segment of a recording."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.outside_files import problem_line, require_file

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

ROWS_SCHEMA = "skeletonagent.predictions/1"
"""Name and version of the form of such files."""

PROPERTIES = b"skeletonagent"
"""Name under which a file says what its predictions are, as JSON."""

REMARKS = b"skeletonagent.remarks"
"""Name under which a file lists what is to be said about its predictions, as JSON."""

_MOST_PROPERTIES = 64 << 20
"""Longest text of a file's properties that is read, in bytes."""


@dataclass(frozen=True)
class PredictionRow:
    """Clip, segment of a recording, or recording without any segment.

    Args:
        position: Position in the source of the sample, or of the file that it comes from.
        file: Path of the file below the source; of an archive, its name.
        recording: Name of the sample or recording.
        frames: Number of its frames; None if it cannot be read.
        fps: Frames a second; None if unknown.
        person: Name of the person, or of two that act together; ``all`` of a clip; None if there
            is no segment.
        start_frame: First frame.
        end_frame: Frame after the last one.
        label: Name of the class, ``unknown``, or None if there is no segment.
        score: Probability of the class; of an unknown action, that of the most probable one.
        known: Whether nothing says that it is another action than the classes.
        scores: Probability of each class, in the order of the class names.
        problem: Why a sample or file could not be read; None if it was.
        remarks: What is to be said about a recording, in its first row.
    """

    position: int
    file: str
    recording: str
    frames: int | None = None
    fps: float | None = None
    person: str | None = None
    start_frame: int | None = None
    end_frame: int | None = None
    label: str | None = None
    score: float | None = None
    known: bool | None = None
    scores: Float32[np.ndarray, " y"] | None = None
    problem: str | None = None
    remarks: tuple[str, ...] = ()


def arrow() -> Any:
    """Return the module that reads and writes columns.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigError(
            "predictions in Parquet need pyarrow; pip install 'skeletonagent[cluster]'"
        ) from error
    return pyarrow


def rows_schema(properties: Mapping[str, Any], remarks: Sequence[str]) -> pa.Schema:
    """Return the columns of a file with what it says about them.

    Args:
        properties: What the predictions are, as plain values.
        remarks: What is to be said about them.
    """
    a = arrow()
    columns = {
        "position": a.int64(), "file": a.string(), "recording": a.string(), "frames": a.int64(),
        "fps": a.float64(), "person": a.string(), "start_frame": a.int64(), "end_frame": a.int64(),
        "start": a.float64(), "end": a.float64(), "label": a.string(), "score": a.float32(),
        "known": a.bool_(), "scores": a.list_(a.float32()), "problem": a.string(),
        "remarks": a.list_(a.string()),
    }  # fmt: skip
    texts = {PROPERTIES: json.dumps(properties), REMARKS: json.dumps(list(remarks))}
    return a.schema(list(columns.items()), metadata=texts)


def rows_table(
    rows: Sequence[PredictionRow], properties: Mapping[str, Any], remarks: Sequence[str]
) -> pa.Table:
    """Return rows as a table; arguments as for :func:`rows_schema`."""
    schema = rows_schema(properties, remarks)
    columns: dict[str, list[Any]] = {
        item.name: [getattr(row, item.name) for row in rows] for item in fields(PredictionRow)
    }
    columns["start"] = [_seconds(row.start_frame, row.fps) for row in rows]
    columns["end"] = [_seconds(row.end_frame, row.fps) for row in rows]
    arrays = [arrow().array(columns[name], schema.field(name).type) for name in schema.names]
    return arrow().Table.from_arrays(arrays, schema=schema)


def _seconds(frame: int | None, fps: float | None) -> float | None:
    return None if frame is None or fps is None else round(frame / fps, 3)


def write_rows(table: pa.Table, path: Path) -> None:
    """Write a table as a Parquet file, atomically."""
    with write_atomically(path) as file:
        arrow().parquet.write_table(table, file, compression="zstd")


@dataclass(frozen=True)
class RowsFile:
    """Parquet file of predictions from outside.

    Args:
        path: The file.
        properties: What its predictions are.
        remarks: What is to be said about them.
    """

    path: Path
    properties: Mapping[str, Any]
    remarks: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> RowsFile:
        """Return a file after checking what it says about itself.

        Raises:
            DataError: If it cannot be read, or is no file of predictions.
        """
        require_file(path)
        try:
            metadata = arrow().parquet.read_schema(path).metadata or {}
        except (OSError, ValueError) as error:  # those of pyarrow derive from them
            raise DataError(
                f"cannot be read as Parquet: {problem_line(error)}; remove it, and predict it "
                "again with --resume",
                path=path,
            ) from error
        texts = [metadata.get(name, b"") for name in (PROPERTIES, REMARKS)]
        if sum(map(len, texts)) > _MOST_PROPERTIES:
            raise DataError("says more about itself than is read", path=path)
        try:
            properties, remarks = (json.loads(text) for text in texts)
        except (ValueError, RecursionError) as error:
            raise DataError("is no file of predictions", path=path) from error
        if not isinstance(properties, dict) or properties.get("schema") != ROWS_SCHEMA:
            raise DataError(
                f"is no file of predictions in the form {ROWS_SCHEMA}; merge with the version "
                "that wrote it",
                path=path,
            )
        return cls(path, properties, tuple(map(str, remarks)))

    def table(self) -> pa.Table:
        """Return its rows.

        Raises:
            DataError: If they are damaged.
        """
        try:
            table = arrow().parquet.read_table(self.path)
            table.validate(full=True)
        except (OSError, ValueError) as error:
            raise DataError(f"is damaged: {problem_line(error)}", path=self.path) from error
        wanted = rows_schema({}, ())
        if not table.schema.equals(wanted, check_metadata=False):
            raise DataError("has other columns than predictions have", path=self.path)
        return table
