"""``demo``: a difference of accuracies in words."""

from __future__ import annotations

import pytest

from skeletonagent.cli.demo import difference_in_words
from skeletonagent.evaluation.significance import Estimate


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (Estimate(0.01, -0.002, 0.022, 3), "+1.0 points (95 % interval -0.2 to +2.2); 3 pairs"),
        (Estimate(-0.02, -0.03, -0.01, 3), "-2.0 points (95 % interval -3.0 to -1.0)"),
        (Estimate(0.02, None, None, 1), "+2.0 points; one pair of runs says nothing"),
    ],
)
def test_a_difference_is_qualified(difference: Estimate, words: str) -> None:
    assert difference_in_words(difference).startswith(words)
    assert ("chance" in difference_in_words(difference)) == ("3 pairs" in words)
