"""Kernel ridge regression in closed form, its ridge chosen by leaving out groups of samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

_RIDGES = tuple(10.0 ** (exponent / 2) for exponent in range(-8, 7))
"""Ridges to choose from, as multiples of the kernel's mean diagonal."""
_SHARPNESSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Factors of the decision values in the softmax, to choose from."""


@dataclass(frozen=True)
class KernelRidgeFit:
    """Solution of a kernel ridge regression on targets of 1 for the class and -1 for others.

    Args:
        dual: Weight of each training sample for each class.
        sharpness: Factor of the decision values in the softmax.
    """

    dual: Float[Tensor, "n y"]
    sharpness: float


def solve_kernel_ridge(
    kernel: Float[Tensor, "n n"], targets: Float[Tensor, "n y"], groups: list[Int[Tensor, " _"]]
) -> KernelRidgeFit:
    """Return the solution whose probabilities of left-out groups have the least cross-entropy.

    Decisions about a group by the rest follow from the inverse of the whole kernel, of which the
    groups' blocks are enough: the targets minus the dual weights over the group's block.

    Args:
        kernel: Kernel of the training samples.
        targets: 1 for the class of a sample, -1 for the others; their mean is the intercept.
        groups: Samples that are left out together.
    """
    labels = targets.argmax(dim=1)
    centered = targets - targets.mean(dim=0)
    values, vectors = torch.linalg.eigh(kernel)
    mean_diagonal = float(kernel.diagonal().mean())
    best, least = KernelRidgeFit(torch.zeros_like(targets), 1.0), math.inf
    for ridge in _RIDGES:
        scaled = vectors / (values + ridge * mean_diagonal)
        dual = scaled @ (vectors.T @ centered)
        left_out = targets.clone()
        for group in groups:
            block = scaled[group] @ vectors[group].T
            left_out[group] = targets[group] - torch.linalg.solve(block, dual[group])
        for sharpness in _SHARPNESSES:
            loss = float(torch.nn.functional.cross_entropy(sharpness * left_out, labels))
            if loss < least:
                best, least = KernelRidgeFit(dual, sharpness), loss
    return best
