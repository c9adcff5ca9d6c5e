"""Class head that begins with the nearest class mean: what few clips say before any training."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.models.recognizer import Recognizer

MOST_CROPS, CLIPS = 16, 1024
"""Augmented clips of a sample whose features are averaged at most, and those of all samples."""

SCALE = 10.0
"""Logit of a clip of usual features that point exactly to the mean of a class."""

BATCH = 64
"""Samples in a batch."""


@torch.no_grad()
def begin_with_class_means(
    recognizer: Recognizer, loader: ClipLoader, samples: Int[Tensor, " n"], seed: int
) -> None:
    """Let the class head score every class by the direction of its mean from that of all.

    Features are those that the recognizer has now, with the running statistics of its norms.
    Classes without samples keep a score of zero.

    Args:
        recognizer: Recognizer whose class head is replaced.
        loader: Loader of the clips.
        samples: Training samples.
        seed: Seed of the augmentation.
    """
    store = loader.store
    labels = store.labels[samples]
    features = _features(recognizer, loader, samples, seed)
    center = features.mean(dim=0)
    centred = features - center
    counts = torch.bincount(labels, minlength=store.num_classes).clamp(min=1)
    sums = centred.new_zeros(store.num_classes, centred.shape[1]).index_add(0, labels, centred)
    size = centred.norm(dim=1).mean().clamp(min=1e-6)
    weight = SCALE / size * normalize(sums / counts[:, None], dim=1)
    head = recognizer.cls_head.fc
    head.weight.copy_(weight)
    head.bias.copy_(-weight @ center)


def _features(
    recognizer: Recognizer, loader: ClipLoader, samples: Int[Tensor, " n"], seed: int
) -> Float[Tensor, "n d"]:
    """Return the features of samples, each a mean over augmented clips."""
    crops = max(1, min(MOST_CROPS, CLIPS // len(samples)))
    was_training = recognizer.training
    recognizer.eval()
    generator = torch.Generator(loader.store.device).manual_seed(seed)
    rows = []
    for sampler, indices, on_host in iterate_batches(loader, samples.split(BATCH)):
        bodies = sampler.count_bodies(on_host)
        batches = (sampler.train_batch(indices, generator, bodies) for _ in range(crops))
        features = [recognizer.features(batch.clips, batch.bodies) for batch in batches]
        rows.append(torch.stack(features).mean(dim=0))
    recognizer.train(was_training)
    return torch.cat(rows)
