"""DeepLabCut's predictions: CSV with three or four header rows, and HDF5 as pandas writes it.

Header rows are scorer, individuals (of several animals), bodyparts and coords; coords are x, y and
likelihood. Points of no animal, such as corners of a cage, are those of the individual ``single``.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.hdf5 import is_hdf5, open_hdf5, texts
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text
from skeletonagent.data.keypoints.text_table import TextTable
from skeletonagent.data.readers.safe_pickle import loads_restricted

_LEVELS = ("scorer", "individuals", "bodyparts", "coords")
_AXES = ("x", "y", "z")
_LIKELIHOOD = "likelihood"
_NO_ANIMAL = "single"
"""Individual that body parts are listed under which no animal has."""


def _matches_csv(source: KeypointSource) -> bool:
    if not source.is_text or source.is_json:
        return False
    start = source.head.decode("utf-8", errors="replace").lstrip("\ufeff").splitlines()[:4]
    names = [line.split(",", 1)[0].strip() for line in start]
    return names[:3] == ["scorer", "bodyparts", "coords"] or names == list(_LEVELS)


def _read_csv(source: KeypointSource) -> list[KeypointRecording]:
    rows = [row for row in csv.reader(source.text.splitlines()) if row]
    levels = 4 if rows[1][0].strip() == "individuals" else 3
    header, body = rows[:levels], rows[levels:]
    widths = {len(row) for row in rows}
    if len(widths) != 1 or not body:
        raise DataError("has rows of different lengths, or none below the header", path=source.path)
    # Labelled images have their folder, video and name in the first columns, which have no names.
    first = next((n for n, name in enumerate(header[-1]) if clean_text(name) in _AXES), 1)
    columns = [tuple(clean_text(row[c]) for row in header) for c in range(first, len(header[-1]))]
    table = TextTable(None, body)
    values = table.numbers(range(first, len(body[0])), source)
    return [_recording(columns, values, source)]


def _matches_hdf5(source: KeypointSource) -> bool:
    if not is_hdf5(source):
        return False
    with open_hdf5(source) as file:
        return any("pandas_type" in group.attrs for group in file.values())


def _read_hdf5(source: KeypointSource) -> list[KeypointRecording]:
    with open_hdf5(source) as file:
        frames = [(name, g) for name, g in file.items() if "pandas_type" in g.attrs]
        if len(frames) != 1:
            listed = ", ".join(name for name, _ in frames)
            raise DataError(f"holds several tables of pandas: {listed}", path=source.path)
        _, group = frames[0]
        if "table" in group:
            columns, values = _appendable(group["table"], source)
        else:
            columns, values = _fixed(group)
        return [_recording(columns, values, source)]


def _appendable(table: Any, source: KeypointSource) -> tuple[Any, Float[np.ndarray, "t k"]]:
    """Return columns and values of a table that pandas can append to."""
    columns = loads_restricted(bytes(table.attrs["values_block_0_kind"]), source.path)
    return columns, np.asarray(table["values_block_0"], dtype=np.float64)


def _fixed(group: Any) -> tuple[Any, Float[np.ndarray, "t k"]]:
    """Return columns and values of a table of a fixed size."""
    levels = int(group.attrs["block0_items_nlevels"])
    names = [texts(group[f"block0_items_level{n}"]) for n in range(levels)]
    codes = [group[f"block0_items_label{n}"][()] for n in range(levels)]
    columns = [
        tuple(names[n][code] for n, code in enumerate(column))
        for column in zip(*codes, strict=True)
    ]
    return columns, np.asarray(group["block0_values"], dtype=np.float64)


def _recording(
    columns: Sequence[Any], values: Float[np.ndarray, "t k"], source: KeypointSource
) -> KeypointRecording:
    """Return the recording of columns (scorer, individual, bodypart, coordinate)."""
    if not columns or len(columns) != values.shape[1] or not all(len(c) in (3, 4) for c in columns):
        raise DataError("has no columns scorer, bodyparts, coords of DeepLabCut", path=source.path)
    keys = [(str(c[1]) if len(c) == 4 else "0", str(c[-2]), str(c[-1]).lower()) for c in columns]
    keys, values = _of_animals(keys, values, source)
    persons = list(dict.fromkeys(person for person, _, _ in keys))
    joints = list(dict.fromkeys(joint for _, joint, _ in keys))
    axes = [axis for axis in _AXES if any(part == axis for _, _, part in keys)]
    out = np.full((len(persons), len(values), len(joints), len(axes)), np.nan, dtype=np.float32)
    likelihood = np.zeros(out.shape[:3], dtype=np.float32)
    for column, (person, joint, part) in enumerate(keys):
        m, v = persons.index(person), joints.index(joint)
        if part in axes:
            out[m, :, v, axes.index(part)] = values[:, column]
        elif part == _LIKELIHOOD:
            likelihood[m, :, v] = np.nan_to_num(values[:, column])
    if len(axes) < 2:
        raise DataError("has no coordinates x and y", path=source.path)
    scored = any(part == _LIKELIHOOD for _, _, part in keys)
    return KeypointRecording(
        name=_video(source.name, {str(column[0]) for column in columns}),
        joints=out,
        joint_names=tuple(map(clean_text, joints)),
        confidence=np.clip(likelihood, 0, 1) if scored else None,
        person_ids=tuple(map(clean_text, persons)),
        source=source.path,
    )


def _of_animals(
    keys: list[tuple[str, str, str]], values: Float[np.ndarray, "t k"], source: KeypointSource
) -> tuple[list[tuple[str, str, str]], Float[np.ndarray, "t animals"]]:
    """Return keys (individual, bodypart, coordinate) and columns without points of no animal."""
    animals = [key[0] != _NO_ANIMAL for key in keys]
    points = list(dict.fromkeys(joint for person, joint, _ in keys if person == _NO_ANIMAL))
    of_animals = {joint for person, joint, _ in keys if person != _NO_ANIMAL}
    if not points or not of_animals or of_animals.intersection(points):
        return keys, values
    named = ", ".join(map(clean_text, points))
    remark(source.path, f"{named} are points of no animal ({_NO_ANIMAL}), and are left out")
    return [key for key, kept in zip(keys, animals, strict=True) if kept], values[:, animals]


def _video(name: str, scorers: set[str]) -> str:
    """Return the name of the video: that of the file without the scorer that ends it."""
    for scorer in scorers:
        video, found, _ = name.partition(clean_text(scorer))
        if found and video:
            return video.rstrip("_-. ")
    return name


DEEPLABCUT_CSV = KeypointFormat(
    name="deeplabcut-csv",
    title="DeepLabCut's CSV, of one animal or several",
    matches=_matches_csv,
    read=_read_csv,
)
"""Predictions of DeepLabCut as CSV."""

DEEPLABCUT_HDF5 = KeypointFormat(
    name="deeplabcut-h5",
    title="DeepLabCut's HDF5",
    matches=_matches_hdf5,
    read=_read_hdf5,
)
"""Predictions of DeepLabCut as HDF5."""
