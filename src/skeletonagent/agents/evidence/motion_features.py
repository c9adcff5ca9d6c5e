"""What is measured of a joint in a clip, in terms of the body itself.

Neither place, size and heading of a body nor units, nor whether y points up or down, make a
difference: lengths are in mean bone lengths, and directions are the body's own, up from the legs
to the head and sideways from right to left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout

CHUNK = 4_000_000
"""Coordinates measured at a time; bounds the memory."""

_UPPER = re.compile(r"\b(?:head|nose|face|eye|ear|neck|shoulders?)\b")
_TRUNK = re.compile(r"\b(?:shoulder|hip)\b")
_HEADS = ("head", "nose", "face")


class MotionFeature(StrEnum):
    """A measurement of a joint; positions are relative to the layout's center.

    How much a joint moves is what it moves both relative to the center and in the room.
    """

    HEIGHT = "height"
    """Mean position along the body's up."""
    REACH = "reach"
    """Mean distance from the center."""
    OUTWARD = "outward"
    """Mean position to the joint's own side; 0 for joints of no side."""
    HEAD_DISTANCE = "head distance"
    """Mean distance from the head; 0 for skeletons without one."""
    GAP = "gap"
    """Mean distance from the joint of the other side."""
    SPEED = "speed"
    """Mean displacement from frame to frame."""
    RISE = "rise"
    """Spread of positions along the body's up."""
    SWEEP = "sweep"
    """Spread of positions across the body's up."""
    CLIMB = "climb"
    """Mean height in the room of the last third of the clip minus that of the first."""
    DRIFT = "drift"
    """Mean position to the joint's own side of the last third minus that of the first."""
    CIRCLE = "circle"
    """Area the path goes round seen from the front, inward over the top counting positive."""
    TOGETHER = "together"
    """How alike joint and other side speed up and slow down, 0 to 1; 0 for joints of no side."""


def compute_motion_features(store: ClipStore, samples: Int[Tensor, " n"]) -> Float[Tensor, "n v q"]:
    """Return every quantity of every joint, the mean over the bodies present, on the host."""
    values = torch.zeros(len(samples), store.layout.num_joints, len(MotionFeature))
    for part in _chunks(store, samples):
        lengths = store.lengths[samples[part]]
        time = torch.arange(int(lengths.max()), device=store.device)
        clips = store.gather(samples[part], time.minimum(lengths[:, None] - 1))
        clips = clips[..., : store.coordinates] * (time < lengths[:, None])[:, None, :, None, None]
        frames = lengths.repeat_interleave(clips.shape[1])
        bodies = _BodyFrames.of(clips.flatten(0, 1), frames, store.layout)
        measured = bodies.measure().unflatten(0, clips.shape[:2])
        present = (clips != 0).flatten(2).any(dim=2).float()
        share = present / present.sum(dim=1, keepdim=True).clamp(min=1)
        values[part.cpu()] = torch.einsum("nm,nmvq->nvq", share, measured).cpu()
    return values


