"""Table of labels: recordings with their labels, and the segments that are cut out of them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.outside_files import read_outside_text
from skeletonagent.core.outside_text import brief, printable_line
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.importing.labels import PARTS, LabelledRecording

_COLUMNS = {
    "file": ("file", "filename", "file_name", "recording", "path", "video", "name", "sample"),
    "label": ("label", "class", "action", "activity", "class_name"),
    "subject": ("subject", "person", "participant", "performer"),
    "part": ("split", "set", "part", "subset"),
}
"""Names that the columns of a table may have."""
_BOUNDS = {
    ("start", "end"): None, ("start_seconds", "end_seconds"): "seconds",
    ("start_time", "end_time"): "seconds", ("start_s", "end_s"): "seconds",
    ("start_frame", "end_frame"): "frames", ("start_frames", "end_frames"): "frames",
}  # fmt: skip
"""Columns of the bounds of a segment, and their unit where their names say it."""
UNITS = ("seconds", "frames")
LEAST_REST_FRAMES = 8
"""Frames below which a gap between labelled segments is no clip of its own."""
_SHOWN = 3
_LARGEST = 1 << 28


@dataclass(frozen=True)
class TableRow:
    """Row of a table of labels.

    Args:
        file: Recording that it is about.
        label: Name of the action.
        subject: Name of the person; empty where unknown.
        part: Set that it belongs to, ``train`` or ``test``; None where the table says none.
        start: Beginning of the segment, None for that of the recording.
        end: End of the segment, which is not part of it; None for that of the recording.
        unit: Unit of these, ``seconds`` or ``frames``.
        line: Line of the table.
    """

    file: str
    label: str
    subject: str
    part: str | None
    start: float | None
    end: float | None
    unit: str
    line: int


def read_label_table(path: Path, unit: str | None = None) -> list[TableRow]:
    """Return the rows of a table of labels, a CSV file with a header.

    Args:
        path: The table. It has the columns ``file`` and ``label``, and at will ``subject``,
            ``split``, and ``start`` and ``end``, or ``start_frame`` and ``end_frame``.
        unit: Unit of ``start`` and ``end``; seconds unless their columns say another.

    Raises:
        ConfigError: If there is no such unit.
        DataError: If it cannot be read, lacks a column or a cell, or holds no number.
    """
    if unit not in (None, *UNITS):
        raise ConfigError(f"no unit {unit!r}; there are {', '.join(UNITS)}")
    text = read_outside_text(path, _LARGEST, "a table of labels")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    except csv.Error as error:
        raise DataError(f"cannot be read as a table of labels: {error}", path=path) from error
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    places = {
        field: next((header.index(name) for name in names if name in header), None)
        for field, names in _COLUMNS.items()
    }
    missing = [field for field in ("file", "label") if places[field] is None]
    if missing:
        raise DataError(
            f"lacks the column(s) {', '.join(missing)}; its columns are "
            f"{printable_line(', '.join(header), 200)}",
            path=path,
        )
    bounds = next((pair for pair in _BOUNDS if set(pair) <= set(header)), None)
    chosen = unit or (_BOUNDS[bounds] if bounds else None) or "seconds"
    ends = [header.index(name) for name in bounds] if bounds else []
    return [
        _row(cells, places, ends, chosen, line, path)
        for line, cells in enumerate(rows[1:], start=2)
        if any(cell.strip() for cell in cells)
    ]


def _row(
    cells: Sequence[str],
    places: Mapping[str, int | None],
    bounds: Sequence[int],
    unit: str,
    line: int,
    path: Path,
) -> TableRow:
    def cell(place: int | None) -> str:
        text = cells[place] if place is not None and place < len(cells) else ""
        return " ".join(printable_line(text).split())

    values = {field: cell(place) for field, place in places.items()}
    if not values["file"] or not values["label"]:
        raise DataError(f"line {line} lacks its file or its label", path=path)
    part = PARTS.get(values["part"].lower())
    if values["part"] and part is None:
        raise DataError(
            f"line {line}: no set {brief(values['part'])}; there are {', '.join(PARTS)}", path=path
        )
    start, end = (_number(cell(place), line, path) for place in bounds) if bounds else (None, None)
    if start is not None and end is not None and end <= start:
        raise DataError(f"line {line}: the segment ends before it begins", path=path)
    return TableRow(
        values["file"], values["label"], values["subject"], part, start, end, unit, line
    )


def _number(text: str, line: int, path: Path) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise DataError(
            f"line {line}: {brief(text)} is no time; give a number from 0 on", path=path
        )
    return value


def label_by_table(
    recordings: Sequence[LabelledRecording],
    rows: Sequence[TableRow],
    table: Path,
    rest: str | None = None,
) -> tuple[list[LabelledRecording], str, list[str]]:
    """Return the clips that a table describes, a line about it, and remarks.

    Args:
        recordings: Recordings.
        rows: Rows of the table.
        table: Its path, for messages.
        rest: Name of the class of what lies between, before and after the labelled segments of a
            recording; None to leave that out.

    Raises:
        DataError: If a row names no recording or more than one, a segment lies outside of its
            recording, or times are in seconds and the frame rate is not known.
    """
    by_recording: dict[int, list[TableRow]] = defaultdict(list)
    places = _places(recordings)
    for row in rows:
        by_recording[_recording_of(row, places, recordings, table)].append(row)
    lengths = [
        end - start
        for place, members in by_recording.items()
        for start, end in (_frames(row, recordings[place].recording, table) for row in members)
    ]
    usual = int(np.median(lengths)) if lengths else 0
    clips, rests = [], 0
    for place, members in sorted(by_recording.items()):
        item = recordings[place]
        spans = [(*_frames(row, item.recording, table), row) for row in members]
        clips += [_clip(item, start, end, row.label, row) for start, end, row in spans]
        if rest is not None:
            gaps = _rest_spans([(s, e) for s, e, _ in spans], item.recording.num_frames, usual)
            clips += [_clip(item, start, end, rest, members[0]) for start, end in gaps]
            rests += len(gaps)
    remarks = []
    others = [item.path for n, item in enumerate(recordings) if n not in by_recording]
    if others:
        names = ", ".join(others[:_SHOWN]) + (", ..." if len(others) > _SHOWN else "")
        remarks.append(f"{len(others)} recording(s) without a row in {table} left out: {names}")
    more = f", {rests} clips between them are {rest!r}" if rest is not None else ""
    return clips, f"{len(rows)} rows of {table}{more}", remarks


def _places(recordings: Sequence[LabelledRecording]) -> Mapping[str, set[int]]:
    """Return which recordings a row may mean by a name."""
    places: dict[str, set[int]] = defaultdict(set)
    for n, item in enumerate(recordings):
        source = item.recording.source
        names = {item.path, item.recording.name, item.path.rsplit("/", 1)[-1]}
        if source is not None:
            names |= {source.name, str(source), f"{item.path}{source.suffix}"}
        for name in names:
            places[name].add(n)
    return places


def _recording_of(
    row: TableRow,
    places: Mapping[str, set[int]],
    recordings: Sequence[LabelledRecording],
    table: Path,
) -> int:
    name = row.file.replace("\\", "/").removeprefix("./").rstrip("/")
    candidates = (name, name.rsplit("/", 1)[-1], Path(name).stem)
    found = next((places[key] for key in candidates if key in places), set())
    if len(found) != 1:
        what = "no recording is named" if not found else f"{len(found)} recordings are named"
        known = ", ".join(item.path for item in recordings[:_SHOWN])
        raise DataError(
            f"line {row.line}: {what} {brief(row.file)}; there are {known}, ...", path=table
        )
    return next(iter(found))


def _frames(row: TableRow, recording: KeypointRecording, table: Path) -> tuple[int, int]:
    """Return the first frame of a row's segment and the frame after its last one."""
    frames, rate = recording.num_frames, 1.0
    if row.unit == "seconds" and (row.start or row.end):
        if recording.fps is None:
            raise DataError(
                f"line {row.line} is in seconds, and the frame rate of {recording.name!r} is not "
                "known; give it by --fps, or --unit frames if these are frames",
                path=table,
            )
        rate = recording.fps
    start = round((row.start or 0) * rate)
    end = frames if row.end is None else round(row.end * rate)
    slack = max(1, round(0.5 * rate) if row.unit == "seconds" else 1)
    if start >= frames or end > frames + slack:
        raise DataError(
            f"line {row.line}: frames {start} to {end} are not in {recording.name!r}, which has "
            f"{frames}; if these are {UNITS[row.unit == 'seconds']}, say so by --unit",
            path=table,
        )
    return start, max(start + 1, min(end, frames))


