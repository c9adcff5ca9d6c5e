"""Tables of keypoints (CSV, TSV, text): a row for each frame, or for each joint in each frame.

Wide tables have columns such as ``nose_x, nose_y`` or ``x0, y0``; long ones have ``frame``,
``joint``, ``x``, ``y`` and at will ``z``, ``confidence`` and ``person``. A table without names has
a row for each frame, with the coordinates of one joint after another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.absence import zeros_as_absent
from skeletonagent.data.keypoints.arrays import recording_of_flat_rows
from skeletonagent.data.keypoints.bodies import SeenBody, frame_places, recording_of_bodies
from skeletonagent.data.keypoints.columns import (
    AXES,
    CONFIDENCE,
    TableColumns,
    columns_of,
    number_of,
)
from skeletonagent.data.keypoints.frame_rate import frame_rate_of_times
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text
from skeletonagent.data.keypoints.text_table import TextTable, looks_like_table, read_table


@dataclass(frozen=True)
class _TableRows:
    """Bodies in the rows of a table, a row for each body in a frame.

    Args:
        joint_names: Names of the joints.
        joints: Coordinates of each row; NaN where nothing was seen.
        confidence: Confidence of each row, if the table has it.
        roles: Cells of the columns that hold the frame, the person and the like.
    """

    joint_names: tuple[str, ...]
    joints: Float[np.ndarray, "r v c"]
    confidence: Float[np.ndarray, "r v"] | None
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)


def _read(source: KeypointSource) -> list[KeypointRecording]:
    """Return the recordings of a table: one, or one for each name in a column of names."""
    table = read_table(source)
    if table.header is None:
        return [recording_of_flat_rows(table.numbers(range(table.columns), source), source)]
    columns = columns_of(table.header, skipped=int(table.has_index))
    if columns.joints:
        _warn_of_unused(source.path, columns)
        rows = _wide_rows(table, columns, source)
    elif {"x", "y"} <= columns.parts.keys() and "joint" in columns.roles:
        rows = _long_rows(table, columns, source)
    else:
        raise DataError(
            f"names no joints with coordinates: its columns are {', '.join(table.header)[:200]}; "
            "columns such as nose_x, nose_y or frame, joint, x, y are expected",
            path=source.path,
        )
    return _recordings(rows, source)


def _warn_of_unused(path: Path, columns: TableColumns) -> None:
    unused = [*columns.unused, *columns.parts, *(["joint"] if "joint" in columns.roles else [])]
    if unused:
        remark(path, f"columns not used: {', '.join(unused)[:200]}")


def _wide_rows(table: TextTable, columns: TableColumns, source: KeypointSource) -> _TableRows:
    """Return a table with a row for each frame; several persons side by side follow each other."""
    blocks = [_block(table, joints, source) for joints in columns.joints.values()]
    persons, rows = len(blocks), len(table.rows)
    roles = {
        role: [row[column] for row in table.rows] * persons
        for role, column in columns.roles.items()
    }
    if persons > 1:
        roles["person"] = [person for person in columns.joints for _ in range(rows)]
        roles.setdefault("frame", [str(row) for row in range(rows)] * persons)
    confidences = [block.confidence for block in blocks]
    return _TableRows(
        joint_names=blocks[0].joint_names,
        joints=np.concatenate([block.joints for block in blocks]),
        confidence=(
            np.concatenate([c for c in confidences if c is not None])
            if all(c is not None for c in confidences)
            else None
        ),
        roles=roles,
    )


def _block(
    table: TextTable, joints: Mapping[str, Mapping[str, int]], source: KeypointSource
) -> _TableRows:
    """Return the columns of one person."""
    axes = [axis for axis in AXES if any(axis in parts for parts in joints.values())]
    kept = {name: parts for name, parts in joints.items() if "x" in parts or "y" in parts}
    wrong = [name for name, parts in kept.items() if not set(axes) <= parts.keys()]
    if wrong or len(axes) < 2:
        raise DataError(
            f"lacks coordinates of {', '.join(wrong) or 'its joints'}: each joint needs "
            f"{', '.join(axes if len(axes) > 1 else AXES[:2])}",
            path=source.path,
        )
    names = tuple(sorted(kept, key=_order) if all(number_of(n) is not None for n in kept) else kept)
    flat = table.numbers([kept[name][axis] for name in names for axis in axes], source)
    scored = [kept[name][CONFIDENCE] for name in names if CONFIDENCE in kept[name]]
    return _TableRows(
        joint_names=names,
        joints=flat.reshape(len(flat), len(names), len(axes)),
        confidence=table.numbers(scored, source) if len(scored) == len(names) else None,
    )


def _order(name: str) -> int:
    number = number_of(name)
    return -1 if number is None else number


def _long_rows(table: TextTable, columns: TableColumns, source: KeypointSource) -> _TableRows:
    """Return a table with a row for each joint as one with a row for each body in a frame."""
    joint_cells = [clean_text(row[columns.roles["joint"]]) for row in table.rows]
    names = list(dict.fromkeys(joint_cells))
    if all(number_of(name) is not None for name in names):
        names.sort(key=_order)
    keys = ("recording", "frame", "time", "person")
    kept: dict[int, list[str]] = {}
    roles = {role: column for role, column in columns.roles.items() if role != "joint"}
    if not {"frame", "time"} & roles.keys():
        raise DataError("has a row for each joint and no column of frames", path=source.path)
    axes = [axis for axis in AXES if axis in columns.parts]
    parts = [*axes, *([CONFIDENCE] if CONFIDENCE in columns.parts else [])]
    values = table.numbers([columns.parts[part] for part in parts], source)
    place = {name: n for n, name in enumerate(names)}
    bodies: dict[tuple[str, ...], int] = {}
    cells = np.full((len(table.rows), len(names), len(parts)), np.nan)
    filled = np.zeros(cells.shape[:2], dtype=bool)
    for line, row in enumerate(table.rows):
        key = tuple(row[roles[role]] for role in keys if role in roles)
        body = bodies.setdefault(key, len(bodies))
        kept.setdefault(body, row)
        joint = place[joint_cells[line]]
        if filled[body, joint]:
            raise DataError(
                f"row {line + 1} repeats joint {joint_cells[line]!r} of the same frame; a column "
                "person tells bodies apart",
                path=source.path,
            )
        filled[body, joint] = True
        cells[body, joint] = values[line]
    cells = cells[: len(bodies)]
    scored = CONFIDENCE in parts
    return _TableRows(
        joint_names=tuple(names),
        joints=cells[..., : len(axes)],
        confidence=cells[..., -1] if scored else None,
        roles={
            r: [kept[body][column] for body in range(len(bodies))] for r, column in roles.items()
        },
    )


def _recordings(rows: _TableRows, source: KeypointSource) -> list[KeypointRecording]:
    cells = rows.roles.get("recording")
    if cells is None:
        return [_recording(rows, np.arange(len(rows.joints)), source.name, source)]
    names = [clean_text(Path(cell.replace("\\", "/")).stem) for cell in cells]
    members: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        members.setdefault(name or source.name, []).append(row)
    return [_recording(rows, np.array(of), name, source) for name, of in members.items()]


def _recording(
    rows: _TableRows, chosen: np.ndarray, name: str, source: KeypointSource
) -> KeypointRecording:
    where = f"{source.path}: {name}"
    joints = zeros_as_absent(rows.joints[chosen], where)
    roles = {role: [cells[row] for row in chosen] for role, cells in rows.roles.items()}
    places, fps = _times(roles, len(chosen), where)
    persons = roles.get("person")
    frames: list[list[SeenBody]] = [[] for _ in range(1 + max(places))]
    alone = persons is None and len(set(places)) == len(places)
    for n, place in enumerate(places):
        confidence = None if rows.confidence is None else rows.confidence[chosen[n]]
        person = "0" if alone else clean_text(persons[n]) if persons else None
        if person is not None or not np.isnan(joints[n]).all():
            frames[place].append(SeenBody(joints[n], confidence, person))
    numbered = all(number_of(joint) is not None for joint in rows.joint_names)
    return recording_of_bodies(
        name,
        frames,
        source.path,
        joint_names=None if numbered else rows.joint_names,
        fps=fps,
        label=_constant(roles.get("label"), "label", where),
        subject=_constant(roles.get("subject"), "subject", where),
    )


def _times(
    roles: Mapping[str, Sequence[str]], rows: int, where: str
) -> tuple[list[int], float | None]:
    """Return the frame of each row, and the frame rate where there are times."""
    times = _sorted_places(roles["time"], where) if "time" in roles else None
    fps = None if times is None else frame_rate_of_times(times[1], where)
    if "frame" in roles:
        numbers, values = _sorted_places(roles["frame"], where)
        whole = values[numbers]
        if not (whole == np.round(whole)).all():
            return numbers.tolist(), fps
        unique = [int(value) for value in values]
        place_of = dict(zip(unique, frame_places(unique, where), strict=True))
        return [place_of[int(value)] for value in whole], fps
    return (times[0].tolist() if times else list(range(rows))), fps


def _sorted_places(cells: Sequence[str], where: str) -> tuple[np.ndarray, Float[np.ndarray, " k"]]:
    """Return the rank of each number among the different ones, and these in their order."""
    try:
        values, ranks = np.unique(np.array([float(cell) for cell in cells]), return_inverse=True)
    except ValueError as error:
        raise DataError(f"{where}: frames or times are no numbers: {error}") from error
    if not np.isfinite(values).all():
        raise DataError(f"{where}: frames or times are missing in some rows")
    return ranks, values


def _constant(cells: Sequence[str] | None, column: str, where: str) -> str | None:
    """Return what all cells say; nothing, with a warning, if they differ."""
    values = {clean_text(cell) for cell in cells or ()} - {""}
    if len(values) > 1:
        remark(where, f"{column} changes from row to row and is not used")
    return values.pop() if len(values) == 1 else None


TABLES = KeypointFormat(
    name="csv",
    title="CSV and other tables in text: a row for each frame, or for each joint in each frame",
    matches=looks_like_table,
    read=_read,
)
"""Tables in text."""
