"""Gaps of joints that are absent in some frames, filled by linear interpolation in time."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import nth_neighbors
from skeletonagent.data.stored_bodies import StoredBodies, body_chunks, with_chunks


def interpolate_gaps(store: ClipStore) -> ClipStore:
    """Return a store whose joints are interpolated where they are absent and their body is there.

    A body is there from the first frame to the last in which one of its joints is seen. Before the
    first and after the last frame in which a joint is seen itself, it moves as the joints do that
    it has bones with; a joint that is never seen stays absent. Keypoint confidence is not changed.
    """
    return with_chunks(store, (_filled(chunk, store.layout) for chunk in body_chunks(store)))


def _filled(bodies: StoredBodies, layout: SkeletonLayout) -> StoredBodies:
    first, last = _spans(bodies, bodies.present.any(dim=1))
    joints = interpolate_rows(bodies.joints, bodies.present, first, last)
    there = (bodies.numbered_rows >= first) & (bodies.numbered_rows <= last)
    filled = bodies.with_joints(_carried(bodies, joints, there, layout))
    return StoredBodies.of(filled.frames, bodies.lengths, bodies.persons, bodies.coordinates)


def _carried(
    bodies: StoredBodies,
    joints: Float[Tensor, "f v d"],
    there: Bool[Tensor, " f"],
    layout: SkeletonLayout,
) -> Float[Tensor, "f v d"]:
    """Return joints that are carried along by their neighbors where they were only held.

    Args:
        bodies: Bodies with the joints that were seen.
        joints: All joints, held before and after the frames in which they are seen.
        there: Rows in which the body is there.
        layout: The skeleton.
    """
    absent = ~bodies.present & there[:, None]
    if not bool(absent.any()):
        return joints
    rows = bodies.numbered_rows[:, None].expand_as(absent)
    index = bodies.bodies[:, None].expand_as(absent)
    count, none = len(bodies.body_samples), len(rows)
    firsts = rows.new_full((count, absent.shape[1]), none).scatter_reduce(
        0, index, rows.where(bodies.present, none), "amin"
    )[bodies.bodies]
    lasts = rows.new_full((count, absent.shape[1]), -1).scatter_reduce(
        0, index, rows.where(bodies.present, -1), "amax"
    )[bodies.bodies]
    held = absent & (lasts >= 0) & ((rows < firsts) | (rows > lasts))
    row, joint = held.nonzero(as_tuple=True)
    source = torch.where(row < firsts[row, joint], firsts[row, joint], lasts[row, joint])
    way, known = torch.zeros_like(joints[row, joint]), torch.zeros_like(row)
    for neighbors in nth_neighbors(layout):
        other = torch.tensor(neighbors, device=row.device)[joint]
        both = bodies.present[row, other] & bodies.present[source, other] & (other != joint)
        way += (bodies.joints[row, other] - bodies.joints[source, other]) * both[:, None]
        known += both
    carried = joints.clone()
    carried[row, joint] += way / known.clamp(min=1)[:, None]
    return carried


def _spans(
    bodies: StoredBodies, visible: Bool[Tensor, " f"]
) -> tuple[Int[Tensor, " f"], Int[Tensor, " f"]]:
    """Return for each row the first and the last row in which its body is visible."""
    rows = torch.arange(len(visible), device=visible.device)
    count = len(bodies.body_samples)
    first = rows.new_full((count,), len(rows)).scatter_reduce(
        0, bodies.bodies, rows.where(visible, len(rows)), "amin"
    )
    last = rows.new_full((count,), -1).scatter_reduce(
        0, bodies.bodies, rows.where(visible, -1), "amax"
    )
    return first[bodies.bodies], last[bodies.bodies]


def interpolate_rows(
    values: Float[Tensor, "f k d"],
    known: Bool[Tensor, "f k"],
    first: Int[Tensor, " f"],
    last: Int[Tensor, " f"],
) -> Float[Tensor, "f k d"]:
    """Return values interpolated over the rows in which they are not known, and held at the ends.

    Args:
        values: Values of each row; rows are frames of one body after those of another.
        known: Whether a value is known.
        first: First row of the body of each row, from which it is filled.
        last: Last row of the body of each row, up to which it is filled.
    """
    rows = torch.arange(len(values), device=values.device)
    missing = ~known & ((rows >= first) & (rows <= last))[:, None]
    row, column = missing.nonzero(as_tuple=True)
    if not len(row):
        return values
    columns = column.unique()
    row, column = missing[:, columns].nonzero(as_tuple=True)
    numbers, kept = rows[:, None], known[:, columns].T.contiguous().T
    before = numbers.where(kept, -1).cummax(dim=0).values[row, column]
    after = numbers.where(kept, len(rows)).flip(0).cummin(dim=0).values.flip(0)[row, column]
    has_before, has_after = before >= first[row], after <= last[row]
    before, after = before.where(has_before, after), after.where(has_after, before)
    some = has_before | has_after  # otherwise the value is never known
    row, column, before, after = (part[some] for part in (row, columns[column], before, after))
    share = ((row - before) / (after - before).clamp(min=1)).to(values.dtype)[:, None]
    filled = values.clone()
    filled[row, column] = values[before, column] * (1 - share) + values[after, column] * share
    return filled
