"""A recognizer and what it is judged by, as one module: clips in, losses out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skeletonagent.core.clips import Batch
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.loader import ClipLoader
from skeletonagent.data.mixup import MixupBatch
from skeletonagent.evaluation.predict import predict
from skeletonagent.models.batch_norm import enable_sync_batch_norm
from skeletonagent.models.recognizer import Prediction, Recognizer
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.cuda_graph import CudaGraphStep
from skeletonagent.training.distributed import DistributedContext, differentiable_sum
from skeletonagent.training.guidance_tensors import GuidanceTensors
from skeletonagent.training.losses import SkeletonAgentLoss
from skeletonagent.training.schedule import StepHyperparameters
from skeletonagent.training.settings import BatchNormRule, TrainSettings


class StepOutput(NamedTuple):
    """What a batch comes to; a tuple, so that wrappers of modules can look inside."""

    logits: Float[Tensor, "n y"]
    """Class scores of the clips as they are, not of their mixed copies."""
    losses: Float[Tensor, "4"]
    """cls, con, align and total, each a mean over the clips."""


class ModelWithLoss(nn.Module):
    """A recognizer with its objective.

    All that gradients change is below one module, so that whatever wraps modules (processes that
    average gradients, compilers, graphs) takes in all of it.

    Args:
        recognizer: What learns.
        objective: What it is judged by; its learned scale, if it has one, learns as well.
    """

    def __init__(self, recognizer: Recognizer, objective: SkeletonAgentLoss) -> None:
        super().__init__()
        self.recognizer = recognizer
        self.scaling = objective.scaling
        self.objective = objective

    def forward(
        self,
        clips: Float[Tensor, "n m t v c"],
        labels: Int[Tensor, " n"],
        bodies: Int[Tensor, " b"] | None,
        mixed: Float[Tensor, "n m t v c"] | None,
        targets: Float[Tensor, "n y"] | None,
        *signals: Tensor,
    ) -> StepOutput:
        """Return class scores and losses of a batch; a mixed copy has a share in the total.

        Batch and copy go through the recognizer together, so that they have their statistics in
        common.

        Args:
            clips: The batch.
            labels: True classes.
            bodies: Which bodies are there, see :class:`~skeletonagent.core.clips.Batch`.
            mixed: Mixed copies of the clips, which are learned from as well.
            targets: Each class's share in them.
            signals: The guidance, see :attr:`GuidanceTensors.tensors`.
        """
        told = GuidanceTensors(*signals)
        n = len(labels)
        whole = clips if mixed is None else torch.cat([clips, mixed])
        prediction: Prediction = self.recognizer(whole, told.salient, bodies)
        clean = Prediction(*(part[:n] for part in prediction))
        losses = self.objective(clean, labels, told.text_table, told.rivals, told.weight)
        if targets is not None:
            losses = self.objective.with_copy(losses, prediction.logits[n:], targets)
        return StepOutput(
            clean.logits, torch.stack([losses.cls, losses.con, losses.align, losses.total]).float()
        )


Update = Callable[..., tuple[Tensor, ...]]
"""A step: takes a batch and the guidance, returns what the batch came to."""


class TrainState:
    """A recognizer with all that learning changes: weights, their average, momentum."""

    def __init__(
        self,
        recognizer: Recognizer,
        settings: TrainSettings,
        engine: DistributedContext,
        objective: SkeletonAgentLoss,
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
        if settings.batch_size < 2 * engine.world_size:
            raise ConfigError(
                f"training.batch_size {settings.batch_size} is too small for {engine.world_size} "
                "processes; each needs two clips of a batch"
            )
        self.settings = settings
        self.context = engine
        self.recognizer = recognizer
        self.model_with_loss = ModelWithLoss(recognizer, objective).to(engine.device)
        self._loss_modules = nn.ModuleDict({"scaling": objective.scaling})
        self.ema = copy.deepcopy(recognizer) if settings.ema_decay else recognizer
        if engine.world_size > 1 and engine.settings.batch_norm is BatchNormRule.SYNCHRONISED:
            enable_sync_batch_norm(recognizer, differentiable_sum)
        self.ema_steps = 0
        on_gpu = engine.device.type == "cuda"
        self._learning_rate: float | Tensor = settings.learning_rate
        if on_gpu:  # a number on the device: replayed kernels read it anew
            self._learning_rate = torch.tensor(settings.learning_rate, device=engine.device)
        optimizer = torch.optim.SGD(
            list(self._parameters.values()),
            lr=self._learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=True,
            fused=on_gpu or None,
        )
        if settings.compile:
            self.model_with_loss.compile()
        self.module, self.optimizer = engine.setup(self.model_with_loss, optimizer)
        replayed = settings.cuda_graphs and on_gpu and engine.world_size == 1
        self._update: Update = CudaGraphStep(self._update_once) if replayed else self._update_once

    @property
    def eval_model(self) -> Recognizer:
        """The recognizer to evaluate: the average of the weights, if one is kept."""
        return self.ema

    def train_step(
        self,
        batch: Batch,
        signals: GuidanceTensors,
        pace: StepHyperparameters,
        mixed: MixupBatch | None = None,
        share: float = 1.0,
    ) -> StepOutput:
        """Take one step on a batch, and return what it came to before.

        Args:
            batch: What is learned from.
            signals: The guidance.
            pace: How fast to learn.
            mixed: A mixed copy of the batch that is learned from beside it.
            share: Weight of the batch beside those of the other processes, one on average.
        """
        self._set_learning_rate(pace.learning_rate)
        inputs = (batch.clips, batch.labels, batch.bodies)
        copied = (None, None) if mixed is None else (mixed.clips, mixed.targets)
        scaled = None if share == 1 else torch.tensor(share, device=self.context.device)
        judgement = StepOutput(*self._update(*inputs, *copied, scaled, *signals.tensors))
        self._update_ema(pace.ema_decay)
        return judgement

    def optimizer_step(self, loss: Float[Tensor, ""]) -> None:
        """Take one optimizer step at the present learning rate."""
        self.optimizer.zero_grad(set_to_none=True)
        self.context.backward(loss)
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
        self.optimizer_step(losses[3] if share is None else share * losses[3])
        return logits.detach(), losses.detach()

    def _set_learning_rate(self, rate: float) -> None:
        if isinstance(self._learning_rate, Tensor):
            self._learning_rate.fill_(rate)
        else:
            for group in self.optimizer.param_groups:
                group["lr"] = rate

    @torch.no_grad()
    def _update_ema(self, kept: float) -> None:
        """Move the average of weights and running means; it starts as the first of them."""
        if not self.settings.ema_decay:
            return
        self.ema_steps += 1
        moved = 1.0 if self.ema_steps == 1 else 1 - kept
        torch._foreach_lerp_(*self._ema_pairs, moved)

    @cached_property
    def _ema_pairs(self) -> tuple[list[Tensor], list[Tensor]]:
        """The averages of all fractional numbers, and the numbers themselves."""
        pairs = zip(_numbers(self.ema), _numbers(self.recognizer), strict=True)
        kept = [(average, number) for average, number in pairs if number.is_floating_point()]
        return [average for average, _ in kept], [number for _, number in kept]

    def broadcast_buffers(self) -> None:
        """Take over the first process's running means, for evaluation and checkpoints."""
        buffers = [*self.recognizer.buffers()]
        if self.settings.ema_decay:
            buffers += self.ema.buffers()
        self.context.broadcast_(buffers)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that learning changes, by dotted names."""
        names = {id(p): n for n, p in self._parameters.items()}
        momentum = {
            f"momentum.{names[id(parameter)]}": state["momentum_buffer"]
            for parameter, state in self.optimizer.state.items()
            if state.get("momentum_buffer") is not None
        }
        averaged = self.ema.state_dict() if self.settings.ema_decay else {}
        return {
            **{
                f"recognizer.{name}": tensor
                for name, tensor in self.recognizer.state_dict().items()
            },
            **{f"ema.{name}": tensor for name, tensor in averaged.items()},
            **{f"loss.{name}": tensor for name, tensor in self._loss_modules.state_dict().items()},
            **momentum,
            "ema_steps": torch.tensor(self.ema_steps),
        }

    def load(self, checkpoint: Checkpoint) -> None:
        """Go back to what :meth:`tensors` returned.

        Raises:
            CheckpointError: If the checkpoint is of another recognizer or objective.
        """
        try:
            self.recognizer.load_state_dict(checkpoint.tensors_under("recognizer"))
            self._loss_modules.load_state_dict(checkpoint.tensors_under("loss"))
            if self.settings.ema_decay:
                self.ema.load_state_dict(checkpoint.tensors_under("ema"))
        except RuntimeError as error:
            raise CheckpointError(
                f"the checkpoint is of another recognizer or objective: {error}"
            ) from error
        self.ema_steps = int(checkpoint.tensors["ema_steps"])
        for name, buffer in checkpoint.tensors_under("momentum").items():
            parameter = self._parameters[name]
            self.optimizer.state[parameter]["momentum_buffer"] = buffer.to(parameter.device)

    @cached_property
    def _parameters(self) -> dict[str, nn.Parameter]:
        """All that gradients change, the objective's under names of its own."""
        judging = {f"loss.{n}": p for n, p in self._loss_modules.named_parameters()}
        learning = {n: p for n, p in self.recognizer.named_parameters() if p.requires_grad}
        return {**learning, **judging}


def _numbers(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def predict_distributed(
    learner: TrainState,
    source: ClipLoader,
    samples: Int[Tensor, " n"],
    *,
    batch_size: int,
    clips: int | None = None,
) -> ClassProbabilities:
    """Return the scores of all samples, in all processes; each scores an equal part of them.

    Args:
        learner: Whose recognizer scores: the averaged one, if an average is kept.
        source: Where the clips come from.
        samples: Which samples.
        batch_size: Clips scored at once by each process.
        clips: Clips of a sample, if not as many as the source's settings say.
    """
    engine = learner.context
    own = samples[engine.rank :: engine.world_size]
    part = predict(
        learner.eval_model,
        source,
        own,
        batch_size=batch_size,
        clips=clips,
        autocast=engine.autocast,
    )
    return ClassProbabilities.interleave(engine.all_gather_object(part))
