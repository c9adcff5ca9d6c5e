"""Input features: several streams of the same clips side by side, as one input of a recognizer.

Early fusion: what the six streams give to six recognizers, one recognizer takes at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.models.settings import InputFeature

LONG_MOTION = 4
"""Frames between the two ends of a long motion."""

SMALLEST_SQUARE = 1e-12
"""Square that a distance of zero is taken for, since zero itself means absent."""

MAX_DISTANCES = 32
"""Joints that distances are measured to, if a skeleton has more: the ends of its limbs first."""


class InputFeatures(nn.Module):
    """Features of every joint and frame, computed from clips; those of absent joints are zero.

    Args:
        layout: The skeleton.
        channels: C of the clips.
        persons: M of the clips.
        names: Features, in the order of the output's channels.
    """

    parents: Int[Tensor, " v"]
    targets: Int[Tensor, " k"]

    def __init__(
        self, layout: SkeletonLayout, channels: int, persons: int, names: Sequence[InputFeature]
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self.persons = persons
        self.register_buffer("parents", torch.tensor(layout.parents), persistent=False)
        self.register_buffer("targets", torch.tensor(distance_targets(layout)), persistent=False)
        sizes = {
            InputFeature.DISTANCE: len(self.targets),
            InputFeature.PARTNER: len(self.targets) * (persons > 1),
        }
        self.channels = tuple(sizes.get(name, channels) for name in self.names)
        """Channels of each feature."""

    def forward(self, clips: Float[Tensor, "n m t v c"]) -> list[Float[Tensor, "n m t v _"]]:
        """Return each feature of the clips.

        Differences and distances of which one end is absent are zero. Confidence, if the clips
        have it, is treated as a coordinate.
        """
        present = clips.ne(0).any(dim=-1)
        return [self._feature(name, clips, present) for name in self.names]

    def _feature(
        self,
        name: InputFeature,
        clips: Float[Tensor, "n m t v c"],
        present: Bool[Tensor, "n m t v"],
    ) -> Float[Tensor, "n m t v g"]:
        match name:
            case InputFeature.POSITION:
                return clips
            case InputFeature.BONE:
                both = present & present[..., self.parents]
                return (clips - clips[..., self.parents, :]) * both[..., None]
            case InputFeature.MOTION:
                return _motion(clips, present, 1, (0, 1))
            case InputFeature.LONG_MOTION:
                return _motion(clips, present, LONG_MOTION, (LONG_MOTION // 2, LONG_MOTION // 2))
            case InputFeature.DISTANCE:
                return self._distances(clips, present, clips, present)
            case InputFeature.PARTNER if self.persons == 1:
                return clips[..., :0]
            case InputFeature.PARTNER:
                partner, seen = clips.roll(-1, dims=1), present.roll(-1, dims=1)
                return self._distances(clips, present, partner, seen)

    def _distances(
        self,
        clips: Float[Tensor, "n m t v c"],
        present: Bool[Tensor, "n m t v"],
        others: Float[Tensor, "n m t v c"],
        others_present: Bool[Tensor, "n m t v"],
    ) -> Float[Tensor, "n m t v k"]:
        """Return the distance from every joint to the targets of a body."""
        # Channel by channel, each side by side in memory: sums over so few numbers are slow. In
        # place, since such large tensors are written to fresh memory, which is slower still.
        ends = others.movedim(-1, 0).index_select(-1, self.targets)
        squares: Tensor | None = None
        for one, other in zip(clips.movedim(-1, 0).contiguous(), ends, strict=True):
            difference = one[..., :, None] - other[..., None, :]
            if squares is None:
                squares = difference.square_()
            else:
                squares = squares.addcmul_(difference, difference)
        assert squares is not None
        seen = present.float()[..., None] * others_present[..., None, self.targets].float()
        return seen.mul_(squares.clamp_(min=SMALLEST_SQUARE).sqrt_())


def distance_targets(layout: SkeletonLayout) -> tuple[int, ...]:
    """Return the joints that distances are measured to: all, or of a large skeleton its ends.

    An end is a joint that is no other joint's parent; of too many ends, evenly spread ones.
    """
    joints = range(layout.num_joints)
    if layout.num_joints <= MAX_DISTANCES:
        return tuple(joints)
    inner = {parent for joint, parent in enumerate(layout.parents) if joint != parent}
    ends = [joint for joint in joints if joint not in inner] or list(joints)
    step = max(1, -(-len(ends) // MAX_DISTANCES))
    return tuple(ends[::step])


def _motion(
    clips: Float[Tensor, "n m t v c"],
    present: Bool[Tensor, "n m t v"],
    frames: int,
    padding: tuple[int, int],
) -> Float[Tensor, "n m t v c"]:
    """Return the differences over a number of frames, zero at the ends of the clips."""
    if clips.shape[2] <= frames:
        return torch.zeros_like(clips)
    both = present[:, :, frames:] & present[:, :, :-frames]
    difference = (clips[:, :, frames:] - clips[:, :, :-frames]) * both[..., None]
    return pad(difference, (0, 0, 0, 0, *padding))
