"""Metrics of action segmentation: frame accuracy, edit score, F1 and mAP at overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

F1_OVERLAPS = (0.10, 0.25, 0.50)
"""Overlaps of the F1 scores. Source: Lea et al. 2017 (arXiv 1611.05267), section 4.1."""

MAP_OVERLAPS = (0.3, 0.5, 0.7)
"""Overlaps of the mean average precisions."""


@dataclass(frozen=True)
class TimedLabel:
    """Action in a stretch of time.

    Args:
        start: Begin, in frames or seconds.
        end: End, in the same unit.
        label: Name of the action.
        score: Confidence of a prediction.
    """

    start: float
    end: float
    label: str
    score: float = 1.0


def frame_labels(segments: Sequence[TimedLabel], frames: int, fps: float = 1.0) -> list[str | None]:
    """Return the label of each frame, None where there is none; later segments win.

    A frame belongs to a segment if its begin does.

    Args:
        segments: Segments, in frames, or in seconds if ``fps`` is given.
        frames: Number of frames.
        fps: Frames in a unit of the segments' time.
    """
    labels: list[str | None] = [None] * frames
    for segment in segments:
        start = max(0, int(np.ceil(segment.start * fps - 1e-9)))
        end = min(frames, int(np.ceil(segment.end * fps - 1e-9)))
        labels[start:end] = [segment.label] * max(0, end - start)
    return labels


def frame_accuracy(true: Sequence[object], predicted: Sequence[object]) -> float:
    """Return the share of frames whose label is right; NaN without frames.

    Frames without an action count, and are right without a label.

    Raises:
        ValueError: If the numbers of frames differ.
    """
    if len(true) != len(predicted):
        raise ValueError(f"{len(true)} frames have {len(predicted)} predicted labels")
    if not true:
        return float("nan")
    return sum(a == b for a, b in zip(true, predicted, strict=True)) / len(true)


def edit_score(true: Sequence[TimedLabel], predicted: Sequence[TimedLabel]) -> float:
    """Return the segmental edit score, from 0 to 1: is the order of the actions right?

    It is one minus the Levenshtein distance of the two sequences of labels, divided by the length
    of the longer one; how long actions last does not count. Two sequences without any action are
    equal. Source: Lea et al. 2016 (arXiv 1602.02995), section 4.
    """
    first = [segment.label for segment in sorted(true, key=lambda s: (s.start, s.end))]
    second = [segment.label for segment in sorted(predicted, key=lambda s: (s.start, s.end))]
    longest = max(len(first), len(second))
    return 1 - _edit_distance(first, second) / longest if longest else 1.0


def _edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def temporal_iou(first: TimedLabel, second: TimedLabel) -> float:
    """Return the length of what two stretches share, divided by that of what either covers."""
    shared = max(0.0, min(first.end, second.end) - max(first.start, second.start))
    either = (first.end - first.start) + (second.end - second.start) - shared
    return shared / either if either > 0 else 0.0


@dataclass(frozen=True)
class OverlapCounts:
    """Predicted segments of one or several recordings, compared with the true ones.

    Args:
        hits: Predicted segments that overlap enough with a true one of their label.
        predicted: Predicted segments.
        true: True segments.
    """

    hits: int
    predicted: int
    true: int

    def __add__(self, other: OverlapCounts) -> OverlapCounts:
        """Return the counts of both."""
        return OverlapCounts(
            self.hits + other.hits, self.predicted + other.predicted, self.true + other.true
        )

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 if there is nothing to find and nothing is."""
        count = self.predicted + self.true
        return 2 * self.hits / count if count else 1.0

    @property
    def recall(self) -> float:
        """Share of the true segments that are found; NaN if there is none."""
        return self.hits / self.true if self.true else float("nan")


