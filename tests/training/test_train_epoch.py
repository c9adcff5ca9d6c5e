"""The order of an epoch: everybody once, bodies spread evenly, shares that make up the batch."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.training.train_epoch import BatchPlan, balance_by_persons

PERSONS = st.lists(st.integers(1, 3), min_size=1, max_size=80)


@given(persons=PERSONS, size=st.integers(8, 12), epoch=st.integers(0, 9), p=st.integers(1, 4))
def test_every_sample_is_learned_from_once(
    persons: list[int], size: int, epoch: int, p: int
) -> None:
    samples = torch.arange(len(persons))[torch.arange(len(persons)) % 3 != 1]
    plan = BatchPlan.draw(samples, torch.tensor(persons), size, seed=1, epoch=epoch, world_size=p)
    assert sorted(torch.cat(plan.batches).tolist()) == samples.tolist()
    assert all(len(batch) == size for batch in plan.batches[:-1])
    assert len(plan.batches) == 1 or len(plan.batches[-1]) >= 2 * p


@given(persons=PERSONS, size=st.integers(1, 20))
def test_batches_have_nearly_the_same_number_of_bodies(persons: list[int], size: int) -> None:
    bodies = torch.tensor(persons)
    order = balance_by_persons(torch.arange(len(persons)), bodies)
    chunks = [chunk for chunk in order.split(size) if len(chunk) == size]
    for count in bodies.unique():
        share = size * float((bodies == count).float().mean())
        for chunk in chunks:
            assert abs(int((bodies[chunk] == count).sum()) - share) <= len(bodies.unique())


def test_pairs_are_dealt_among_singles() -> None:
    persons = torch.tensor([1, 1, 2, 1, 1, 2, 1, 1])
    assert balance_by_persons(torch.arange(8), persons).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    crowded = torch.tensor([2, 2, 1, 1, 1, 1, 1, 1])
    assert balance_by_persons(torch.arange(8), crowded).tolist() == [2, 0, 3, 4, 5, 1, 6, 7]


@given(order=st.permutations(list(range(12))))
def test_where_all_are_as_many_the_order_stays(order: list[int]) -> None:
    assert (
        balance_by_persons(torch.tensor(order), torch.ones(12, dtype=torch.long)).tolist() == order
    )


@given(count=st.integers(1, 40), processes=st.integers(1, 5))
def test_shares_are_even_and_make_up_the_batch(count: int, processes: int) -> None:
    plan = BatchPlan(0, 0, (torch.randperm(count),))
    shares = [plan.rank_batch(0, process, processes) for process in range(processes)]
    assert sorted(torch.cat(shares).tolist()) == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_no_two_steps_draw_the_same_numbers() -> None:
    seeds = [
        BatchPlan(seed, epoch, ()).seed_of(step, process)
        for seed in range(3)
        for epoch in range(20)
        for step in range(20)
        for process in range(3)
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
