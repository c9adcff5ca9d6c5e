"""Imputation of joints that are never seen, by the poses of the training clips."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.data.placement import OnDiskData
from skeletonagent.data.pose_distribution import PoseDistribution
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import Gaps, Orientation, OrientationPer, Origin, Scale

MOST_POSE_CLIPS = 2000
"""Training clips whose poses are taken, evenly spread."""


def training_poses(data: SkeletonData, samples: Int[Tensor, " n"]) -> PoseDistribution | None:
    """Return the distribution of the poses of samples of a preprocessed data set.

    Returns:
        None if no pose is seen, or absent joints count as joints at zero.
    """
    some = samples.cpu()[:: max(1, -(-len(samples) // MOST_POSE_CLIPS))].sort().values
    if isinstance(data, OnDiskData):
        store = data.host_frames.fetch(some, torch.device("cpu"), _new_rows)
    else:
        store = data.store.subset(some.to(data.store.device))
    return PoseDistribution.of(store)


def _new_rows(like: Tensor, rows: int) -> Tensor:
    return like.new_empty(rows, *like.shape[1:])


@dataclass(frozen=True)
class PoseImputation:
    """Imputation of the joints that are absent after preprocessing, where their body is seen.

    Without some joints, scale, origin and axes of a body are rough. So the body is turned to the
    mean pose, its joints are filled in, it is placed by all of them, and they are filled in anew.

    Args:
        poses: Distribution of the poses of the training clips.
        prepare: Preprocessing that the samples went through.
    """

    poses: PoseDistribution
    prepare: Preprocessor

    def of_data(self, data: SkeletonData) -> SkeletonData:
        """Return a preprocessed data set with its joints; those of frames on disk when read."""
        if not isinstance(data, OnDiskData):
            return replace(data, store=self(data.store))
        frames = data.host_frames
        read = replace(frames, preprocess=lambda part: self(frames.preprocess(part)))
        return replace(data, host_frames=read)

    def __call__(self, store: ClipStore) -> ClipStore:
        """Return preprocessed samples with their joints, which then count as present.

        Samples that lack no joint that can be known are unchanged to the bit. Keypoint confidence
        is not changed, and bodies that are not seen in a frame stay absent.
        """
        if store.present is None:
            return store
        known = self.poses.known.to(store.device)
        lacking = store.present.any(dim=1) & (known & ~store.present).any(dim=1)
        samples = _samples_with(store, lacking)
        if not len(samples):
            return store
        rows, frames, present = store.rows(samples), store.frames.clone(), store.present.clone()
        seen = store.present[rows]
        frames[rows] = self._filled(store.subset(samples), seen).frames.to(frames.dtype)
        present[rows] = self._there(seen)
        return replace(store, frames=frames, present=present)

    def _there(self, seen: Bool[Tensor, "f v"]) -> Bool[Tensor, "f v"]:
        """Return which joints are there once those that can be known are filled in."""
        return seen | (seen.any(dim=1, keepdim=True) & self.poses.known.to(seen.device))

    def _filled(self, store: ClipStore, seen: Bool[Tensor, "f v"]) -> ClipStore:
        rough = self._with_expected(self._turned(store, seen), seen)
        gaps = replace(self.prepare, gaps=Gaps.KEEP)
        scale = Scale.BODY if self.prepare.scale is Scale.BODY else Scale.NONE
        placed = replace(gaps, scale=scale).placed(rough)
        return self._with_expected(placed, seen)

    def _with_expected(self, store: ClipStore, seen: Bool[Tensor, "f v"]) -> ClipStore:
        """Return samples with the joints that were not seen, given those that were."""
        c = store.coordinates
        poses = self.poses.in_coordinates(c)
        joints = poses.expected(store.frames[..., :c], seen)
        frames = torch.cat([joints, store.frames[..., c:]], dim=-1)
        return replace(store, frames=frames, present=self._there(seen))

    def _turned(self, store: ClipStore, seen: Bool[Tensor, "f v"]) -> ClipStore:
        """Return samples turned until the joints of their first body fit the mean pose best.

        Those that were turned to the line between two bodies stay as they are.
        """
        if self.prepare.orientation is Orientation.CAMERA or store.coordinates < 3:
            return store
        counts = store.persons * store.lengths
        sample = torch.arange(len(store), device=store.device).repeat_interleave(counts)
        row = torch.arange(len(sample), device=store.device)
        frame = (row - store.starts[sample]) % store.lengths[sample]
        of_first = row - store.starts[sample] == frame
        if self.prepare.origin is Origin.GROUP:
            of_first &= (store.persons == 1)[sample]
        counted = seen & of_first[:, None] & self.poses.known.to(store.device)
        per_frame = self.prepare.orientation_per is OrientationPer.FRAME
        unit = store.starts[sample] + frame if per_frame else sample
        turns = self._turns(store.frames[..., :3], counted, unit)
        joints = (store.frames[..., :3].double() @ turns[unit]).to(store.frames.dtype)
        frames = torch.cat([joints, store.frames[..., 3:]], dim=-1)
        return replace(store, frames=frames)

    def _turns(
        self,
        joints: Float[Tensor, "f v 3"],
        seen: Bool[Tensor, "f v"],
        unit: Int[Tensor, " f"],
    ) -> Float[Tensor, "u 3 3"]:
        """Return the rotations of the rows of each unit that fit the mean pose best.

        They fit by least squares (Kabsch), joints that vary least counting most; without three
        joints that are no line there is none.
        """
        poses = self.poses.in_coordinates(3)
        weights = (seen / poses.variances.to(joints.device))[..., None].double()
        total = weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
        mean = poses.mean.nan_to_num().double().to(joints.device).expand_as(joints)
        away, wanted = (
            places - (places * weights).sum(dim=1, keepdim=True) / total
            for places in (joints.double(), mean)
        )
        count = int(unit.max()) + 1
        products = away.new_zeros(count, 3, 3).index_add(0, unit, (away * weights).mT @ wanted)
        if self.prepare.orientation is Orientation.HEADING:  # about y alone
            upright = products.abs().sum(dim=(1, 2))
            products[:, 1], products[:, :, 1] = 0, 0
            products[:, 1, 1] = upright
        left, sizes, right = torch.linalg.svd(products)
        signs = torch.ones_like(sizes)
        signs[:, 2] = torch.det(left @ right).sign()
        is_plane = sizes[:, 1] > 1e-6 * sizes[:, 0]
        unit_matrix = torch.eye(3, dtype=away.dtype, device=away.device)
        return torch.where(is_plane[:, None, None], (left * signs[:, None]) @ right, unit_matrix)


def _samples_with(store: ClipStore, wanted: Bool[Tensor, " f"]) -> Int[Tensor, " n"]:
    """Return the samples of which a row is wanted."""
    counts = torch.cat([wanted.new_zeros(1, dtype=torch.long), wanted.long().cumsum(dim=0)])
    ends = store.starts + store.persons * store.lengths
    return (counts[ends] > counts[store.starts]).nonzero()[:, 0]
