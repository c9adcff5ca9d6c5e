"""Kernel ridge regression in closed form, its ridge chosen by leaving out groups of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from skeletonagent.core.clips import ClipStore

_RIDGES = tuple(10.0 ** (exponent / 2) for exponent in range(-8, 7))
"""Ridges to choose from, as multiples of the kernel's mean diagonal."""
_SHARPNESSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Factors of the decision values in the softmax, to choose from."""
_UNTESTED = 0.1, 4.0
"""Ridge and sharpness where no class has clips in two groups, so that nothing can be left out."""
_PRIOR_WEIGHTS = (0.0, 0.25, 0.5, 1.0)
"""Weights of the prior scores to choose from, least first."""


@dataclass(frozen=True)
class KernelRidgeFit:
    """Solution of a kernel ridge regression on targets of 1 for the class and -1 for others.

    Args:
        dual: Weight of each training sample for each class.
        sharpness: Factor of the decision values in the softmax.
        prior_weight: Factor of the prior scores there.
    """

    dual: Float[Tensor, "n y"]
    sharpness: float
    prior_weight: float = 0.0


def solve_kernel_ridge(
    kernel: Float[Tensor, "n n"],
    targets: Float[Tensor, "n y"],
    groups: Sequence[Int[Tensor, " _"]],
    prior: Float[Tensor, "n y"] | None = None,
) -> KernelRidgeFit:
    """Return the solution whose probabilities of left-out groups have the least cross-entropy.

    Decisions about a group by the rest follow from the inverse of the whole kernel, of which the
    groups' blocks are enough: the targets minus the dual weights over the group's block. Samples
    whose class is in no other group tell nothing and do not count.

    Args:
        kernel: Kernel of the training samples.
        targets: 1 for the class of a sample, -1 for the others; their mean is the intercept.
        groups: Samples that are left out together.
        prior: Scores of the classes from elsewhere, whose weight beside the decisions is chosen
            after ridge and sharpness; where nothing can be left out, by how well the scores alone
            tell the samples apart. None if there are none.
    """
    labels = targets.argmax(dim=1)
    tested = _known_elsewhere(labels, groups)
    if not len(tested):
        ridge, sharpness = _UNTESTED
        mean_diagonal = float(kernel.diagonal().mean())
        regular = kernel + ridge * mean_diagonal * torch.eye(len(kernel), dtype=kernel.dtype)
        dual = torch.linalg.solve(regular, targets - targets.mean(dim=0))
        best, decisions = KernelRidgeFit(dual, sharpness), torch.zeros_like(targets)
        tested = torch.arange(len(labels))
    else:
        best, decisions = _best_left_out(kernel, targets, groups, tested)
    if prior is None:
        return best
    logs = (best.sharpness * decisions).log_softmax(dim=1)
    losses = [
        float(cross_entropy((logs + weight * prior)[tested], labels[tested]))
        for weight in _PRIOR_WEIGHTS
    ]
    return replace(best, prior_weight=_PRIOR_WEIGHTS[losses.index(min(losses))])


def _best_left_out(
    kernel: Float[Tensor, "n n"],
    targets: Float[Tensor, "n y"],
    groups: Sequence[Int[Tensor, " _"]],
    tested: Int[Tensor, " t"],
) -> tuple[KernelRidgeFit, Float[Tensor, "n y"]]:
    """Return the solution of the best ridge and sharpness, and its decisions when left out."""
    labels = targets.argmax(dim=1)
    centered = targets - targets.mean(dim=0)
    values, vectors = torch.linalg.eigh(kernel)
    mean_diagonal = float(kernel.diagonal().mean())
    best, best_decisions, least = KernelRidgeFit(torch.zeros_like(targets), 1.0), targets, math.inf
    for ridge in _RIDGES:
        scaled = vectors / (values + ridge * mean_diagonal)
        dual = scaled @ (vectors.T @ centered)
        left_out = targets.clone()
        for group in groups:
            block = scaled[group] @ vectors[group].T
            left_out[group] = targets[group] - torch.linalg.solve(block, dual[group])
        for sharpness in _SHARPNESSES:
            loss = float(cross_entropy(sharpness * left_out[tested], labels[tested]))
            if loss < least:
                best, best_decisions, least = KernelRidgeFit(dual, sharpness), left_out, loss
    return best, best_decisions


def _known_elsewhere(
    labels: Int[Tensor, " n"], groups: Sequence[Int[Tensor, " _"]]
) -> Int[Tensor, " t"]:
    """Return the samples, ascending, whose class has samples in another group as well."""
    counts = labels.bincount()
    kept = []
    for group in groups:
        own = labels[group].bincount(minlength=len(counts))
        kept.append(group[(counts > own)[labels[group]]])
    return torch.cat(kept).sort().values


def subject_groups(store: ClipStore) -> list[Int[Tensor, " _"]]:
    """Return the samples of each subject; each sample alone where fewer than three are known."""
    subjects = store.subjects
    if subjects is None or len(set(subjects)) < 3:
        return list(torch.arange(len(store)).split(1))
    return [
        torch.tensor([place for place, of in enumerate(subjects) if of == subject])
        for subject in sorted(set(subjects))
    ]
