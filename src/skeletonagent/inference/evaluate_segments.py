"""Accuracy of the segments found in recordings, compared with a table of the true ones."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.data.importing.segments import TableRow, read_label_table
from skeletonagent.evaluation.segmentation import TimedLabel, segmentation_metrics
from skeletonagent.inference.recording_segmenter import RecordingSegmenter
from skeletonagent.inference.segment_settings import REST_NAMES, SegmentOptions
from skeletonagent.inference.segments import RecordingPrediction


@dataclass(frozen=True)
class SegmentEvaluation:
    """Predicted segments of recordings beside the true ones.

    Args:
        predictions: Prediction of each recording that the table names.
        true: True segments of each, in frames.
        metrics: All metrics, see
            :func:`~skeletonagent.evaluation.segmentation.segmentation_metrics`.
    """

    predictions: tuple[RecordingPrediction, ...]
    true: tuple[tuple[TimedLabel, ...], ...]
    metrics: Mapping[str, Any]


def evaluate_segments(
    segmenter: RecordingSegmenter,
    table: Path,
    *,
    data: Path | None = None,
    options: SegmentOptions | None = None,
    fps: float | None = None,
    unit: str | None = None,
) -> SegmentEvaluation:
    """Return how well the actions in recordings are found.

    Segments of all persons of a recording count together; unknown actions count as none.

    Args:
        segmenter: Recognizer of the actions in recordings.
        table: Table of the true segments: file, label, start and end.
        data: Archive, file or folder that holds the recordings; by default the table names files,
            relative to its own folder.
        options: Settings of the segmentation.
        fps: Frames a second, if recordings do not say them.
        unit: Unit of start and end, ``seconds`` or ``frames``, if the table does not say it.

    Raises:
        DataError: If the table or a recording cannot be read, or they do not fit each other.
    """
    rows = read_label_table(table, unit)
    if not rows:
        raise DataError("holds no segment", path=table)
    chosen = options or SegmentOptions()
    if data is None:
        found = _of_files(segmenter, rows, table, chosen, fps)
    else:
        found = _of_data(segmenter.segment(data, chosen, fps=fps), rows, table)
    _warn_of_other_labels(rows, segmenter.metadata.class_names, table)
    predictions = [prediction for prediction, _ in found]
    true = [_true_segments(own, prediction, table) for prediction, own in found]
    metrics = segmentation_metrics(
        true,
        [_known_segments(prediction) for prediction in predictions],
        [prediction.frames for prediction in predictions],
    )
    return SegmentEvaluation(tuple(predictions), tuple(map(tuple, true)), metrics)


Matched = list[tuple[RecordingPrediction, list[TableRow]]]
"""Predictions with the rows of the table that are about them."""


def _of_files(
    segmenter: RecordingSegmenter,
    rows: Sequence[TableRow],
    table: Path,
    options: SegmentOptions,
    fps: float | None,
) -> Matched:
    """Return the predictions of the files that the table names."""
    matched: Matched = []
    for file in dict.fromkeys(row.file for row in rows):
        path = table.parent / Path(file).expanduser()
        if not path.exists():
            raise DataError(
                f"names {file!r}, and there is no {path}; name the folder or archive of the "
                "recordings with --data",
                path=table,
            )
        predictions = segmenter.segment(path, options, fps=fps)
        if len(predictions) != 1:
            raise DataError(
                f"names {file!r}, which holds {len(predictions)} recordings; take it as --data and "
                "name them in the table",
                path=table,
            )
        matched.append((predictions[0], [row for row in rows if row.file == file]))
    return matched


def _of_data(
    predictions: Sequence[RecordingPrediction], rows: Sequence[TableRow], table: Path
) -> Matched:
    """Return those of the predictions that the table has rows about."""
    named: dict[str, list[TableRow]] = {}
    names = {prediction.name: prediction for prediction in predictions}
    for row in rows:
        spellings = (row.file, Path(row.file).name, Path(row.file).stem)
        name = next((spelling for spelling in spellings if spelling in names), None)
        if name is None:
            known = ", ".join(list(names)[:5])
            raise DataError(
                f"line {row.line} names the recording {row.file!r}; there are {known}", path=table
            )
        named.setdefault(name, []).append(row)
    others = len(names) - len(named)
    if others:
        warnings.warn(f"{others} recording(s) without a row in {table} left out", stacklevel=3)
    return [(names[name], own) for name, own in named.items()]


def _true_segments(
    rows: Sequence[TableRow], prediction: RecordingPrediction, table: Path
) -> list[TimedLabel]:
    """Return the true segments of a recording in frames, without those of rest."""
    rest = prediction.engine["rest"]
    segments = []
    for row in rows:
        rate = 1.0
        if row.unit == "seconds" and (row.start is not None or row.end is not None):
            if prediction.fps is None:
                raise DataError(
                    f"line {row.line} is in seconds, and the frame rate of {prediction.name!r} is "
                    "not known; give it by --fps, or --unit frames if these are frames",
                    path=table,
                )
            rate = prediction.fps
        start = 0.0 if row.start is None else row.start * rate
        end = float(prediction.frames) if row.end is None else row.end * rate
        if row.label != rest and row.label.lower() not in REST_NAMES:
            segments.append(TimedLabel(start, end, row.label))
    return segments


def _known_segments(prediction: RecordingPrediction) -> list[TimedLabel]:
    return [
        TimedLabel(segment.start, segment.end, segment.label, segment.score)
        for segment in prediction
        if segment.is_known
    ]


def _warn_of_other_labels(
    rows: Sequence[TableRow], class_names: Sequence[str], table: Path
) -> None:
    labels = {row.label for row in rows if row.label.lower() not in REST_NAMES}
    others = sorted(labels - set(class_names))
    if others:
        warnings.warn(
            f"{table}: labels that are no class of the recognizer cannot be found and count as "
            f"missed: {', '.join(others)[:200]}",
            stacklevel=3,
        )
