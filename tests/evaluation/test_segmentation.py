"""Metrics of segmentation, with values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.evaluation.segmentation import (
    TimedLabel,
    edit_score,
    frame_accuracy,
    frame_labels,
    mean_average_precision,
    overlap_counts,
    segmentation_metrics,
    temporal_iou,
)


def segments(*given_as: tuple[float, float, str] | tuple[float, float, str, float]):
    return [TimedLabel(*one) for one in given_as]


# Ten frames: wave in 0 to 3, nothing, sit in 5 to 9.
TRUE = segments((0, 4, "wave"), (5, 10, "sit"))


def test_frames_have_the_label_of_their_segment() -> None:
    assert frame_labels(TRUE, 10) == ["wave"] * 4 + [None] + ["sit"] * 5
    assert frame_labels(segments((0.5, 1.0, "a")), 4, fps=2) == [None, "a", None, None]
    assert frame_labels(segments((-3, 99, "a")), 2) == ["a", "a"]
    assert frame_labels([], 2) == [None, None]


def test_frame_accuracy() -> None:
    predicted = frame_labels(segments((1, 5, "wave"), (5, 8, "sit")), 10)
    # Wrong are the frames 0, 4, 8 and 9.
    assert frame_accuracy(frame_labels(TRUE, 10), predicted) == pytest.approx(0.6)
    assert math.isnan(frame_accuracy([], []))
    with pytest.raises(ValueError, match="2 frames have 1"):
        frame_accuracy([1, 2], [1])


@pytest.mark.parametrize(
    ("true", "predicted", "score"),
    [
        ("abc", "abc", 1),
        ("abc", "ac", 1 - 1 / 3),  # one is missing
        ("abc", "abbc", 1 - 1 / 4),  # one too many
        ("abcd", "acbd", 1 - 2 / 4),  # two exchanged
        ("ab", "", 0),
        ("", "", 1),
        ("ab", "cd", 0),
    ],
)
def test_edit_score(true: str, predicted: str, score: float) -> None:
    first = segments(*((n, n + 1, label) for n, label in enumerate(true)))
    second = segments(*((10 * n, 10 * n + 3, label) for n, label in enumerate(predicted)))
    assert edit_score(first, second) == pytest.approx(score)
    assert edit_score(second[::-1], first) == pytest.approx(score)


def test_overlaps() -> None:
    one = TimedLabel(0, 4, "a")
    assert temporal_iou(one, TimedLabel(2, 6, "a")) == pytest.approx(2 / 6)
    assert temporal_iou(one, TimedLabel(1, 3, "a")) == pytest.approx(2 / 4)
    assert temporal_iou(one, TimedLabel(4, 9, "a")) == 0
    assert temporal_iou(TimedLabel(3, 3, "a"), TimedLabel(3, 3, "a")) == 0


def test_f1_at_overlaps() -> None:
    # wave 1-5 overlaps 3/5 = 0.6 with 0-4; sit 5-7 overlaps 2/5 = 0.4 with 5-10; run is none.
    predicted = segments((1, 5, "wave"), (5, 7, "sit"), (7, 10, "run"))
    f1 = [overlap_counts(TRUE, predicted, overlap).f1 for overlap in (0.1, 0.25, 0.5, 0.7)]
    # Two hits of 3 predicted and 2 true: 2 * 2 / 5. One hit: 2 / 5.
    assert f1 == pytest.approx([0.8, 0.8, 0.4, 0])
    assert overlap_counts(TRUE, predicted, 0.5).recall == 0.5


def test_a_true_segment_is_hit_once() -> None:
    halves = segments((0, 2, "wave"), (2, 4, "wave"))
    counts = overlap_counts(segments((0, 4, "wave")), halves, 0.5)
    assert (counts.hits, counts.predicted, counts.true) == (1, 2, 1)
    assert counts.f1 == pytest.approx(2 / 3)
    assert overlap_counts([], [], 0.5).f1 == 1 and math.isnan(overlap_counts([], [], 0.5).recall)


def test_mean_average_precision() -> None:
    true = [segments((0, 10, "a"), (20, 30, "a"), (40, 50, "b")), segments((0, 10, "a"))]
    predicted = [
        segments((0, 10, "a", 0.9), (60, 70, "a", 0.8), (20, 29, "a", 0.7), (40, 44, "b", 0.9)),
        segments((5, 10, "a", 0.6)),
    ]
    # a: right, wrong, right, right at 0.5 (IoU 0.5): precisions 1, 1/2, 2/3, 3/4; made to fall
    # only: 1, 3/4, 3/4, 3/4. Average over 3 true ones: (1 + 3/4 + 3/4) / 3 = 5/6.
    # b: IoU 0.4, wrong: 0. Mean: 5/12.
    assert mean_average_precision(true, predicted, 0.5) == pytest.approx(5 / 12)
    # At 0.3 b is right too: (5/6 + 1) / 2.
    assert mean_average_precision(true, predicted, 0.3) == pytest.approx(11 / 12)
    # At 0.8 the last a is wrong: (1 + 2/3) / 3 = 5/9, and b 0.
    assert mean_average_precision(true, predicted, 0.8) == pytest.approx(5 / 18)
    assert math.isnan(mean_average_precision([[]], predicted[:1], 0.5))
    assert mean_average_precision(true, [[], []], 0.5) == 0


def test_all_metrics_of_recordings() -> None:
    predicted = segments((1, 5, "wave"), (5, 7, "sit"), (7, 10, "run"))
    found = segmentation_metrics([TRUE, []], [predicted, []], [10, 10])
    # Of the first ten frames 0, 4, 7, 8 and 9 are wrong, of the second ten none.
    assert found["frame_accuracy"] == pytest.approx(15 / 20)
    # One deletion from three labels, and two empty sequences.
    assert found["edit"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["f1"] == pytest.approx({"0.10": 0.8, "0.25": 0.8, "0.50": 0.4})
    assert found["map"] == pytest.approx({"0.30": 1, "0.50": 0.5, "0.70": 0})
    assert (found["segments"], found["predicted"], found["false_positives"]) == (2, 3, 2)
    assert found["recall"] == 0.5


TIMES = st.tuples(st.integers(0, 30), st.integers(1, 10), st.sampled_from("abc"))


@given(st.lists(TIMES, max_size=6), st.lists(TIMES, max_size=6))
def test_metrics_are_shares_and_perfect_for_the_truth(
    first: list[tuple[int, int, str]], second: list[tuple[int, int, str]]
) -> None:
    true, predicted = (
        segments(*((start, start + length, label) for start, length, label in drawn))
        for drawn in (first, second)
    )
    found = segmentation_metrics([true], [predicted], [40])
    shares = [found["frame_accuracy"], found["edit"], *found["f1"].values()]
    assert all(0 <= share <= 1 for share in shares)
    assert found["f1"]["0.10"] >= found["f1"]["0.25"] >= found["f1"]["0.50"]
    same = segmentation_metrics([true], [true], [40])
    assert same["frame_accuracy"] == same["edit"] == 1
