"""Gaps of absent joints in one sample, filled by linear interpolation in time, in NumPy."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import nth_neighbors
from skeletonagent.runtime.body_arrays import BodyArrays


def without_gaps(bodies: BodyArrays, layout: SkeletonLayout) -> BodyArrays:
    """Return bodies whose joints are interpolated where they are absent and their body is there.

    For the rule see :func:`skeletonagent.data.gaps.interpolate_gaps`.
    """
    if bodies.present.all():
        return bodies
    joints = np.stack([
        _filled(own, present, layout)
        for own, present in zip(bodies.joints, bodies.present, strict=True)
    ])  # fmt: skip
    return BodyArrays.of(bodies.with_joints(joints).frames, bodies.coordinates)


def _filled(
    joints: Float[np.ndarray, "t v d"], present: Bool[np.ndarray, "t v"], layout: SkeletonLayout
) -> Float[np.ndarray, "t v d"]:
    frames = np.flatnonzero(present.any(axis=1))
    if not len(frames):
        return joints
    span = (int(frames[0]), int(frames[-1]))
    return _carried(joints, interpolated(joints, present, span), present, span, layout)


def interpolated(
    values: Float[np.ndarray, "t k d"], known: Bool[np.ndarray, "t k"], span: tuple[int, int]
) -> Float[np.ndarray, "t k d"]:
    """Return values interpolated over the frames in which they are not known, held at the ends.

    Args:
        values: Values of each frame.
        known: Whether a value is known.
        span: First and last frame that are filled.
    """
    first, last = span
    times = np.arange(len(values))[:, None]
    before = np.maximum.accumulate(np.where(known, times, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, times, len(values))[::-1], axis=0)[::-1]
    has_before, has_after = before >= first, after <= last
    missing = ~known & (times >= first) & (times <= last) & (has_before | has_after)
    frame, column = missing.nonzero()
    if not len(frame):
        return values
    before, after = (
        np.where(has_before, before, after)[frame, column],
        np.where(has_after, after, before)[frame, column],
    )
    share = ((frame - before) / np.maximum(after - before, 1)).astype(np.float32)
    share = share.astype(values.dtype)[:, None]
    filled = values.copy()
    filled[frame, column] = values[before, column] * (1 - share) + values[after, column] * share
    return filled


def _carried(
    seen: Float[np.ndarray, "t v d"],
    held: Float[np.ndarray, "t v d"],
    present: Bool[np.ndarray, "t v"],
    span: tuple[int, int],
    layout: SkeletonLayout,
) -> Float[np.ndarray, "t v d"]:
    """Return joints that are carried along by their neighbors where they were only held.

    Args:
        seen: Joints that were seen.
        held: All joints, held before and after the frames in which they are seen.
        present: Whether each joint was seen.
        span: First and last frame in which the body is there.
        layout: The skeleton.
    """
    times = np.arange(len(seen))[:, None]
    ever = present.any(axis=0)
    firsts = np.where(ever, present.argmax(axis=0), len(seen))
    lasts = np.where(ever, len(seen) - 1 - present[::-1].argmax(axis=0), -1)
    there = (times >= span[0]) & (times <= span[1])
    frame, joint = (~present & there & ever & ((times < firsts) | (times > lasts))).nonzero()
    source = np.where(frame < firsts[joint], firsts[joint], lasts[joint])
    way, known = np.zeros_like(held[frame, joint]), np.zeros(len(frame), dtype=np.int64)
    for neighbors in nth_neighbors(layout):
        other = np.array(neighbors)[joint]
        both: Bool[np.ndarray, " h"] = (
            present[frame, other] & present[source, other] & (other != joint)
        )
        way += (seen[frame, other] - seen[source, other]) * both[:, None]
        known += both
    carried = held.copy()
    carried[frame, joint] += way / np.maximum(known, 1)[:, None].astype(way.dtype)
    return carried


def leading_first(bodies: BodyArrays, taken: Int[np.ndarray, "m t"]) -> BodyArrays:
    """Return bodies of joined persons, of whom the one that is seen in most frames is first.

    Args:
        bodies: Bodies as they were numbered.
        taken: The body that each is in each frame, -1 where it has become part of another.
    """
    is_part, frames = taken < 0, np.arange(taken.shape[1])
    number = np.maximum(taken, 0)
    joined = BodyArrays(
        np.where(is_part[..., None, None], 0, bodies.frames[number, frames]).astype(
            bodies.frames.dtype
        ),
        bodies.present[number, frames] & ~is_part[..., None],
        bodies.coordinates,
    )
    seen = joined.visible.sum(axis=1)
    return joined.in_order(np.argsort(-seen, kind="stable"))
