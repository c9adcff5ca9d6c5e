"""Spans of movement between pauses, found as frames come."""

from __future__ import annotations

from dataclasses import dataclass, field

FrameSpan = tuple[int, int]
"""First frame, and the frame after the last one."""


@dataclass(frozen=True)
class SpanRules:
    """Rules that separate movement from pauses; lengths in frames.

    Args:
        speed: Slowest movement, in body sizes a second; None if a body that is seen always counts
            as moving.
        pause: Frames without movement that end a span.
        shortest: Fewest frames of movement that are a span.
        pad: Frames after the movement that belong to it, if the body is seen in them.
        lead: Frames by which the speed sees a movement before it begins.
    """

    speed: float | None
    pause: int
    shortest: int
    pad: int
    lead: int = 0


@dataclass
class SpanFinder:
    """Spans of movement of one body.

    Args:
        rules: What counts as movement.
        frame: Number of the next frame.
    """

    rules: SpanRules
    frame: int = 0
    too_short: int = field(default=0, init=False)
    _first: int = field(default=-1, init=False)  # of the movement; -1 outside of a span
    _last: int = field(default=-1, init=False)
    _after: int = field(default=0, init=False)  # frames after the last, all with the body seen
    _still: int = field(default=0, init=False)  # frames before the first, with the body seen still
    _seen: int = field(default=0, init=False)  # frames up to now, all with the body seen

    @property
    def start(self) -> int | None:
        """First frame of the open span, None if there is none."""
        return None if self._first < 0 else self._first + min(self.rules.lead, self._still)

    @property
    def confirmed(self) -> int:
        """Frame after the last one that certainly belongs to the open span."""
        return self._last + 1

    def push(self, speed: float, seen: bool) -> FrameSpan | None:
        """Take the next frame, and return the span that it ends, if any."""
        number, self.frame = self.frame, self.frame + 1
        moving = seen and (self.rules.speed is None or speed > self.rules.speed)
        if moving:
            if self._first < 0:
                self._first, self._still = number, self._seen
            self._last, self._after = number, 0
        elif self._first >= 0 and seen and number == self._last + self._after + 1:
            self._after += 1
        self._seen = self._seen + 1 if seen else 0
        if self._first >= 0 and number - self._last >= self.rules.pause:
            return self.finish()
        return None

    def finish(self) -> FrameSpan | None:
        """Return the open span as far as it goes, None if there is none or it is too short."""
        start, last = self.start, self._last
        if start is None:
            return None
        end = last + 1 + min(self.rules.pad, self._after)
        self._first = -1
        self._seen = min(self._seen, self.frame - end)  # no frame belongs to two spans
        if last + 1 - start < self.rules.shortest:
            self.too_short += 1
            return None
        return start, end
