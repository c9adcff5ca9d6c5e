"""Early stopping: the best epoch by validation, and the weights after it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from skeletonagent.core.predictions import ClassProbabilities


@dataclass
class BestEpoch:
    """Best epoch so far, and the weights after it, on their device.

    Better is a higher accuracy on the validation set, or the same with a lower loss.

    Args:
        patience: Number of epochs without a better one after which training ends; 0 keeps no
            epoch and never ends.
        epochs: Number of epochs done at the best one.
        accuracy: Its accuracy on the validation set.
        loss: Its mean negative log-probability of the true class.
        weights: Tensors of the recognizer that was validated.
    """

    patience: int
    epochs: int = 0
    accuracy: float = -1.0
    loss: float = math.inf
    weights: dict[str, Tensor] = field(default_factory=dict)

    def update(self, epochs: int, predictions: ClassProbabilities, recognizer: nn.Module) -> None:
        """Take over an epoch if it is better.

        Args:
            epochs: Number of epochs done.
            predictions: Class probabilities of the validation set.
            recognizer: Recognizer that made them.
        """
        if not self.patience:
            return
        accuracy, loss = predictions.topk_accuracy(1), validation_loss(predictions)
        if (accuracy, -loss) > (self.accuracy, -self.loss):
            self.epochs, self.accuracy, self.loss = epochs, accuracy, loss
            self.weights = {n: t.detach().clone() for n, t in recognizer.state_dict().items()}

    def is_over(self, epochs: int) -> bool:
        """Return whether training ends, once so many epochs are done."""
        return self.patience > 0 and epochs - self.epochs >= self.patience

    def restore(self, recognizer: nn.Module) -> None:
        """Give a recognizer the weights of the best epoch, if there is one."""
        if self.weights:
            recognizer.load_state_dict(self.weights)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of a checkpoint by their dotted names; none without patience."""
        if not self.patience:
            return {}
        numbers = {"epochs": self.epochs, "accuracy": self.accuracy, "loss": self.loss}
        return {
            **{f"best.{n}": torch.tensor(v, dtype=torch.float64) for n, v in numbers.items()},
            **{f"best.weights.{n}": tensor for n, tensor in self.weights.items()},
        }

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        """Restore the tensors of a checkpoint, named without their ``best.``."""
        if not self.patience or not tensors:
            return
        self.epochs = int(tensors["epochs"])
        self.accuracy, self.loss = float(tensors["accuracy"]), float(tensors["loss"])
        self.weights = {
            name.removeprefix("weights."): tensor.to(device)
            for name, tensor in tensors.items()
            if name.startswith("weights.")
        }


def validation_loss(predictions: ClassProbabilities) -> float:
    """Return the mean negative log-probability of the true class."""
    true = np.take_along_axis(predictions.probs, predictions.labels[:, None], axis=1)
    return float(-np.log(np.maximum(true.astype(np.float64), 1e-12)).mean())
