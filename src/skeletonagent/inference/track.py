"""Track: the frames of one person, or of two together, and the clips that are made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from skeletonagent.inference.movement import MovementMeter
from skeletonagent.inference.spans import FrameSpan, SpanFinder, SpanRules


@dataclass(frozen=True)
class WindowRules:
    """Lengths of what is classified, in frames.

    Args:
        window: Frames of a window.
        stride: Frames from the start of one window to that of the next.
        longest: Longest movement between two pauses that is taken for one action, at least a
            window.
        preview: Whether a movement is also classified while it goes on.
    """

    window: int
    stride: int
    longest: int
    preview: bool = False


@dataclass(frozen=True)
class ClipRequest:
    """Frames that are to be classified.

    Args:
        track: Name of the track.
        span: First frame of the movement that they belong to.
        start: First frame.
        joints: The frames of M bodies; NaN where a joint was not seen.
        is_preview: Whether they only serve for a first word on a movement that goes on.
    """

    track: str
    span: int
    start: int
    joints: Float[np.ndarray, "m t v c"]
    is_preview: bool = False

    @property
    def end(self) -> int:
        """Frame after the last one."""
        return self.start + int(self.joints.shape[1])


@dataclass(frozen=True)
class SpanEnd:
    """End of a movement, after the last of its clips.

    Args:
        track: Name of the track.
        start: First frame.
        end: Frame after the last one.
    """

    track: str
    start: int
    end: int


TrackItem = ClipRequest | SpanEnd


@dataclass
class PersonTrack:
    """Frames of one person or of two, of which only those are kept that a clip may still need.

    A movement between two pauses that is no longer than one action is one clip. Of a longer one,
    windows are taken from its start on, and a last one that ends with it.

    Args:
        name: Name of the track.
        fps: Frames a second.
        span_rules: What counts as movement.
        rules: Lengths of clips.
        coordinates: Number of leading channels that are coordinates.
        frame: Number of the first frame.
    """

    name: str
    fps: float
    span_rules: SpanRules
    rules: WindowRules
    coordinates: int
    frame: int = 0
    absent: int = field(default=0, init=False)
    _frames: list[Float[np.ndarray, "m v c"]] = field(default_factory=list, init=False)
    _seen: list[bool] = field(default_factory=list, init=False)
    _next_window: int | None = field(default=None, init=False)
    _previewed: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._dropped = self.frame
        self._meters: list[MovementMeter] = []
        self._finder = SpanFinder(self.span_rules, self.frame)

    @property
    def too_short(self) -> int:
        """Number of movements that were too short for an action."""
        return self._finder.too_short

    @property
    def is_still(self) -> bool:
        """Whether no movement is open."""
        return self._finder.start is None

    @property
    def movement_from(self) -> int:
        """First frame of the open movement; without one, the first at which the next may begin."""
        start = self._finder.start
        return self._finder.frame if start is None else start

    def push(self, joints: Float[np.ndarray, "m v c"], seen: bool) -> Iterator[TrackItem]:
        """Take the next frame, and yield what it completes.

        Args:
            joints: Bodies of the track; NaN where a joint was not seen.
            seen: Whether the bodies count as seen, and together where there are two.
        """
        if not self._meters:
            self._meters = [MovementMeter(self.fps) for _ in joints]
        self._frames.append(joints)
        self._seen.append(seen)
        self.frame += 1
        self.absent = 0 if seen else self.absent + 1
        speeds = [
            meter.push(body[:, : self.coordinates])
            for meter, body in zip(self._meters, joints, strict=True)
        ]
        yield from self._measured(speeds)
        self._forget()

    def finish(self) -> Iterator[TrackItem]:
        """Yield what is left, after the last frame."""
        yield from self._measured([meter.finish() for meter in self._meters])
        span = self._finder.start
        yield from self._closed(span, self._finder.finish())
        self._forget()

    def _measured(self, speeds: list[list[float]]) -> Iterator[TrackItem]:
        for together in zip(*speeds, strict=True):
            seen = self._seen[self._finder.frame - self._dropped]
            before = self._finder.start
            ended = self._finder.push(max(together), seen)
            yield from self._windows()
            if self._finder.start is None:
                yield from self._closed(before, ended)

    def _windows(self) -> Iterator[ClipRequest]:
        """Yield the windows of the open movement that are complete now."""
        start, confirmed = self._finder.start, self._finder.confirmed
        if start is None:
            return
        if self._next_window is None and confirmed - start > self.rules.longest:
            self._next_window = start
        if self._next_window is not None:
            while self._next_window + self.rules.window <= confirmed:
                yield self._clip(start, self._next_window, self._next_window + self.rules.window)
                self._next_window += self.rules.stride
        elif self.rules.preview and confirmed - max(start, self._previewed) >= self.rules.stride:
            self._previewed = confirmed
            yield self._clip(start, max(start, confirmed - self.rules.window), confirmed, True)

    def _closed(self, start: int | None, span: FrameSpan | None) -> Iterator[TrackItem]:
        """Yield the last clip of a movement and its end."""
        following, self._next_window = self._next_window, None
        if start is None or span is None:
            return
        _, end = span
        if following is None:
            yield self._clip(start, start, end)
        elif following - self.rules.stride + self.rules.window < end:
            yield self._clip(start, end - self.rules.window, end)
        yield SpanEnd(self.name, start, end)

    def _clip(self, span: int, start: int, end: int, is_preview: bool = False) -> ClipRequest:
        frames = self._frames[start - self._dropped : end - self._dropped]
        return ClipRequest(self.name, span, start, np.stack(frames, axis=1), is_preview)

    def _forget(self) -> None:
        """Drop frames that no clip needs any more."""
        start = self._finder.start
        if start is None:
            kept = self._finder.frame
        elif self._next_window is None:
            kept = start
        else:
            kept = self._next_window - self.rules.stride
        count = max(0, min(kept, self._finder.frame) - self._dropped)
        if count > self.rules.stride:  # not with every frame, which would move all others
            del self._frames[:count], self._seen[:count]
            self._dropped += count
