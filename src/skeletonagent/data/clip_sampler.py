"""Batches of clips from a store on a device: frame sampling, augmentation and input stream.

All index arithmetic is batched and stays on the store's device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from skeletonagent.core.clips import Batch, ClipStore
from skeletonagent.core.streams import Stream
from skeletonagent.data.augmentation import augment_clips
from skeletonagent.data.clip_frames import sample_test_frames, sample_test_positions
from skeletonagent.data.frame_sampling import (
    interpolate_frames,
    sample_train_frames,
    sample_train_positions,
)
from skeletonagent.data.mirror_classes import NO_CLASS, mirrored_labels
from skeletonagent.data.projection import without_depth
from skeletonagent.data.settings import (
    AugmentSettings,
    ClipSettings,
    ConfidenceRule,
    FrameSampling,
)
from skeletonagent.data.streams import bone_vectors, frame_differences, subtract


@dataclass(frozen=True)
class ClipSampler:
    """Sampler of training and test clips in one input stream.

    Args:
        store: Samples, on the device on which clips are made.
        settings: Length, stream and test sampling of the clips.
        augment: Random augmentation of training clips.
    """

    store: ClipStore
    settings: ClipSettings
    augment: AugmentSettings

    def train_batch(
        self,
        samples: Int[Tensor, " n"],
        generator: torch.Generator,
        bodies: int | None = None,
    ) -> Batch:
        """Return one randomly sampled, augmented clip of each sample.

        A mirrored clip has the label of the class that names the other side, see
        :func:`~skeletonagent.data.mirror_classes.mirror_classes`.

        Args:
            samples: Positions of the samples in the store, on its device.
            generator: Source of all random numbers, on the store's device.
            bodies: Number of bodies as :meth:`count_bodies` returns it; if it is larger, absent
                bodies fill up the rest. If None, it is computed, for which the host waits for the
                device.
        """
        joints = self._gather_clips(samples, self._train_frames(samples, generator))
        labels, mirrored = self._choose_mirrored(self.store.labels[samples], generator)
        clips = augment_clips(
            joints,
            self.store.layout,
            self.augment,
            generator,
            self.store.coordinates,
            self._image_widths(samples),
            mirrored,
        )
        return Batch(self._to_stream(clips), labels, self._present_bodies(samples, bodies))

    def test_batches(
        self,
        samples: Int[Tensor, " n"],
        batch_size: int,
        clips: int | None = None,
        on_host: Int[Tensor, " n"] | None = None,
    ) -> Iterator[Batch]:
        """Yield batches of test clips; the clips of a sample follow one another.

        Args:
            samples: Positions of the samples in the store, on its device.
            batch_size: Number of samples in a batch, each with all of its clips.
            clips: Number of clips of each sample; if None, that of the settings.
            on_host: The same samples by positions that lie on the host; if None, the device is
                waited for.
        """
        count = clips or self.settings.test_clips
        host_chunks = (samples.cpu() if on_host is None else on_host).split(batch_size)
        for chunk, host_chunk in zip(samples.split(batch_size), host_chunks, strict=True):
            frames = self._test_frames(count)[self._length_row[self.store.lengths[chunk]]]
            repeated = chunk.repeat_interleave(count)
            joints = self._gather_clips(repeated, frames.flatten(0, 1))
            present = self._present_bodies(repeated, count * self.count_bodies(host_chunk))
            yield Batch(
                self._to_stream(joints, clips_per_sequence=count),
                self.store.labels[repeated],
                present,
            )

    def count_bodies(self, samples: Int[Tensor, " n"]) -> int:
        """Return the number of bodies in all samples together.

        Args:
            samples: Positions of the samples; on the host, so that the device is not waited for.
        """
        return int(self._body_counts[samples.cpu()].sum())

    @cached_property
    def _body_counts(self) -> Int[Tensor, " s"]:
        """Number of bodies of each sample that a clip has room for, on the host."""
        return self.store.persons.cpu().clamp(max=self.store.max_persons)

    def _present_bodies(
        self, samples: Int[Tensor, " n"], count: int | None
    ) -> Int[Tensor, " b"] | None:
        """Return the indices of the present bodies, see :class:`Batch`; None if M is 1."""
        persons = self.store.max_persons
        if persons == 1:
            return None
        absent = torch.arange(persons, device=samples.device) >= self.store.persons[samples, None]
        count = self.count_bodies(samples) if count is None else count
        # Sorting puts present bodies first; unlike nonzero, its shape does not depend on the data.
        return absent.flatten().to(torch.uint8).argsort(stable=True)[:count]

    @property
    def _is_linear(self) -> bool:
        """Whether clips are interpolated between frames."""
        return self.settings.sampling is FrameSampling.LINEAR

    @property
    def _motion_before_sampling(self) -> bool:
        """Whether frame differences are taken before sampling."""
        return self.settings.differences_first

    @property
    def _subtracted_channels(self) -> int:
        """Number of leading channels that bones and frame differences subtract."""
        mean = self.settings.confidence_rule is ConfidenceRule.MEAN
        return self.store.coordinates if mean else self.store.channels

    @property
    def _marks_present(self) -> bool:
        """Whether clips have a last channel that is 1 where a joint is present.

        It is treated as confidence is: carried along by augmentation, and 1 in a bone or a frame
        difference if it is at all ends of it.
        """
        return self.store.present is not None and self.settings.stream is not Stream.JOINT

    def _gather(
        self, samples: Int[Tensor, " n"], frames: Int[Tensor, "n t"]
    ) -> Float[Tensor, "n m t v d"]:
        """Return frames of samples, with the mark of present joints if clips have it."""
        joints = self.store.gather(samples, frames)
        if not self._marks_present:
            return joints
        return torch.cat([joints, self.store.gather_present(samples, frames)], dim=-1)

    def _gather_clips(
        self, samples: Int[Tensor, " n"], frames: Num[Tensor, "n t"]
    ) -> Float[Tensor, "n m t v d"]:
        """Return joints, or their differences to the sample's next frame (the last one: zero).

        Args:
            samples: Positions of the samples in the store.
            frames: Frames of each sample, or positions between them if clips are interpolated.
        """
        if self._is_linear:
            return interpolate_frames(self.store, samples, frames, self._gather)
        joints = self._gather(samples, frames)
        if not self._motion_before_sampling:
            return joints
        following = torch.minimum(frames + 1, self.store.lengths[samples, None] - 1)
        return subtract(self._gather(samples, following), joints, self._subtracted_channels)

    def _to_stream(
        self, clips: Float[Tensor, "n m t v c"], clips_per_sequence: int = 1
    ) -> Float[Tensor, "n m t v d"]:
        """Return clips of :meth:`_gather_clips` in the input stream of the settings."""
        stream, subtracted = self.settings.stream, self._subtracted_channels
        if self.store.drops_depth:
            clips, subtracted = without_depth(clips), subtracted - 1
        vectors = bone_vectors(clips, self.store.layout, stream, subtracted)
        if stream.is_motion and not self._motion_before_sampling:
            together = 1 if self._is_linear else clips_per_sequence
            vectors = frame_differences(vectors, subtracted, together)
        if self._marks_present:
            return vectors[..., :-1] * vectors[..., -1:].eq(1)
        return vectors

    def _image_widths(self, samples: Int[Tensor, " n"]) -> Float[Tensor, " n"] | None:
        """Return the image widths for a horizontal flip; None for frame differences."""
        sizes = self.store.image_sizes
        return None if sizes is None or self._motion_before_sampling else sizes[samples, 0]

    def _choose_mirrored(
        self, labels: Int[Tensor, " n"], generator: torch.Generator
    ) -> tuple[Int[Tensor, " n"], Bool[Tensor, " n"] | None]:
        """Return the labels of augmented clips and which clips are mirrored.

        Clips whose mirror image shows the action of no class are not mirrored. None where no class
        names a side: the augmentation itself chooses.
        """
        classes = mirrored_labels(self.store.class_names, labels.device)
        if not self.augment.mirror or classes is None:
            return labels, None
        random = torch.rand(len(labels), generator=generator, device=labels.device)
        image = classes[labels]
        mirrored = (random < self.augment.mirror) & (image != NO_CLASS)
        return torch.where(mirrored, image, labels), mirrored

    def _train_frames(
        self, samples: Int[Tensor, " n"], generator: torch.Generator
    ) -> Num[Tensor, "n t"]:
        """Return random frames of each sample, or positions if clips are interpolated."""
        lengths, frames = self.store.lengths[samples], self.settings.frames
        if self._is_linear:
            crop, warp = self.augment.crop, self.augment.warp
            return sample_train_positions(lengths, frames, crop, generator, warp)
        lengths, starts = self._random_crop(lengths, generator)
        return starts[:, None] + sample_train_frames(lengths, frames, generator)

    def _random_crop(
        self, lengths: Int[Tensor, " n"], generator: torch.Generator
    ) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        """Return length and start of a random window of each sample."""
        if self.augment.crop == 1:
            return lengths, torch.zeros_like(lengths)
        random = torch.rand(2, len(lengths), generator=generator, device=lengths.device)
        share = self.augment.crop + (1 - self.augment.crop) * random[0]
        cropped = (lengths * share).ceil().long().clamp(min=1)
        starts = (random[1] * (lengths - cropped + 1)).long()
        return cropped, starts.clamp(max=(lengths - cropped).clamp(min=0))

    @cached_property
    def _distinct_lengths(self) -> list[int]:
        """Lengths of the store's samples, ascending."""
        return [int(length) for length in self.store.lengths.unique().tolist()]

    @cached_property
    def _length_row(self) -> Int[Tensor, " l"]:
        """Row of :meth:`_test_frames` for each length."""
        rows = torch.zeros(max(self._distinct_lengths) + 1, dtype=torch.long)
        rows[self._distinct_lengths] = torch.arange(len(self._distinct_lengths))
        return rows.to(self.store.device)

    @cached_property
    def _test_frames_cache(self) -> dict[int, Num[Tensor, "rows clips t"]]:
        """Results of :meth:`_test_frames` by the number of clips."""
        return {}

    def _test_frames(self, clips: int) -> Num[Tensor, "rows clips t"]:
        """Return frames or positions of test clips for each distinct length, computed once."""
        if clips not in self._test_frames_cache:
            rows = np.stack([self._frames_of_length(n, clips) for n in self._distinct_lengths])
            self._test_frames_cache[clips] = torch.from_numpy(rows).to(self.store.device)
        return self._test_frames_cache[clips]

    def _frames_of_length(self, length: int, clips: int) -> Num[np.ndarray, "clips t"]:
        """Return frames or positions of the test clips of a sample of a length."""
        settings = self.settings
        if self._is_linear:
            return sample_test_positions(length, settings.frames, clips)
        frames = sample_test_frames(length, settings.frames, clips, settings.test_sampling)
        return frames.astype(np.int64)
