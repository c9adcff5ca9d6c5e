"""What learning changes: a recognizer's weights, their running average and their momentum."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skeletonagent.core.clips import Batch
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.data.mixing import Mixed
from skeletonagent.models.norms import synchronise
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.engine import Engine, differentiable_sum
from skeletonagent.training.judged import Judged, Judgement
from skeletonagent.training.launch import BatchNormRule
from skeletonagent.training.objective import Objective
from skeletonagent.training.pace import Pace, TrainSettings
from skeletonagent.training.replay import Replayed
from skeletonagent.training.signals import GuidanceSignals

Update = Callable[..., tuple[Tensor, ...]]
"""A step: takes a batch and the guidance, returns what the batch came to."""


class Learner:
    """A recognizer with all that learning changes: weights, their average, momentum."""

    def __init__(
        self,
        recognizer: Recognizer,
        settings: TrainSettings,
        engine: Engine,
        objective: Objective,
    ) -> None:
        """Put all on the engine's device and start the optimizer.

        Args:
            recognizer: What learns.
            settings: How long and how fast.
            engine: How a step is run.
            objective: What it is judged by; what of it is learned, learns too.

        Raises:
            ConfigError: If a batch is too small for the number of processes.
        """
        if settings.batch_size < 2 * engine.processes:
            raise ConfigError(
                f"training.batch_size {settings.batch_size} is too small for {engine.processes} "
                "processes; each needs two clips of a batch"
            )
        self.settings = settings
        self.engine = engine
        self.recognizer = recognizer
        self.judged = Judged(recognizer, objective).to(engine.device)
        self._judging = nn.ModuleDict({"scaling": objective.scaling})
        self.averaged = copy.deepcopy(recognizer) if settings.average else recognizer
        if engine.processes > 1 and engine.settings.batch_norm is BatchNormRule.SYNCHRONISED:
            synchronise(recognizer, differentiable_sum)
        self.averaged_steps = 0
        on_gpu = engine.device.type == "cuda"
        self._rate: float | Tensor = settings.learning_rate
        if on_gpu:  # a number on the device: replayed kernels read it anew
            self._rate = torch.tensor(settings.learning_rate, device=engine.device)
        optimizer = torch.optim.SGD(
            list(self._parameters.values()),
            lr=self._rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=True,
            fused=on_gpu or None,
        )
        if settings.compile:
            self.judged.compile()
        self.module, self.optimizer = engine.setup(self.judged, optimizer)
        replayed = settings.graphs and on_gpu and engine.processes == 1
        self._update: Update = Replayed(self._update_once) if replayed else self._update_once

    @property
    def evaluated(self) -> Recognizer:
        """The recognizer to evaluate: the average of the weights, if one is kept."""
        return self.averaged

    def learn(
        self,
        batch: Batch,
        signals: GuidanceSignals,
        pace: Pace,
        mixed: Mixed | None = None,
        share: float = 1.0,
    ) -> Judgement:
        """Take one step on a batch, and return what it came to before.

        Args:
            batch: What is learned from.
            signals: The guidance.
            pace: How fast to learn.
            mixed: A mixed copy of the batch that is learned from beside it.
            share: Weight of the batch beside those of the other processes, one on average.
        """
        self._set_rate(pace.rate)
        inputs = (batch.clips, batch.labels, batch.bodies)
        copied = (None, None) if mixed is None else (mixed.clips, mixed.targets)
        scaled = None if share == 1 else torch.tensor(share, device=self.engine.device)
        judgement = Judgement(*self._update(*inputs, *copied, scaled, *signals.tensors))
        self._average(pace.kept)
        return judgement

    def step(self, loss: Float[Tensor, ""]) -> None:
        """Take one optimizer step at the present learning rate."""
        self.optimizer.zero_grad(set_to_none=True)
        self.engine.backward(loss)
        self.optimizer.step()

    def _update_once(
        self,
        clips: Tensor,
        labels: Tensor,
        bodies: Tensor | None,
        mixed: Tensor | None,
        targets: Tensor | None,
        share: Tensor | None,
        *signals: Tensor,
    ) -> tuple[Tensor, Tensor]:
        logits, losses = self.module(clips, labels, bodies, mixed, targets, *signals)
        self.step(losses[3] if share is None else share * losses[3])
        return logits.detach(), losses.detach()

    def _set_rate(self, rate: float) -> None:
        if isinstance(self._rate, Tensor):
            self._rate.fill_(rate)
        else:
            for group in self.optimizer.param_groups:
                group["lr"] = rate

    @torch.no_grad()
    def _average(self, kept: float) -> None:
        """Move the average of weights and running means; it starts as the first of them."""
        if not self.settings.average:
            return
        self.averaged_steps += 1
        moved = 1.0 if self.averaged_steps == 1 else 1 - kept
        torch._foreach_lerp_(*self._averaging, moved)

    @cached_property
    def _averaging(self) -> tuple[list[Tensor], list[Tensor]]:
        """The averages of all fractional numbers, and the numbers themselves."""
        pairs = zip(_numbers(self.averaged), _numbers(self.recognizer), strict=True)
        kept = [(average, number) for average, number in pairs if number.is_floating_point()]
        return [average for average, _ in kept], [number for _, number in kept]

    def agree(self) -> None:
        """Take over the first process's running means, for evaluation and checkpoints."""
        buffers = [*self.recognizer.buffers()]
        if self.settings.average:
            buffers += self.averaged.buffers()
        self.engine.copy_from_first(buffers)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that learning changes, by dotted names."""
        names = {id(p): n for n, p in self._parameters.items()}
        momentum = {
            f"momentum.{names[id(parameter)]}": state["momentum_buffer"]
            for parameter, state in self.optimizer.state.items()
            if state.get("momentum_buffer") is not None
        }
        averaged = self.averaged.state_dict() if self.settings.average else {}
        return {
            **{
                f"recognizer.{name}": tensor
                for name, tensor in self.recognizer.state_dict().items()
            },
            **{f"averaged.{name}": tensor for name, tensor in averaged.items()},
            **{f"objective.{name}": tensor for name, tensor in self._judging.state_dict().items()},
            **momentum,
            "averaged_steps": torch.tensor(self.averaged_steps),
        }

    def load(self, checkpoint: Checkpoint) -> None:
        """Go back to what :meth:`tensors` returned.

        Raises:
            CheckpointError: If the checkpoint is of another recognizer or objective.
        """
        try:
            self.recognizer.load_state_dict(checkpoint.part("recognizer"))
            self._judging.load_state_dict(checkpoint.part("objective"))
            if self.settings.average:
                self.averaged.load_state_dict(checkpoint.part("averaged"))
        except RuntimeError as error:
            raise CheckpointError(
                f"the checkpoint is of another recognizer or objective: {error}"
            ) from error
        self.averaged_steps = int(checkpoint.tensors["averaged_steps"])
        for name, buffer in checkpoint.part("momentum").items():
            parameter = self._parameters[name]
            self.optimizer.state[parameter]["momentum_buffer"] = buffer.to(parameter.device)

    @cached_property
    def _parameters(self) -> dict[str, nn.Parameter]:
        """All that gradients change, the objective's under names of its own."""
        judging = {f"objective.{n}": p for n, p in self._judging.named_parameters()}
        learning = {n: p for n, p in self.recognizer.named_parameters() if p.requires_grad}
        return {**learning, **judging}


def _numbers(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()
