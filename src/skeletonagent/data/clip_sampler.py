"""From a store to batches: what of which samples a recognizer sees.

All index arithmetic is batched and stays on the store's device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import Batch, ClipStore
from skeletonagent.data.augmentation import augment_clips
from skeletonagent.data.frame_sampling import sample_test_frames, sample_train_frames
from skeletonagent.data.settings import AugmentSettings, ClipSettings, ConfidenceRule, MotionRule
from skeletonagent.data.streams import bone_vectors, frame_differences, subtract


@dataclass(frozen=True)
class ClipSampler:
    """Turn samples of a store into batches of clips in one stream."""

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

        Args:
            samples: Which samples.
            generator: Of all randomness.
            bodies: Their number as :meth:`count_bodies` tells it; of a greater one, absent bodies
                are the rest. Without it, it is asked of the device, for which the host has to wait.
        """
        lengths, starts = self._crop(self.store.lengths[samples], generator)
        frames = starts[:, None] + sample_train_frames(lengths, self.settings.frames, generator)
        clips = augment_clips(
            self._clips(samples, frames),
            self.store.layout,
            self.augment,
            generator,
            self.store.coordinates,
            self._widths(samples),
        )
        there = self._bodies(samples, bodies)
        return Batch(self._stream_of(clips), self.store.labels[samples], there)

    def test_batches(
        self, samples: Int[Tensor, " n"], batch_size: int, clips: int | None = None
    ) -> Iterator[Batch]:
        """Yield test clips, all clips of a sample one after another.

        Args:
            samples: Which samples.
            batch_size: Samples in a batch; it has as many clips times the number of clips.
            clips: Clips of a sample, if not as many as the settings say.
        """
        count = clips or self.settings.test_clips
        on_host = samples.cpu().split(batch_size)
        for chunk, known in zip(samples.split(batch_size), on_host, strict=True):
            frames = self._test_table(count)[self._length_row[self.store.lengths[chunk]]]
            repeated = chunk.repeat_interleave(count)
            drawn = self._clips(repeated, frames.flatten(0, 1))
            seen = self._stream_of(drawn, joined=count)
            bodies = self._bodies(repeated, count * self.count_bodies(known))
            yield Batch(seen, self.store.labels[repeated], bodies)

    def count_bodies(self, samples: Int[Tensor, " n"]) -> int:
        """Return how many bodies samples have together; told on the host, nothing is waited for.

        Args:
            samples: Which samples; a copy on the host, lest the device be waited for.
        """
        return int(self._persons[samples.cpu()].sum())

    @cached_property
    def _persons(self) -> Int[Tensor, " s"]:
        """Bodies of each sample that a clip has room for, on the host."""
        return self.store.persons.cpu().clamp(max=self.store.max_persons)

    def _bodies(self, samples: Int[Tensor, " n"], count: int | None) -> Int[Tensor, " b"] | None:
        """Return the bodies that are there, see :class:`Batch`; None where there is one each."""
        persons = self.store.max_persons
        if persons == 1:
            return None
        absent = torch.arange(persons, device=samples.device) >= self.store.persons[samples, None]
        count = self.count_bodies(samples) if count is None else count
        # Those that are there come first; unlike nonzero, a sort gives a shape known beforehand.
        return absent.flatten().to(torch.uint8).argsort(stable=True)[:count]

    @property
    def _differenced(self) -> bool:
        """Whether differences over time are taken before sampling."""
        return self.settings.stream.is_motion and self.settings.motion_rule is MotionRule.BEFORE

    @property
    def _subtracted(self) -> int:
        """Channels of which differences are taken."""
        mean = self.settings.confidence_rule is ConfidenceRule.MEAN
        return self.store.coordinates if mean else self.store.channels

    def _clips(
        self, samples: Int[Tensor, " n"], frames: Int[Tensor, "n t"]
    ) -> Float[Tensor, "n m t v c"]:
        """Return joints, or their differences to the next frame of the sample (the last: zero)."""
        joints = self.store.gather(samples, frames)
        if not self._differenced:
            return joints
        following = torch.minimum(frames + 1, self.store.lengths[samples, None] - 1)
        return subtract(self.store.gather(samples, following), joints, self._subtracted)

    def _stream_of(
        self, clips: Float[Tensor, "n m t v c"], joined: int = 1
    ) -> Float[Tensor, "n m t v c"]:
        """Return what the settings' stream makes of :meth:`_entries`."""
        stream = self.settings.stream
        seen = bone_vectors(clips, self.store.layout, stream, self._subtracted)
        if stream.is_motion and not self._differenced:
            return frame_differences(seen, self._subtracted, joined)
        return seen

    def _widths(self, samples: Int[Tensor, " n"]) -> Float[Tensor, " n"] | None:
        """Return the width in which joints are mirrored; differences have none."""
        sizes = self.store.image_sizes
        return None if sizes is None or self._differenced else sizes[samples, 0]

    def _crop(
        self, lengths: Int[Tensor, " n"], generator: torch.Generator
    ) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        """Return length and start of a random window of each sample."""
        if self.augment.crop == 1:
            return lengths, torch.zeros_like(lengths)
        random = torch.rand(2, len(lengths), generator=generator, device=lengths.device)
        share = self.augment.crop + (1 - self.augment.crop) * random[0]
        kept = (lengths * share).ceil().long().clamp(min=1)
        return kept, (random[1] * (lengths - kept + 1)).long().clamp(
            max=(lengths - kept).clamp(min=0)
        )

    @cached_property
    def _known_lengths(self) -> list[int]:
        return [int(length) for length in self.store.lengths.unique().tolist()]

    @cached_property
    def _length_row(self) -> Int[Tensor, " l"]:
        """Row of the test table for each length."""
        rows = torch.zeros(max(self._known_lengths) + 1, dtype=torch.long)
        rows[self._known_lengths] = torch.arange(len(self._known_lengths))
        return rows.to(self.store.device)

    @cached_property
    def _test_tables(self) -> dict[int, Int[Tensor, "rows clips t"]]:
        return {}

    def _test_table(self, clips: int) -> Int[Tensor, "rows clips t"]:
        """Return the test frames of every length that occurs, computed once."""
        if clips not in self._test_tables:
            settings = self.settings
            rows = [
                sample_test_frames(n, settings.frames, clips, settings.test_sampling)
                for n in self._known_lengths
            ]
            self._test_tables[clips] = torch.from_numpy(np.stack(rows)).long().to(self.store.device)
        return self._test_tables[clips]
