"""Orientation statistics of samples as stored, on which a choice of preprocessing can rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from skeletonagent.core.clips import ClipStore
from skeletonagent.data.bone_lengths import mean_bone_lengths
from skeletonagent.data.orientation import OrientationAxes, has_direction
from skeletonagent.data.settings import Origin
from skeletonagent.data.stored_bodies import StoredBodies, body_chunks


@dataclass(frozen=True)
class OrientationStatistics:
    """Orientation, size and absent joints of samples as stored, before preprocessing.

    Args:
        coordinates: Number of coordinates of a joint, 2 or 3.
        bone_length: Median over the samples of the mean bone length, in the unit of the data.
        absent_share: Share of the joints that are absent in frames in which their body is there.
        pair_share: Share of the samples in which two bodies are there at once.
        oriented_share: Share of the samples whose axes can be measured; 0 in 2D.
        heading_spread: Circular standard deviation of the heading over the samples, in degrees;
            above 180 where bodies face all ways alike, 0 in 2D.
        tilt_spread: Standard deviation of the direction of the body's up, in degrees; 0 in 2D.
        upward: Mean of the body's up along y, from 1 where y points up to -1 where it points down
            as in images.
    """

    coordinates: int
    bone_length: float
    absent_share: float
    pair_share: float
    oriented_share: float
    heading_spread: float
    tilt_spread: float
    upward: float

    @property
    def unit(self) -> str:
        """Unit that coordinates seem to be in, by the mean bone length of a person."""
        if self.bone_length > 2:
            return "pixels" if self.coordinates == 2 else "millimeters or pixels"
        return "meters" if self.coordinates == 3 and self.bone_length > 0.04 else "shares of images"

    @property
    def y_is_up(self) -> bool:
        """Whether the coordinate y grows from the feet to the head."""
        return self.upward > 0

    @property
    def y_is_vertical(self) -> bool:
        """Whether most bodies stand along y, as ``data.orientation: heading`` takes for granted."""
        return abs(self.upward) > 0.7

    def summary(self) -> str:
        """Return the statistics in a line."""
        way = "points up" if self.y_is_up else "points down"
        parts = [
            f"{self.coordinates}D joints in {self.unit}",
            f"bones of {self.bone_length:.3g}",
            f"y {way if self.y_is_vertical else 'is level'}",
        ]
        if self.oriented_share:
            parts.append(f"headings differ by {self.heading_spread:.0f} degrees")
            parts.append(f"tilts by {self.tilt_spread:.0f}")
        parts.append(f"{self.absent_share:.1%} of joints absent")
        return ", ".join(parts)


MOST_SAMPLES = 2000
"""Samples of which orientation is measured; more say nothing new."""


def describe_orientation(
    store: ClipStore, samples: Int[Tensor, " n"] | None = None, most: int = MOST_SAMPLES
) -> OrientationStatistics:
    """Return the orientation statistics of samples that are not yet preprocessed.

    Args:
        store: Samples as stored.
        samples: Positions of the samples in the store, for instance those of the training set;
            all if None.
        most: Largest number of samples that are measured, evenly spread over these.
    """
    if samples is None:
        samples = torch.arange(len(store), device=store.device)
    chosen = store.subset(samples[:: -(-len(samples) // most)])
    bones, pairs, joints, up, left = (
        torch.cat(part)
        for part in zip(*(_measure(bodies, chosen) for bodies in body_chunks(chosen)), strict=True)
    )
    in_3d = store.coordinates == 3
    known = has_direction(up) & has_direction(left)
    level = normalize(left[known][:, [0, -1]], dim=-1)
    tops = up[has_direction(up)]
    absent, slots = joints.sum(dim=0).tolist()
    return OrientationStatistics(
        coordinates=store.coordinates,
        bone_length=float(bones.median()),
        absent_share=absent / max(slots, 1),
        pair_share=float(pairs.double().mean()),
        oriented_share=float(known.double().mean()) if in_3d else 0.0,
        heading_spread=_spread(level) if in_3d else 0.0,
        tilt_spread=_spread(tops) if in_3d else 0.0,
        upward=float(tops[:, 1].mean()) if len(tops) else 0.0,
    )


def _measure(bodies: StoredBodies, store: ClipStore) -> tuple[Tensor, ...]:
    """Return measures of each sample.

    They are the mean bone length, whether two bodies are there at once, the numbers of absent and
    of all joints, and up and left of the first body that has an up.
    """
    visible = bodies.present.any(dim=1)
    second = visible[bodies.rows_of((bodies.persons >= 2).long())]
    first = visible[bodies.rows_of(torch.zeros_like(bodies.persons))]
    both = first & second & (bodies.persons >= 2)[bodies.samples]
    slots = visible * store.layout.num_joints
    absent = slots - bodies.present.sum(dim=1)
    counts = bodies.body_sums(torch.stack([both, absent, slots], dim=1).long())
    sums = counts.new_zeros(len(bodies.lengths), 3).index_add(0, bodies.body_samples, counts)
    axes = OrientationAxes(bodies, store.layout, Origin.PERSON)
    up, left = axes.of_bodies
    numbers = bodies.first_bodies + bodies.first_body_where(has_direction(up))
    bones = mean_bone_lengths(bodies, store.layout)
    return bones, sums[:, 0] > 0, sums[:, 1:], up[numbers], left[numbers]


def _spread(directions: Float[Tensor, "n d"]) -> float:
    """Return the standard deviation of unit vectors about their mean direction, in degrees.

    Source: Mardia and Jupp, Directional Statistics, 2000, section 2.3.1: sqrt(-2 log R), R the
    length of the mean vector.
    """
    length = float(directions.mean(dim=0).norm()) if len(directions) else 1.0
    return math.degrees(math.sqrt(max(0.0, -2 * math.log(max(length, 1e-12)))))
