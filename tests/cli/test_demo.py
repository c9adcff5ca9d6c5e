"""How the demo scores the joints the agents chose."""

from __future__ import annotations

import pytest

from skeletonagent.cli.demo import in_words, score_joints
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import KINECT_25
from skeletonagent.data.synthetic.generate import SYNTHETIC_PAIRS, true_joints
from skeletonagent.evaluation.significance import Estimate


def told(*classes: ClassGuidance) -> list[Guidance]:
    return [Guidance(KINECT_25, classes)]


def test_by_hand() -> None:
    nod = ClassGuidance("nod", (2, 3, 7, 8), "", ("wave", "shake head"))  # 2 of 4, and 2 of 2
    kick = ClassGuidance("kick", (14,), "", ("step",))  # 1 of 1, and 1 of 4
    alone = ClassGuidance("step", (1, 2), "", ("bow",))  # no known truth
    unasked = ClassGuidance("bow", (1, 2), "")
    assert score_joints(told(nod, kick, alone, unasked)) == {
        "precision": pytest.approx(3 / 5), "recall": pytest.approx(3 / 6), "classes": 2,
    }  # fmt: skip


def test_the_truth_is_perfect() -> None:
    classes = [
        ClassGuidance(action, tuple(sorted(true_joints(action, pair.actions))), "", pair.actions)
        for pair in SYNTHETIC_PAIRS
        for action in pair.actions
    ]
    assert score_joints(told(*classes)) == {"precision": 1, "recall": 1, "classes": 18}


def test_joints_of_several_runs_are_counted_together() -> None:
    right, wrong = (
        told(ClassGuidance("kick", (14,), "", ("step",))),
        told(ClassGuidance("kick", (3,), "", ("step",))),
    )
    assert score_joints([*right, *wrong]) == {
        "precision": 1 / 2, "recall": 1 / 8, "classes": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (Estimate(0.01, -0.002, 0.022, 3), "+1.0 points (95 % interval -0.2 to +2.2); 3 pairs"),
        (Estimate(-0.02, -0.03, -0.01, 3), "-2.0 points (95 % interval -3.0 to -1.0)"),
        (Estimate(0.02, None, None, 1), "+2.0 points; one pair of runs says nothing"),
    ],
)
def test_a_difference_is_told_with_what_it_is_worth(difference: Estimate, words: str) -> None:
    assert in_words(difference).startswith(words)
    assert ("chance" in in_words(difference)) == ("3 pairs" in words)


def test_nothing_chosen_is_nothing_found() -> None:
    assert score_joints(told(ClassGuidance("nod", (), "", ("shake head",)))) == {
        "precision": 0, "recall": 0, "classes": 1,
    }  # fmt: skip
    assert score_joints(told(ClassGuidance("nod", (2,), ""))) == {
        "precision": 0, "recall": 0, "classes": 0,
    }  # fmt: skip