def _rest_spans(spans: Sequence[tuple[int, int]], frames: int, usual: int) -> list[tuple[int, int]]:
    """Return what no segment covers, in pieces of about the usual length of a segment."""
    covered = np.zeros(frames + 2, dtype=bool)
    covered[[0, -1]] = True
    for start, end in spans:
        covered[start + 1 : end + 1] = True
    edges = np.flatnonzero(covered[1:] != covered[:-1]).reshape(-1, 2)
    pieces = []
    for start, end in edges.tolist():
        count = max(1, round((end - start) / max(usual, LEAST_REST_FRAMES)))
        cuts = np.linspace(start, end, count + 1).round().astype(int).tolist()
        pieces += list(pairwise(cuts))
    return [(start, end) for start, end in pieces if end - start >= LEAST_REST_FRAMES]


def _clip(
    item: LabelledRecording, start: int, end: int, label: str, row: TableRow
) -> LabelledRecording:
    """Return a segment of a recording; all of it keeps its name."""
    recording = item.recording
    whole = (start, end) == (0, recording.num_frames)
    name = recording.name if whole else f"{recording.name}_{start}-{end}"
    scores = recording.confidence
    cut = replace(
        recording,
        name=name,
        joints=recording.joints[:, start:end],
        confidence=None if scores is None else scores[:, start:end],
        label=label,
        subject=row.subject or recording.subject,
    )
    return replace(item, recording=cut, part=row.part or item.part)
