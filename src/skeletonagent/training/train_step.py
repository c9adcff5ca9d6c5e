"""Training step, and the state it changes: weights, their moving average, the optimizer's."""

from __future__ import annotations

import copy
from collections.abc import Callable
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
from skeletonagent.evaluation.predict import predict_distributed
from skeletonagent.models.batch_norm import enable_sync_batch_norm
from skeletonagent.models.recognizer import Prediction, Recognizer
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.cuda_graph import CudaGraphStep
from skeletonagent.training.distributed import DistributedContext, differentiable_sum
from skeletonagent.training.fused_kernels import use_triton
from skeletonagent.training.initial_weights import TakenWeights, freeze_weights
from skeletonagent.training.losses import GuidanceTensors, SkeletonAgentLoss
from skeletonagent.training.optimizer import (
    build_optimizer,
    load_optimizer,
    optimizer_tensors,
    set_learning_rate,
)
from skeletonagent.training.schedule import StepHyperparameters
from skeletonagent.training.settings import BatchNormRule, StepKernels, TrainSettings


class StepOutput(NamedTuple):
    """Output of a step; a tuple, so that wrappers of modules can look inside."""

    logits: Float[Tensor, "n y"]
    """Class logits of the clips themselves, not of their mixed copies."""
    losses: Float[Tensor, "4"]
    """Losses cls, con, align and total, each a mean over the clips."""


class ModelWithLoss(nn.Module):
    """A recognizer with its loss: all trained parameters below one module.

    Whatever wraps modules (ranks that average gradients, compilers, CUDA graphs) then takes in
    all of them.

    Args:
        recognizer: Recognizer to train.
        loss: Loss; its learned logit scale, if it has one, is trained as well.
    """

    def __init__(self, recognizer: Recognizer, loss: SkeletonAgentLoss) -> None:
        super().__init__()
        self.recognizer = recognizer
        self.loss = loss

    def forward(
        self,
        clips: Float[Tensor, "n m t v c"],
        labels: Int[Tensor, " n"],
        bodies: Int[Tensor, " b"] | None,
        mixed_clips: Float[Tensor, "n m t v c"] | None,
        mixed_targets: Float[Tensor, "n y"] | None,
        salient: Float[Tensor, "y v"],
        text_table: Float[Tensor, "y d"],
    ) -> StepOutput:
        """Return class logits and losses of a batch; a mixed copy adds to the total.

        Batch and copy go through the recognizer together, so that they share their batch
        statistics.

        Args:
            clips: Batch of clips.
            labels: True classes.
            bodies: Bodies that are present, see :class:`~skeletonagent.core.clips.Batch`.
            mixed_clips: Mixed copies of the clips, or None.
            mixed_targets: Share of each class in the mixed clips, or None.
            salient: Salient joints of each class.
            text_table: Embedding of each class's sentence.
        """
        n = len(labels)
        inputs = clips if mixed_clips is None else torch.cat([clips, mixed_clips])
        if bodies is not None and mixed_clips is not None:
            # Which bodies a mixed clip has is known on the device alone, so that all are run.
            slots = torch.arange(n * clips.shape[1], 2 * n * clips.shape[1], device=bodies.device)
            bodies = torch.cat([bodies, slots])
        prediction: Prediction = self.recognizer(inputs, salient, bodies)
        clean = Prediction(*(output[:n] for output in prediction))
        losses = self.loss(clean, labels, GuidanceTensors(salient, text_table))
        if mixed_targets is not None:
            losses = self.loss.add_mixup(losses, prediction.logits[n:], mixed_targets)
        return StepOutput(
            clean.logits, torch.stack([losses.cls, losses.con, losses.align, losses.total]).float()
        )


Update = Callable[..., tuple[Tensor, ...]]
"""A step's update: takes batch and guidance as tensors, returns the fields of a StepOutput."""


