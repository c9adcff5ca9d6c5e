"""The training loop against a slow one written out by hand."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skeletonagent.core.errors import CheckpointError, TrainingError
from skeletonagent.core.guidance import Guidance
from skeletonagent.data.mixup import MixupBatch, body_part_mixup
from skeletonagent.models.recognizer import Prediction
from skeletonagent.training import train_epoch
from skeletonagent.training.callbacks import Callback, EpochRecord
from skeletonagent.training.checkpoint import Checkpoint, load_checkpoint
from skeletonagent.training.losses import GuidanceTensors
from skeletonagent.training.schedule import StepHyperparameters, learning_rate_at
from skeletonagent.training.settings import AlignTargets, LogitScale, TrainSettings
from skeletonagent.training.train_step import TrainState


def assert_same(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


def assert_near(fast: Tensor, slow: Tensor, name: str) -> None:
    """Compare as wholes: batch norms blow rounding errors up, most where a gradient is zero."""
    difference = (fast.double() - slow.double()).norm()
    assert difference <= 5e-3 * slow.double().norm() + 5e-4, f"{name}: {difference}"


def slow_rate(progress: float, s: TrainSettings) -> float:
    if progress < s.warmup_epochs:
        return s.learning_rate * progress / s.warmup_epochs
    done = (progress - s.warmup_epochs) / (s.epochs - s.warmup_epochs)
    return 0.5 * s.learning_rate * (1 + math.cos(math.pi * done))


def slow_training(
    start: Any, training: Any, steps: int, copies: Sequence[MixupBatch] = ()
) -> dict[str, Any]:
    """Learn from the batches a training has noted: Nesterov's SGD and averages, one by one."""
    s, model = training.settings, start.train()
    loss = type(training.loss)(**training.loss.arguments)
    factor = {f"loss.{n}": p for n, p in loss.named_parameters()}
    weights = {**dict(model.named_parameters()), **factor}
    momentum: dict[str, Tensor] = {}
    average: dict[str, Tensor] = {}
    counts = torch.zeros(3, 3, dtype=torch.long)
    losses = []
    guidance = GuidanceTensors(training.recorder.masks[0], training.loss.tables[0])
    for number, batch in enumerate(training.data.loader.batches):
        counts *= number % steps > 0
        mixed = copies[number : number + 1]
        both = model(torch.cat([batch.clips, *(mix.clips for mix in mixed)]), guidance.salient)
        prediction = Prediction(*(part[: len(batch.labels)] for part in both))
        total = loss(prediction, batch.labels, guidance).total
        for mix in mixed:
            blended = both.logits[len(batch.labels) :].log_softmax(dim=1)
            soft = -(mix.targets * blended).sum(dim=1).mean()
            total = total + loss.mixup * soft
        gradients = torch.autograd.grad(total, list(weights.values()), allow_unused=True)
        rate = slow_rate(number / steps, s)
        with torch.no_grad():
            for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
                assert gradient is not None, name
                slope = gradient + s.weight_decay * weight
                momentum[name] = s.momentum * momentum[name] + slope if number else slope.clone()
                weight -= rate * (slope + s.momentum * momentum[name])
            for name, tensor in model.state_dict().items():
                kept = s.ema_decay if number else 0.0
                moved = kept * average.get(name, 0.0) + (1 - kept) * tensor.clone()
                average[name] = moved if tensor.is_floating_point() else torch.zeros_like(tensor)
        for label, logits in zip(batch.labels, prediction.logits, strict=True):
            counts[label, logits.argmax()] += 1
        losses.append(total.item())
    return {
        "recognizer": model.state_dict(),
        "momentum": momentum,
        "loss": {n.removeprefix("loss."): p.detach() for n, p in factor.items()},
        "ema": average,
        "confusions": counts,
        "losses": losses,
    }


