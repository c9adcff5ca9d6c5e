"""Other weights than the paper's: what stays the same, and what they do by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.training.emphasis import JointWeights, Schedule, among_rivals, weighted

seeds = st.integers(0, 9999)


@pytest.mark.parametrize("schedule", Schedule)
@given(steps=st.integers(1, 30))
def test_schedules_have_the_same_mean(schedule: Schedule, steps: int) -> None:
    middles = [(n + 0.5) / steps for n in range(steps)]
    assert sum(map(schedule.factor, middles)) / steps == pytest.approx(1)
    assert all(schedule.factor(progress) >= 0 for progress in (0, 0.5, 1))


def test_schedules_by_hand() -> None:
    ends = {s: (s.factor(0), s.factor(0.25), s.factor(1)) for s in Schedule}
    assert ends == {
        Schedule.CONSTANT: (1, 1, 1),
        Schedule.FADING: (2, 1.5, 0),
        Schedule.RISING: (0, 0.5, 2),
    }


@pytest.mark.parametrize("weights", JointWeights)
@given(y=st.integers(1, 6), v=st.integers(1, 8), seed=seeds)
def test_weights_are_positive_where_joints_are_salient(
    weights: JointWeights, y: int, v: int, seed: int
) -> None:
    mask = torch.rand(y, v, generator=torch.Generator().manual_seed(seed)) < 0.5
    told = weighted(mask, weights)
    assert torch.equal(told > 0, mask)
    for label, row in enumerate(mask.tolist()):
        for joint, salient in enumerate(row):
            expected = {
                JointWeights.EQUAL: 1.0,
                JointWeights.MEAN: 1 / max(1, sum(row)),
                JointWeights.RARE: math.log((y + 1) / max(1, int(mask[:, joint].sum()))),
            }[weights]
            assert float(told[label, joint]) == pytest.approx(expected * salient, rel=1e-5)


def test_a_joint_of_one_class_counts_more_than_one_of_all() -> None:
    told = weighted(torch.tensor([[True, True], [True, False]]), JointWeights.RARE)
    assert told.tolist() == [
        pytest.approx([math.log(1.5), math.log(3)]),
        pytest.approx([math.log(1.5), 0]),
    ]


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=6), share=st.floats(0, 1), seed=seeds
)
def test_only_rivals_compete(labels: list[int], share: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(labels), 5, generator=generator)
    rivals = torch.rand(5, 5, generator=generator) < share
    rivals.fill_diagonal_(False)
    loss = F.cross_entropy(among_rivals(logits, torch.tensor(labels), rivals), torch.tensor(labels))
    expected = 0.0
    for row, label in zip(logits.tolist(), labels, strict=True):
        competing = [y for y in range(5) if rivals[label, y]] or list(range(5))
        others = sum(math.exp(row[y]) for y in {*competing, label})
        expected += (math.log(others) - row[label]) / len(labels)
    assert float(loss) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_without_rivals_all_compete() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0]])
    none = torch.zeros(3, 3, dtype=torch.bool)
    assert torch.equal(among_rivals(logits, torch.tensor([1]), none), logits)
    none[1, 0] = True
    assert among_rivals(logits, torch.tensor([1]), none).tolist() == [[1.0, 2.0, -math.inf]]
