"""Time series of the UEA and UCR archives (``.ts``), whose dimensions are coordinates of joints.

After lines that begin with ``@`` and ``@data``, each line is a recording: dimensions are separated
by colons, values by commas, and the class comes last.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.arrays import recording_of_flat_rows
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text

_FIELD = re.compile(r"^\s*@(\w+)\s*(.*?)\s*$", re.MULTILINE)
_JOINT_NAMES = {
    "natops": tuple(
        f"{joint} {side}"
        for joint in ("hand tip", "elbow", "wrist", "thumb")
        for side in ("left", "right")
    )
}
"""Joints of problems whose dimensions the archive describes."""


def _matches(source: KeypointSource) -> bool:
    if not source.is_text:
        return False
    names = {name.lower() for name, _ in _FIELD.findall(source.head.decode("utf-8", "replace"))}
    return {"problemname", "data"} <= names


def _read(source: KeypointSource) -> list[KeypointRecording]:
    """Return a recording for each line, named by its number."""
    header, _, body = re.split(r"^\s*(@data)\s*$", source.text, maxsplit=1, flags=re.M | re.I)
    fields = {name.lower(): value for name, value in _FIELD.findall(header)}
    if fields.get("timestamps", "false").lower() == "true":
        raise DataError("has a time for each value, which cannot be read", path=source.path)
    labelled = fields.get("classlabel", "false").lower().startswith("true")
    names = _JOINT_NAMES.get(re.sub(r"[\W_]", "", fields.get("problemname", "")).lower())
    lines = [line for line in body.splitlines() if line.strip() and not line.startswith("#")]
    known = source if names is None else replace(source, num_joints=len(names))
    width = len(str(max(len(lines) - 1, 0)))
    recordings = []
    for number, line in enumerate(lines):
        cells = line.split(":")
        label = clean_text(cells.pop()) if labelled else None
        name = f"{source.name}/{number:0{width}d}"
        rows = _series(cells, number, source)
        recordings.append(
            recording_of_flat_rows(rows, known, name, label=label or None, joint_names=names)
        )
    if not recordings:
        raise DataError("has no recording below @data", path=source.path)
    return recordings


def _series(cells: list[str], number: int, source: KeypointSource) -> Float[np.ndarray, "t d"]:
    """Return the dimensions of a line as columns; shorter ones end with NaN."""
    try:
        dimensions = [
            [np.nan if value.strip() in ("?", "NaN") else float(value) for value in cell.split(",")]
            for cell in cells
        ]
    except ValueError as error:
        raise DataError(f"line {number + 1} below @data: {error}", path=source.path) from error
    if not dimensions:
        raise DataError(f"line {number + 1} below @data has no values", path=source.path)
    rows = np.full((max(map(len, dimensions)), len(dimensions)), np.nan)
    for column, values in enumerate(dimensions):
        rows[: len(values), column] = values
    return rows


TIME_SERIES = KeypointFormat(
    name="ts",
    title="UEA and UCR time series (.ts)",
    matches=_matches,
    read=_read,
)
"""Time series of the UEA and UCR archives."""
