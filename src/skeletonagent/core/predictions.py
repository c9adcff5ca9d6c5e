"""Class probabilities of a set of samples, the result of evaluation."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.npz_files import read_npz

_ARRAYS = ("sample_ids", "labels", "probs")
"""Names of the arrays in a file."""
_ENTROPIES = "network_entropies"
"""Name of the array that a file has beside them where something stood beside the network."""


@dataclass(frozen=True)
class ClassProbabilities:
    """Class probabilities of samples.

    Args:
        sample_ids: Names of the samples.
        labels: True classes.
        probs: Mean over a sample's clips of the softmax; a row for each sample.
        network_entropies: Entropy of the network's own probabilities in nats, where ``probs`` are
            those of network and kernel ridge classifier together; else None.

    >>> predictions = ClassProbabilities(
    ...     ("a", "b"), np.array([0, 1]), np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2]])
    ... )
    >>> predictions.topk_accuracy(1), predictions.topk_accuracy(2)
    (0.5, 1.0)
    """

    sample_ids: tuple[str, ...]
    labels: Int[np.ndarray, " n"]
    probs: Float[np.ndarray, "n y"]
    network_entropies: Float[np.ndarray, " n"] | None = None

    @property
    def entropies(self) -> Float[np.ndarray, " n"]:
        """Entropy of each sample's class probabilities in nats: the network's, if it is known."""
        if self.network_entropies is not None:
            return self.network_entropies
        shares = self.probs.astype(np.float64)
        found: np.ndarray = -(shares * np.log(shares.clip(min=1e-12))).sum(axis=1)
        return found.clip(min=0)  # a share of one may be rounded up

    def topk_accuracy(self, k: int) -> float:
        """Return the share of samples whose class is among the ``k`` best; ties count against."""
        true = np.take_along_axis(self.probs, self.labels[:, None], axis=1)
        not_worse = (~(self.probs < true)).sum(axis=1)  # itself counts, and so does NaN
        return float((not_worse <= k).mean())

    def cross_entropies(self) -> Float[np.ndarray, " n"]:
        """Return the cross-entropy of each sample, at most that of a probability of a millionth."""
        true = np.take_along_axis(self.probs, self.labels[:, None], axis=1)[:, 0]
        losses: Float[np.ndarray, " n"] = -np.log(true.clip(min=1e-6))
        return losses

    def per_class_accuracy(self) -> Float[np.ndarray, " y"]:
        """Return the top-1 accuracy of each class; NaN for a class without samples."""
        correct = self.probs.argmax(axis=1) == self.labels
        y = self.probs.shape[1]
        hits = np.bincount(self.labels, weights=correct, minlength=y)
        total = np.bincount(self.labels, minlength=y)
        accuracy: np.ndarray = np.divide(hits, total, out=np.full(y, np.nan), where=total > 0)
        return accuracy

    def confusions(self) -> Int[np.ndarray, "y y"]:
        """Return counts: ``[m, n]`` is samples of class ``m`` predicted as ``n``."""
        counts = np.zeros((self.probs.shape[1],) * 2, dtype=np.int64)
        np.add.at(counts, (self.labels, self.probs.argmax(axis=1)), 1)
        return counts

    @classmethod
    def interleave(cls, parts: Sequence[ClassProbabilities]) -> ClassProbabilities:
        """Return the predictions of all samples; of n parts, part i has every n-th from i on."""
        places = [
            np.arange(place, sum(len(p.labels) for p in parts), len(parts))
            for place in range(len(parts))
        ]
        order = np.concatenate(places).argsort()
        ids = [sample for part in parts for sample in part.sample_ids]
        entropies = [p.network_entropies for p in parts if p.network_entropies is not None]
        return cls(
            tuple(ids[i] for i in order),
            np.concatenate([part.labels for part in parts])[order],
            np.concatenate([part.probs for part in parts])[order],
            np.concatenate(entropies)[order] if len(entropies) == len(parts) else None,
        )

    def subset(self, sample_ids: Set[str]) -> ClassProbabilities:
        """Return the predictions of some of the samples, in the same order."""
        keep = np.array([sample in sample_ids for sample in self.sample_ids], dtype=bool)
        kept = tuple(s for s, keeps in zip(self.sample_ids, keep, strict=True) if keeps)
        entropies = self.network_entropies
        return ClassProbabilities(
            kept,
            self.labels[keep],
            self.probs[keep],
            None if entropies is None else entropies[keep],
        )

    def recognized(self) -> ClassProbabilities:
        """Return the predictions of the samples that are recognized rightly."""
        right = self.probs.argmax(axis=1) == self.labels
        return self.subset(set(np.array(self.sample_ids)[right].tolist()))

    def save(self, path: Path) -> None:
        """Write the fields that are known to an npz file, each under its name."""
        entropies = self.network_entropies
        known: dict[str, Any] = {} if entropies is None else {_ENTROPIES: entropies}
        ids = np.array(self.sample_ids)
        with write_atomically(path) as file:
            np.savez(file, sample_ids=ids, labels=self.labels, probs=self.probs, **known)

    @classmethod
    def load(cls, path: Path) -> ClassProbabilities:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the file is missing, damaged or lacks an array.
        """
        arrays = read_npz(path, (*_ARRAYS, _ENTROPIES))
        if missing := [name for name in _ARRAYS if name not in arrays]:
            raise DataError(f"holds no predictions: it lacks {', '.join(missing)}", path=path)
        ids, labels, probs = (arrays[name] for name in _ARRAYS)
        entropies = arrays.get(_ENTROPIES)
        if problem := _problem(ids, labels, probs, entropies):
            raise DataError(f"holds no predictions: {problem}", path=path)
        return cls(tuple(ids.tolist()), labels, probs, entropies)


def _problem(
    ids: np.ndarray, labels: np.ndarray, probs: np.ndarray, entropies: np.ndarray | None
) -> str:
    """Return why arrays are no predictions; nothing if they are."""
    if ids.ndim != 1 or (len(ids) and ids.dtype.kind != "U"):
        return f"sample_ids has shape {ids.shape} and type {ids.dtype}, wanted are names"
    if probs.ndim != 2 or probs.dtype.kind != "f" or len(probs) != len(ids):
        return f"probs has shape {probs.shape} and type {probs.dtype}, and there are {len(ids)} ids"
    if labels.shape != ids.shape or labels.dtype.kind not in "iu":
        return f"labels has shape {labels.shape} and type {labels.dtype}, wanted is one for each id"
    if entropies is not None and (
        entropies.shape != ids.shape or entropies.dtype.kind != "f" or not (entropies >= 0).all()
    ):
        return f"{_ENTROPIES} has shape {entropies.shape}, wanted is one, not negative, for each id"
    if len(labels) and not 0 <= labels.min() <= labels.max() < probs.shape[1]:
        return (
            f"labels are {labels.min()} to {labels.max()}, and there are {probs.shape[1]} classes"
        )
    return ""