def _chunks(store: ClipStore, samples: Int[Tensor, " n"]) -> Iterator[Int[Tensor, " p"]]:
    """Give positions in ``samples`` of like length, so many that a padded batch fits a chunk."""
    order = store.lengths[samples].argsort(descending=True, stable=True)
    frame = store.max_persons * store.layout.num_joints * store.channels
    while len(order):
        size = max(1, CHUNK // (frame * int(store.lengths[samples[order[0]]])))
        yield order[:size]
        order = order[size:]


@dataclass(frozen=True)
class _BodyFrames:
    """Single bodies, padded to the same length.

    Args:
        room: Positions, in mean bone lengths.
        seen: Whether a joint is there; a joint at zero is absent in that frame.
        lengths: Frames of each.
        up: The body's own up, a unit vector.
        left: The body's own left, a unit vector square to ``up``.
        layout: The skeleton.
    """

    room: Float[Tensor, "b t v c"]
    seen: Bool[Tensor, "b t v"]
    lengths: Int[Tensor, " b"]
    up: Float[Tensor, "b c"]
    left: Float[Tensor, "b c"]
    layout: SkeletonLayout

    @classmethod
    def of(
        cls, x: Float[Tensor, "b t v c"], lengths: Int[Tensor, " b"], layout: SkeletonLayout
    ) -> _BodyFrames:
        """Return bodies given in any unit and frame of reference."""
        seen = (x != 0).any(dim=-1)
        center = seen[:, :, layout.center]
        # A center that is always zero is not absent: its clip was centred frame by frame.
        seen = seen & (center | ~center.any(dim=1, keepdim=True))[:, :, None]
        room = x / _bone_length(x, seen, layout)[:, None, None, None]
        place = _mean(room - room[:, :, [layout.center]], seen)
        names = [layout.display_name(joint) for joint in range(layout.num_joints)]
        lower = [*layout.parts["left leg"], *layout.parts["right leg"]] or [layout.center]
        upper = [v for v, name in enumerate(names) if _UPPER.search(name)]
        upper = upper or [v for v in range(len(names)) if v not in lower]
        up = place[:, upper].mean(dim=1) - place[:, lower].mean(dim=1)
        up = torch.nn.functional.normalize(up, dim=-1)
        trunk = [pair for pair in layout.pairs if _TRUNK.search(names[pair[0]])] or layout.pairs
        left = place.new_zeros(up.shape)
        for one, other in trunk:
            left = left + place[:, one] - place[:, other]
        left = left - (left * up).sum(dim=-1, keepdim=True) * up
        return cls(room, seen, lengths, up, torch.nn.functional.normalize(left, dim=-1), layout)

    def measure(self) -> Float[Tensor, "b v q"]:
        """Return every quantity of every joint."""
        values = {**self._positions(), **self._motions()}
        return torch.stack([values[quantity] for quantity in MotionFeature], dim=-1)

    def _positions(self) -> Mapping[MotionFeature, Float[Tensor, "b v"]]:
        mirror = list(self.layout.mirror)
        q, seen, place = self._relative, self.seen, _mean(self._relative, self.seen)
        head = next((v for v in map(self._find, _HEADS) if v is not None), None)
        to_head = q - q[:, :, [head]] if head is not None else torch.zeros_like(q)
        both = seen if head is None else seen & seen[:, :, [head]]
        gap = (q - q[:, :, mirror]).norm(dim=-1)
        return {
            MotionFeature.HEIGHT: _along(place, self.up),
            MotionFeature.REACH: _mean(q.norm(dim=-1), seen),
            MotionFeature.OUTWARD: _along(place, self.left) * self._side,
            MotionFeature.HEAD_DISTANCE: _mean(to_head.norm(dim=-1), both),
            MotionFeature.GAP: _mean(gap, seen & seen[:, :, mirror]),
        }

    def _motions(self) -> Mapping[MotionFeature, Float[Tensor, "b v"]]:
        mirror, both = list(self.layout.mirror), self.seen[:, 1:] & self.seen[:, :-1]
        off, room = self._off_mean(self._relative), self._off_mean(self.room)
        rise, sweep = self._spread(off)
        rise_in_room, sweep_in_room = self._spread(room)
        speed = off.diff(dim=1).norm(dim=-1) * both
        speed_in_room = room.diff(dim=1).norm(dim=-1) * both
        power, shared = speed.square().sum(dim=1), (speed * speed[:, :, mirror]).sum(dim=1)
        outward, up = _along(off, self.left) * self._side, _along(off, self.up)
        turn = outward[:, :-1] * up[:, 1:] - outward[:, 1:] * up[:, :-1]
        return {
            MotionFeature.SPEED: self._own(_mean(speed, both), _mean(speed_in_room, both)),
            MotionFeature.RISE: self._own(rise, rise_in_room),
            MotionFeature.SWEEP: self._own(sweep, sweep_in_room),
            MotionFeature.CLIMB: _along(self._trend(self.room), self.up),
            MotionFeature.DRIFT: _along(self._trend(self._relative), self.left) * self._side,
            MotionFeature.CIRCLE: (turn * both).sum(dim=1) / 2,
            MotionFeature.TOGETHER: 2
            * shared
            / (power + power[:, mirror] + 1e-6)
            * self._side.abs(),
        }

    def _own(
        self, relative: Float[Tensor, "b v"], room: Float[Tensor, "b v"]
    ) -> Float[Tensor, "b v"]:
        """Return the smaller of a motion relative to the center and in the room.

        Feet on the ground move relative to a bending trunk, and all of a walker moves in the room;
        neither is the joint's own doing. The center only moves in the room.
        """
        own = torch.minimum(relative, room)
        own[:, self.layout.center] = room[:, self.layout.center]
        return own

    def _off_mean(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b t v c"]:
        """Return positions relative to their mean over time, 0 where unseen."""
        return (x - _mean(x, self.seen)[:, None]) * self.seen[..., None]

    def _spread(
        self, off: Float[Tensor, "b t v c"]
    ) -> tuple[Float[Tensor, "b v"], Float[Tensor, "b v"]]:
        """Return the spread along and across the body's up."""
        rise = _along(off, self.up).square()
        across = (off.square().sum(dim=-1) - rise).clamp(min=0)
        return _mean(rise, self.seen).sqrt(), _mean(across, self.seen).sqrt()

    @property
    def _relative(self) -> Float[Tensor, "b t v c"]:
        return self.room - self.room[:, :, [self.layout.center]]

    @property
    def _side(self) -> Float[Tensor, " v"]:
        """1 for left joints, -1 for right ones, 0 for those of no side."""
        side = self.room.new_zeros(self.layout.num_joints)
        for left, right in self.layout.pairs:
            side[left], side[right] = 1.0, -1.0
        return side

    def _trend(self, x: Float[Tensor, "b t v c"]) -> Float[Tensor, "b v c"]:
        """Return the mean of the last third minus that of the first, 0 where one is unseen."""
        time = torch.arange(x.shape[1], device=x.device)
        first = self.seen & (3 * time < self.lengths[:, None])[:, :, None]
        last = self.seen & (3 * (time + 1) > 2 * self.lengths[:, None])[:, :, None]
        known = first.any(dim=1) & last.any(dim=1)
        return (_mean(x, last) - _mean(x, first)) * known[..., None]

    def _find(self, word: str) -> int | None:
        spoken = map(self.layout.display_name, range(self.layout.num_joints))
        return next((v for v, name in enumerate(spoken) if word in name.split()), None)


def _mean(x: Float[Tensor, "b t v *c"], seen: Bool[Tensor, "b t v"]) -> Float[Tensor, "b v *c"]:
    """Return the mean over the frames in which a joint is seen, 0 if it never is."""
    weight = seen / seen.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("btv...,btv->bv...", x, weight)


def _along(x: Float[Tensor, "b *t v c"], axis: Float[Tensor, "b c"]) -> Float[Tensor, "b *t v"]:
    return torch.einsum("b...c,bc->b...", x, axis)


def _bone_length(
    x: Float[Tensor, "b t v c"], seen: Bool[Tensor, "b t v"], layout: SkeletonLayout
) -> Float[Tensor, " b"]:
    """Return a body's mean bone length, over the bones ever seen; 1 if there are none."""
    spokes = [(joint, layout.center) for joint in range(layout.num_joints)]
    child, parent = (list(ends) for ends in zip(*(layout.bones or spokes), strict=True))
    both = seen[:, :, child] & seen[:, :, parent]
    length = _mean((x[:, :, child] - x[:, :, parent]).norm(dim=-1), both)
    size = length.sum(dim=1) / both.any(dim=1).sum(dim=1).clamp(min=1)
    return torch.where(size > 0, size, 1.0)
