"""Epochs of a training, and learning rate and EMA decay of each step."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.training.schedule import (
    FEWEST_STEPS,
    TrainingSchedule,
    count_steps,
    learning_rate_at,
)
from skeletonagent.training.settings import TrainSettings
from skeletonagent.training.train_epoch import BatchPlan


def schedule(epoch_steps: int, **settings: float) -> TrainingSchedule:
    """Return the schedule of epochs of so many steps."""
    chosen = TrainSettings(batch_size=2, **settings)  # type: ignore[arg-type]
    return TrainingSchedule.plan(chosen, 2 * epoch_steps)


@given(epochs=st.integers(1, 200), steps=st.integers(1, 1000), ema_decay=st.floats(0, 0.999))
def test_the_average_reaches_back_over_a_tenth_of_the_steps_at_most(
    epochs: int, steps: int, ema_decay: float
) -> None:
    plan = schedule(steps, epochs=epochs, ema_decay=ema_decay)
    kept = plan.hyperparameters(0, 0).ema_decay
    assert 0 <= kept <= ema_decay
    assert 1 / (1 - kept) <= max(epochs * steps / 10, 1) * (1 + 1e-9)
    if epochs * steps >= 10 / (1 - ema_decay):
        assert kept == ema_decay
    counted = schedule(steps, steps=epochs * steps, ema_decay=ema_decay)
    assert counted.hyperparameters(0, 0).ema_decay == pytest.approx(kept)


def test_an_average_of_a_short_training_by_hand() -> None:
    settings = {"epochs": 5, "ema_decay": 0.98}
    assert schedule(20, **settings).hyperparameters(4, 0).ema_decay == pytest.approx(
        0.9
    )  # 100 steps, 10 of them
    assert schedule(100, **settings).hyperparameters(4, 0).ema_decay == 0.98
    assert schedule(1, **settings).hyperparameters(0, 0).ema_decay == 0


def test_the_rate_is_that_of_the_step() -> None:
    settings = TrainSettings(epochs=8, warmup_epochs=1, learning_rate=0.1, batch_size=2)
    plan = TrainingSchedule.plan(settings, 8)
    for epoch, step in [(0, 0), (0, 3), (5, 2)]:
        expected = learning_rate_at(epoch + step / 4, settings)
        assert plan.hyperparameters(epoch, step).learning_rate == expected


@given(
    train=st.integers(2, 90),
    validation=st.integers(0, 40),
    size=st.integers(2, 12),
    ranks=st.integers(1, 3),
    steps=st.integers(1, 60),
    until=st.floats(0.01, 1),
)
def test_a_number_of_steps_makes_epochs_of_whole_passes_and_a_rest(
    train: int, validation: int, size: int, ranks: int, steps: int, until: float
) -> None:
    settings = TrainSettings(steps=steps, batch_size=size, validation_until=until)
    plan = TrainingSchedule.plan(settings, train, validation, ranks)
    assert sum(plan.epoch_steps) == steps
    assert 1 <= plan.validated_epochs <= plan.epochs
    for epoch, count in enumerate(plan.epoch_steps):
        validated = epoch < plan.validated_epochs
        samples = torch.arange(train if validated else train + validation)
        one_pass = count_steps(len(samples), size, ranks)
        whole = one_pass * math.ceil(FEWEST_STEPS / one_pass)
        assert count == whole or (epoch == plan.epochs - 1 and count < whole)
        drawn = BatchPlan.draw(
            samples, torch.ones_like(samples), size, seed=0, epoch=epoch, world_size=ranks,
            steps=count,
        )  # fmt: skip
        assert len(drawn.batches) == count
        assert validated == (sum(plan.epoch_steps[:epoch]) < until * steps)


@given(
    samples=st.integers(2, 200), size=st.integers(2, 20), ranks=st.integers(1, 4),
    limit=st.integers(1, 20),
)  # fmt: skip
def test_steps_are_the_batches_of_an_epoch(samples: int, size: int, ranks: int, limit: int) -> None:
    def batches(steps: int | None) -> list[list[int]]:
        numbers = torch.arange(samples)
        plan = BatchPlan.draw(
            numbers, torch.ones_like(numbers), size, seed=1, epoch=2, world_size=ranks, steps=steps
        )
        return [batch.tolist() for batch in plan.batches]

    assert len(batches(None)) == count_steps(samples, size, ranks)
    assert batches(limit)[: len(batches(None))] == batches(None)[:limit]


def test_an_epoch_of_several_passes_sees_every_sample_in_each() -> None:
    samples = torch.arange(10)
    plan = BatchPlan.draw(samples, torch.ones_like(samples), 4, seed=3, epoch=0, steps=7)
    passes = [torch.cat(plan.batches[start : start + 3]) for start in (0, 3)]
    assert all(drawn.sort().values.equal(samples) for drawn in passes)
    assert not passes[0].equal(passes[1]) and len(plan.batches) == 7
    alone = [
        BatchPlan.draw(samples, torch.ones_like(samples), 4, seed=3, epoch=epoch)
        for epoch in range(3)
    ]
    assert passes[1].equal(torch.cat(alone[1].batches))
    seeds = [plan.seed_of(step, 0) for step in range(7)]
    assert seeds == [alone[n // 3].seed_of(n % 3, 0) for n in range(7)]


@given(
    train=st.integers(2, 60),
    steps=st.integers(1, 80),
    share=st.integers(0, 900).map(lambda thousandths: thousandths / 1000),
    data=st.data(),
)
def test_the_rate_of_counted_steps_follows_their_share(
    train: int, steps: int, share: float, data: st.DataObject
) -> None:
    """A linear warm-up over a share of all steps, then a cosine over the others."""
    settings = TrainSettings(steps=steps, batch_size=4, learning_rate=0.2, warmup_share=share)
    plan = TrainingSchedule.plan(settings, train)
    done = data.draw(st.integers(0, steps - 1))
    epoch, step = 0, done
    while step >= plan.epoch_steps[epoch]:
        step -= plan.epoch_steps[epoch]
        epoch += 1
    part = done / steps
    if part < share - 1e-9:
        expected = 0.2 * part / share
    else:
        expected = 0.2 * math.cos(math.pi / 2 * max(part - share, 0) / (1 - share)) ** 2
    assert plan.learning_rate(epoch, step) == pytest.approx(expected, abs=1e-9)
    assert plan.learning_rate(plan.epochs) == pytest.approx(0, abs=1e-12)


def test_a_share_of_epochs_warms_up_beside_a_number_of_them() -> None:
    settings = TrainSettings(epochs=10, warmup_epochs=1, warmup_share=0.2, learning_rate=0.3)
    assert [learning_rate_at(epoch, settings) for epoch in (0, 1, 2, 3)] == pytest.approx(
        [0, 0.1, 0.2, 0.3]
    )
    counted = TrainSettings(
        steps=80, batch_size=2, warmup_epochs=1, warmup_share=0.2, learning_rate=0.3
    )
    plan = TrainingSchedule.plan(counted, 16)  # ten epochs of eight steps
    assert [plan.learning_rate(epoch) for epoch in range(4)] == pytest.approx([0, 0.1, 0.2, 0.3])
