"""Nearest class mean: a classifier without training, the least that a recognizer must beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.data.loader import ClipLoader, iterate_batches

_SAMPLES_AT_ONCE = 256


@torch.inference_mode()
def nearest_mean_accuracies(
    loader: ClipLoader, draws: Sequence[Int[Tensor, " _"]], test: Int[Tensor, " n"]
) -> list[float]:
    """Return the top-1 accuracy of the nearest class mean for each of several training sets.

    A sample is the numbers of its first test clip, in the loader's stream; it is of the class whose
    mean over the training set has the smallest Euclidean distance. The samples are read once,
    whatever the number of training sets.

    Args:
        loader: Loader of the clips.
        draws: Positions of the samples of each training set.
        test: Positions of the test set, at least one.
    """
    sums: Float[Tensor, "k y d"] | None = None
    counts = torch.zeros(len(draws), loader.store.num_classes)
    members = torch.zeros(len(draws), len(loader.store), dtype=torch.bool)
    for number, draw in enumerate(draws):
        members[number, draw.cpu()] = True
    for samples, labels, features in _features(loader, members.any(dim=0).nonzero().flatten()):
        if sums is None:
            sums = torch.zeros(*counts.shape, features.shape[1])
        for number, is_member in enumerate(members[:, samples]):
            sums[number].index_add_(0, labels[is_member], features[is_member])
            counts[number] += torch.bincount(labels[is_member], minlength=counts.shape[1])
    assert sums is not None
    means = sums / counts[..., None].clamp(min=1)
    right = torch.zeros(len(draws), dtype=torch.long)
    for _, labels, features in _features(loader, test.cpu()):
        distances = torch.cdist(features.expand(len(draws), -1, -1), means)
        distances.masked_fill_(counts[:, None] == 0, torch.inf)
        right += (distances.argmin(dim=2) == labels).sum(dim=1)
    return [count / len(test) for count in right.tolist()]


def _features(
    loader: ClipLoader, samples: Int[Tensor, " n"]
) -> Iterator[tuple[Int[Tensor, " b"], Int[Tensor, " b"], Float[Tensor, "b d"]]]:
    """Yield samples, their labels and the numbers of their first test clips, on the host."""
    chunks = samples.split(_SAMPLES_AT_ONCE)
    on_device = [chunk.to(loader.store.device) for chunk in chunks]
    batches = iterate_batches(loader, on_device)
    for chunk, (sampler, indices, _) in zip(chunks, batches, strict=True):
        (batch,) = sampler.test_batches(indices, len(chunk), clips=1)
        yield chunk, batch.labels.cpu(), batch.clips.flatten(1).float().cpu()
