"""Lengths and persons of the clips that a recognizer was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

if TYPE_CHECKING:
    from skeletonagent.core.clips import ClipStore

TWO_PERSONS_SHARE = 0.9
"""Share of a class's training clips that show two persons if the class is one of two persons."""


@dataclass(frozen=True)
class TrainingClips:
    """Lengths and persons of training clips, by which untrimmed recordings are cut.

    Args:
        shortest: Number of frames that 5 % of the clips fall below.
        median: Median number of frames.
        longest: Number of frames that 5 % of the clips exceed.
        pair_classes: Names of the classes of two persons.
        fps: Frames a second; None if the data set does not say it.
    """

    shortest: int
    median: int
    longest: int
    pair_classes: tuple[str, ...]
    fps: float | None = None

    @classmethod
    def of(cls, store: ClipStore, sample_ids: Sequence[str]) -> TrainingClips:
        """Return the figures of some samples of a preprocessed data set, all if none is named."""
        import torch

        numbers = [store.index_of[sample] for sample in sample_ids] or list(range(len(store)))
        samples = torch.tensor(numbers, dtype=torch.long)
        lengths = np.quantile(store.lengths.cpu()[samples].numpy(), [0.05, 0.5, 0.95])
        shortest, median, longest = (max(1, round(float(length))) for length in lengths)
        two = _bodies_seen(store)[samples.numpy()] > 1
        labels = store.labels.cpu()[samples].numpy()
        count = np.bincount(labels, minlength=store.num_classes)
        share = np.bincount(labels, weights=two, minlength=store.num_classes) / count.clip(min=1)
        pairs = tuple(
            name
            for name, of_two in zip(store.class_names, share >= TWO_PERSONS_SHARE, strict=True)
            if of_two
        )
        return cls(shortest, median, longest, pairs)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "shortest": self.shortest,
            "median": self.median,
            "longest": self.longest,
            "pair_classes": list(self.pair_classes),
            "fps": self.fps,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TrainingClips:
        """Return the figures of :meth:`to_json`.

        Raises:
            KeyError: If one is missing.
        """
        fps = value["fps"]
        return cls(
            int(value["shortest"]),
            int(value["median"]),
            int(value["longest"]),
            tuple(map(str, value["pair_classes"])),
            None if fps is None else float(fps),
        )


def _bodies_seen(store: ClipStore) -> Int[np.ndarray, " s"]:
    """Return the number of bodies of each sample that are seen; stored ones if frames are away."""
    if len(store.frames) < int((store.persons * store.lengths).sum()):
        stored: np.ndarray = store.persons.cpu().numpy()
        return stored
    import torch

    from skeletonagent.data.stored_bodies import body_chunks

    counts = []
    for chunk in body_chunks(store):
        seen = chunk.body_sums(chunk.present.any(dim=1)) > 0
        bodies = torch.zeros_like(chunk.lengths).index_add(0, chunk.body_samples, seen.long())
        counts.append(bodies)
    seen_bodies: np.ndarray = torch.cat(counts).cpu().numpy()
    return seen_bodies
