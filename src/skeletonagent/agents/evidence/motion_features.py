"""Motion features of joints, in terms of the body itself.

They are invariant to position, size and heading of a body, to units and to whether y points up or
down: lengths are in mean bone lengths, and directions are the body's own, up from the legs to the
head and sideways from right to left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import bone_ends
from skeletonagent.core.motion_feature import PAIR_FEATURES, MotionFeature
from skeletonagent.data.orientation import body_axes

CHUNK = 4_000_000
"""Coordinates measured at a time unless another number is given."""

_HEADS = ("head", "nose", "face")


@dataclass(frozen=True)
class MotionFeatures:
    """Motion features of the joints of samples, on the host.

    Args:
        values: Every feature of every joint, the mean over the bodies in which it is known; else 0.
        known: Whether it is known: the joint is seen in the sample, and so is the other joint of
            features of two. Features that a skeleton lacks are known to be 0.
    """

    values: Float[Tensor, "n v q"]
    known: Bool[Tensor, "n v q"]


def compute_motion_features(
    store: ClipStore, samples: Int[Tensor, " n"], chunk: int = CHUNK
) -> Float[Tensor, "n v q"]:
    """Return the values of :func:`measure_motion`."""
    return measure_motion(store, samples, chunk).values


def measure_motion(
    store: ClipStore, samples: Int[Tensor, " n"], chunk: int = CHUNK
) -> MotionFeatures:
    """Return every feature of every joint of samples.

    Args:
        store: Clips in any unit, 2D or 3D.
        samples: Positions of the samples in the store.
        chunk: Number of coordinates measured at a time, which bounds the memory.
    """
    values = torch.zeros(len(samples), store.layout.num_joints, len(MotionFeature))
    known = torch.zeros_like(values, dtype=torch.bool)
    for part in _chunks(store, samples, chunk):
        lengths = store.lengths[samples[part]]
        time = torch.arange(int(lengths.max()), device=store.device)
        clips = store.gather(samples[part], time.minimum(lengths[:, None] - 1))
        clips = clips[..., : store.coordinates] * (time < lengths[:, None])[:, None, :, None, None]
        frames = lengths.repeat_interleave(clips.shape[1])
        bodies = _BodyFrames.from_positions(clips.flatten(0, 1), frames, store.layout)
        measured = bodies.measure().unflatten(0, clips.shape[:2])
        of_bodies = bodies.known.unflatten(0, clips.shape[:2])
        share = of_bodies / of_bodies.sum(dim=1, keepdim=True).clamp(min=1)
        values[part.cpu()] = (share * measured).sum(dim=1).cpu()
        known[part.cpu()] = of_bodies.any(dim=1).cpu()
    return MotionFeatures(values, known)


def _chunks(
    store: ClipStore, samples: Int[Tensor, " n"], chunk: int
) -> Iterator[Int[Tensor, " p"]]:
    """Yield positions in ``samples`` of similar length, as many as fit a chunk when padded."""
    order = store.lengths[samples].argsort(descending=True, stable=True)
    frame = store.max_persons * store.layout.num_joints * store.channels
    while len(order):
        size = max(1, chunk // (frame * int(store.lengths[samples[order[0]]])))
        yield order[:size]
        order = order[size:]


@dataclass(frozen=True)
class _BodyFrames:
    """Single bodies, padded to the same length.

    Args:
        world: Positions, in mean bone lengths.
        seen: Whether a joint is present; a joint at zero is absent in that frame.
        lengths: Number of frames of each body.
        up: The body's own up, a unit vector.
        left: The body's own left, a unit vector square to ``up``.
        layout: The skeleton.
    """

    world: Float[Tensor, "b t v c"]
    seen: Bool[Tensor, "b t v"]
    lengths: Int[Tensor, " b"]
    up: Float[Tensor, "b c"]
    left: Float[Tensor, "b c"]
    layout: SkeletonLayout

    @classmethod
    def from_positions(
        cls, x: Float[Tensor, "b t v c"], lengths: Int[Tensor, " b"], layout: SkeletonLayout
    ) -> _BodyFrames:
        """Return bodies given in any unit and frame of reference."""
        seen = (x != 0).any(dim=-1)
        center = seen[:, :, layout.center]
        # A center that is always zero is not absent: its clip was centred frame by frame.
        seen = seen & (center | ~center.any(dim=1, keepdim=True))[:, :, None]
        world = x / _bone_length(x, seen, layout)[:, None, None, None]
        place, known = (
            _mean(world - world[:, :, [layout.center]], seen),
            _known_joints(seen, layout),
        )
        whole = known.all(dim=1)[:, None]  # rounded as without a mask
        both = zip(body_axes(place, layout), body_axes(place, layout, known), strict=True)
        up, left = (torch.where(whole, of_all, of_seen) for of_all, of_seen in both)
        return cls(world, seen, lengths, up, left, layout)

    @property
    def known(self) -> Bool[Tensor, "b v q"]:
        """Whether each feature is known, see :class:`MotionFeatures`."""
        joints = _known_joints(self.seen, self.layout)
        pairs = joints & joints[:, list(self.layout.mirror)]
        head = joints if self._head is None else joints & joints[:, [self._head]]
        partners = dict.fromkeys(PAIR_FEATURES, pairs) | {MotionFeature.HEAD_DISTANCE: head}
        return torch.stack([partners.get(feature, joints) for feature in MotionFeature], dim=-1)

    def measure(self) -> Float[Tensor, "b v q"]:
        """Return every feature of every joint."""
        values = {**self._positions(), **self._motions()}
        return torch.stack([values[feature] for feature in MotionFeature], dim=-1)

    def _positions(self) -> Mapping[MotionFeature, Float[Tensor, "b v"]]:
        mirror = list(self.layout.mirror)
        q, seen, place = self._relative, self.seen, _mean(self._relative, self.seen)
        head = self._head
        to_head = q - q[:, :, [head]] if head is not None else torch.zeros_like(q)
        both = seen if head is None else seen & seen[:, :, [head]]
        gap = (q - q[:, :, mirror]).norm(dim=-1)
        return {
            MotionFeature.HEIGHT: _project(place, self.up),
            MotionFeature.REACH: _mean(q.norm(dim=-1), seen),
            MotionFeature.OUTWARD: _project(place, self.left) * self._side,
            MotionFeature.HEAD_DISTANCE: _mean(to_head.norm(dim=-1), both),
            MotionFeature.GAP: _mean(gap, seen & seen[:, :, mirror]),
        }

    def _motions(self) -> Mapping[MotionFeature, Float[Tensor, "b v"]]:
        mirror, both = list(self.layout.mirror), self.seen[:, 1:] & self.seen[:, :-1]
        off_mean, world = self._centered(self._relative), self._centered(self.world)
        vertical, horizontal = self._spread(off_mean)
        vertical_in_world, horizontal_in_world = self._spread(world)
        speed = off_mean.diff(dim=1).norm(dim=-1) * both
        speed_in_world = world.diff(dim=1).norm(dim=-1) * both
        power, shared = speed.square().sum(dim=1), (speed * speed[:, :, mirror]).sum(dim=1)
        outward, up = _project(off_mean, self.left) * self._side, _project(off_mean, self.up)
        turn = outward[:, :-1] * up[:, 1:] - outward[:, 1:] * up[:, :-1]
        return {
            MotionFeature.SPEED: self._joint_motion(
                _mean(speed, both), _mean(speed_in_world, both)
            ),
            MotionFeature.VERTICAL_RANGE: self._joint_motion(vertical, vertical_in_world),
            MotionFeature.HORIZONTAL_RANGE: self._joint_motion(horizontal, horizontal_in_world),
            MotionFeature.NET_RISE: _project(self._net_displacement(self.world), self.up),
            MotionFeature.NET_LATERAL: _project(self._net_displacement(self._relative), self.left)
            * self._side,
            MotionFeature.SIGNED_AREA: (turn * both).sum(dim=1) / 2,
            MotionFeature.SYMMETRY: 2
            * shared
            / (power + power[:, mirror] + 1e-6)
            * self._side.abs(),
        }

    def _joint_motion(
        self, relative: Float[Tensor, "b v"], world: Float[Tensor, "b v"]
    ) -> Float[Tensor, "b v"]:
        """Return the smaller of a motion relative to the center and in the world.

        Feet on the ground move relative to a bending trunk, and every joint of a walker moves in
        the world; neither is a motion of the joint itself. The center only moves in the world.
        """
        smaller = torch.minimum(relative, world)
        smaller[:, self.layout.center] = world[:, self.layout.center]
        return smaller

    def _centered(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b t v c"]:
        """Return positions relative to their mean over time, 0 where unseen."""
        return (x - _mean(x, self.seen)[:, None]) * self.seen[..., None]

    def _spread(
        self, off: Float[Tensor, "b t v c"]
    ) -> tuple[Float[Tensor, "b v"], Float[Tensor, "b v"]]:
        """Return the spread along and across the body's up."""
        vertical = _project(off, self.up).square()
        across = (off.square().sum(dim=-1) - vertical).clamp(min=0)
        return _mean(vertical, self.seen).sqrt(), _mean(across, self.seen).sqrt()

    @property
    def _relative(self) -> Float[Tensor, "b t v c"]:
        return self.world - self.world[:, :, [self.layout.center]]

    @property
    def _side(self) -> Float[Tensor, " v"]:
        """1 for left joints, -1 for right ones, 0 for those of no side."""
        side = self.world.new_zeros(self.layout.num_joints)
        for left, right in self.layout.pairs:
            side[left], side[right] = 1.0, -1.0
        return side

    def _net_displacement(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b v c"]:
        """Return the mean of the last third minus that of the first, 0 where one is unseen."""
        time = torch.arange(x.shape[1], device=x.device)
        first = self.seen & (3 * time < self.lengths[:, None])[:, :, None]
        last = self.seen & (3 * (time + 1) > 2 * self.lengths[:, None])[:, :, None]
        present = first.any(dim=1) & last.any(dim=1)
        return (_mean(x, last) - _mean(x, first)) * present[..., None]

    @property
    def _head(self) -> int | None:
        """The joint that distances from the head are measured to, if there is one."""
        return next((v for v in map(self._joint_called, _HEADS) if v is not None), None)

    def _joint_called(self, word: str) -> int | None:
        names = map(self.layout.display_name, range(self.layout.num_joints))
        return next((v for v, name in enumerate(names) if word in name.split()), None)


def _known_joints(seen: Bool[Tensor, "b t v"], layout: SkeletonLayout) -> Bool[Tensor, "b v"]:
    """Return which joints are ever seen; the center is, where the body is: it may lie at zero."""
    known = seen.any(dim=1)
    known[:, layout.center] |= known.any(dim=1)
    return known


def _mean(x: Float[Tensor, "b t v *c"], seen: Bool[Tensor, "b t v"]) -> Float[Tensor, "b v *c"]:
    """Return the mean over the frames in which a joint is seen, 0 if it never is."""
    weight = seen / seen.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("btv...,btv->bv...", x, weight)


def _project(x: Float[Tensor, "b *t v c"], axis: Float[Tensor, "b c"]) -> Float[Tensor, "b *t v"]:
    return torch.einsum("b...c,bc->b...", x, axis)


def _bone_length(
    x: Float[Tensor, "b t v c"], seen: Bool[Tensor, "b t v"], layout: SkeletonLayout
) -> Float[Tensor, " b"]:
    """Return a body's mean bone length, over the bones ever seen; 1 if there are none."""
    child, parent = bone_ends(layout)
    both = seen[:, :, child] & seen[:, :, parent]
    length = _mean((x[:, :, child] - x[:, :, parent]).norm(dim=-1), both)
    size = length.sum(dim=1) / both.any(dim=1).sum(dim=1).clamp(min=1)
    return torch.where(size > 0, size, 1.0)
