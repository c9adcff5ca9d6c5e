from __future__ import annotations

import numpy as np
import pytest

from skeletonagent.inference.labelling import LabelledClip, LabelledSpan, LabelRules, SpanLabeller

RULES = LabelRules(
    np.array([True, True, True]), threshold=0.5, rest=2, window=8, stride=2, shortest=4
)


def probs_of(label: int, share: float = 0.9) -> np.ndarray:
    probs = np.full(3, (1 - share) / 2)
    probs[label] = share
    return probs


def labelled(
    clips: list[tuple[int, int, np.ndarray]], end: int, rules: LabelRules = RULES
) -> list[LabelledSpan]:
    labeller = SpanLabeller(rules, clips[0][0])
    spans = []
    for first, last, probs in clips:
        spans += labeller.add(LabelledClip(first, last, probs, np.ones(2)))
    return [*spans, *labeller.finish(end)]


def summary(spans: list[LabelledSpan]) -> list[tuple[int, int, int | None]]:
    return [(span.start, span.end, span.label) for span in spans]


def test_a_movement_of_one_clip_has_its_label() -> None:
    (span,) = labelled([(3, 10, probs_of(1))], 10)
    assert summary([span]) == [(3, 10, 1)]
    np.testing.assert_array_equal(span.probs, probs_of(1))


def test_below_the_threshold_it_is_unknown_and_rest_is_nothing() -> None:
    assert summary(labelled([(0, 9, probs_of(1, 0.4))], 9)) == [(0, 9, None)]
    assert labelled([(0, 9, probs_of(2))], 9) == []


def test_numbers_that_are_none_are_unknown() -> None:
    (span,) = labelled([(0, 9, np.full(3, np.nan))], 9)
    assert span.label is None and not span.probs.any()
    free = LabelRules(RULES.allowed, 0.0, None, 8, 2, 4)
    assert summary(labelled([(0, 9, np.zeros(3))], 9, free)) == [(0, 9, None)]


def test_classes_that_are_not_possible_do_not_count() -> None:
    rules = LabelRules(np.array([True, False, True]), 0.5, None, 8, 2, 4)
    (span,) = labelled([(0, 9, probs_of(1))], 9, rules)
    assert span.label is None and span.probs[1] == 0


def windows(labels: list[int], start: int = 0) -> list[tuple[int, int, np.ndarray]]:
    return [(start + 2 * n, start + 2 * n + 8, probs_of(label)) for n, label in enumerate(labels)]


def test_windows_of_one_label_are_one_segment() -> None:
    assert summary(labelled(windows([0] * 7, start=5), 25)) == [(5, 25, 0)]


def test_a_change_lies_in_the_middle_of_the_windows_around_it() -> None:
    # Middles are 4 to 12 and 14 to 22; from 12 to 14 both are as near, and the first class stays.
    clips = windows([0] * 5 + [1] * 5)
    assert summary(labelled(clips, 26)) == [(0, 14, 0), (14, 26, 1)]


def test_a_window_by_itself_is_smoothed_away() -> None:
    assert summary(labelled(windows([0] * 4 + [1] + [0] * 4), 24)) == [(0, 24, 0)]


def test_stretches_of_rest_separate_segments() -> None:
    clips = windows([0] * 5 + [2] * 6 + [0] * 5)
    first, second = labelled(clips, 38)
    assert (first.start, first.label, second.end, second.label) == (0, 0, 38, 0)
    assert first.end < second.start


def test_weights_are_those_of_the_distance_to_the_middle() -> None:
    rules = LabelRules(np.array([True, True]), 0.0, None, window=4, stride=2, shortest=1)
    clips = [(0, 4, np.array([1.0, 0])), (2, 6, np.array([0, 1.0]))]
    spans = labelled(clips, 6, rules)
    # The stretch 2 to 4 lies one frame from the middle of either window: half and half.
    assert summary(spans) == [(0, 4, 0), (4, 6, 1)]
    np.testing.assert_allclose(spans[0].probs, [(1 + 0.5) / 2, 0.25])


def test_a_segment_is_given_as_soon_as_nothing_can_change_it() -> None:
    labeller, given = SpanLabeller(RULES, 0), []
    for number, label in enumerate([0] * 8 + [1] * 12):
        clip = LabelledClip(2 * number, 2 * number + 8, probs_of(label), np.ones(2))
        given.append(summary(list(labeller.add(clip))))
        assert len(labeller._cells) <= 4
    assert [spans for spans in given if spans] == [[(0, 20, 0)]]
    assert given[11] == [(0, 20, 0)]  # with the second stretch of the other label


def test_a_last_window_may_end_anywhere() -> None:
    clips = [*windows([0] * 4), (7, 15, probs_of(0))]
    assert summary(labelled(clips, 15)) == [(0, 15, 0)]


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 0, 1, 0], [1, 0, 0, 2, 1, 1]])
def test_segments_cover_a_movement_without_rest(labels: list[int]) -> None:
    rules = LabelRules(np.array([True] * 3), 0.0, None, 8, 2, 4)
    spans = labelled(windows(labels), 2 * len(labels) + 6, rules)
    assert [span.start for span in spans] == [0, *(span.end for span in spans[:-1])]
    assert spans[-1].end == 2 * len(labels) + 6
