"""Class probabilities of unlabelled samples, as the predictor returns them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import overload

import numpy as np
from jaxtyping import Float, Int

ClassShare = tuple[str, float]
"""Name of a class and its probability."""

_SHOWN = 10
"""Samples that the text form lists."""


@dataclass(frozen=True)
class SamplePrediction:
    """Most probable classes of one sample.

    Args:
        sample_id: Name of the sample.
        label: Index of the most probable class.
        class_name: Name of the most probable class.
        probability: Its probability.
        top: The most probable classes with their probabilities, best first.
        novelty: How little the sample is what the recognizer knows; None if that was not measured.
    """

    sample_id: str
    label: int
    class_name: str
    probability: float
    top: tuple[ClassShare, ...]
    novelty: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether nothing says that it is another action, or from another source."""
        return self.novelty is None or self.novelty <= 1


@dataclass(frozen=True, repr=False, eq=False)
class Predictions:
    """Class probabilities of N samples; one sample in gives N = 1, not another type.

    A sample is taken by its position, several by a slice, and a loop gives one
    :class:`SamplePrediction` after another.

    Args:
        sample_ids: Name of each sample: its position in the input, or its name in a file.
        probs: Probability of each class; rows sum to one.
        classes: Names of all classes, in the order of the columns.
        k: Number of classes that :meth:`top_k` returns unless another is asked for.
        frames: Number of frames of each sample, where it is known.
        novelty: How little each sample is what the recognizer knows, see
            :func:`~skeletonagent.inference.source_check.novelty`; above 1, it is another action
            than the classes, or from another source. Nothing if it was not measured.
        fps: Frames a second of each sample, None where unknown; nothing if none was looked for.

    Examples:
        >>> import numpy as np
        >>> probs = np.array([[0.2, 0.7, 0.1], [0.6, 0.1, 0.3]])
        >>> out = Predictions(("a", "b"), probs, ("sit", "wave", "jump"), k=2)
        >>> out.class_names
        ('wave', 'sit')
        >>> out.labels.tolist()
        [1, 0]
        >>> out.top_k()
        [[('wave', 0.7), ('sit', 0.2)], [('sit', 0.6), ('jump', 0.3)]]
        >>> out[0].class_name, out[0].probability
        ('wave', 0.7)
        >>> [sample.class_name for sample in out[1:]]
        ['sit']
    """

    sample_ids: tuple[str, ...]
    probs: Float[np.ndarray, "n y"]
    classes: tuple[str, ...]
    k: int = 5
    frames: tuple[int, ...] = ()
    novelty: Float[np.ndarray, " _"] = field(default_factory=lambda: np.zeros(0))
    fps: tuple[float | None, ...] = ()

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """Index of each sample's most probable class."""
        labels: np.ndarray = self.probs.argmax(axis=1)
        return labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each sample's most probable class."""
        return tuple(self.classes[label] for label in self.labels)

    def top_k(self, k: int | None = None) -> list[list[ClassShare]]:
        """Return each sample's ``k`` most probable classes with their probabilities, best first.

        Args:
            k: Number of classes; by default ``self.k``, at most all.
        """
        order = np.argsort(-self.probs, axis=1, kind="stable")[:, : self.k if k is None else k]
        return [
            [(self.classes[label], float(row[label])) for label in best]
            for row, best in zip(self.probs, order, strict=True)
        ]

    def __len__(self) -> int:
        """Return N, the number of samples."""
        return len(self.sample_ids)

    def __iter__(self) -> Iterator[SamplePrediction]:
        """Yield the samples one after another."""
        best = self.top_k(max(self.k, 1))
        new = map(float, self.novelty) if len(self.novelty) else repeat(None, len(self))
        for sample_id, label, top, novel in zip(
            self.sample_ids, self.labels, best, new, strict=True
        ):
            name, share = top[0]
            yield SamplePrediction(sample_id, int(label), name, share, tuple(top[: self.k]), novel)

    @overload
    def __getitem__(self, position: int) -> SamplePrediction: ...

    @overload
    def __getitem__(self, position: slice) -> Predictions: ...

    def __getitem__(self, position: int | slice) -> SamplePrediction | Predictions:
        """Return one sample by its position, or several by a slice."""
        if isinstance(position, slice):
            return Predictions(
                self.sample_ids[position],
                self.probs[position],
                self.classes,
                self.k,
                self.frames[position],
                self.novelty[position],
                self.fps[position],
            )
        position = range(len(self))[position]
        return next(iter(self[position : position + 1]))

    def __repr__(self) -> str:
        """Return the samples with their most probable classes, a line for each."""
        lines = [f"Predictions of {len(self)} sample(s), {len(self.classes)} classes"]
        for sample in self[:_SHOWN]:
            best = ", ".join(f"{name} {share:.1%}" for name, share in sample.top[:3])
            lines.append(f"  {sample.sample_id}: {best}")
        if len(self) > _SHOWN:
            lines.append(f"  and {len(self) - _SHOWN} more")
        return "\n".join(lines)