def overlap_counts(
    true: Sequence[TimedLabel], predicted: Sequence[TimedLabel], overlap: float
) -> OverlapCounts:
    """Return how many predicted segments of a recording are hits.

    In the order of their begin, each predicted segment is compared with the true one of its label
    that it overlaps most with; it is a hit if the overlap is large enough and no other has hit the
    same before. Source: Lea et al. 2017, section 4.1.

    Args:
        true: True segments.
        predicted: Predicted segments.
        overlap: Smallest intersection over union of a hit.
    """
    taken: set[int] = set()
    for segment in sorted(predicted, key=lambda s: (s.start, s.end)):
        best = _best_match(segment, true)
        if best is not None and best not in taken and temporal_iou(segment, true[best]) >= overlap:
            taken.add(best)
    return OverlapCounts(len(taken), len(predicted), len(true))


def _best_match(segment: TimedLabel, true: Sequence[TimedLabel]) -> int | None:
    same = [place for place, other in enumerate(true) if other.label == segment.label]
    return max(same, key=lambda place: temporal_iou(segment, true[place]), default=None)


def mean_average_precision(
    true: Sequence[Sequence[TimedLabel]],
    predicted: Sequence[Sequence[TimedLabel]],
    overlap: float,
) -> float:
    """Return the mean over classes of the average precision at an overlap; NaN without classes.

    Predictions of a class are taken by falling score from all recordings. Each takes the true
    segment of its recording and class that it overlaps most with among those not yet taken; it is
    right if that overlap is large enough. The average precision is the area under the precision at
    each recall, which is made to fall only (the rule of ActivityNet and of PASCAL VOC 2010).
    Classes without a true segment do not count.

    Args:
        true: True segments of each recording.
        predicted: Predicted segments of each recording, with scores.
        overlap: Smallest intersection over union of a right prediction.
    """
    labels = sorted({segment.label for segments in true for segment in segments})
    values = [_average_precision(true, predicted, label, overlap) for label in labels]
    return float(np.mean(values)) if values else float("nan")


def _average_precision(
    true: Sequence[Sequence[TimedLabel]],
    predicted: Sequence[Sequence[TimedLabel]],
    label: str,
    overlap: float,
) -> float:
    left = [[segment for segment in segments if segment.label == label] for segments in true]
    count = sum(map(len, left))
    ranked = sorted(
        (-segment.score, number, place)
        for number, segments in enumerate(predicted)
        for place, segment in enumerate(segments)
        if segment.label == label
    )
    right = []
    for _, number, place in ranked:
        segment, candidates = predicted[number][place], left[number]
        best = max(candidates, key=lambda other: temporal_iou(segment, other), default=None)
        is_right = best is not None and temporal_iou(segment, best) >= overlap
        if best is not None and is_right:
            candidates.remove(best)
        right.append(is_right)
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(right) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float((falling * np.array(right)).sum() / count)


def segmentation_metrics(
    true: Sequence[Sequence[TimedLabel]],
    predicted: Sequence[Sequence[TimedLabel]],
    frames: Sequence[int],
    fps: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Return all metrics of recordings, as plain values.

    Frames, and segments for F1, are pooled over all recordings; the edit score is the mean over
    recordings.

    Args:
        true: True segments of each recording.
        predicted: Predicted segments of each recording.
        frames: Number of frames of each recording.
        fps: Frames a unit of time of each recording; by default segments are in frames.
    """
    rates = fps or [1.0] * len(frames)
    together = list(zip(true, predicted, frames, rates, strict=True))
    labels = [
        (frame_labels(a, count, rate), frame_labels(b, count, rate))
        for a, b, count, rate in together
    ]
    nothing = OverlapCounts(0, 0, 0)
    counts = {
        overlap: sum((overlap_counts(a, b, overlap) for a, b, _, _ in together), nothing)
        for overlap in F1_OVERLAPS
    }
    middle = counts[0.50]
    return {
        "recordings": len(together),
        "segments": middle.true,
        "predicted": middle.predicted,
        "frame_accuracy": frame_accuracy(
            [label for a, _ in labels for label in a], [label for _, b in labels for label in b]
        ),
        "edit": float(np.mean([edit_score(a, b) for a, b, _, _ in together])),
        "f1": {f"{overlap:.2f}": found.f1 for overlap, found in counts.items()},
        "map": {
            f"{overlap:.2f}": mean_average_precision(true, predicted, overlap)
            for overlap in MAP_OVERLAPS
        },
        "recall": middle.recall,
        "false_positives": middle.predicted - middle.hits,
    }
