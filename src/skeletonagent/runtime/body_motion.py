"""Motion features of the joints of one body, in terms of the body itself, in NumPy.

For the features see :mod:`skeletonagent.agents.evidence.motion_features`; both give the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import bone_ends
from skeletonagent.core.motion_feature import PAIR_FEATURES, MotionFeature
from skeletonagent.runtime.body_turns import axes_of_places

_HEADS = ("head", "nose", "face")


def motion_of_body(
    joints: Float[np.ndarray, "t v d"], layout: SkeletonLayout
) -> tuple[Float[np.ndarray, "v q"], Bool[np.ndarray, "v q"]]:
    """Return every feature of every joint of a body, 0 where unknown, and which are known."""
    body = _MovingBody.of(joints, layout)
    values, known = body.measure(), body.known
    return values * known, known


@dataclass(frozen=True)
class _MovingBody:
    """One body.

    Args:
        world: Positions, in mean bone lengths.
        seen: Whether a joint is present; a joint at zero is absent in that frame.
        up: The body's own up, a unit vector.
        left: The body's own left, a unit vector square to ``up``.
        layout: The skeleton.
    """

    world: Float[np.ndarray, "t v c"]
    seen: Bool[np.ndarray, "t v"]
    up: Float[np.ndarray, " c"]
    left: Float[np.ndarray, " c"]
    layout: SkeletonLayout

    @classmethod
    def of(cls, x: Float[np.ndarray, "t v c"], layout: SkeletonLayout) -> _MovingBody:
        """Return a body given in any unit and frame of reference."""
        seen: Bool[np.ndarray, "t v"] = np.any(x != 0, axis=-1)
        center = seen[:, layout.center]
        # A center that is always zero is not absent: its clip was centred frame by frame.
        seen = seen & (center | ~center.any())[:, None]
        world = x / _bone_length(x, seen, layout)
        place = _mean(world - world[:, [layout.center]], seen)
        up, left = axes_of_places(place, layout, _known_joints(seen, layout))
        return cls(world, seen, up, left, layout)

    @property
    def known(self) -> Bool[np.ndarray, "v q"]:
        """Whether each feature is known."""
        joints = _known_joints(self.seen, self.layout)
        pairs = joints & joints[list(self.layout.mirror)]
        head = joints if self._head is None else joints & joints[self._head]
        partners = dict.fromkeys(PAIR_FEATURES, pairs) | {MotionFeature.HEAD_DISTANCE: head}
        return np.stack([partners.get(feature, joints) for feature in MotionFeature], axis=-1)

    def measure(self) -> Float[np.ndarray, "v q"]:
        """Return every feature of every joint."""
        values = {**self._positions(), **self._motions()}
        return np.stack([values[feature] for feature in MotionFeature], axis=-1)

    def _positions(self) -> Mapping[MotionFeature, Float[np.ndarray, " v"]]:
        mirror, q, seen, head = list(self.layout.mirror), self._relative, self.seen, self._head
        place = _mean(q, seen)
        to_head = np.zeros_like(q) if head is None else q - q[:, [head]]
        both = seen if head is None else seen & seen[:, [head]]
        return {
            MotionFeature.HEIGHT: place @ self.up,
            MotionFeature.REACH: _mean(_lengths(q), seen),
            MotionFeature.OUTWARD: place @ self.left * self._side,
            MotionFeature.HEAD_DISTANCE: _mean(_lengths(to_head), both),
            MotionFeature.GAP: _mean(_lengths(q - q[:, mirror]), seen & seen[:, mirror]),
        }

    def _motions(self) -> Mapping[MotionFeature, Float[np.ndarray, " v"]]:
        mirror, both = list(self.layout.mirror), self.seen[1:] & self.seen[:-1]
        off_mean, world = self._centered(self._relative), self._centered(self.world)
        vertical, horizontal = self._spread(off_mean)
        vertical_in_world, horizontal_in_world = self._spread(world)
        speed = _lengths(np.diff(off_mean, axis=0)) * both
        speed_in_world = _lengths(np.diff(world, axis=0)) * both
        power, shared = np.square(speed).sum(axis=0), (speed * speed[:, mirror]).sum(axis=0)
        outward, up = off_mean @ self.left * self._side, off_mean @ self.up
        turn = outward[:-1] * up[1:] - outward[1:] * up[:-1]
        symmetry = 2 * shared / (power + power[mirror] + np.float32(1e-6)) * np.abs(self._side)
        return {
            MotionFeature.SPEED: self._joint_motion(
                _mean(speed, both), _mean(speed_in_world, both)
            ),
            MotionFeature.VERTICAL_RANGE: self._joint_motion(vertical, vertical_in_world),
            MotionFeature.HORIZONTAL_RANGE: self._joint_motion(horizontal, horizontal_in_world),
            MotionFeature.NET_RISE: self._net_displacement(self.world) @ self.up,
            MotionFeature.NET_LATERAL: self._net_displacement(self._relative)
            @ self.left
            * self._side,
            MotionFeature.SIGNED_AREA: (turn * both).sum(axis=0) / 2,
            MotionFeature.SYMMETRY: symmetry,
        }

    def _joint_motion(
        self, relative: Float[np.ndarray, " v"], world: Float[np.ndarray, " v"]
    ) -> Float[np.ndarray, " v"]:
        """Return the smaller of a motion relative to the center and in the world.

        The center only moves in the world.
        """
        smaller: np.ndarray = np.minimum(relative, world)
        smaller[self.layout.center] = world[self.layout.center]
        return smaller

    def _centered(self, x: Float[np.ndarray, "t v c"]) -> Float[np.ndarray, "t v c"]:
        """Return positions relative to their mean over time, 0 where unseen."""
        centered: np.ndarray = (x - _mean(x, self.seen)) * self.seen[..., None]
        return centered

    def _spread(
        self, off: Float[np.ndarray, "t v c"]
    ) -> tuple[Float[np.ndarray, " v"], Float[np.ndarray, " v"]]:
        """Return the spread along and across the body's up."""
        vertical = np.square(off @ self.up)
        across = np.maximum(np.square(off).sum(axis=-1) - vertical, 0)
        return np.sqrt(_mean(vertical, self.seen)), np.sqrt(_mean(across, self.seen))

    @cached_property
    def _relative(self) -> Float[np.ndarray, "t v c"]:
        relative: np.ndarray = self.world - self.world[:, [self.layout.center]]
        return relative

    @cached_property
    def _side(self) -> Float[np.ndarray, " v"]:
        """1 for left joints, -1 for right ones, 0 for those of no side."""
        side = np.zeros(self.layout.num_joints, dtype=np.float32)
        for left, right in self.layout.pairs:
            side[left], side[right] = 1.0, -1.0
        return side

    def _net_displacement(self, x: Float[np.ndarray, "t v c"]) -> Float[np.ndarray, "v c"]:
        """Return the mean of the last third minus that of the first, 0 where one is unseen."""
        time, length = np.arange(len(x)), len(x)
        first = self.seen & (3 * time < length)[:, None]
        last = self.seen & (3 * (time + 1) > 2 * length)[:, None]
        present = np.any(first, axis=0) & np.any(last, axis=0)
        moved: np.ndarray = (_mean(x, last) - _mean(x, first)) * present[..., None]
        return moved

    @property
    def _head(self) -> int | None:
        return head_joint(self.layout)