RELEASED = {
    "alpha": 0.3, "beta": 0.6, "mixup": 0.7,
    "align_targets": AlignTargets.SOFTMAX, "logit_scale": LogitScale.LEARNED,
}  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [{}, {"ema_decay": 0.6}, {"warmup_epochs": 0.7, "momentum": 0.5, "weight_decay": 0.1}],
)
def test_training_equals_a_loop_by_hand(
    world: ModuleType, tmp_path: Path, settings: dict[str, float]
) -> None:
    # Later steps of so narrow a network differ by all that rounding grows to.
    training = world.training(tmp_path, epochs=1, **settings)
    start = copy.deepcopy(training.state.recognizer)
    training.run()
    last = load_checkpoint(tmp_path / "epoch_0001")
    slow = slow_training(start, training, steps=2)
    for part in ("recognizer", "momentum", *(["ema"] if "ema_decay" in settings else [])):
        got = last.tensors_under(part)
        assert got.keys() == slow[part].keys()
        for name, tensor in got.items():
            assert_near(tensor, slow[part][name], f"{part}.{name}")
    assert torch.equal(last.tensors["confusions"], slow["confusions"])
    (record,) = training.recorder.epochs
    assert record.loss == pytest.approx(sum(slow["losses"]) / 2, rel=1e-3)


@pytest.mark.parametrize(
    "arguments", [RELEASED, {"mixup": 1.0}, {"logit_scale": LogitScale.LEARNED}]
)
def test_a_step_with_the_released_loss_equals_one_by_hand(
    world: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
) -> None:
    training = world.training(tmp_path, epochs=1, batch_size=9, weight_decay=0.1)
    training.with_loss(**arguments)
    start = copy.deepcopy(training.state.recognizer)
    copies: list[MixupBatch] = []

    def noted(*inputs: Any) -> MixupBatch:
        copies.append(body_part_mixup(*inputs))
        return copies[-1]

    monkeypatch.setattr(train_epoch, "body_part_mixup", noted)
    training.run()
    last = load_checkpoint(tmp_path / "epoch_0001")
    slow = slow_training(start, training, steps=1, copies=copies)
    assert len(copies) == ("mixup" in arguments)
    for part in ("recognizer", "momentum", "loss"):
        got = last.tensors_under(part)
        assert got.keys() == slow[part].keys()
        for name, tensor in got.items():
            assert_near(tensor, slow[part][name], f"{part}.{name}")
    assert torch.equal(last.tensors["confusions"], slow["confusions"])
    assert [record.loss for record in training.recorder.epochs] == pytest.approx(slow["losses"])


def test_the_average_is_what_is_evaluated(world: ModuleType, tmp_path: Path) -> None:
    averaging = world.training(tmp_path, ema_decay=0.5).state
    assert averaging.eval_model is averaging.ema is not averaging.recognizer
    plain = world.training(tmp_path).state
    assert plain.ema is None and plain.eval_model is plain.recognizer


def test_every_epoch_sees_every_sample_once_in_an_order_of_its_own(
    world: ModuleType, tmp_path: Path
) -> None:
    training = world.training(tmp_path)
    training.run()
    epochs = [
        first + second
        for first, second in zip(*[iter(training.data.loader.sampled)] * 2, strict=True)
    ]
    assert [sorted(order) for order in epochs] == [list(range(9))] * 3
    assert len({tuple(order) for order in epochs}) == 3


def test_the_seed_decides_and_nothing_else(world: ModuleType, tmp_path: Path) -> None:
    finals = []
    for number, seed in enumerate((1, 1, 2)):
        training = world.training(tmp_path / str(number), epochs=1)
        torch.manual_seed(number)
        training.run(seed=seed)
        finals.append(training.weights)
    assert_same(finals[0], finals[1])
    assert any(not torch.equal(tensor, finals[2][name]) for name, tensor in finals[0].items())


@pytest.mark.parametrize(
    ("count", "sizes"), [(9, [4, 5]), (8, [4, 4]), (10, [4, 4, 2]), (5, [5]), (2, [2])]
)
def test_no_batch_is_a_single_clip(
    world: ModuleType, tmp_path: Path, count: int, sizes: list[int]
) -> None:
    training = world.training(tmp_path, train_count=count, epochs=1)
    training.run()
    assert [len(batch) for batch in training.data.loader.sampled] == sizes
    assert training.recorder.steps == [(0, n + 1, len(sizes)) for n in range(len(sizes))]
    counts = load_checkpoint(tmp_path / "epoch_0001").tensors["confusions"]
    labels = torch.arange(count) % 3
    assert counts.sum(dim=1).tolist() == labels.bincount(minlength=3).tolist()


