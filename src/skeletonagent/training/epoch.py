"""One epoch: every sample is learned from once, and nothing in a step waits for the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import Batch
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import TrainingError
from skeletonagent.data.mixing import mixed
from skeletonagent.data.sampling import Sampler
from skeletonagent.models.recognizer import Prediction
from skeletonagent.training.learner import Learner, learning_rate_at
from skeletonagent.training.objective import Losses, Objective, step_losses
from skeletonagent.training.signals import GuidanceSignals


def learn_once(
    learner: Learner,
    sampler: Sampler,
    samples: Int[Tensor, " n"],
    objective: Objective,
    signals: GuidanceSignals,
    confusions: Confusions,
    *,
    seed: int,
    epoch: int,
    on_step: Callable[[int, int, int, Float[Tensor, "4"]], None],
) -> list[float]:
    """Learn from every sample once; return the mean losses (cls, con, align, total).

    Args:
        learner: What learns.
        sampler: Where the clips come from.
        samples: What is learned from.
        objective: What is judged by.
        signals: The guidance.
        confusions: Counted into.
        seed: Of all randomness, together with the epoch.
        epoch: Number of the epoch.
        on_step: Shown epoch, step, number of steps and the summed losses; reading them waits for
            the device.

    Raises:
        TrainingError: If the loss is not finite, naming the samples of the batch.
    """
    device = learner.engine.device
    torch.manual_seed(_derived_seed(seed, epoch))
    generator = torch.Generator(device).manual_seed(_derived_seed(seed, epoch))
    shuffled = samples[torch.randperm(len(samples), generator=generator, device=device)]
    batches = list(_full_batches(shuffled, learner.settings.batch_size))
    sums = torch.zeros(4, device=device)
    totals = torch.zeros(len(batches), device=device)
    learner.module.train()
    for step, chosen in enumerate(batches):
        batch = sampler.train_batch(chosen, generator)
        logits, losses = _judged(learner, sampler, batch, objective, signals, generator)
        learner.step(losses.total, learning_rate_at(epoch + step / len(batches), learner.settings))
        confusions.add(batch.labels, logits.detach().argmax(dim=1))
        sums += step_losses(losses)
        totals[step] = losses.total.detach()
        on_step(epoch, step + 1, len(batches), sums)
    _require_finite(totals, batches, sampler, epoch)
    return [float(value) for value in sums / len(batches)]


def _judged(
    learner: Learner,
    sampler: Sampler,
    batch: Batch,
    objective: Objective,
    signals: GuidanceSignals,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n y"], Losses]:
    """Return a batch's class scores and losses; a mixed copy, if one is learned from, has a share.

    Batch and copy go through the recognizer together, so that they have their statistics in common.
    """
    if not objective.settings.mixed:
        prediction = learner.module(batch.clips, signals.salient)
        return prediction.logits, objective(prediction, batch.labels, signals.text_table)
    store, n = sampler.store, len(batch.labels)
    copy = mixed(batch.clips, batch.labels, store.layout, generator, store.num_classes)
    both = learner.module(torch.cat([batch.clips, copy.clips]), signals.salient)
    clean = Prediction(*(part[:n] for part in both))
    losses = objective(clean, batch.labels, signals.text_table)
    return clean.logits, objective.with_copy(losses, both.logits[n:], copy.targets)


def _full_batches(samples: Int[Tensor, " n"], size: int) -> Iterator[Int[Tensor, " b"]]:
    """Yield batches; a last one of a single clip, which has no statistics, joins its neighbour."""
    chunks = list(samples.split(size))
    if len(chunks) > 1 and len(chunks[-1]) == 1:
        chunks[-2:] = [torch.cat(chunks[-2:])]
    yield from chunks


def _require_finite(
    totals: Float[Tensor, " s"], batches: Sequence[Tensor], sampler: Sampler, epoch: int
) -> None:
    """Raise once an epoch if a loss was not finite, so that no step waits for the device."""
    bad = (~torch.isfinite(totals)).nonzero().flatten().tolist()
    if bad:
        ids = [sampler.store.sample_ids[i] for i in batches[bad[0]].tolist()]
        raise TrainingError(
            f"the loss is not finite since epoch {epoch}, step {bad[0]}; lower "
            f"training.learning_rate or look at the samples of that batch: {', '.join(ids)}"
        )


def _derived_seed(seed: int, epoch: int) -> int:
    """Return a seed of its own for every epoch, so that a resumed run draws the same numbers."""
    return (seed * 1_000_003 + epoch * 7_919 + 17) % (2**63)
