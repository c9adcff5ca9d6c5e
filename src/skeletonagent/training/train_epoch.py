"""One epoch of training: every sample at least once, and no step waits for the device."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from signal import Signals

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import TrainingError
from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.data.mixup import body_part_mixup
from skeletonagent.training.distributed import DistributedContext
from skeletonagent.training.losses import GuidanceTensors
from skeletonagent.training.schedule import TrainingSchedule, count_steps
from skeletonagent.training.train_step import StepOutput, TrainState


@dataclass(frozen=True)
class BatchPlan:
    """Order of an epoch's samples, the same in all ranks.

    Args:
        seed: Seed of all randomness of the run.
        epoch: Number of the epoch.
        batches: Samples of each step, on the host.
        first_pass: Number of the first pass over the samples; that of the epoch if it is not given.
        pass_steps: Number of steps of a pass; all, if it is not given.
    """

    seed: int
    epoch: int
    batches: tuple[Int[Tensor, " _"], ...]
    first_pass: int | None = None
    pass_steps: int | None = None

    @classmethod
    def draw(
        cls,
        samples: Int[Tensor, " n"],
        persons: Int[Tensor, " s"],
        batch_size: int,
        *,
        seed: int,
        epoch: int,
        world_size: int = 1,
        steps: int | None = None,
        first_pass: int | None = None,
    ) -> BatchPlan:
        """Return a random order of samples, or several, one after the other.

        Batches have nearly equal numbers of bodies, so that steps take equally long and few
        shapes occur. A last one too small for every rank to have statistics joins its neighbour.

        Args:
            samples: Samples to train on.
            persons: Number of bodies of every sample of the store.
            batch_size: Number of clips in a step, of all ranks together.
            seed: Seed of all randomness of the run.
            epoch: Number of the epoch.
            world_size: Number of ranks that share a batch.
            steps: Number of steps after which the epoch ends, if not with the last sample; with
                more than a pass has, another one follows, as in an epoch of its own.
            first_pass: Number of passes of earlier epochs, if these had several.
        """
        samples, persons = samples.cpu(), persons.cpu()
        first = epoch if first_pass is None else first_pass
        one_pass = count_steps(len(samples), batch_size, world_size)
        steps = steps or one_pass
        batches: list[Int[Tensor, " _"]] = []
        for number in range(first, first + math.ceil(steps / one_pass)):
            generator = torch.Generator().manual_seed(_derive_seed(seed, number))
            order = samples[torch.randperm(len(samples), generator=generator)]
            drawn = list(balance_by_persons(order, persons[order]).split(batch_size))
            if len(drawn) > one_pass:
                drawn[-2:] = [torch.cat(drawn[-2:])]
            batches += drawn
        return cls(seed, epoch, tuple(batches[:steps]), first, one_pass)

    def rank_batch(self, step: int, rank: int, world_size: int) -> Int[Tensor, " n"]:
        """Return the samples of one rank in a step."""
        return self.batches[step][rank::world_size]

    def seed_of(self, step: int, rank: int) -> int:
        """Return a seed that differs for every step of every rank."""
        first = self.epoch if self.first_pass is None else self.first_pass
        passed, place = divmod(step, self.pass_steps) if self.pass_steps else (0, step)
        return _derive_seed(self.seed, first + passed, place + 1, rank)


def balance_by_persons(order: Int[Tensor, " n"], persons: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Return the samples with those of any number of persons spread evenly.

    Args:
        order: Samples in random order; those of equally many persons keep it among themselves.
        persons: Number of bodies of each sample.
    """
    place = torch.empty(len(order), dtype=torch.float64)
    for count in persons.unique():
        members = (persons == count).nonzero().flatten()
        place[members] = (torch.arange(len(members), dtype=place.dtype) + 0.5) / len(members)
    return order[place.argsort(stable=True)]


