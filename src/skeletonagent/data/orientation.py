"""Orientation of bodies: the axes of a body or a pair of bodies, and rotations to these.

Axes are measured where joints are seen; an absent joint never counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import axis_joints
from skeletonagent.data.gaps import interpolate_rows
from skeletonagent.data.settings import Orientation, OrientationPer, Origin
from skeletonagent.data.stored_bodies import StoredBodies


def body_axes(
    place: Float[Tensor, "b v c"],
    layout: SkeletonLayout,
    known: Bool[Tensor, "b v"] | None = None,
) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c"]]:
    """Return a body's own up, and its own left square to it, as unit vectors.

    Up is the way from the legs to the head and the shoulders, left that from the right shoulder
    and hip to the left ones.

    Args:
        place: Positions of the joints, relative to any point.
        layout: The skeleton.
        known: Whether a position is known; all are if None. A joint counts if its mirror joint is
            known as well, lest the axes lean to a side; an axis without joints is zero.
    """
    upper, lower, trunk = axis_joints(layout)
    left = place.new_zeros(len(place), place.shape[-1])
    if known is None:
        up = place[:, upper].mean(dim=1) - place[:, lower].mean(dim=1)
        for one, other in trunk:
            left = left + place[:, one] - place[:, other]
    else:
        both = known & known[:, list(layout.mirror)]
        up = _mean_of(place, known, both, upper) - _mean_of(place, known, both, lower)
        up = up * (known[:, upper].any(dim=1) & known[:, lower].any(dim=1))[:, None]
        for one, other in trunk:
            left = left + (place[:, one] - place[:, other]) * both[:, [one]]
    up = normalize(up, dim=-1)
    return up, normalize(_square_to(left, up), dim=-1)


def _mean_of(
    place: Float[Tensor, "b v c"],
    known: Bool[Tensor, "b v"],
    both: Bool[Tensor, "b v"],
    joints: Sequence[int],
) -> Float[Tensor, "b c"]:
    """Return the mean of joints that are known on both sides, or else of all that are known."""
    of_both = both[:, joints].any(dim=1, keepdim=True)
    weight = torch.where(of_both, both[:, joints], known[:, joints])[..., None]
    return (place[:, joints] * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def _square_to(x: Float[Tensor, "b c"], axis: Float[Tensor, "b c"]) -> Float[Tensor, "b c"]:
    """Return the part of vectors that is square to unit vectors."""
    return x - (x * axis).sum(dim=-1, keepdim=True) * axis


def has_direction(x: Float[Tensor, "b c"]) -> Bool[Tensor, " b"]:
    """Return whether vectors that were normalized had a direction; those that had none are zero."""
    return x.square().sum(dim=-1) > 0.5


@dataclass(frozen=True)
class OrientationAxes:
    """Axes that samples are turned to, clip by clip or frame by frame.

    Args:
        bodies: Bodies, not centred, so that an absent joint is not taken for one at zero.
        layout: The skeleton.
        origin: With ``group``, samples of two bodies have the axes of the pair.
    """

    bodies: StoredBodies
    layout: SkeletonLayout
    origin: Origin

    def rotations(self, orientation: Orientation, per: OrientationPer) -> Float[Tensor, "f 3 3"]:
        """Return the rotation of each row; none where no axes can be measured."""
        across, up = self.of_clips
        turned = _rotations(across, up, orientation)[self.bodies.samples]
        if per is OrientationPer.CLIP:
            return turned
        across, up = self._of_frames
        seen = has_direction(across) & has_direction(up)
        return torch.where(seen[:, None, None], _rotations(across, up, orientation), turned)

    @cached_property
    def of_bodies(self) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        """Up and left of each body over all its frames, in 2D as well; zero where unknown."""
        place, known = self._places
        return body_axes(place, self.layout, known)

    @cached_property
    def of_clips(self) -> tuple[Float[Tensor, "s 3"], Float[Tensor, "s 3"]]:
        """Axes along x and y of each sample; zero where they cannot be measured."""
        up, left = self.of_bodies
        bodies = self.bodies
        numbers = bodies.first_bodies + self._measured
        across, upright = left[numbers], up[numbers]
        if self.origin is Origin.GROUP:
            line, seen = self._line
            first = (bodies.bodies == bodies.first_bodies[bodies.samples]) & seen
            line = bodies.body_means(line[:, None], first[:, None])[0][bodies.first_bodies, 0]
            sums = up.new_zeros(len(bodies.lengths), 3).index_add(0, bodies.body_samples, up)
            across, upright = _prefer_pair(line, sums, across, upright)
        return across, upright

    @cached_property
    def _relative(self) -> tuple[Float[Tensor, "f v d"], Bool[Tensor, "f v"]]:
        """Joints relative to the center of their body, and whether they count."""
        centers, seen = self.bodies.centers(self.layout)
        relative = (self.bodies.joints - centers[:, None]).double()
        return relative, self.bodies.present & seen[:, None]

    @cached_property
    def _places(self) -> tuple[Float[Tensor, "b v d"], Bool[Tensor, "b v"]]:
        return self.bodies.body_means(*self._relative)

    @cached_property
    def _measured(self) -> Int[Tensor, " s"]:
        """Number within each sample of the first body whose axes are known."""
        up, left = self.of_bodies
        return self.bodies.first_body_where(has_direction(up) & has_direction(left))

    @cached_property
    def _line(self) -> tuple[Float[Tensor, "f 3"], Bool[Tensor, " f"]]:
        """Way from the first to the second body in the frame of each row, and whether seen."""
        bodies = self.bodies
        centers, seen = bodies.centers(self.layout)
        pair = bodies.persons[bodies.samples] >= 2
        first = bodies.rows_of(torch.zeros_like(bodies.persons))
        second = bodies.rows_of((bodies.persons >= 2).long())
        line = (centers[second] - centers[first]).double()
        return line, pair & seen[first] & seen[second]

    @cached_property
    def _of_frames(self) -> tuple[Float[Tensor, "f 3"], Float[Tensor, "f 3"]]:
        """Axes along x and y in the frame of each row; zero where they cannot be measured.

        A frame counts in which every joint is seen that the body's axes are measured by; axes are
        interpolated over the others.
        """
        bodies = self.bodies
        relative, counted = self._relative
        upper, lower, trunk = axis_joints(self.layout)
        needed = sorted({*upper, *lower, *(joint for pair in trunk for joint in pair)})
        never = ~self._places[1][bodies.bodies][:, needed]
        up, left = body_axes(relative, self.layout, counted)
        whole = (counted[:, needed] | never).all(dim=1) & has_direction(up) & has_direction(left)
        first = bodies.body_starts[bodies.bodies]
        last = first + bodies.body_lengths[bodies.bodies] - 1
        known = torch.stack([whole, whole], dim=1)
        axes = interpolate_rows(torch.stack([left, up], dim=1), known, first, last)
        ever = bodies.body_sums(whole)[bodies.bodies] > 0
        axes = normalize(axes, dim=-1) * ever[:, None, None]
        rows = bodies.rows_of(self._measured)
        upright = axes[rows, 1]
        across = normalize(_square_to(axes[rows, 0], upright), dim=-1)
        if self.origin is Origin.GROUP:
            line, seen = self._line
            ways = interpolate_rows(line[:, None], seen[:, None], first, last)[:, 0]
            ways = ways * (bodies.body_sums(seen)[bodies.bodies] > 0)[:, None]
            sums = torch.zeros_like(upright)
            for body in range(int(bodies.persons.max())):  # in this order on any device
                there = (body < bodies.persons)[bodies.samples, None]
                number = torch.full_like(bodies.persons, body).minimum(bodies.persons - 1)
                sums = sums + axes[bodies.rows_of(number), 1] * there
            across, upright = _prefer_pair(ways, sums, across, upright)
        return across, upright


def _prefer_pair(
    line: Float[Tensor, "b 3"],
    up: Float[Tensor, "b 3"],
    across: Float[Tensor, "b 3"],
    own_up: Float[Tensor, "b 3"],
) -> tuple[Float[Tensor, "b 3"], Float[Tensor, "b 3"]]:
    """Return the axes of pairs of bodies where they are known, a body's own axes elsewhere."""
    upright, way = normalize(up, dim=-1), normalize(line, dim=-1)
    pair = has_direction(upright) & has_direction(normalize(_square_to(way, upright), dim=-1))
    pair = pair[:, None]
    return torch.where(pair, way, across), torch.where(pair, upright, own_up)


def _rotations(
    across: Float[Tensor, "b 3"], up: Float[Tensor, "b 3"], orientation: Orientation
) -> Float[Tensor, "b 3 3"]:
    """Return rotations that bring axes to x and y, in single precision."""
    known = has_direction(across) & has_direction(up)
    if orientation is Orientation.HEADING:
        up = torch.zeros_like(up)
        up[:, 1] = 1
    across = normalize(_square_to(across, up), dim=-1)
    facing = torch.linalg.cross(across, up)
    known = (known & has_direction(across))[:, None, None]
    rotations = torch.stack([across, up, facing], dim=1)
    return torch.where(known, rotations, torch.eye(3, device=up.device).to(up)).float()


def rotate(
    joints: Float[Tensor, "f v 3"], rotations: Float[Tensor, "f 3 3"]
) -> Float[Tensor, "f v 3"]:
    """Return the joints of each row rotated; each row is computed alike whatever the others."""
    x, y, z = (joints[..., [axis]] * rotations[:, None, :, axis] for axis in range(3))
    return x + y + z