@given(
    epochs=st.integers(1, 200),
    warmup=st.just(0.0) | st.floats(1e-3, 20),
    peak=st.floats(1e-3, 1),
    where=st.floats(0, 1),
)
def test_the_rate_rises_straight_and_falls_along_a_cosine(
    epochs: int, warmup: float, peak: float, where: float
) -> None:
    settings = TrainSettings(epochs=epochs, learning_rate=peak, warmup_epochs=warmup)
    if warmup > 0:
        rising = where * min(warmup, epochs) * 0.999
        assert learning_rate_at(rising, settings) == pytest.approx(peak * rising / warmup)
    if warmup < epochs - 1e-3:
        falling = warmup + where * (epochs - warmup)
        expected = peak * math.cos(math.pi / 2 * where) ** 2
        assert learning_rate_at(falling, settings) == pytest.approx(expected, abs=1e-6)
        assert learning_rate_at(epochs, settings) == pytest.approx(0, abs=1e-9)
        assert learning_rate_at(warmup, settings) == pytest.approx(peak)


def test_each_step_has_a_rate_of_its_own(
    world: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = world.training(tmp_path, epochs=2, learning_rate=0.1, warmup_epochs=1)
    rates: list[float] = []
    train_step = TrainState.train_step

    def noted(
        self: TrainState, batch: Any, guidance: Any, given: StepHyperparameters, *others: Any
    ) -> Any:
        rates.append(given.learning_rate)
        return train_step(self, batch, guidance, given, *others)

    monkeypatch.setattr(TrainState, "train_step", noted)
    training.run()
    assert training.state.optimizer.param_groups[0]["lr"] == rates[-1]
    assert rates == pytest.approx([0.0, 0.05, 0.1, 0.05])
    assert [record.learning_rate for record in training.recorder.epochs] == pytest.approx(
        [0.1, 0.0]
    )


def test_the_agents_are_asked_with_the_confusions_of_the_epoch_before(
    world: ModuleType, tmp_path: Path
) -> None:
    training = world.training(tmp_path, epochs=5, guidance_period=2)
    last = training.run()
    assert last == world.make_guidance(2)
    assert [before for _, before in training.recorder.refreshed] == [
        world.make_guidance(0),
        world.make_guidance(1),
    ]
    for (counts, _), epoch in zip(training.recorder.refreshed, (2, 4), strict=True):
        saved = load_checkpoint(tmp_path / f"epoch_{epoch:04d}")
        assert torch.equal(counts, saved.tensors["confusions"])
        assert counts.sum() == 9
    rounds = [None, *map(world.make_guidance, range(3))]
    assert training.recorder.guidance == list(pairwise(rounds))
    assert [record.round for record in training.recorder.epochs] == [0, 0, 1, 1, 2]


def test_the_agents_are_asked_once_where_there_is_no_period(
    world: ModuleType, tmp_path: Path
) -> None:
    training = world.training(tmp_path, epochs=4, guidance_period=0)
    assert training.run() == world.make_guidance(0)
    assert training.recorder.refreshed == []
    assert [record.round for record in training.recorder.epochs] == [0, 0, 0, 0]


def test_new_guidance_counts_from_the_next_step_on(world: ModuleType, tmp_path: Path) -> None:
    training = world.training(tmp_path, epochs=5, guidance_period=2)
    training.run()
    rounds = [0] * 4 + [1] * 4 + [2] * 2  # two steps an epoch
    assert len(training.recorder.masks) == len(training.loss.tables) == len(rounds)
    for number, mask, table in zip(
        rounds, training.recorder.masks, training.loss.tables, strict=True
    ):
        assert torch.equal(mask, world.make_guidance(number).salient().float())
        assert torch.equal(table, world.encode_sentences(world.make_guidance(number).sentences))
    assert training.recorder.encoded == [
        world.make_guidance(number).sentences for number in range(3)
    ]


def test_guidance_that_stays_is_kept(world: ModuleType, tmp_path: Path) -> None:
    training = world.training(tmp_path, epochs=3, guidance_period=1)
    assert training.run(refresh=lambda _, guidance: guidance) == world.make_guidance(0)
    first, *others = training.recorder.masks
    assert all(torch.equal(first, mask) for mask in others)
    assert {record.round for record in training.recorder.epochs} == {0}


def test_sentences_are_encoded_once_per_change(world: ModuleType, tmp_path: Path) -> None:
    training = world.training(tmp_path, epochs=3, guidance_period=1)
    training.run(refresh=lambda _, guidance: guidance)
    assert training.recorder.encoded == [world.make_guidance(0).sentences]


def test_what_was_held_out_is_learned_from_later(world: ModuleType, tmp_path: Path) -> None:
    training = world.training(
        tmp_path, train_count=6, validation=3, epochs=4, batch_size=9, validation_until=0.5
    )
    training.run()
    seen = [sorted(batch) for batch in training.data.loader.sampled]
    assert seen == [list(range(6))] * 2 + [list(range(9))] * 2
    records = training.recorder.epochs
    assert [record.validation_top1 is not None for record in records] == [True, True, False, False]
    totals = [
        int(load_checkpoint(tmp_path / f"epoch_{n:04d}").tensors["confusions"].sum())
        for n in range(1, 5)
    ]
    assert totals == [6, 6, 9, 9]


@pytest.mark.parametrize("average", [0.0, 0.5])
def test_validation_teaches_nothing(world: ModuleType, tmp_path: Path, average: float) -> None:
    looking = world.training(tmp_path / "a", validation=4, epochs=2, ema_decay=average)
    looking.run()
    blind = world.training(tmp_path / "b", epochs=2, ema_decay=average)
    blind.run()
    assert_same(looking.weights, blind.weights)
    assert all(record.validation_top1 is None for record in blind.recorder.epochs)
    assert all(record.validation_top1 is not None for record in looking.recorder.epochs)


def test_records_add_up(world: ModuleType, tmp_path: Path) -> None:
    training = world.training(tmp_path)
    training.run()
    assert [record.epoch for record in training.recorder.epochs] == [0, 1, 2]
    for record in training.recorder.epochs:
        assert record.loss == pytest.approx(record.cls + 0.3 * record.con + 0.6 * record.align)
        counts = load_checkpoint(tmp_path / f"epoch_{record.epoch + 1:04d}").tensors["confusions"]
        assert record.train_top1 == pytest.approx(float(counts.trace()) / 9)


class Spoiler(Callback):
    """Callback that ruins one clip once an epoch is done."""

    def __init__(self, store: Any, sample: int, value: float) -> None:
        self.row, self.frames, self.value = int(store.starts[sample]), store.frames, value

    def on_epoch(self, record: EpochRecord) -> None:
        self.frames[self.row] = self.value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run(
    world: ModuleType, tmp_path: Path, value: float
) -> None:
    training = world.training(tmp_path, epochs=4)
    store = training.data.loader.store
    spoiler = Spoiler(store, 2, value)
    store.lengths.fill_(5)  # as long as a clip, so that the ruined first frame is always drawn
    training.data.loader.__dict__["augment"] = type(training.data.loader.augment)()
    with pytest.raises(TrainingError) as caught:
        training.run(callback=spoiler)
    ruined = training.data.loader.sampled[2:]  # of the second epoch
    step = next(n for n, batch in enumerate(ruined) if 2 in batch)
    named = set(str(caught.value).rpartition(": ")[2].split(", "))
    assert named == {f"clip{n}" for n in ruined[step]}
    assert f"epoch 1, step {step}" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_0001"]
    saved = load_checkpoint(tmp_path / "epoch_0001")
    assert all(tensor.isfinite().all() for tensor in saved.tensors.values())


class Stop(Exception):
    """Stands for a run that is killed."""


class Stopper(Callback):
    """Callback that raises in the second step of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_step(self, epoch: int, step: int, losses: Tensor) -> None:
        if (epoch, step) == (self.epoch, 2):
            raise Stop


@pytest.mark.parametrize("stopped", [1, 2, 3])
@pytest.mark.parametrize("average", [0.0, 0.7])
def test_a_resumed_training_ends_bit_for_bit_alike(
    world: ModuleType, tmp_path: Path, stopped: int, average: float
) -> None:
    settings = {"epochs": 4, "guidance_period": 2, "ema_decay": average, "warmup_epochs": 1.5,
                "validation": 3, "validation_until": 0.75}  # fmt: skip
    whole = world.training(tmp_path / "whole", **settings)
    expected = whole.run()
    with pytest.raises(Stop):
        world.training(tmp_path / "part", **settings).run(callback=Stopper(stopped))
    again = world.training(tmp_path / "part", **settings)
    saved = load_checkpoint(tmp_path / "part" / f"epoch_{stopped:04d}")
    torch.manual_seed(99)
    assert again.run(resume=saved) == expected
    assert_same(whole.weights, again.weights)
    for epoch in range(stopped + 1, 5):
        left, right = (
            load_checkpoint(tmp_path / n / f"epoch_{epoch:04d}") for n in ("whole", "part")
        )
        assert_same(dict(left.tensors), dict(right.tensors))
        assert left.metadata == right.metadata
    timeless = [
        [{k: v for k, v in vars(r).items() if "second" not in k} for r in t.recorder.epochs]
        for t in (whole, again)
    ]
    assert timeless[0][stopped:] == timeless[1]
    assert again.recorder.guidance[0] == (
        None,
        Guidance.from_json(saved.metadata["guidance"], world.ARM),
    )


@pytest.mark.parametrize("stopped", [1, 2])
def test_the_released_loss_resumes_bit_for_bit_alike(
    world: ModuleType, tmp_path: Path, stopped: int
) -> None:
    def training(name: str) -> Any:
        return world.training(tmp_path / name, guidance_period=2).with_loss(**RELEASED)

    whole = training("whole")
    expected = whole.run()
    with pytest.raises(Stop):
        training("part").run(callback=Stopper(stopped))
    again = training("part")
    saved = load_checkpoint(tmp_path / "part" / f"epoch_{stopped:04d}")
    assert again.run(resume=saved) == expected
    assert_same(whole.weights, again.weights)
    factors = [
        load_checkpoint(tmp_path / "whole" / f"epoch_{n:04d}").tensors_under("loss")["logit_scale"]
        for n in (1, 2, 3)
    ]
    assert len({2.659, *map(float, factors)}) == 4
    assert factors[-1] == whole.loss.logit_scale == again.loss.logit_scale


def test_of_a_mixed_batch_the_clean_half_alone_is_counted_and_drawn_alike(
    world: ModuleType, tmp_path: Path
) -> None:
    plain = world.training(tmp_path / "plain", epochs=1)
    plain.run()
    mixing = world.training(tmp_path / "mixing", epochs=1).with_loss(**RELEASED)
    sizes: list[int] = []
    mixing.state.recognizer.register_forward_pre_hook(
        lambda _, inputs: sizes.append(len(inputs[0]))
    )
    mixing.run()
    assert sizes == [2 * len(asked) for asked in mixing.data.loader.sampled]
    assert mixing.data.loader.sampled == plain.data.loader.sampled
    counts = load_checkpoint(tmp_path / "mixing" / "epoch_0001").tensors["confusions"]
    assert counts.sum(dim=1).tolist() == [3, 3, 3]
    (record,) = mixing.recorder.epochs
    assert record.loss > record.cls + 0.3 * record.con + 0.6 * record.align


def test_a_finished_training_has_nothing_left_to_do(world: ModuleType, tmp_path: Path) -> None:
    whole = world.training(tmp_path, epochs=1)
    expected = whole.run()
    again = world.training(tmp_path, epochs=1)
    assert again.run(resume=load_checkpoint(tmp_path / "epoch_0001")) == expected
    assert not again.recorder.epochs
    assert_same(whole.weights, again.weights)


def test_weights_of_another_recognizer_are_refused(world: ModuleType, tmp_path: Path) -> None:
    training = world.training(tmp_path)
    tensors = training.weights
    name = next(name for name in tensors if name.startswith("recognizer."))
    del tensors[name]
    with pytest.raises(CheckpointError, match=name.removeprefix("recognizer.")):
        training.state.load(Checkpoint(1, tensors, {}))
