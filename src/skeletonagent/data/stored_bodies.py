"""Bodies of consecutive samples, one after another as a store holds them, and sums over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import or_

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.settings import Origin

PREPROCESSING_CHUNK = 128
"""Samples preprocessed at a time: few enough to stay in a processor's cache."""


def body_chunks(store: ClipStore, size: int = PREPROCESSING_CHUNK) -> Iterator[StoredBodies]:
    """Yield the samples of a store, ``size`` at a time, in float32.

    Joints are present that the store says, so that one at the origin is; without that, those whose
    coordinates are not all zero.
    """
    ends = store.starts + store.persons * store.lengths
    for first in range(0, len(store), size):
        part = slice(first, min(first + size, len(store)))
        rows = slice(int(store.starts[first]), int(ends[part.stop - 1]))
        bodies = StoredBodies.of(
            frames=store.frames[rows].float(),
            lengths=store.lengths[part],
            persons=store.persons[part],
            coordinates=store.coordinates,
        )
        yield bodies if store.present is None else replace(bodies, present=store.present[rows])


def with_chunks(store: ClipStore, chunks: Iterable[StoredBodies]) -> ClipStore:
    """Return a store whose samples have the frames of chunks, which may be fewer than before.

    Args:
        store: Samples.
        chunks: The same samples, changed, in order.
    """
    frames = torch.empty(store.frames.shape, device=store.device)
    present = torch.empty(store.frames.shape[:2], dtype=torch.bool, device=store.device)
    lengths, filled = [], 0
    for chunk in chunks:
        rows = slice(filled, filled := filled + len(chunk.frames))
        frames[rows], present[rows] = chunk.frames, chunk.present
        lengths.append(chunk.lengths)
    rows_of = store.persons * torch.cat(lengths)
    return replace(
        store,
        frames=frames[:filled],
        present=present[:filled],
        starts=rows_of.cumsum(0) - rows_of,
        lengths=torch.cat(lengths),
    )


