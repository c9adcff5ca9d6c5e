"""Standardized features of samples, and kernels of their distances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.runtime.ridge import OUTLIER


@dataclass(frozen=True)
class Standardizer:
    """Shift and scale of features.

    Args:
        mean: Mean of each feature over the training samples.
        scale: Its standard deviation there, 1 if it is constant.
    """

    mean: Float[Tensor, " f"]
    scale: Float[Tensor, " f"]

    @classmethod
    def of(cls, features: Float[Tensor, "n f"]) -> Standardizer:
        """Return shift and scale of the features; NaN where they are not known."""
        known = ~features.isnan()
        count = known.sum(dim=0).clamp(min=1)
        mean = features.nan_to_num().sum(dim=0) / count
        deviations = torch.where(known, features - mean, 0)
        scale = (deviations.square().sum(dim=0) / count).sqrt()
        return cls(mean, torch.where(scale > 1e-6, scale, 1.0))

    def __call__(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n f"]:
        """Return features of mean 0 and deviation 1; unknown ones are 0."""
        standard = (features - self.mean) / self.scale
        return standard.nan_to_num().clamp(-OUTLIER, OUTLIER)


def median_square_distance(features: Float[Tensor, "n q"], most: int = 500) -> float:
    """Return the median squared distance of two samples, of some evenly spread among many."""
    distances = torch.pdist(features[:: math.ceil(len(features) / most)].double()).square()
    return max(float(distances.median()) if len(distances) else 1.0, 1e-6)


def gaussian(
    one: Float[Tensor, "n q"], other: Float[Tensor, "k q"], reach: float
) -> Float[Tensor, "n k"]:
    """Return the Gaussian kernel of two sets of features in double precision.

    Args:
        one: Features.
        other: Features.
        reach: Squared distance at which the kernel falls to 1/e.
    """
    return (-torch.cdist(one.double(), other.double()).square() / reach).exp()
