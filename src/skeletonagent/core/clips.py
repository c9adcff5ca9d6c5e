"""Skeleton clips: a data set on a device, and a batch of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.core.clip_measures import ClipMeasures
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.sequences import JoinedSource as JoinedSource
from skeletonagent.core.sequences import SkeletonSequence as SkeletonSequence
from skeletonagent.core.sequences import Split as Split


@dataclass(frozen=True)
class Batch:
    """Clips of equal length, as the recognizer takes them.

    Args:
        clips: Clips with M person slots; a slot without a body is all zeros.
        labels: Class index of each clip.
        bodies: Bodies that are present, ascending: body ``m`` of clip ``n`` as ``n M + m``.
            None if all count as present.
    """

    clips: Float[Tensor, "n m t v c"]
    labels: Int[Tensor, " n"]
    bodies: Int[Tensor, " b"] | None = None


@dataclass(frozen=True)
class ClipStore:
    """A data set as one ragged tensor on a device.

    The bodies of all samples lie one after another: frame ``t`` of person ``m`` of sample ``i``
    is row ``starts[i] + m * lengths[i] + t`` of ``frames``.

    Args:
        frames: All frames of all bodies.
        starts: Row of each sample's first frame.
        lengths: Number of frames of each sample.
        persons: Number of bodies of each sample.
        labels: Class index of each sample.
        sample_ids: Name of each sample.
        subjects: Subject of each sample, or None where subjects are not known.
        layout: Joints and bones of the skeleton.
        class_names: Names of the classes, in label order.
        has_confidence: Whether the last channel is the detector's confidence, no coordinate.
        image_sizes: Width and height of each sample's image, where coordinates are its pixels;
            else None.
        person_slots: Number of bodies a clip has room for, if not the largest in one sample.
        drops_depth: Whether clips show x and y alone: the third coordinate is dropped once they
            are rotated.
        present: Whether each joint of each frame is present, so that bones and motions are taken
            between present ones alone. None before preprocessing, and where an absent joint counts
            as one at zero.
    """

    frames: Float[Tensor, "f v c"]
    starts: Int[Tensor, " s"]
    lengths: Int[Tensor, " s"]
    persons: Int[Tensor, " s"]
    labels: Int[Tensor, " s"]
    sample_ids: tuple[str, ...]
    subjects: tuple[int, ...] | None
    layout: SkeletonLayout
    class_names: tuple[str, ...]
    has_confidence: bool = False
    image_sizes: Float[Tensor, "s 2"] | None = None
    person_slots: int | None = None
    drops_depth: bool = False
    present: Bool[Tensor, "f v"] | None = None

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.sample_ids)

    @property
    def device(self) -> torch.device:
        """Device the frames lie on."""
        return self.frames.device

    @property
    def num_classes(self) -> int:
        """Number of classes, Y."""
        return len(self.class_names)

    @property
    def channels(self) -> int:
        """Number of channels, C: the coordinates, and the confidence if there is one."""
        return int(self.frames.shape[-1])

    @property
    def coordinates(self) -> int:
        """Number of channels that are coordinates; they come first."""
        return self.channels - self.has_confidence

    @property
    def clip_channels(self) -> int:
        """Number of channels of the clips that are made of the samples."""
        return self.channels - self.drops_depth

    @property
    def input_format(self) -> InputFormat:
        """Format of the samples as they lie in this store."""
        return InputFormat(
            self.layout, self.channels, self.has_confidence, self.image_sizes is not None
        )

    @cached_property
    def max_persons(self) -> int:
        """Number of bodies a clip has room for, M."""
        return self.person_slots or int(self.persons.max())

    @cached_property
    def index_of(self) -> Mapping[str, int]:
        """Position of each sample id."""
        return {sample_id: index for index, sample_id in enumerate(self.sample_ids)}

    def indices(self, sample_ids: Sequence[str]) -> Int[Tensor, " n"]:
        """Return the positions of samples, on the store's device."""
        return torch.tensor(
            [self.index_of[s] for s in sample_ids], dtype=torch.long, device=self.device
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> ClipStore:
        """Return the same samples on ``device``, coordinates as ``dtype``."""
        moved = {
            name: value.to(device)
            for name in ("starts", "lengths", "persons", "labels", "image_sizes", "present")
            if (value := getattr(self, name)) is not None
        }
        return replace(self, frames=self.frames.to(device, dtype), **moved)

    def rows(self, samples: Int[Tensor, " n"]) -> Int[Tensor, " r"]:
        """Return the rows of samples in ``frames``, one sample after another."""
        counts = self.persons[samples] * self.lengths[samples]
        skipped = self.starts[samples] - (counts.cumsum(0) - counts)
        return torch.arange(int(counts.sum()), device=counts.device) + skipped.repeat_interleave(
            counts
        )

    def subset(
        self, samples: Int[Tensor, " n"], frames: Float[Tensor, "r v c"] | None = None
    ) -> ClipStore:
        """Return some samples by themselves, in clips of as many bodies as here.

        Args:
            samples: Indices of the samples; where frames lie on disk, ascending is fastest.
            frames: Content of their :meth:`rows`, if it was gathered already.
        """
        rows = self.rows(samples)
        if frames is None:
            frames = self.frames.index_select(0, rows)
        counts, indices = self.persons[samples] * self.lengths[samples], samples.tolist()
        return replace(
            self,
            frames=frames,
            starts=counts.cumsum(0) - counts,
            lengths=self.lengths[samples],
            persons=self.persons[samples],
            labels=self.labels[samples],
            sample_ids=tuple(self.sample_ids[i] for i in indices),
            subjects=None if self.subjects is None else tuple(self.subjects[i] for i in indices),
            image_sizes=None if self.image_sizes is None else self.image_sizes[samples],
            person_slots=self.max_persons,
            present=None if self.present is None else self.present.index_select(0, rows),
        )

    def sequence(self, index: int) -> SkeletonSequence:
        """Return one sample by itself, on the host."""
        m, t = int(self.persons[index]), int(self.lengths[index])
        rows = self.frames[int(self.starts[index]) :][: m * t]
        return SkeletonSequence(
            joints=rows.reshape(m, t, *rows.shape[1:]).float().cpu().numpy(),
            label=int(self.labels[index]),
            sample_id=self.sample_ids[index],
            subject=self.subjects[index] if self.subjects is not None else None,
            image_size=self._image_size(index),
        )

    def _image_size(self, index: int) -> tuple[float, float] | None:
        if self.image_sizes is None:
            return None
        width, height = self.image_sizes[index].tolist()
        return width, height

    def gather(
        self, samples: Int[Tensor, " n"], frames: Int[Tensor, "n t"]
    ) -> Float[Tensor, "n m t v c"]:
        """Return some frames of the first M bodies of samples; missing bodies are zeros.

        Args:
            samples: Indices of the samples.
            frames: Frames of each sample, within its length.
        """
        rows, there = self._clip_rows(samples, frames)
        clips = self.frames[rows.reshape(-1)].reshape(*rows.shape, *self.frames.shape[1:])
        return clips.float() * there[:, :, None, None, None]

    def gather_present(
        self, samples: Int[Tensor, " n"], frames: Int[Tensor, "n t"]
    ) -> Float[Tensor, "n m t v 1"]:
        """Return 1 where :meth:`gather` returns a joint that is present, 0 elsewhere.

        Raises:
            ValueError: If the store does not tell absent joints from those at zero.
        """
        if self.present is None:
            raise ValueError("the store does not say which joints are present")
        rows, there = self._clip_rows(samples, frames)
        present = self.present[rows.reshape(-1)].reshape(*rows.shape, -1, 1)
        return present.float() * there[:, :, None, None, None]

    def _clip_rows(
        self, samples: Int[Tensor, " n"], frames: Int[Tensor, "n t"]
    ) -> tuple[Int[Tensor, "n m t"], Bool[Tensor, "n m"]]:
        """Return the rows of frames of the first M bodies of samples, and which bodies exist."""
        persons = torch.arange(self.max_persons, device=self.device)
        there: Bool[Tensor, "n m"] = persons < self.persons[samples, None]
        body = self.starts[samples, None] + persons * self.lengths[samples, None]
        rows = torch.where(there, body, self.starts[samples, None])[:, :, None] + frames[:, None]
        return rows, there

    @classmethod
    def from_sequences(
        cls,
        sequences: Sequence[SkeletonSequence],
        layout: SkeletonLayout,
        class_names: Sequence[str],
        has_confidence: bool = False,
    ) -> ClipStore:
        """Return a store on the host of sequences already in memory; see the class."""
        shapes = [sequence.joints.shape for sequence in sequences]
        rows = np.cumsum([0, *(m * t for m, t, _, _ in shapes)])
        flat = [sequence.joints.reshape(-1, *sequence.joints.shape[2:]) for sequence in sequences]
        subjects = tuple(sequence.subject for sequence in sequences)
        sizes = [sequence.image_size for sequence in sequences]
        return cls(
            frames=torch.from_numpy(np.concatenate(flat).astype(np.float32)),
            starts=torch.from_numpy(rows[:-1].astype(np.int64)),
            lengths=torch.tensor([t for _, t, _, _ in shapes]),
            persons=torch.tensor([m for m, _, _, _ in shapes]),
            labels=torch.tensor([sequence.label for sequence in sequences]),
            sample_ids=tuple(sequence.sample_id for sequence in sequences),
            subjects=None if None in subjects else tuple(int(s) for s in subjects if s is not None),
            layout=layout,
            class_names=tuple(class_names),
            has_confidence=has_confidence,
            image_sizes=None if None in sizes else torch.tensor(sizes, dtype=torch.float32),
        )


@dataclass(frozen=True)
class SkeletonData:
    """A data set as read: its samples on the host, untouched, and its splits.

    Args:
        name: Short name.
        title: Full name.
        store: All samples.
        splits: Splits by name.
        default_split: Name of the split that is used by default.
        input_format: Format of the samples before preprocessing; None if the store was not
            preprocessed.
        fps: Frames a second of all samples; None if they differ or are not known.
        stored_measures: Measures of samples, all or some, as they were before preprocessing; None
            if the store was not preprocessed.
        remarks: What preprocessing left out or decided, a line each.
        sources: Data sets that were joined to this one; none if it is not made of several.
    """

    name: str
    title: str
    store: ClipStore
    splits: Mapping[str, Split]
    default_split: str
    input_format: InputFormat | None = field(default=None, kw_only=True)
    fps: float | None = field(default=None, kw_only=True)
    stored_measures: ClipMeasures | None = field(default=None, kw_only=True, repr=False)
    remarks: tuple[str, ...] = field(default=(), kw_only=True)
    sources: tuple[JoinedSource, ...] = field(default=(), kw_only=True)