class TrainState:
    """A recognizer with all that training changes: weights, their average, the optimizer's state.

    Args:
        recognizer: Recognizer to train.
        settings: Settings of the optimization.
        context: Device, precision and ranks of the run.
        loss: Loss to train with.
        taken: Weights of the recognizer that were taken from another one.

    Raises:
        ConfigError: If a batch is too small for the number of ranks, or nothing was taken that
            could be frozen.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        settings: TrainSettings,
        context: DistributedContext,
        loss: SkeletonAgentLoss,
        taken: TakenWeights | None = None,
    ) -> None:
        if settings.batch_size < 2 * context.world_size:
            raise ConfigError(
                f"training.batch_size {settings.batch_size} is too small for {context.world_size} "
                "processes; each needs two clips of a batch"
            )
        self.settings = settings
        self.context = context
        self.recognizer = recognizer
        self.loss = loss
        self.taken = taken or TakenWeights()
        self._frozen_norms = freeze_weights(recognizer, self.taken, settings.freeze)
        self.model_with_loss = ModelWithLoss(recognizer, loss).to(context.device)
        self.ema = copy.deepcopy(recognizer) if settings.ema_decay else None
        """Exponential moving average of weights and running statistics, or None."""
        self.ema_steps = 0
        """Number of steps that the average of the weights covers."""
        synchronised = context.settings.batch_norm is BatchNormRule.SYNCHRONISED
        if context.world_size > 1 and synchronised:
            enable_sync_batch_norm(recognizer, differentiable_sum)
        on_gpu = context.device.type == "cuda"
        self.optimizer = build_optimizer(
            self._parameters, settings, context.device, self.taken.whole
        )
        if settings.kernels is StepKernels.TRITON:
            use_triton(recognizer, context)
        if settings.compile:
            self.model_with_loss.compile()
        self.module = context.wrap(self.model_with_loss)
        replayed = settings.cuda_graphs and on_gpu and context.world_size == 1
        self._update: Update = CudaGraphStep(self._update_once) if replayed else self._update_once

    @property
    def eval_model(self) -> Recognizer:
        """The recognizer to evaluate: the average of the weights, if one is kept."""
        return self.recognizer if self.ema is None else self.ema

    def train_mode(self) -> None:
        """Let dropout and norms do as in training, but for norms that are frozen."""
        self.module.train()
        for norm in self._frozen_norms:
            norm.eval()

    def train_step(
        self,
        batch: Batch,
        guidance: GuidanceTensors,
        hyperparameters: StepHyperparameters,
        mixup: MixupBatch | None = None,
        weight: float = 1.0,
    ) -> StepOutput:
        """Take one step on a batch, and return its output from before the update.

        Args:
            batch: Batch of clips.
            guidance: Guidance of all classes.
            hyperparameters: Learning rate and EMA decay of the step.
            mixup: Mixed copy of the batch, to train on beside it.
            weight: Weight of the batch relative to those of the other ranks, one on average.
        """
        set_learning_rate(self.optimizer, hyperparameters.learning_rate)
        inputs = (batch.clips, batch.labels, batch.bodies)
        mixed = (None, None) if mixup is None else (mixup.clips, mixup.targets)
        factor = None if weight == 1 else torch.tensor(weight, device=self.context.device)
        output = StepOutput(*self._update(*inputs, *mixed, factor, *guidance))
        if self.ema is not None:
            self._update_ema(hyperparameters.ema_decay)
        return output

    def optimizer_step(self, loss: Float[Tensor, ""]) -> None:
        """Take one optimizer step at the present learning rate."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def _update_once(
        self,
        clips: Tensor,
        labels: Tensor,
        bodies: Tensor | None,
        mixed_clips: Tensor | None,
        mixed_targets: Tensor | None,
        factor: Tensor | None,
        *guidance: Tensor,
    ) -> tuple[Tensor, Tensor]:
        logits, losses = self.module(clips, labels, bodies, mixed_clips, mixed_targets, *guidance)
        self.optimizer_step(losses[3] if factor is None else factor * losses[3])
        return logits.detach(), losses.detach()

    @torch.no_grad()
    def _update_ema(self, decay: float) -> None:
        """Move the average towards weights and running statistics; the first step copies them.

        ``torch.optim.swa_utils.AveragedModel`` would copy its count of steps to the device, and
        wait for the device, in every step.
        """
        self.ema_steps += 1
        averages, values = self._ema_pairs
        torch._foreach_lerp_(averages, values, 1.0 if self.ema_steps == 1 else 1 - decay)

    @cached_property
    def _ema_pairs(self) -> tuple[list[Tensor], list[Tensor]]:
        """The averages of all floating-point tensors, and those tensors in the same order."""
        averages, values = (
            [
                tensor
                for tensor in (*module.parameters(), *module.buffers())
                if tensor.is_floating_point()
            ]
            for module in (self.eval_model, self.recognizer)
        )
        return averages, values

    def predict(
        self,
        loader: ClipLoader,
        samples: Int[Tensor, " n"],
        *,
        batch_size: int,
        num_clips: int | None = None,
    ) -> ClassProbabilities:
        """Return the class probabilities of all samples, in all ranks; they share the work.

        Args:
            loader: Loader of the clips.
            samples: Indices of the samples.
            batch_size: Number of clips at once in each rank.
            num_clips: Number of clips of a sample, if not that of the loader's settings.
        """
        context = self.context
        return predict_distributed(
            self.eval_model,
            loader,
            samples,
            rank=context.rank,
            world_size=context.world_size,
            all_gather=context.all_gather_object,
            batch_size=batch_size,
            num_clips=num_clips,
            autocast=context.autocast,
        )

    def broadcast_buffers(self) -> None:
        """Take over the first rank's running statistics, for evaluation and checkpoints."""
        buffers = [*self.recognizer.buffers()]
        if self.ema is not None:
            buffers += self.ema.buffers()
        self.context.broadcast_(buffers)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that training changes, by the dotted names of a checkpoint."""
        states: dict[str, dict[str, Tensor]] = {
            "recognizer": self.recognizer.state_dict(),
            "ema": {} if self.ema is None else self.ema.state_dict(),
            "loss": self.loss.state_dict(),
        }
        tensors = {
            f"{prefix}.{name}": tensor
            for prefix, state in states.items()
            for name, tensor in state.items()
        }
        name = self.settings.optimizer
        tensors |= optimizer_tensors(self.optimizer, self._parameters, name)
        return {**tensors, "ema_steps": torch.tensor(self.ema_steps)}

    def load(self, checkpoint: Checkpoint) -> None:
        """Restore the tensors of a checkpoint.

        Raises:
            CheckpointError: If the checkpoint is of another recognizer, loss or optimizer.
        """
        try:
            self.recognizer.load_state_dict(checkpoint.tensors_under("recognizer"))
            self.loss.load_state_dict(checkpoint.tensors_under("loss"))
            if self.ema is not None:
                self.ema.load_state_dict(checkpoint.tensors_under("ema"))
            self.ema_steps = int(checkpoint.tensors["ema_steps"])
        except (RuntimeError, KeyError) as error:
            raise CheckpointError(
                f"the checkpoint is of another recognizer or loss: {error}"
            ) from error
        name = self.settings.optimizer
        load_optimizer(self.optimizer, self._parameters, name, checkpoint.tensors_under)

    @cached_property
    def _parameters(self) -> dict[str, nn.Parameter]:
        """All trained parameters by name, those of the loss with a prefix."""
        recognizer = {n: p for n, p in self.recognizer.named_parameters() if p.requires_grad}
        return {**recognizer, **{f"loss.{n}": p for n, p in self.loss.named_parameters()}}
