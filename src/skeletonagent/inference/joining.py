"""Joining of neighbouring segments of one class across a short pause, as segments come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from skeletonagent.inference.labelling import LabelledSpan

LabelledTrack = tuple[str, LabelledSpan]
"""Name of a track, and a segment of it."""


def joined(first: LabelledSpan, second: LabelledSpan) -> LabelledSpan:
    """Return two segments of one label as one, with means over their frames."""
    one, two = first.end - first.start, second.end - second.start
    return LabelledSpan(
        first.start,
        second.end,
        (one * first.probs + two * second.probs) / (one + two),
        (one * first.movement + two * second.movement) / (one + two),
        first.label,
    )


@dataclass
class SegmentJoiner:
    """Segments of tracks, of which each is held until no other can join it.

    Args:
        limit: Largest number of frames between two segments of one class that are joined.
    """

    limit: int
    _held: dict[str, LabelledSpan] = field(default_factory=dict, init=False)

    def add(self, track: str, span: LabelledSpan) -> Iterator[LabelledTrack]:
        """Take the next segment of a track, and yield the one before if this does not join it."""
        before = self._held.pop(track, None)
        if before is not None and self._joins(before, span):
            span = joined(before, span)
        elif before is not None:
            yield track, before
        if span.label is None:  # nothing joins an unknown action
            yield track, span
        else:
            self._held[track] = span

    def _joins(self, before: LabelledSpan, span: LabelledSpan) -> bool:
        return span.label == before.label and span.start - before.end <= self.limit

    def settle(self, movement_from: Mapping[str, int]) -> Iterator[LabelledTrack]:
        """Yield the segments that nothing can join any more.

        Args:
            movement_from: First frame at which the next movement of each track may begin; a track
                that is not in it has none any more.
        """
        for track, span in list(self._held.items()):
            begin = movement_from.get(track)
            if begin is None or begin - span.end > self.limit:
                del self._held[track]
                yield track, span
