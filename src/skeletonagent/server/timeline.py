"""Probabilities of the classes over time: those of windows along a whole recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.inference.bodies_in_frame import LEAST_JOINTS
from skeletonagent.inference.recording_input import InputRecording

MOST_WINDOWS = 500
"""Largest number of windows of a recording; of longer ones, they are further apart."""

_SEEN_SHARE = 0.5
"""Least share of a window in which its person is seen."""

WindowScores = Callable[
    [Sequence[Float[np.ndarray, "m t v c"]], InputRecording], Float[np.ndarray, "n y"]
]
"""Class probabilities of windows of a recording."""


@dataclass(frozen=True)
class ScoredWindow:
    """Window of a person with the probability of each class.

    Args:
        person: Name of the person.
        start: First frame.
        end: Frame after the last one.
        probs: Probability of each class.
    """

    person: str
    start: int
    end: int
    probs: Float[np.ndarray, " y"]

    def to_json(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the window as plain values."""
        scores = zip(class_names, self.probs.tolist(), strict=True)
        return {
            "person": self.person,
            "start_frame": self.start,
            "end_frame": self.end,
            "scores": {name: round(score, 4) for name, score in scores},
        }


def score_timeline(
    recording: InputRecording,
    window: int,
    stride: int,
    scores: WindowScores,
    coordinates: int,
) -> list[ScoredWindow]:
    """Return the windows of each person alone with their probabilities, in order.

    Args:
        recording: The recording.
        window: Frames of a window.
        stride: Frames between the starts of windows, at least.
        scores: Function that returns the class probabilities of windows.
        coordinates: Number of leading channels that are coordinates.
    """
    seen = recording.seen(coordinates, LEAST_JOINTS)
    stride = max(stride, -(-seen.size // MOST_WINDOWS))
    places = [
        (row, start, end)
        for row in range(len(recording.joints))
        for start, end in _spans(seen[row], window, stride)
    ]
    if not places:
        return []
    probs = scores(
        [recording.joints[row : row + 1, start:end] for row, start, end in places], recording
    )
    return [
        ScoredWindow(recording.persons[row], start, end, one)
        for (row, start, end), one in zip(places, probs, strict=True)
    ]


def _spans(seen: Bool[np.ndarray, " t"], window: int, stride: int) -> Iterator[tuple[int, int]]:
    """Yield the windows in which somebody is seen for long enough; the last ends with the end."""
    length = len(seen)
    starts = list(range(0, max(1, length - window + 1), stride))
    if starts[-1] + window < length:
        starts.append(length - window)
    for start in starts:
        end = min(length, start + window)
        if seen[start:end].mean() >= _SEEN_SHARE:
            yield start, end
