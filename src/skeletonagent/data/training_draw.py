"""Draw of training clips: so many of each class, for learning curves and for quick trials."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.data.settings import DataSettings
from skeletonagent.data.splits import split_validation


def draw_training_clips(
    store: ClipStore, train: Int[Tensor, " n"], clips_per_class: int | None, seed: int
) -> Int[Tensor, " k"]:
    """Return a part of a training set with at most so many clips of each class.

    Draws are nested: with the same seed, a smaller one is part of a larger one. Within a class they
    are spread over the subjects, where these are known: no subject has two clips more than another
    that has clips left.

    Args:
        store: All samples.
        train: Positions of the training set in the store.
        clips_per_class: Largest number of clips of a class; all if None.
        seed: Seed of the draw; the draw of a class depends on nothing but the seed, its label, and
            its clips with their subjects.

    Returns:
        Positions of the drawn clips, in the order of the training set.
    """
    if clips_per_class is None:
        return train
    host = train.cpu()
    labels = store.labels.cpu()[host].numpy()
    subjects = np.array(store.subjects or (0,) * len(store))
    drawn: Bool[np.ndarray, " n"] = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        generator = np.random.default_rng((seed, int(label)))
        order = _order_over_subjects(subjects[host.numpy()[members]], generator)
        drawn[members[order[:clips_per_class]]] = True
    return train[torch.from_numpy(drawn).to(train.device)]


def _order_over_subjects(
    subjects: Int[np.ndarray, " n"], generator: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Return a random order in rounds, in each of which every subject has at most one clip."""
    order = generator.permutation(len(subjects))
    rounds = np.empty(len(subjects), dtype=np.int64)
    clips_of: Counter[int] = Counter()
    for index in order.tolist():
        subject = int(subjects[index])
        rounds[index] = clips_of[subject]
        clips_of[subject] += 1
    return np.lexsort((generator.random(len(subjects)), rounds))


def training_and_validation(
    store: ClipStore,
    train: Int[Tensor, " n"],
    settings: DataSettings,
    validation_share: float,
    seed: int,
) -> tuple[Int[Tensor, " a"], Int[Tensor, " b"]]:
    """Return the clips to train on and the validation set, of the drawn part of a training set.

    The validation set is taken from within the draw; there is none where a draw is so small that a
    class would be left without a clip to train on.

    Args:
        store: All samples.
        train: Positions of the training set in the store.
        settings: Number of clips of a class, and seed of the draw.
        validation_share: Wanted share of the validation set, see
            :func:`~skeletonagent.data.splits.split_validation`.
        seed: Seed of the validation set.
    """
    drawn = draw_training_clips(store, train, settings.clips_per_class, settings.draw_seed)
    training, validation = split_validation(store, drawn, validation_share, seed)
    if settings.clips_per_class is not None:
        labels = store.labels
        if len(labels[training].unique()) < len(labels[drawn].unique()):
            return drawn, drawn[:0]
    return training, validation
