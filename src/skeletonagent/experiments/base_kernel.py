"""Kernel of samples by the features that a base has learned, for the kernel ridge classifier.

What a base has learned of other motions tells samples apart where few clips of a class say little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.data.loader import ClipLoader
from skeletonagent.evaluation.predict import sample_features
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.experiments.standardizer import Standardizer, gaussian, median_square_distance
from skeletonagent.runtime.ridge import BASE_WEIGHT


@dataclass(frozen=True)
class BaseKernel:
    """Gaussian kernel on the features of a base, whose distances are those of training samples.

    Args:
        standardize: Standardizer of the features.
        features: Standardized features of the training samples.
        reach: Squared distance at which the kernel falls to 1/e.
        encoder: The base; None where something else, such as an exported graph, has it.
        name: Name of the base, for records; empty where it was read from a file.
    """

    standardize: Standardizer
    features: Float[Tensor, "n d"]
    reach: float
    encoder: BaseEncoder | None = None
    name: str = ""

    @classmethod
    def fit(
        cls, encoder: BaseEncoder, loader: ClipLoader, samples: Int[Tensor, " n"], batch_size: int
    ) -> BaseKernel:
        """Return the kernel of training samples.

        Args:
            encoder: The base.
            loader: Clips as the run's recognizer takes them.
            samples: Positions of the training samples in the loader's store.
            batch_size: Clips in a batch.
        """
        raw = sample_features(encoder, loader, samples, batch_size=batch_size)
        standardize = Standardizer.of(raw)
        features = standardize(raw)
        return cls(standardize, features, median_square_distance(features), encoder)

    def between(self, raw: Float[Tensor, "k d"]) -> Float[Tensor, "k n"]:
        """Return the kernel, weighted, between samples and the training samples.

        Args:
            raw: Features of the samples as the base returns them.
        """
        return BASE_WEIGHT * gaussian(self.standardize(raw), self.features, self.reach)

    def of_training(self) -> Float[Tensor, "n n"]:
        """Return the kernel, weighted, of the training samples."""
        return BASE_WEIGHT * gaussian(self.features, self.features, self.reach)

    def without_encoder(self) -> BaseKernel:
        """Return the kernel for something that has the base."""
        return replace(self, encoder=None)

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the kernel, and the weights of its base, as tensors."""
        return {
            "base.mean": self.standardize.mean,
            "base.scale": self.standardize.scale,
            "base.features": self.features,
            "base.reach": torch.tensor(self.reach, dtype=torch.float64),
            **(self.encoder.to_tensors() if self.encoder else {}),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], text: str | None) -> BaseKernel | None:
        """Return the kernel of :meth:`to_tensors`; None if there is none.

        Args:
            tensors: Tensors of a file.
            text: Description of the base, if the file has one.

        Raises:
            KeyError: If a tensor is missing.
            CheckpointError: If the base's weights do not fit.
        """
        if "base.features" not in tensors:
            return None
        return cls(
            Standardizer(tensors["base.mean"], tensors["base.scale"]),
            tensors["base.features"],
            float(tensors["base.reach"]),
            BaseEncoder.from_tensors(tensors, text) if text else None,
        )
