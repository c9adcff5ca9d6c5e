"""What learning changes: a recognizer's weights, their running average and their momentum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Interval
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from skeletonagent.core.errors import CheckpointError
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.engine import Engine
from skeletonagent.training.objective import Objective


@dataclass(frozen=True)
class TrainSettings:
    """How long and how fast to learn.

    Args:
        epochs: Passes over the training part.
        batch_size: Clips in a step.
        learning_rate: Highest learning rate, annealed to zero along a cosine, step by step.
        momentum: Nesterov momentum.
        weight_decay: Of all parameters.
        warmup_epochs: Epochs over which the learning rate rises from zero.
        average: Share of the running average of the weights that is kept each step; the average
            is what is evaluated. 0 evaluates the weights as they are.
        period: Epochs between two rounds of the agents.
        hold_out: Share of the training part that is kept for validation.
        hold_out_until: Share of the epochs after which it is learned from as well.
    """

    epochs: Annotated[int, Ge(1)] = 150
    batch_size: Annotated[int, Ge(2)] = 64
    learning_rate: Annotated[float, Gt(0)] = 0.1
    momentum: Annotated[float, Interval(gt=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Ge(0)] = 5e-4
    warmup_epochs: Annotated[float, Ge(0)] = 0.0
    average: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    period: Annotated[int, Ge(1)] = 5
    hold_out: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    hold_out_until: Annotated[float, Interval(gt=0, le=1)] = 1.0


class Learner:
    """A recognizer with all that learning changes: weights, their average, momentum."""

    def __init__(
        self,
        recognizer: Recognizer,
        settings: TrainSettings,
        engine: Engine,
        objective: Objective | None = None,
    ) -> None:
        """Put all on the engine's device and start the optimizer.

        Args:
            recognizer: What learns.
            settings: How long and how fast.
            engine: How a step is run.
            objective: What it is judged by, if something of that is learned too.
        """
        self.settings = settings
        self.engine = engine
        recognizer.to(engine.device)
        self.judged = nn.ModuleDict({} if objective is None else {"scaling": objective.scaling})
        self.judged.to(engine.device)
        optimizer = torch.optim.SGD(
            list(self._parameters(recognizer).values()),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=True,
        )
        self.recognizer = recognizer
        self.averaged = AveragedModel(
            recognizer, multi_avg_fn=get_ema_multi_avg_fn(settings.average), use_buffers=True
        )
        self.module, self.optimizer = engine.setup(recognizer, optimizer)

    @property
    def evaluated(self) -> Recognizer:
        """The recognizer to evaluate: the average of the weights, if one is kept."""
        module: nn.Module = self.averaged.module
        assert isinstance(module, Recognizer)
        return module if self.settings.average else self.recognizer

    def step(self, loss: Float[Tensor, ""], learning_rate: float) -> None:
        """Take one optimizer step."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        self.engine.backward(loss)
        self.optimizer.step()
        if self.settings.average:
            self.averaged.update_parameters(self.recognizer)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that learning changes, by dotted names."""
        names = {id(p): n for n, p in self._parameters(self.recognizer).items()}
        momentum = {
            f"momentum.{names[id(parameter)]}": state["momentum_buffer"]
            for parameter, state in self.optimizer.state.items()
            if state.get("momentum_buffer") is not None
        }
        averaged = self.evaluated.state_dict() if self.settings.average else {}
        return {
            **{
                f"recognizer.{name}": tensor
                for name, tensor in self.recognizer.state_dict().items()
            },
            **{f"averaged.{name}": tensor for name, tensor in averaged.items()},
            **{f"objective.{name}": tensor for name, tensor in self.judged.state_dict().items()},
            **momentum,
            "averaged_steps": self.averaged.n_averaged,
        }

    def load(self, checkpoint: Checkpoint) -> None:
        """Go back to what :meth:`tensors` returned.

        Raises:
            CheckpointError: If the checkpoint is of another recognizer or objective.
        """
        try:
            self.recognizer.load_state_dict(checkpoint.part("recognizer"))
            self.judged.load_state_dict(checkpoint.part("objective"))
            if self.settings.average:
                self.evaluated.load_state_dict(checkpoint.part("averaged"))
        except RuntimeError as error:
            raise CheckpointError(
                f"the checkpoint is of another recognizer or objective: {error}"
            ) from error
        self.averaged.n_averaged.copy_(checkpoint.tensors["averaged_steps"])
        parameters = self._parameters(self.recognizer)
        for name, buffer in checkpoint.part("momentum").items():
            parameter = parameters[name]
            self.optimizer.state[parameter]["momentum_buffer"] = buffer.to(parameter.device)

    def _parameters(self, recognizer: Recognizer) -> dict[str, nn.Parameter]:
        """Return all that gradients change, the objective's under names of its own."""
        judging = {f"objective.{name}": p for name, p in self.judged.named_parameters()}
        return {**dict(recognizer.named_parameters()), **judging}


def learning_rate_at(epoch: float, settings: TrainSettings) -> float:
    """Return the learning rate after ``epoch`` epochs: a linear rise, then a cosine to zero."""
    if epoch < settings.warmup_epochs:
        return settings.learning_rate * epoch / settings.warmup_epochs
    rest = max(settings.epochs - settings.warmup_epochs, 1e-9)
    progress = min((epoch - settings.warmup_epochs) / rest, 1.0)
    return settings.learning_rate * (1 + math.cos(math.pi * progress)) / 2
