"""Labels of a movement: class probabilities of its clips become segments of one class each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

UNKNOWN_LABEL = "unknown"
"""Label of a segment whose most probable class is not probable enough."""

_UNKNOWN, _REST = -1, -2


@dataclass(frozen=True)
class LabelRules:
    """Rules by which probabilities become labels.

    Args:
        allowed: Classes that are possible; others count as improbable.
        threshold: Smallest probability of a label; below it a segment is unknown.
        rest: Index of the class of which nothing is reported, None if there is none.
        window: Frames of a window.
        stride: Frames from the start of one window to that of the next.
        shortest: Fewest frames of a segment within a longer movement.
    """

    allowed: Bool[np.ndarray, " y"]
    threshold: float
    rest: int | None
    window: int
    stride: int
    shortest: int

    def label(self, probs: Float[np.ndarray, " y"]) -> int:
        """Return the index of the label, negative for an unknown action and for rest."""
        best = int(probs.argmax())
        if probs[best] < self.threshold or not probs[best] > 0:
            return _UNKNOWN
        return _REST if best == self.rest else best


@dataclass(frozen=True)
class LabelledClip:
    """Clip with its class probabilities.

    Args:
        start: First frame.
        end: Frame after the last one.
        probs: Probability of each class; zeros if nothing could be recognized.
        movement: Movement of each joint.
    """

    start: int
    end: int
    probs: Float[np.ndarray, " y"]
    movement: Float[np.ndarray, " v"]


@dataclass(frozen=True)
class LabelledSpan(LabelledClip):
    """Frames that one label holds for.

    Args:
        label: Index of the label, None for an unknown action.
    """

    label: int | None


@dataclass
class _Sum:
    """Weighted sum of the clips around some frames."""

    probs: Float[np.ndarray, " y"]
    movement: Float[np.ndarray, " v"]
    weight: float = 0.0

    def add(self, clip: LabelledClip, weight: float) -> None:
        self.probs = self.probs + weight * clip.probs
        self.movement = self.movement + weight * clip.movement
        self.weight += weight


@dataclass
class SpanLabeller:
    """Labeller of one movement, clip after clip.

    A movement of one clip has one label. Of a longer one, each stretch as long as the stride has
    the mean probabilities of the windows around it, those weighing most whose middle is nearest,
    and neighbours of one label are one segment. Segments that are too short join a neighbour, the
    one before if there is one.

    Args:
        rules: How probabilities become labels.
        start: First frame of the movement.
    """

    rules: LabelRules
    start: int
    _cells: dict[int, _Sum] = field(default_factory=dict, init=False)
    _windows: int = field(default=0, init=False)
    _final: int = field(default=0, init=False)
    _whole: LabelledClip | None = field(default=None, init=False)
    _segments: _Merger = field(init=False)

    def __post_init__(self) -> None:
        self._segments = _Merger(self.rules)

    def add(self, clip: LabelledClip) -> Iterator[LabelledSpan]:
        """Take the next clip, and yield the segments that cannot change any more."""
        probs = np.where(self.rules.allowed & np.isfinite(clip.probs), clip.probs, 0)
        clip = LabelledClip(clip.start, clip.end, probs, clip.movement)
        self._windows += 1
        if self._windows == 1:
            self._whole = clip
        stride = self.rules.stride
        last = -(-(clip.end - self.start) // stride)
        middle, half = (clip.start + clip.end) / 2, (clip.end - clip.start) / 2
        for number in range(max(self._final, (clip.start - self.start) // stride), last):
            away = abs(self.start + (number + 0.5) * stride - middle)
            nothing = _Sum(np.zeros_like(clip.probs), np.zeros_like(clip.movement))
            self._cells.setdefault(number, nothing).add(clip, max(1 - away / half, 1e-3))
        # No later window reaches the stretch that this one begins with.
        if (clip.start - self.start) % stride == 0:
            yield from self._finalize((clip.start - self.start) // stride + 1)

    def finish(self, end: int) -> Iterator[LabelledSpan]:
        """Yield the remaining segments.

        Args:
            end: Frame after the last one of the movement.
        """
        if self._windows == 1 and self._whole is not None and self._whole.end == end:
            label = self.rules.label(self._whole.probs)
            clip = self._whole
            if label != _REST:
                known = None if label == _UNKNOWN else label
                yield LabelledSpan(clip.start, end, clip.probs, clip.movement, known)
            return
        yield from self._finalize(-(-(end - self.start) // self.rules.stride), end)
        yield from self._segments.finish()

    def _finalize(self, count: int, end: int | None = None) -> Iterator[LabelledSpan]:
        stride = self.rules.stride
        for number in range(self._final, count):
            cell, first = self._cells.pop(number), self.start + number * stride
            after = first + stride if end is None else min(first + stride, end)
            probs = cell.probs / cell.weight
            clip = LabelledClip(first, after, probs, cell.movement / cell.weight)
            yield from self._segments.add(clip, self.rules.label(probs))
        self._final = max(self._final, count)


@dataclass
class _Stretch:
    """Neighbouring frames of one label, as sums over them."""

    label: int
    start: int
    end: int
    probs: Float[np.ndarray, " y"]
    movement: Float[np.ndarray, " v"]

    def join(self, other: _Stretch) -> None:
        self.end = other.end
        self.probs = self.probs + other.probs
        self.movement = self.movement + other.movement

    def precede(self, other: _Stretch) -> None:
        self.start = other.start
        self.probs = self.probs + other.probs
        self.movement = self.movement + other.movement

    @property
    def frames(self) -> int:
        return self.end - self.start


@dataclass
class _Merger:
    """Segments of neighbours with one label; those that are too short join a neighbour."""

    rules: LabelRules
    _current: _Stretch | None = field(default=None, init=False)
    _candidate: _Stretch | None = field(default=None, init=False)

    def add(self, clip: LabelledClip, label: int) -> Iterator[LabelledSpan]:
        frames = clip.end - clip.start
        new = _Stretch(label, clip.start, clip.end, frames * clip.probs, frames * clip.movement)
        current, candidate = self._current, self._candidate
        if current is None:
            self._current = new
            return
        if candidate is not None and label == candidate.label:
            candidate.join(new)
        elif candidate is not None:
            current.join(candidate)
            self._candidate = None if label == current.label else new
            if self._candidate is None:
                current.join(new)
        elif label == current.label:
            current.join(new)
        else:
            self._candidate = new
        candidate = self._candidate
        if candidate is not None and candidate.frames >= self.rules.shortest:
            if current.frames >= self.rules.shortest:
                yield from self._segment(current)
            else:
                candidate.precede(current)
            self._current, self._candidate = candidate, None

    def finish(self) -> Iterator[LabelledSpan]:
        if self._current is not None and self._candidate is not None:
            self._current.join(self._candidate)
        if self._current is not None:
            yield from self._segment(self._current)
        self._current = self._candidate = None

    def _segment(self, stretch: _Stretch) -> Iterator[LabelledSpan]:
        if stretch.label == _REST:
            return
        label = None if stretch.label == _UNKNOWN else stretch.label
        probs, movement = stretch.probs / stretch.frames, stretch.movement / stretch.frames
        yield LabelledSpan(stretch.start, stretch.end, probs, movement, label)
