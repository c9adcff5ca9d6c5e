"""Pooling over persons against loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.models.person_pooling import bodies_to_run, mean_over_persons, person_weights
from skeletonagent.models.settings import PersonPooling


@given(present=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=4))
def test_person_weights_are_shares(present: list[list[bool]]) -> None:
    clips = torch.zeros(len(present), 3, 4, 5, 2)
    for n, bodies in enumerate(present):
        for m, there in enumerate(bodies):
            clips[n, m, -1, -1, -1] = -1.0 if there else 0.0
    weights = person_weights(clips, PersonPooling.PAPER)
    for bodies, row in zip(present, weights.tolist(), strict=True):
        counted = bodies if any(bodies) else [True] * 3
        assert row == pytest.approx([there / sum(counted) for there in counted])
    released = person_weights(clips, PersonPooling.RELEASED)
    torch.testing.assert_close(released, torch.full_like(released, 1 / 3))


def test_where_nobody_is_those_who_are_run_count_alike() -> None:
    clips = torch.zeros(2, 2, 4, 5, 2)
    clips[1, 0] = 1
    run = torch.tensor([[True, False], [True, False]])
    assert person_weights(clips, PersonPooling.PAPER, run).tolist() == [[1, 0], [1, 0]]
    run[0, 1] = True
    assert person_weights(clips, PersonPooling.PAPER, run).tolist() == [[0.5, 0.5], [1, 0]]


@given(
    n=st.integers(1, 4),
    m=st.integers(1, 3),
    seed=st.integers(0, 99),
    rest=st.sampled_from([(), (2,)]),
)
def test_mean_over_persons_equals_a_loop(n: int, m: int, seed: int, rest: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(n, m, generator=generator) < 0.5
    present[:, 0] = True
    clips = present[:, :, None, None, None].float().expand(n, m, 2, 2, 2)
    bodies = present.flatten().nonzero().flatten()
    features = torch.randn(len(bodies), 3, *rest, generator=generator)
    mean = mean_over_persons(features, clips, PersonPooling.PAPER, bodies)
    for clip in range(n):
        own = features[bodies // m == clip]
        torch.testing.assert_close(mean[clip], own.mean(0))


def test_absent_bodies_are_run_where_they_count() -> None:
    bodies = torch.tensor([0, 3])
    assert bodies_to_run(PersonPooling.PAPER, bodies) is bodies
    assert bodies_to_run(PersonPooling.PAPER, None) is None
    assert bodies_to_run(PersonPooling.RELEASED, bodies) is None
