"""Summary of the coordinates of a data set: ranges, unit, what was not seen, plausible bones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from skeletonagent.core.clips import ClipStore
from skeletonagent.data.bone_check import absent_as_nan, check_bones

MOST_SAMPLES_LOOKED_AT = 2000
"""Samples whose coordinates are looked at, evenly spread; more say nothing new."""
_RARELY = 0.5
"""Share of frames below which a joint counts as seen rarely."""
_OFTEN_ABSENT = 0.01
_EXTENTS = (
    ("metres", 0.9, 2.6), ("centimetres", 70.0, 260.0), ("millimetres", 700.0, 2600.0),
)  # fmt: skip
"""Units in space, by the largest extent of a person in them."""


@dataclass(frozen=True)
class CoordinateSummary:
    """Coordinates of a data set as stored.

    Args:
        ranges: Smallest and largest value of each coordinate over the joints that were seen.
        usual: First and last percentile of each, in which 98 % of the joints lie.
        extent: Median over the bodies of the largest side of the box around a body.
        unit: Unit that coordinates seem to be in: ``metres``, ``centimetres``, ``millimetres``,
            ``pixels``, ``normalised`` or ``unknown``.
        unit_reason: What the unit was guessed by, in words.
        seen: Share of the frames in which each joint is seen while its body is, by name.
        lost: Share of the frames of bodies in which nothing of the body is seen.
        bones: What speaks for the layout, in words; None if too little is seen of its bones.
        layout_problems: What contradicts the layout, in words.
        advice: What to do or to set, a sentence each.
    """

    ranges: tuple[tuple[float, float], ...]
    usual: tuple[tuple[float, float], ...]
    extent: float
    unit: str
    unit_reason: str
    seen: Mapping[str, float]
    lost: float
    bones: str | None
    layout_problems: tuple[str, ...]
    advice: tuple[str, ...]

    @property
    def rarely_seen(self) -> dict[str, float]:
        """Joints that are seen least, rarest first, with their shares; none that always is."""
        often = sorted(self.seen.items(), key=lambda item: item[1])
        return {name: share for name, share in often if share < 1 - _OFTEN_ABSENT}


def summarize_coordinates(store: ClipStore) -> CoordinateSummary:
    """Return the summary of the coordinates of a data set as stored, before preprocessing."""
    step = -(-len(store) // MOST_SAMPLES_LOOKED_AT)
    chosen = store.subset(torch.arange(0, len(store), step))
    joints = chosen.frames[..., : store.coordinates].float().numpy()
    joints = absent_as_nan(np.where(np.isfinite(joints), joints, np.nan))
    seen: Bool[np.ndarray, "f v"] = ~np.isnan(joints).any(axis=-1)
    there = seen.any(axis=1)
    values = joints[seen]
    extent = _extent(joints[there])
    unit, reason = _unit(values, extent, store.image_sizes is not None)
    clips = [chosen.sequence(n).joints[..., : store.coordinates] for n in _some(len(chosen))]
    check = check_bones(clips, store.layout)
    shares = seen[there].mean(axis=0) if there.any() else np.zeros(seen.shape[1])
    rates = dict(zip(store.layout.joints, map(float, shares), strict=True))
    problems = check.problems if check else ()
    return CoordinateSummary(
        ranges=_pairs(values, 0, 100),
        usual=_pairs(values, 1, 99),
        extent=extent,
        unit=unit,
        unit_reason=reason,
        seen=rates,
        lost=float(1 - there.mean()),
        bones=None if check is None else check.summary(),
        layout_problems=problems,
        advice=tuple(_advice(store, unit, rates, problems)),
    )


def _some(samples: int) -> range:
    return range(0, samples, max(1, samples // 60))


def _pairs(
    values: Float[np.ndarray, "n c"], low: int, high: int
) -> tuple[tuple[float, float], ...]:
    if not len(values):
        return ()
    ends = np.percentile(values, [low, high], axis=0)
    return tuple((float(a), float(b)) for a, b in ends.T)


def _extent(joints: Float[np.ndarray, "f v c"]) -> float:
    """Return the median over frames of the largest side of the box around a body."""
    whole = joints[(~np.isnan(joints).any(axis=-1)).mean(axis=1) > 0.5]
    if not len(whole):
        return 0.0
    sides = np.nanmax(whole, axis=1) - np.nanmin(whole, axis=1)
    return float(np.median(sides.max(axis=1)))


def _unit(
    values: Float[np.ndarray, "n c"], extent: float, has_image_sizes: bool
) -> tuple[str, str]:
    """Return the unit that coordinates seem to be in, and what says so."""
    if not len(values) or not extent:
        return "unknown", "nobody is seen"
    if has_image_sizes:
        return "pixels", "the sizes of the images are stored"
    low, high = np.percentile(values, [1, 99], axis=0)
    size = f"a body is {extent:.3g} large"
    if low[:2].min() >= -0.1 and high[:2].max() <= 1.1:
        return "normalised", "coordinates lie between 0 and 1, as shares of an image"
    if values.shape[1] == 3:
        for unit, least, most in _EXTENTS:
            if least <= extent <= most:
                return unit, size
    if np.abs([low[:2], high[:2]]).max() <= 2 and extent <= 2.6:
        return "normalised", f"coordinates lie around 0 and {size}"
    if values.shape[1] == 2 and extent > 10:
        return "pixels", size
    return "unknown", size


def _advice(
    store: ClipStore, unit: str, rates: Mapping[str, float], problems: tuple[str, ...]
) -> list[str]:
    """Return what to do or to set; the preset 'default' does most of it by itself."""
    advice = []
    if problems:
        advice.append(
            "joints may be in another order than the layout's: look at 'skeletonagent data view', "
            "and import the recordings anew with the right layout file"
        )
    if unit == "pixels" and store.image_sizes is None:
        advice.append("data.scale=body, since the sizes of the images are not known")
    elif unit == "pixels":
        advice.append("data.scale=body or data.scale=image, since coordinates are pixels")
    if unit == "normalised" and store.coordinates == 2:
        advice.append(
            "data.scale=body; if x and y were divided by width and height, pixels would be better, "
            "in which a body keeps its shape"
        )
    if any(share < 1 - _OFTEN_ABSENT for share in rates.values()):
        advice.append("data.gaps=interpolate, since joints are absent now and then")
    rare = [name for name, share in rates.items() if share < _RARELY]
    if rare:
        advice.append(f"leave out joints that are hardly ever seen: {', '.join(rare)}")
    if store.has_confidence:
        advice.append("data.confidence=true makes the keypoint confidence an input")
    if not store.layout.pairs:
        advice.append("name left and right joints, or give pairs: mirroring needs them")
    return advice
