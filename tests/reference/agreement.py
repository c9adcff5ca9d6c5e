"""Whether the program's step and the literal one compute the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from benchmarks.generated import Persons, generated
from benchmarks.program import batch_of, experiment_of, guidance_tensors_of, losses_of, predict
from tests.reference.recognizer import as_literal
from tests.reference.train_step import literal_step
from torch import Tensor, nn

from skeletonagent.experiments.config import Config
from skeletonagent.training.losses import Losses

NAMES = ("cls", "con", "align", "total")


@dataclass(frozen=True)
class Agreement:
    """How far two steps with the same weights and clips are apart.

    Args:
        losses: Of the program and of the literal step, by name.
        relative: Largest relative difference of a loss.
        gradients: Norm of the difference of all gradients, as a share of the literal one's.
        worst: Largest difference of one parameter's gradient, as a share of its own norm or, where
            that is larger, of a hundredth of the norm of all. One rectifier on another side of
            its kink is seen here.
    """

    losses: dict[str, tuple[float, float]]
    relative: float
    gradients: float
    worst: float

    def facts(self) -> dict[str, object]:
        """Return all as plain values."""
        return asdict(self)


def agreement(config: Config, folder: Path, classes: int) -> Agreement:
    """Return how well the program and the literal step agree on a batch of two full bodies.

    Gates that start at zero are moved first, so that what lies behind them counts. Clips have two
    bodies each, since absent ones are learned from in the literal step alone.

    Args:
        config: Sizes and precision.
        folder: Where the literal step keeps its sentences.
        classes: Y.
    """
    number = max(3 * classes, 2 * config.training.batch_size)
    config = replace(config, training=replace(config.training, validation_share=0.0))
    experiment = experiment_of(config, generated(number, Persons.FULL, classes))
    move_zeros(experiment.state.recognizer)
    literal = literal_step(experiment, folder)
    literal.model.train()
    batch, guidance = batch_of(experiment), guidance_tensors_of(experiment)
    with _whole_numbers():
        prediction = predict(experiment, batch, guidance)
        losses = losses_of(experiment, prediction, batch, guidance)
        losses.total.backward()
        _, expected = literal.losses(batch.clips, batch.labels)
        expected.total.backward()
    ours = as_literal(_gradients(experiment.state.recognizer), literal.model)
    pairs = {name: (_plain(losses, name), _plain(expected, name)) for name in NAMES}
    return Agreement(pairs, _relative(pairs), *_apart(ours, _gradients(literal.model)))


def _plain(losses: Losses, name: str) -> float:
    return float(getattr(losses, name).detach())


def _relative(pairs: dict[str, tuple[float, float]]) -> float:
    return max(abs(a - b) / max(abs(b), 1e-9) for a, b in pairs.values())


def move_zeros(model: nn.Module) -> None:
    """Give every parameter that is zero throughout a value by chance."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                drawn = 0.1 * torch.randn(parameter.shape, generator=generator)
                parameter.copy_(drawn)


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in model.named_parameters()
    }


def _apart(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> tuple[float, float]:
    """Return the relative difference of all gradients together, and the largest of one's."""
    if ours.keys() != theirs.keys():
        raise KeyError(f"parameters differ: {sorted(ours.keys() ^ theirs.keys())}")
    own = torch.stack([gradient.norm() for gradient in theirs.values()])
    apart = torch.stack([(ours[name] - gradient).norm() for name, gradient in theirs.items()])
    shares = apart / own.clamp(min=1e-2 * float(own.norm()))
    return float(apart.norm() / own.norm()), float(shares.max())


@contextmanager
def _whole_numbers() -> Iterator[None]:
    """Keep single precision single: no shortened factors, until the end of the block."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