def head_joint(layout: SkeletonLayout) -> int | None:
    """Return the joint that distances from the head are measured to, None if there is none."""
    names = [layout.display_name(joint).split() for joint in range(layout.num_joints)]
    found = (next((v for v, name in enumerate(names) if word in name), None) for word in _HEADS)
    return next((joint for joint in found if joint is not None), None)


def _lengths(x: Float[np.ndarray, "t v c"]) -> Float[np.ndarray, "t v"]:
    lengths: np.ndarray = np.sqrt(np.square(x).sum(axis=-1))
    return lengths


def _known_joints(seen: Bool[np.ndarray, "t v"], layout: SkeletonLayout) -> np.ndarray:
    """Return which joints are ever seen; the center is, where the body is: it may lie at zero."""
    known: np.ndarray = np.any(seen, axis=0)
    known[layout.center] |= known.any()
    return known


def _mean(
    x: Float[np.ndarray, "t v *c"], seen: Bool[np.ndarray, "t v"]
) -> Float[np.ndarray, "v *c"]:
    """Return the mean over the frames in which a joint is seen, 0 if it never is."""
    weight = (seen / np.maximum(seen.sum(axis=0), 1)).astype(x.dtype)
    mean: np.ndarray = np.einsum("tv...,tv->v...", x, weight)
    return mean


def _bone_length(
    x: Float[np.ndarray, "t v c"], seen: Bool[np.ndarray, "t v"], layout: SkeletonLayout
) -> np.float32:
    """Return a body's mean bone length, over the bones ever seen; 1 if there are none."""
    child, parent = bone_ends(layout)
    both = seen[:, child] & seen[:, parent]
    length = _mean(_lengths(x[:, child] - x[:, parent]), both)
    size = length.sum() / max(1, int(both.any(axis=0).sum()))
    return np.float32(size if size > 0 else 1.0)
