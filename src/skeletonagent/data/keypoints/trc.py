"""TRC files of markers, as OpenSim, OpenCap, Pose2Sim and Sports2D write them.

Five lines come first: the kind of file, names and values of parameters, names of the markers over
three columns each, and the axes. A row has the frame's number, its time and the coordinates; cells
of a marker that was not seen are empty.
"""

from __future__ import annotations

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text
from skeletonagent.data.keypoints.text_table import TextTable, is_number

_BEFORE = 2
"""Columns before the coordinates: the number and the time of the frame."""


def _matches(source: KeypointSource) -> bool:
    return source.is_text and source.head.lstrip(b"\xef\xbb\xbf")[:12] == b"PathFileType"


def _read(source: KeypointSource) -> list[KeypointRecording]:
    lines = [line.split("\t") for line in source.text.splitlines()]
    if len(lines) < 5:
        raise DataError("is TRC without rows", path=source.path)
    names = tuple(clean_text(name) for name in lines[3][_BEFORE:] if name.strip())
    parameters = dict(zip((clean_text(name) for name in lines[1]), lines[2], strict=False))
    width = _BEFORE + 3 * len(names)
    rows = [(row + [""] * width)[:width] for row in lines[5:] if is_number(row[0])]
    if not rows or not names:
        raise DataError("is TRC without markers or rows", path=source.path)
    values = TextTable(None, rows).numbers(range(_BEFORE, width), source)
    joints = values.reshape(len(rows), len(names), 3)
    joints = np.where(np.isnan(joints).any(axis=-1, keepdims=True), np.nan, joints)
    rate = parameters.get("DataRate", "").strip()
    return [
        KeypointRecording(
            name=source.name,
            joints=joints[None].astype(np.float32),
            joint_names=names,
            fps=float(rate) if is_number(rate) and float(rate) > 0 else None,
            person_ids=("0",),
            source=source.path,
        )
    ]


TRC = KeypointFormat(
    name="trc",
    title="TRC markers of OpenSim and Pose2Sim",
    matches=_matches,
    read=_read,
)
"""Markers as TRC."""
