"""Learning curve: accuracy by the number of training clips, and what more clips would bring."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from skeletonagent.evaluation.power_law import FEWEST_SIZES, PowerLaw, fit_power_law
from skeletonagent.evaluation.significance import Estimate, mean_interval, paired_difference

ALL = "all"
"""Name of the size at which all training clips are used."""

RECOGNIZER = "recognizer"
"""Name of the trained recognizer among the methods of a curve."""

_ENOUGH = 0.9
"""Share of the accuracy with all clips, from which on a smaller number of clips is pointed out."""


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy of a method with so many training clips of a class.

    Args:
        method: Name of the method; :data:`RECOGNIZER` is the trained one.
        size: Largest number of clips of a class, as text, or ``all``.
        clips: Mean number of clips of a class, which is smaller where classes have fewer.
        top1: Top-1 accuracy of each draw on the test set.
        mean: Their mean with its t-interval.
    """

    method: str
    size: str
    clips: float
    top1: tuple[float, ...]
    mean: Estimate

    @property
    def label(self) -> str:
        """Number of clips of a class, with their mean where it is another: ``20 (14.3)``."""
        clips = f"{self.clips:.3g}"
        return clips if clips == self.size else f"{self.size} ({clips})"


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy of methods by the number of training clips of a class.

    Intervals are over draws of the clips and seeds of the training, for one test set.

    Args:
        data: Name of the data set.
        split: Name of the split.
        classes: Number of classes that have training clips.
        test_samples: Number of samples in the test set.
        points: Points by method and ascending number of clips.
    """

    data: str
    split: str
    classes: int
    test_samples: int
    points: tuple[CurvePoint, ...]

    def method(self, name: str) -> list[CurvePoint]:
        """Return the points of a method, in ascending order of clips."""
        return [point for point in self.points if point.method == name]

    @property
    def methods(self) -> list[str]:
        """Names of the methods in their order."""
        return list(dict.fromkeys(point.method for point in self.points))

    @cached_property
    def power_law(self) -> PowerLaw | None:
        """Power law of the recognizer's mean error; None if it cannot be fitted."""
        points = self.method(RECOGNIZER)
        return fit_power_law(_clips(points), [1 - point.mean.mean for point in points])

    @cached_property
    def doubling(self) -> Estimate | None:
        """Gain in accuracy by twice the largest number of clips, extrapolated along the power law.

        The interval is that over draws, each with a law of its own; one draw has none.
        """
        points = self.method(RECOGNIZER)
        if self.power_law is None:
            return None
        clips = _clips(points)
        draws = zip(*(point.top1 for point in points), strict=True)
        laws = [fit_power_law(clips, [1 - value for value in values]) for values in draws]
        if any(law is None for law in laws):
            gain = self.power_law.gain(clips[-1], 2 * clips[-1])
            return Estimate(gain, None, None, len(laws))
        return mean_interval([law.gain(clips[-1], 2 * clips[-1]) for law in laws if law])

    def sentences(self) -> list[str]:
        """Return in words what the curve says, and what it does not."""
        points = self.method(RECOGNIZER)
        return [
            *_reached(points),
            *_last_step(points),
            self._about_more(),
            *_about_references(self),
        ]

    def _about_more(self) -> str:
        points = self.method(RECOGNIZER)
        if self.power_law is None or self.doubling is None:
            few = len(points) < FEWEST_SIZES
            return "What more clips would bring is not estimated: " + (
                f"a power law takes {FEWEST_SIZES} numbers of clips, this curve has {len(points)}."
                if few
                else "no power law fits the errors."
            )
        last = points[-1]
        misses = max(
            abs(1 - point.mean.mean - self.power_law.error(point.clips)) for point in points
        )
        return (
            f"Extrapolated: twice as many clips a class, {2 * last.clips:.3g} in place of "
            f"{last.clips:.3g}, would bring about {_points(self.doubling)}, along a power law that "
            f"is up to {100 * misses:.1f} points off the measured means."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the curve as plain values, with what it says in words."""
        return {
            **asdict(self),
            "power_law": asdict(self.power_law) if self.power_law else None,
            "doubling": asdict(self.doubling) if self.doubling else None,
            "sentences": self.sentences(),
        }

    def to_csv(self) -> str:
        """Return the accuracies as CSV, a line for each method, size and draw."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["method", "size", "clips_per_class", "draw", "top1"])
        for point in self.points:
            for draw, value in enumerate(point.top1):
                clips = f"{point.clips:g}"
                writer.writerow([point.method, point.size, clips, draw, f"{value:.6f}"])
        return text.getvalue()


def curve_points(
    method: str, clips: Mapping[str, float], top1: Mapping[str, Sequence[float]]
) -> list[CurvePoint]:
    """Return the points of a method.

    Args:
        method: Name of the method.
        clips: Mean number of clips of a class, by size.
        top1: Accuracy of each draw, by size.
    """
    return [
        CurvePoint(method, size, clips[size], tuple(values), mean_interval(values))
        for size, values in top1.items()
    ]


def _clips(points: Sequence[CurvePoint]) -> list[float]:
    return [point.clips for point in points]


def _reached(points: Sequence[CurvePoint]) -> list[str]:
    """Return at which smaller number of clips most of the accuracy is reached already."""
    last = points[-1]
    if len(points) < 2 or last.mean.mean <= 0:
        return []
    shares = {point.size: point.mean.mean / last.mean.mean for point in points[:-1]}
    size = next((size for size, share in shares.items() if share >= _ENOUGH), points[-2].size)
    whole = "all" if last.size == ALL else f"{last.size} clips a class"
    sentence = (
        f"With {_clips_a_class(size)} you have {shares[size]:.0%} of the accuracy that {whole} "
        f"bring, {last.mean.mean:.1%}."
    )
    return [sentence]


def _last_step(points: Sequence[CurvePoint]) -> list[str]:
    """Return what the last step of the curve brought, which was measured."""
    if len(points) < 2:
        return []
    before, last = points[-2:]
    gain = paired_difference(last.top1, before.top1)
    span = f"from {before.clips:.3g} to {last.clips:.3g} clips a class"
    return [f"Measured: {span} brought {_points(gain)}."]


def _about_references(curve: LearningCurve) -> list[str]:
    """Return by how much the recognizer differs from each other method, with the most clips."""
    chief = {point.size: point for point in curve.method(RECOGNIZER)}
    sentences = []
    for other in (curve.method(name)[-1] for name in curve.methods if name != RECOGNIZER):
        clips = "all clips" if other.size == ALL else _clips_a_class(other.size)
        difference = _points(paired_difference(chief[other.size].top1, other.top1))
        sentences.append(f"With {clips}, recognizer minus {other.method}: {difference}.")
    return sentences


def _clips_a_class(size: str) -> str:
    return f"{size} clip{'' if size == '1' else 's'} a class"


def _points(gain: Estimate) -> str:
    """Return a difference of accuracies in percentage points, with its interval."""
    text = f"{100 * gain.mean:+.1f} points"
    if gain.low is None or gain.high is None:
        return f"{text} ({'one draw, ' if gain.n == 1 else ''}no interval)"
    if math.isclose(gain.low, gain.high):
        return text
    return f"{text} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
