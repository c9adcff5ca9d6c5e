"""Preprocessing of a data set when it is loaded: gaps, added joints, scale, origin, orientation.

Keypoint confidence is not a coordinate: it is neither shifted nor scaled nor turned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import COCO_17, COCO_20, SkeletonLayout
from skeletonagent.data.archive import require_finite
from skeletonagent.data.bone_lengths import mean_bone_lengths
from skeletonagent.data.compatible_settings import require_orientable
from skeletonagent.data.gaps import interpolate_gaps
from skeletonagent.data.orientation import OrientationAxes, rotate
from skeletonagent.data.projection import scale_in_plane, upright_joints
from skeletonagent.data.renumbered import with_leading_body
from skeletonagent.data.settings import (
    AbsentRule,
    DataSettings,
    Dims,
    Gaps,
    Orientation,
    OrientationPer,
    Origin,
    Scale,
)
from skeletonagent.data.stored_bodies import StoredBodies, body_chunks, with_chunks


@dataclass(frozen=True)
class Preprocessor:
    """Preprocessing of samples before clips are taken from them; samples do not affect each other.

    COCO's 17 joints become 20, because clips are centred on a joint in the middle of the body.

    Args:
        scale: Size that a sample's coordinates are divided by.
        origin: Point that becomes zero when a sample is centred.
        orientation: Axes that a sample is turned to.
        orientation_per: Part of a sample that is turned as one.
        gaps: What becomes of joints that are absent in some frames.
        dims: ``2`` if clips show x and y alone.
        absent_rule: Whether an absent joint counts as one at zero.
    """

    scale: Scale = Scale.NONE
    origin: Origin = Origin.PERSON
    orientation: Orientation = Orientation.CAMERA
    orientation_per: OrientationPer = OrientationPer.CLIP
    gaps: Gaps = Gaps.KEEP
    dims: Dims = "auto"
    absent_rule: AbsentRule = AbsentRule.MASKED

    @classmethod
    def from_settings(cls, settings: DataSettings) -> Preprocessor:
        """Return the preprocessing of a configuration."""
        return cls(
            scale=settings.scale,
            origin=settings.origin,
            orientation=settings.orientation,
            orientation_per=settings.orientation_per,
            gaps=settings.gaps,
            dims=settings.dims,
            absent_rule=settings.absent_rule,
        )

    def __call__(self, store: ClipStore) -> ClipStore:
        """Return the samples with the joints of their layout, scaled, centred and turned.

        Raises:
            DataError: If a joint is not finite, naming the sample, or if samples cannot be turned
                since they are in 2D or their skeleton has no left and right.
        """
        orientation = self._orientation_of(store.coordinates)
        require_orientable(orientation, store.coordinates, store.layout)
        store = replace(store, frames=store.frames.float())
        require_finite(store)
        masked = self.absent_rule is AbsentRule.MASKED
        if masked and int(store.persons.max()) > 1:
            store = with_chunks(store, map(with_leading_body, body_chunks(store)))
        if self.gaps is Gaps.INTERPOLATE:
            store = interpolate_gaps(store)
        return self.placed(add_coco20_joints(store, of_seen_joints=masked))

    def placed(self, store: ClipStore) -> ClipStore:
        """Return samples with all their joints, which may have been placed before."""
        flat = self.dims == 2 and store.coordinates == 3
        store = self._placed(store if flat else scale_store(store, self.scale))
        masked = self.absent_rule is AbsentRule.MASKED
        return replace(store, drops_depth=flat, present=store.present if masked else None)

    def _orientation_of(self, coordinates: int) -> Orientation:
        """Return the axes that samples are turned to; joints of pictures stay as they are."""
        flat = self.dims == 2 and coordinates == 2
        return Orientation.CAMERA if flat else self.orientation

    def _placed(self, store: ClipStore) -> ClipStore:
        """Return the samples without frames of nobody, centred and turned."""
        if not self._places(store):
            present = torch.cat([chunk.present for chunk in body_chunks(store)])
            return replace(store, present=present)
        placed = (self._chunk_placed(chunk, store.layout) for chunk in body_chunks(store))
        return replace(with_chunks(store, placed), image_sizes=None)

    def _places(self, store: ClipStore) -> bool:
        """Return whether samples are moved or turned."""
        turned = self._orientation_of(store.coordinates) is not Orientation.CAMERA
        return self.origin is not Origin.NONE or turned or self.dims == 2

    def _chunk_placed(self, chunk: StoredBodies, layout: SkeletonLayout) -> StoredBodies:
        led, points = self._led(chunk, layout)
        placed = led if points is None else led.shifted(points)
        orientation = self._orientation_of(led.coordinates)
        if orientation is not Orientation.CAMERA:
            axes = OrientationAxes(led, layout, self.origin)
            rotations = axes.rotations(orientation, self.orientation_per)
            placed = placed.with_joints(rotate(placed.joints, rotations))
        if self.dims != 2:
            return placed
        placed = placed.with_joints(upright_joints(placed, layout))
        return scale_in_plane(placed, layout, self.scale) if placed.coordinates == 3 else placed

    def _led(
        self, chunk: StoredBodies, layout: SkeletonLayout
    ) -> tuple[StoredBodies, Float[Tensor, "s d"] | None]:
        """Return the frames that stay, and the origin of each sample; None for no centring."""
        if self.origin is Origin.NONE:
            return chunk, None
        if self.absent_rule is AbsentRule.ZERO:
            led = chunk.led_frames()
            return led, led.first_frame_origins(layout.center, self.origin)
        led = chunk.frames_of_somebody()
        return led, led.seen_origins(layout, self.origin)


def add_coco20_joints(store: ClipStore, of_seen_joints: bool = False) -> ClipStore:
    """Return a COCO-17 store with the three middle joints of COCO-20; any other store unchanged.

    Middle of hips, middle of shoulders, and the thorax between them are means, also of the
    keypoint confidence. Source: spec 2.2, Kinetics_Transform.

    Args:
        store: Samples.
        of_seen_joints: Whether a middle is absent where one of its ends is; otherwise absent ends
            count as zeros, as in the source.
    """
    if store.layout.joints != COCO_17.joints:
        return store
    frames, joint = store.frames, COCO_17.joints.index
    hips = (frames[:, joint("left hip")] + frames[:, joint("right hip")]) / 2
    shoulders = (frames[:, joint("left shoulder")] + frames[:, joint("right shoulder")]) / 2
    middles = torch.stack([hips, (hips + shoulders) / 2, shoulders], dim=1)
    if of_seen_joints:
        seen = frames[..., : store.coordinates].ne(0).any(dim=-1)
        hips_seen = seen[:, joint("left hip")] & seen[:, joint("right hip")]
        shoulders_seen = seen[:, joint("left shoulder")] & seen[:, joint("right shoulder")]
        middles_seen = torch.stack([hips_seen, hips_seen & shoulders_seen, shoulders_seen], dim=1)
        middles = middles * middles_seen[..., None]
    joints = torch.cat([frames, middles], dim=1)
    return replace(store, frames=joints, layout=COCO_20, present=None)


def scale_store(store: ClipStore, scale: Scale) -> ClipStore:
    """Return the store with each sample's coordinates divided by its size, before centring."""
    if scale is Scale.NONE:
        return store
    images = store.image_sizes
    if scale is Scale.BODY:
        sizes = torch.cat([mean_bone_lengths(chunk, store.layout) for chunk in body_chunks(store)])
    elif images is None:
        sizes = torch.cat([chunk.rms_sizes() for chunk in body_chunks(store)])
    else:
        sizes = images.amax(dim=1)
    frames = store.frames.float().clone()
    row_sizes = sizes.repeat_interleave(store.persons * store.lengths)
    frames[..., : store.coordinates] /= row_sizes[:, None, None]
    return replace(
        store, frames=frames, image_sizes=None if images is None else images / sizes[:, None]
    )


