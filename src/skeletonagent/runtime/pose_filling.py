"""Joints of a sample that were never seen, filled in by the poses of the training clips; NumPy.

For the rule see :mod:`skeletonagent.data.imputation`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.pose_model import FREE_MOVE, PoseModel
from skeletonagent.data.settings import Gaps, Orientation, OrientationPer, Origin, Scale
from skeletonagent.runtime.body_arrays import BodyArrays
from skeletonagent.runtime.preparation import PreparedSample, SamplePreparation


@dataclass(frozen=True)
class PoseFilling:
    """Imputation of the joints that are absent after preprocessing, where their body is seen.

    Args:
        poses: Distribution of the poses of the training clips.
        prepare: Preprocessing that the sample went through.
    """

    poses: PoseModel
    prepare: SamplePreparation

    def __call__(self, sample: PreparedSample) -> PreparedSample:
        """Return a sample with its joints, which then count as present; others are unchanged."""
        seen = sample.bodies.present
        lacking = seen.any(axis=2) & (self.poses.known & ~seen).any(axis=2)
        if not sample.marks_present or not lacking.any():
            return sample
        rough = self._with_expected(self._turned(sample.bodies, seen), seen)
        settings = self.prepare.settings
        scale = Scale.BODY if settings.scale is Scale.BODY else Scale.NONE
        again = replace(settings, gaps=Gaps.KEEP, scale=scale)
        placed = replace(self.prepare, settings=again).placed(rough)
        return replace(sample, bodies=self._with_expected(placed.bodies, seen))

    def _with_expected(self, bodies: BodyArrays, seen: Bool[np.ndarray, "m t v"]) -> BodyArrays:
        """Return bodies with the joints that were not seen, given those that were."""
        poses = ExpectedPoses(self.poses, bodies.coordinates)
        m, t, v = seen.shape
        flat = bodies.joints.reshape(m * t, v, bodies.coordinates)
        joints = poses.expected(flat, seen.reshape(m * t, v))
        there = seen | (seen.any(axis=2, keepdims=True) & self.poses.known)
        return replace(bodies.with_joints(joints.reshape(bodies.joints.shape)), present=there)

    def _turned(self, bodies: BodyArrays, seen: Bool[np.ndarray, "m t v"]) -> BodyArrays:
        """Return bodies turned until the joints of the first one fit the mean pose best.

        Those that were turned to the line between two bodies stay as they are.
        """
        settings = self.prepare.settings
        if settings.orientation is Orientation.CAMERA or bodies.coordinates < 3:
            return bodies
        counted = seen[0] & self.poses.known
        if settings.origin is Origin.GROUP and bodies.persons != 1:
            counted = np.zeros_like(counted)
        products = ExpectedPoses(self.poses, 3).products(bodies.joints[0], counted)
        if settings.orientation_per is OrientationPer.CLIP:
            products = products.sum(axis=0, keepdims=True)
        turns = _rotations_of(products, settings.orientation)
        joints = bodies.joints.astype(np.float64) @ turns
        return bodies.with_joints(joints.astype(bodies.frames.dtype))


@dataclass(frozen=True)
class ExpectedPoses:
    """Poses that those of the training clips let expect, in the first coordinates.

    Args:
        model: Distribution of the poses of the training clips.
        coordinates: Number of coordinates, d.
    """

    model: PoseModel
    coordinates: int

    @property
    def _axes(self) -> Float[np.ndarray, "k v d"]:
        return self.model.axes[..., : self.coordinates]

    @property
    def _variances(self) -> Float[np.ndarray, " v"]:
        squares = np.square(self._axes).sum(axis=(0, 2))
        variances: np.ndarray = squares + np.float32(self.model.noise * self.coordinates)
        return variances

    @cached_property
    def _mean(self) -> Float[np.ndarray, "v d"]:
        mean: np.ndarray = np.nan_to_num(self.model.mean[:, : self.coordinates])
        return mean.astype(np.float64)

    @cached_property
    def _movable_axes(self) -> Float[np.ndarray, "j v d"]:
        """Axes with those along which the whole body moves."""
        v, d = self._mean.shape
        far = FREE_MOVE * float(self._variances.mean() / np.float32(d)) ** 0.5
        moves = np.repeat(far * np.eye(d)[:, None], v, axis=1)
        return np.concatenate([self._axes.astype(np.float64), moves])

    def expected(
        self, poses: Float[np.ndarray, "f v d"], seen: Bool[np.ndarray, "f v"]
    ) -> Float[np.ndarray, "f v d"]:
        """Return the poses with the joints that are not seen where those that are let expect them.

        Joints that are not known stay as they are, and so do poses without a joint that is seen.
        """
        known = self.model.known
        known_seen = seen & known
        rows = known_seen.any(axis=1) & (known & ~seen).any(axis=1)
        if not rows.any():
            return poses
        filled = poses.copy()
        places = self._places(poses[rows], known_seen[rows]).astype(poses.dtype)
        filled[rows] = np.where((known & ~seen[rows])[..., None], places, poses[rows])
        return filled

    def _places(
        self, poses: Float[np.ndarray, "f v d"], seen: Bool[np.ndarray, "f v"]
    ) -> Float[np.ndarray, "f v d"]:
        """Return the expected place of every joint, given those that are seen."""
        axes = self._movable_axes
        patterns, number = np.unique(seen, axis=0, return_inverse=True)
        products = np.einsum("avd,bvd->vab", axes, axes)
        weights = np.einsum("pv,vab->pab", patterns.astype(np.float64), products)
        precision = weights + self.model.noise * np.eye(len(axes))
        away = (poses.astype(np.float64) - self._mean) * seen[..., None]
        along = np.einsum("fvd,kvd->fk", away, axes)
        inverse = np.linalg.inv(precision)[number.reshape(-1)]
        shares = (inverse * along[:, None]).sum(axis=-1)
        places: np.ndarray = self._mean + np.einsum("fk,kvd->fvd", shares, axes)
        return places

    def products(
        self, joints: Float[np.ndarray, "t v 3"], counted: Bool[np.ndarray, "t v"]
    ) -> Float[np.ndarray, "t 3 3"]:
        """Return the weighted products of joints and mean pose, from which a rotation follows."""
        weights = (counted / self._variances.astype(np.float32))[..., None].astype(np.float64)
        total = np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        away, wanted = (
            places - (places * weights).sum(axis=1, keepdims=True) / total
            for places in (joints.astype(np.float64), self._mean[None])
        )
        found: np.ndarray = np.swapaxes(away * weights, 1, 2) @ wanted
        return found


def _rotations_of(
    products: Float[np.ndarray, "u 3 3"], orientation: Orientation
) -> Float[np.ndarray, "u 3 3"]:
    """Return the rotations that fit best by least squares (Kabsch); none for joints on a line."""
    if orientation is Orientation.HEADING:  # about y alone
        sizes = np.abs(products).sum(axis=(1, 2))
        products = products.copy()
        products[:, 1], products[:, :, 1] = 0, 0
        products[:, 1, 1] = sizes
    left, sizes, right = np.linalg.svd(products)
    signs = np.ones_like(sizes)
    signs[:, 2] = np.sign(np.linalg.det(left @ right))
    is_plane = sizes[:, 1] > 1e-6 * sizes[:, 0]
    fitted = (left * signs[:, None]) @ right
    turns: np.ndarray = np.where(is_plane[:, None, None], fitted, np.eye(3))
    return turns
