"""One epoch: every sample is learned from once, and nothing in a step waits for the device."""

from __future__ import annotations

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
from skeletonagent.training.guidance_tensors import GuidanceTensors
from skeletonagent.training.schedule import step_hyperparameters
from skeletonagent.training.train_step import StepOutput, TrainState


@dataclass(frozen=True)
class BatchPlan:
    """In which order an epoch goes through its samples; the same in all processes.

    Args:
        seed: Of all randomness of the run.
        epoch: Number of the epoch.
        batches: Samples of each step, on the host.
    """

    seed: int
    epoch: int
    batches: tuple[Int[Tensor, " _"], ...]

    @classmethod
    def draw(
        cls,
        samples: Int[Tensor, " n"],
        persons: Int[Tensor, " s"],
        batch_size: int,
        *,
        seed: int,
        epoch: int,
        processes: int = 1,
    ) -> BatchPlan:
        """Return a random order of samples.

        Batches have nearly equal numbers of bodies, so that steps take equally long and few
        shapes occur. A last one too small for every process to have statistics joins its
        neighbour.

        Args:
            samples: What is learned from.
            persons: Bodies of every sample of the store.
            batch_size: Clips in a step, of all processes together.
            seed: Of all randomness of the run.
            epoch: Number of the epoch.
            processes: How many share a batch.
        """
        generator = torch.Generator().manual_seed(_derive_seed(seed, epoch))
        order = samples.cpu()[torch.randperm(len(samples), generator=generator)]
        chunks = list(balance_by_persons(order, persons.cpu()[order]).split(batch_size))
        if len(chunks) > 1 and len(chunks[-1]) < 2 * processes:
            chunks[-2:] = [torch.cat(chunks[-2:])]
        return cls(seed, epoch, tuple(chunks))

    def rank_batch(self, step: int, process: int, processes: int) -> Int[Tensor, " n"]:
        """Return what one of the processes learns from in a step."""
        return self.batches[step][process::processes]

    def seed_of(self, step: int, process: int) -> int:
        """Return a seed of its own for every step of every process."""
        return _derive_seed(self.seed, self.epoch, step + 1, process)


def balance_by_persons(order: Int[Tensor, " n"], persons: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Return the samples so that those of any number of persons are spread evenly.

    Args:
        order: Samples in random order; those of as many persons stay in it among themselves.
        persons: Bodies of each.
    """
    place = torch.empty(len(order), dtype=torch.float64)
    for count in persons.unique():
        own = (persons == count).nonzero().flatten()
        place[own] = (torch.arange(len(own), dtype=place.dtype) + 0.5) / len(own)
    return order[place.argsort(stable=True)]


@dataclass
class EpochState:
    """How far an epoch has come; all but the step lies on the training device.

    With several processes each counts its own share, until :meth:`all_reduce_`.

    Args:
        step: Steps done.
        losses: cls, con, align and total of each step, zero of those to come.
        confusions: What samples were taken for.
    """

    step: int
    losses: Float[Tensor, "s 4"]
    confusions: Confusions

    @classmethod
    def start(cls, steps: int, num_classes: int, device: torch.device) -> EpochState:
        """Return the beginning of an epoch."""
        return cls(0, torch.zeros(steps, 4, device=device), Confusions.empty(num_classes, device))

    def add(self, labels: Int[Tensor, " n"], judgement: StepOutput, weight: float) -> None:
        """Count a step; ``weight`` is the process's share in the whole batch's means."""
        self.losses[self.step] = judgement.losses * weight
        self.confusions.add(labels, judgement.logits.argmax(dim=1))
        self.step += 1

    def all_reduce_(self, engine: DistributedContext) -> None:
        """Make the counts of all processes everybody's."""
        engine.all_reduce_sum_(self.losses)
        engine.all_reduce_sum_(self.confusions.counts)

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps of it."""
        return {"losses": self.losses, "confusions": self.confusions.counts}

    def load(self, step: int, tensors: Mapping[str, Tensor], engine: DistributedContext) -> None:
        """Go on after ``step`` steps; the first process answers for what was counted in them."""
        self.step = step
        if engine.is_main:
            for name, tensor in self.tensors().items():
                tensor.copy_(tensors[name])


def train_one_epoch(
    learner: TrainState,
    source: ClipLoader,
    plan: BatchPlan,
    progress: EpochState,
    signals: GuidanceTensors,
    *,
    on_step: Callable[[EpochState], None],
    stop: Callable[[], Signals | None],
) -> Signals | None:
    """Learn from all batches not yet learned from; return the signal that stopped it, if one did.

    Args:
        learner: What learns.
        source: Where the clips come from.
        plan: Which, in which order.
        progress: Where to begin; counted on in place.
        signals: The guidance.
        on_step: Shown how far it is after each step.
        stop: Asked after each step but the last for a signal to stop.

    Raises:
        TrainingError: If the loss was not finite, naming the samples of the batch.
    """
    engine, store = learner.context, source.store
    generator = torch.Generator(engine.device)
    blended = learner.model_with_loss.objective.settings.mixup > 0
    steps = len(plan.batches)
    left = range(progress.step, steps)
    own = [plan.rank_batch(step, engine.rank, engine.world_size) for step in left]
    turns = iterate_batches(source, [share.to(store.device) for share in own])
    signal = None
    learner.module.train()
    for step, share, (sampler, samples, known) in zip(left, own, turns, strict=True):
        seed = plan.seed_of(step, engine.rank)
        torch.manual_seed(seed)
        generator.manual_seed(seed)
        batch = sampler.train_batch(samples, generator, sampler.count_bodies(known))
        copy = (
            body_part_mixup(batch.clips, batch.labels, store.layout, generator, store.num_classes)
            if blended
            else None
        )
        weight = len(share) / len(plan.batches[step])
        pace = step_hyperparameters(plan.epoch, step, steps, learner.settings)
        judgement = learner.train_step(batch, signals, pace, copy, weight * engine.world_size)
        progress.add(batch.labels, judgement, weight)
        on_step(progress)
        signal = stop() if progress.step < steps else None
        if signal:
            break
    progress.all_reduce_(engine)
    _require_finite(progress, plan, store.sample_ids)
    return signal


def _require_finite(progress: EpochState, plan: BatchPlan, sample_ids: tuple[str, ...]) -> None:
    """Raise once an epoch if a loss was not finite, so that no step waits for the device."""
    bad = (~torch.isfinite(progress.losses[:, 3])).nonzero().flatten().tolist()
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