def center_sequence(
    joints: Float[np.ndarray, "m t v c"],
    center: int,
    origin: Origin = Origin.PERSON,
    coordinates: int | None = None,
) -> Float[np.ndarray, "m s v c"]:
    """Return the joints of a sample relative to its origin, without frames of nobody.

    The origin is a centre joint in the first frame with a person. Of two bodies the one present
    in more frames leads; frames without the leading body are dropped, and in the others it is the
    first body. Absent joints (zeros) stay zeros. A sample in which the leading body is never
    present is returned unchanged. Source: the NTU recipe of spec 2.2, which suits any layout.

    Args:
        joints: Joints of one sample.
        center: Index of the centre joint.
        origin: Whether the centre joint is that of the leading body or the mean of all bodies.
        coordinates: Number of leading channels that are coordinates, all if None; keypoint
            confidence is not changed.
    """
    if origin is Origin.NONE:
        return joints
    m, t, _, c = joints.shape
    bodies = StoredBodies.of(
        frames=torch.from_numpy(np.ascontiguousarray(joints)).flatten(0, 1),
        lengths=torch.tensor([t]),
        persons=torch.tensor([m]),
        coordinates=c if coordinates is None else coordinates,
    )
    led = bodies.led_frames()
    centred = led.shifted(led.first_frame_origins(center, origin))
    result: np.ndarray = centred.frames.unflatten(0, (m, -1)).numpy()
    return result