@dataclass
class EpochState:
    """Progress of an epoch; all but the step lies on the training device.

    With several ranks each counts its own part, until :meth:`all_reduce_`.

    Args:
        step: Number of steps done.
        losses: Losses cls, con, align and total of each step, zero of those to come.
        confusions: Counts of the predictions.
    """

    step: int
    losses: Float[Tensor, "s 4"]
    confusions: Confusions

    @classmethod
    def start(cls, steps: int, num_classes: int, device: torch.device) -> EpochState:
        """Return the beginning of an epoch."""
        return cls(0, torch.zeros(steps, 4, device=device), Confusions.empty(num_classes, device))

    def add(self, labels: Int[Tensor, " n"], output: StepOutput, weight: float) -> None:
        """Count a step; ``weight`` is the rank's share in the means of the whole batch."""
        self.losses[self.step] = output.losses * weight
        self.confusions.add(labels, output.logits.argmax(dim=1))
        self.step += 1

    def all_reduce_(self, context: DistributedContext) -> None:
        """Sum the counts of all ranks, in all of them."""
        context.all_reduce_sum_(self.losses)
        context.all_reduce_sum_(self.confusions.counts)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors that a checkpoint keeps."""
        return {"losses": self.losses, "confusions": self.confusions.counts}

    def load(self, step: int, tensors: Mapping[str, Tensor], context: DistributedContext) -> None:
        """Restore the counts after ``step`` steps; the first rank takes all of them."""
        self.step = step
        if context.is_main:
            for name, tensor in self.tensors().items():
                tensor.copy_(tensors[name])


def train_one_epoch(
    state: TrainState,
    loader: ClipLoader,
    plan: BatchPlan,
    epoch_state: EpochState,
    guidance: GuidanceTensors,
    schedule: TrainingSchedule,
    *,
    on_step: Callable[[EpochState], None],
    stop: Callable[[], Signals | None],
) -> Signals | None:
    """Train on the remaining batches of an epoch; return the signal that stopped it, if any.

    Args:
        state: Recognizer and optimizer.
        loader: Loader of the clips.
        plan: Batches of the epoch.
        epoch_state: Progress to start from; updated in place.
        guidance: Guidance of all classes.
        schedule: Hyperparameters of each step.
        on_step: Called with the progress after each step.
        stop: Asked after each step but the last for a signal to stop.

    Raises:
        TrainingError: If the loss was not finite, naming the samples of the batch.
    """
    context, store = state.context, loader.store
    generator = torch.Generator(context.device)
    mixes = state.loss.mixup > 0
    steps = len(plan.batches)
    remaining = range(epoch_state.step, steps)
    rank_batches = [plan.rank_batch(step, context.rank, context.world_size) for step in remaining]
    batches = iterate_batches(loader, [samples.to(store.device) for samples in rank_batches])
    signal = None
    state.train_mode()
    for step, rank_batch, (sampler, samples, on_host) in zip(
        remaining, rank_batches, batches, strict=True
    ):
        seed = plan.seed_of(step, context.rank)
        torch.manual_seed(seed)
        generator.manual_seed(seed)
        batch = sampler.train_batch(samples, generator, sampler.count_bodies(on_host))
        mixup = (
            body_part_mixup(batch.clips, batch.labels, store.layout, generator, store.num_classes)
            if mixes
            else None
        )
        weight = len(rank_batch) / len(plan.batches[step])
        hyperparameters = schedule.hyperparameters(plan.epoch, step)
        output = state.train_step(
            batch, guidance, hyperparameters, mixup, weight * context.world_size
        )
        epoch_state.add(batch.labels, output, weight)
        on_step(epoch_state)
        signal = stop() if epoch_state.step < steps else None
        if signal:
            break
    epoch_state.all_reduce_(context)
    _require_finite(epoch_state, plan, store.sample_ids)
    return signal


def _require_finite(state: EpochState, plan: BatchPlan, sample_ids: tuple[str, ...]) -> None:
    """Raise once an epoch if a loss was not finite, so that no step waits for the device."""
    bad = (~torch.isfinite(state.losses[:, 3])).nonzero().flatten().tolist()
    if bad:
        ids = [sample_ids[i] for i in plan.batches[bad[0]].tolist()]
        raise TrainingError(
            f"the loss is not finite since epoch {plan.epoch}, step {bad[0]}; lower "
            f"training.learning_rate or look at the samples of that batch: {', '.join(ids)}"
        )


def _derive_seed(*parts: int) -> int:
    """Return a seed that differs wherever one of its parts does."""
    seed = 17
    for part in parts:
        seed = (seed * 6_364_136_223_846_793_005 + part + 1_442_695_040_888_963_407) % 2**64
    return seed % 2**63
