"""Neighbouring segments of one class are one across a short pause, and known soon after."""

from __future__ import annotations

import numpy as np
import pytest
from tests.inference.acting import acted, settings_of, task_of

from skeletonagent.inference.joining import SegmentJoiner, joined
from skeletonagent.inference.labelling import LabelledSpan
from skeletonagent.inference.segment_stream import SegmentEvent, SegmentStream


def span(start: int, end: int, label: int | None, share: float = 0.6) -> LabelledSpan:
    probs = np.array([share, 1 - share])
    return LabelledSpan(start, end, probs, np.array([share]), label)


def test_a_joined_segment_has_means_over_frames() -> None:
    both = joined(span(0, 10, 0, 0.6), span(14, 44, 0, 1.0))
    assert (both.start, both.end, both.label) == (0, 44, 0)
    np.testing.assert_allclose(both.probs, [0.9, 0.1])
    np.testing.assert_allclose(both.movement, [0.9])


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        (span(0, 10, 0), span(15, 30, 0), 1),  # a pause as long as the limit
        (span(0, 10, 0), span(16, 30, 0), 2),  # longer
        (span(0, 10, 0), span(12, 30, 1), 2),  # another class
        (span(0, 10, None), span(12, 30, None), 2),  # what is unknown may be two actions
        (span(0, 10, 0), span(12, 30, None), 2),
    ],
)
def test_segments_of_one_class_join_within_the_limit(
    first: LabelledSpan, second: LabelledSpan, count: int
) -> None:
    joiner = SegmentJoiner(limit=5)
    found = [*joiner.add("a", first), *joiner.add("b", span(9, 12, 0)), *joiner.add("a", second)]
    found += joiner.settle({})
    of_a = [segment for track, segment in found if track == "a"]
    assert len(of_a) == count and of_a[0].start == 0 and of_a[-1].end == 30
    assert [segment.end for track, segment in found if track == "b"] == [12]


def test_a_segment_is_held_only_while_another_may_join_it() -> None:
    joiner = SegmentJoiner(limit=5)
    assert list(joiner.add("a", span(0, 10, 0))) == []
    assert list(joiner.settle({"a": 15})) == []  # a movement that began at 15 would join
    ((track, segment),) = joiner.settle({"a": 16})
    assert track == "a" and segment.end == 10
    assert list(joiner.settle({})) == []


def repeated(pause: int) -> np.ndarray:
    """Return the same action twice, with a pause of some frames between."""
    one = acted([0], 30, pause=20)
    first, second = one[:50], one[20:]
    return np.concatenate([first, np.repeat(first[-1:], pause, axis=0), second])


@pytest.mark.parametrize(("pause", "count"), [(13, 1), (25, 2)])
def test_an_action_that_is_repeated_after_a_moment_is_one(pause: int, count: int) -> None:
    stream = SegmentStream(task_of(settings_of()))
    frames = repeated(pause)
    late, segments = [], []
    for frame in frames:
        for event in stream.push(frame):
            if isinstance(event, SegmentEvent):
                segments.append(event.segment)
                late.append(stream.frame - event.segment.end)
    segments += [e.segment for e in stream.finish() if isinstance(e, SegmentEvent)]
    assert [segment.label for segment in segments] == ["wave"] * count
    assert all(frames_late <= 30 for frames_late in late)  # a second
    offline = SegmentStream(task_of(settings_of()), previews=False, clips_at_once=50)
    events = [event for frame in frames for event in offline.push(frame)] + offline.finish()
    assert [event.segment for event in events] == segments