@dataclass(frozen=True)
class StoredBodies:
    """Bodies of consecutive samples of a store, with rows counted from the first of them.

    Args:
        frames: All frames of all bodies.
        present: Whether each joint is present: one of its coordinates was not zero as stored.
        lengths: Number of frames of each sample.
        persons: Number of bodies of each sample.
        coordinates: Number of leading channels that are coordinates.
    """

    frames: Float[Tensor, "f v c"]
    present: Bool[Tensor, "f v"]
    lengths: Int[Tensor, " s"]
    persons: Int[Tensor, " s"]
    coordinates: int

    @classmethod
    def of(
        cls,
        frames: Float[Tensor, "f v c"],
        lengths: Int[Tensor, " s"],
        persons: Int[Tensor, " s"],
        coordinates: int,
    ) -> StoredBodies:
        """Return the bodies of frames; present joints are computed."""
        # Several times as fast as Tensor.any over so few channels.
        present = reduce(or_, (frames[..., channel].ne(0) for channel in range(coordinates)))
        return cls(frames, present, lengths, persons, coordinates)

    @cached_property
    def starts(self) -> Int[Tensor, " s"]:
        """Row of each sample's first frame."""
        rows = self.persons * self.lengths
        return rows.cumsum(0) - rows

    @cached_property
    def samples(self) -> Int[Tensor, " f"]:
        """Sample of each row."""
        numbers = torch.arange(len(self.lengths), device=self.lengths.device)
        return numbers.repeat_interleave(self.persons * self.lengths)

    @cached_property
    def body_samples(self) -> Int[Tensor, " b"]:
        """Sample of each body."""
        numbers = torch.arange(len(self.lengths), device=self.lengths.device)
        return numbers.repeat_interleave(self.persons)

    @cached_property
    def body_lengths(self) -> Int[Tensor, " b"]:
        """Number of frames of each body."""
        return self.lengths[self.body_samples]

    @cached_property
    def body_starts(self) -> Int[Tensor, " b"]:
        """Row of each body's first frame."""
        return self.body_lengths.cumsum(0) - self.body_lengths

    @cached_property
    def first_bodies(self) -> Int[Tensor, " s"]:
        """First body of each sample."""
        return self.persons.cumsum(0) - self.persons

    @cached_property
    def bodies(self) -> Int[Tensor, " f"]:
        """Body of each row."""
        numbers = torch.arange(len(self.body_samples), device=self.lengths.device)
        return numbers.repeat_interleave(self.body_lengths)

    @property
    def joints(self) -> Float[Tensor, "f v d"]:
        """Coordinates of all joints, without their confidence."""
        return self.frames[..., : self.coordinates]

    def with_joints(self, joints: Float[Tensor, "f v d"]) -> StoredBodies:
        """Return the bodies with other coordinates, which count as present where these do."""
        frames = torch.cat([joints, self.frames[..., self.coordinates :]], dim=-1)
        return replace(self, frames=frames)

    def body_sums(self, values: Shaped[Tensor, "f *k"]) -> Float[Tensor, "b *k"]:
        """Return sums over the frames of each body, which do not depend on other bodies."""
        flat = values.reshape(len(values), -1).double()
        sums = flat.new_zeros(len(self.body_samples), flat.shape[1])
        return sums.index_add(0, self.bodies, flat).reshape(-1, *values.shape[1:])

    def body_means(
        self, values: Float[Tensor, "f k *d"], counted: Bool[Tensor, "f k"]
    ) -> tuple[Float[Tensor, "b k *d"], Bool[Tensor, "b k"]]:
        """Return means over the frames of each body that count, and whether any does; else 0."""
        counts = self.body_sums(counted)
        weight = counted if values.ndim == counted.ndim else counted[..., None]
        divisor = counts.clamp(min=1)
        sums = self.body_sums(values * weight)
        means = sums / (divisor if sums.ndim == divisor.ndim else divisor[..., None])
        return means.to(values.dtype), counts > 0

    def rows_of(self, numbers: Int[Tensor, " s"]) -> Int[Tensor, " f"]:
        """Return for each row that of the same frame of one body of its sample.

        Args:
            numbers: Number of the body within each sample.
        """
        frame = self.numbered_rows - self.body_starts[self.bodies]
        start = self.starts + numbers * self.lengths
        return start[self.samples] + frame

    @cached_property
    def numbered_rows(self) -> Int[Tensor, " f"]:
        """Number of each row."""
        return torch.arange(len(self.frames), device=self.lengths.device)

    def first_body_where(self, wanted: Bool[Tensor, " b"]) -> Int[Tensor, " s"]:
        """Return the number within each sample of its first body of a kind, 0 if there is none."""
        numbers = torch.arange(len(wanted), device=wanted.device)
        numbers = numbers - self.first_bodies[self.body_samples]
        most = int(self.persons.max())
        firsts = self.persons.new_full(self.persons.shape, most).scatter_reduce(
            0, self.body_samples, numbers.where(wanted, most), "amin"
        )
        return firsts.where(firsts < most, 0)

    def centers(self, layout: SkeletonLayout) -> tuple[Float[Tensor, "f d"], Bool[Tensor, " f"]]:
        """Return the place of each row's body, and whether it is seen there.

        It is the center joint. Where this is zero in all frames of a body, either the body was
        centred frame by frame, so that zero lies between the joints, or the joint was never seen.
        Then the mean of the joints that it has bones with takes its place, each with its mirror
        joint, or of all joints if none of these is seen.
        """
        points, seen = self.joints[:, layout.center], self.present[:, layout.center]
        never = self.body_sums(seen) == 0
        if not bool(never.any()):
            return points, seen
        visible, present = self.present.any(dim=1), self.present[..., None]
        low = self.joints.where(present, torch.inf).amin(dim=1)
        high = self.joints.where(present, -torch.inf).amax(dim=1)
        outside = visible & ((low > 0) | (high < 0)).any(dim=1)
        absent = never & (self.body_sums(outside) > 0)
        near = torch.zeros_like(self.present)
        near[:, [joint for bone in layout.bones for joint in bone if layout.center in bone]] = True
        near = near & self.present & self.present[:, list(layout.mirror)]
        counted = torch.where(near.any(dim=1, keepdim=True), near, self.present)
        count = counted.sum(dim=1).clamp(min=1)[:, None]
        means = ((self.joints.double() * counted[..., None]).sum(dim=1) / count).to(points.dtype)
        points = torch.where(absent[self.bodies, None], means, points)
        return points, torch.where(never[self.bodies], visible, seen)

    def seen_origins(self, layout: SkeletonLayout, origin: Origin) -> Float[Tensor, "s d"]:
        """Return each sample's origin in the first frame in which the place of its body is seen.

        Unlike in :meth:`first_frame_origins`, an absent center joint is no place at zero.
        """
        points, seen = self.centers(layout)
        lead = self.first_body_where(self.body_sums(self.present.any(dim=1)) > 0)
        leading = self.bodies == (self.first_bodies + lead)[self.samples]
        none = len(points)
        rows = self.persons.new_full(self.persons.shape, none).scatter_reduce(
            0, self.samples, self.numbered_rows.where(leading & seen, none), "amin"
        )
        frame = (rows.where(rows < none, 0) - self.starts - lead * self.lengths).clamp(min=0)
        total, count = torch.zeros_like(points[self.starts]), torch.zeros_like(self.lengths)
        for body in range(int(self.persons.max())):  # in this order on any device
            exists = (body < self.persons) & (rows < none)
            place = self.starts + (body * self.lengths + frame) * exists
            counted = exists & seen[place] & (lead.eq(body) | (origin is Origin.GROUP))
            total += torch.where(counted[:, None], points[place], 0)
            count += counted
        return total / count.clamp(min=1)[:, None]

    def shifted(self, points: Float[Tensor, "s d"]) -> StoredBodies:
        """Return the samples relative to a point of each; absent joints stay zero."""
        shift = self.present[..., None] * points[self.samples, None]
        return self.with_joints(self.joints - shift)

    def most_seen_first(self) -> StoredBodies:
        """Return the bodies of each sample, the one that is seen in most frames first."""
        seen = self.body_sums(self.present.any(dim=1)).long()
        order = (self.body_samples * (int(seen.max()) + 1) - seen).argsort(stable=True)
        shift = (self.body_starts[order] - self.body_starts)[self.bodies]
        return self._at_rows(self.numbered_rows + shift)

    def frames_of_somebody(self) -> StoredBodies:
        """Return the frames in which a body is seen; all of a sample in which none ever is."""
        first = self.lengths.cumsum(0) - self.lengths
        frame = self.numbered_rows - self.body_starts[self.bodies] + first[self.samples]
        samples = torch.arange(len(self.lengths), device=self.lengths.device)
        samples = samples.repeat_interleave(self.lengths)  # of each frame
        seen = torch.zeros_like(samples).index_add(0, frame, self.present.any(dim=1).long()) > 0
        lengths = torch.zeros_like(self.lengths).index_add(0, samples, seen.long())
        kept = seen[frame] | lengths.eq(0)[self.samples]
        return self._at_rows(
            self.numbered_rows[kept], torch.where(lengths.eq(0), self.lengths, lengths)
        )

    def _at_rows(
        self, rows: Int[Tensor, " r"], lengths: Int[Tensor, " s"] | None = None
    ) -> StoredBodies:
        """Return bodies whose rows are some of these, in samples of as many bodies."""
        return replace(
            self,
            frames=self.frames.index_select(0, rows),
            present=self.present.index_select(0, rows),
            lengths=self.lengths if lengths is None else lengths,
        )

    def led_frames(self) -> StoredBodies:
        """Return the frames with the leading body by the recipe of spec 2.2, as first body.

        Of two bodies it is the one seen in more frames, of any other number the first; all frames
        stay if it is never present.
        """
        starts, lengths = self.starts[self.samples], self.lengths[self.samples]
        offset = self.numbered_rows - starts
        body, frame = offset // lengths, offset % lengths
        visible, m = self.present.any(dim=1), max(2, int(self.persons.max()))
        counts = torch.zeros(len(self.lengths) * m, dtype=torch.long, device=starts.device)
        counts = counts.index_add(0, self.samples * m + body, visible.long()).view(-1, m)
        second_leads = self.persons.eq(2) & (counts[:, 0] < counts[:, 1])
        led_lengths = torch.where(second_leads, counts[:, 1], counts[:, 0])
        exchanged = second_leads[self.samples]
        kept = visible[starts + exchanged * lengths + frame] | led_lengths.eq(0)[self.samples]
        rows = starts + torch.where(exchanged, 1 - body, body) * lengths + frame
        return self._at_rows(rows[kept], torch.where(led_lengths.eq(0), self.lengths, led_lengths))

    def first_frame_origins(self, center: int, origin: Origin) -> Float[Tensor, "s d"]:
        """Return each sample's origin in its first frame; zero if its first body is absent.

        An absent center joint counts as one at zero, as in the recipe of spec 2.2.
        """
        bodies = torch.arange(int(self.persons.max()), device=self.lengths.device)
        exists = bodies < self.persons[:, None]
        rows = self.starts[:, None] + bodies * self.lengths[:, None] * exists
        visible = exists & self.present.any(dim=1)[rows]
        counted = visible & visible[:, :1] & (bodies.eq(0) | (origin is Origin.GROUP))
        points = self.frames[rows, center, : self.coordinates]
        total = torch.zeros_like(points[:, 0])
        for body in range(points.shape[1]):  # in this order on any device
            total += torch.where(counted[:, body, None], points[:, body], 0)
        return total / counted.sum(dim=1, keepdim=True).clamp(min=1)

    def rms_sizes(self) -> Float[Tensor, " s"]:
        """Return the root mean square distance of each sample's joints from their mean."""
        joints, count = self.frames[..., : self.coordinates], self.present.sum(dim=1)
        rows = torch.cat(
            [
                count[:, None].double(),
                joints.sum(dim=1, dtype=torch.float64),
                joints.double().square().sum(dim=(1, 2))[:, None],
            ],
            dim=1,
        )
        sums = rows.new_zeros(len(self.lengths), rows.shape[1]).index_add(0, self.samples, rows)
        means = sums / sums[:, :1].clamp(min=1)
        spread = means[:, -1] - means[:, 1:-1].square().sum(dim=1)
        single_point = spread <= 1e-12 * means[:, -1]  # a point has no size: it is not scaled
        return torch.where(single_point, 1.0, spread.sqrt()).float()
