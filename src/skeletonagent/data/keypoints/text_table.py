"""Table in a text file: cells separated by commas, semicolons, tabs or spaces."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.data.keypoints.source import KeypointSource, clean_text

_MISSING = frozenset({"", "nan", "na", "n/a", "none", "null", "-", "inf", "-inf"})
"""Cells without a number; infinite ones count as missing, as trackers write them."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_SNIFFED_LINES = 20


@dataclass(frozen=True)
class TextTable:
    """Cells of a text file.

    Args:
        header: Names of the columns; None if the file has none.
        rows: Cells of each row, as many as there are columns.
        has_index: Whether the first column only counts the rows, as pandas writes it.
    """

    header: tuple[str, ...] | None
    rows: list[list[str]]
    has_index: bool = False

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.rows[0])

    def numbers(self, columns: Sequence[int], source: KeypointSource) -> Float[np.ndarray, "r k"]:
        """Return columns as numbers; NaN where a cell is empty.

        Args:
            columns: Indices of the columns.
            source: The file, which an error names.

        Raises:
            DataError: If a cell is no number.
        """
        out = np.full((len(self.rows), len(columns)), np.nan)
        for line, row in enumerate(self.rows):
            for place, column in enumerate(columns):
                cell = row[column]
                try:
                    out[line, place] = float(cell)
                except ValueError:
                    if cell.lower() not in _MISSING:
                        raise DataError(
                            f"row {line + 1} has {clean_text(cell)[:40]!r} where a number belongs",
                            path=source.path,
                        ) from None
        out[np.isinf(out)] = np.nan
        return out


def is_number(cell: str) -> bool:
    """Return whether a cell is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def split_lines(lines: Sequence[str]) -> list[list[str]]:
    """Return the cells of lines; the separator is that which gives equal numbers of cells."""
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    sample = lines[:_SNIFFED_LINES]
    best, cells = 1, None
    for separator in (",", ";", "\t"):
        counts = {len(row) for row in csv.reader(sample, delimiter=separator)}
        if len(counts) == 1 and (count := counts.pop()) > best:
            best, cells = count, separator
    if cells is None:
        return [line.split() for line in lines]
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=cells)]
    if cells != "," and any(_DECIMAL_COMMA.fullmatch(cell) for row in rows[:9] for cell in row):
        return [[_with_point(cell) for cell in row] for row in rows]
    return rows


def looks_like_table(source: KeypointSource) -> bool:
    """Return whether a text file begins as a table of at least four columns of numbers does."""
    if not source.is_text or source.is_json:
        return False
    lines = source.head.decode("utf-8", errors="replace").lstrip("\ufeff").splitlines()
    lines = lines[:-1] if len(lines) > _SNIFFED_LINES else lines
    try:
        rows = split_lines(lines[: 2 * _SNIFFED_LINES])
    except csv.Error:
        return False
    body = [row for row in rows if any(map(is_number, row))]
    lengths = {len(row) for row in body}
    if len(lengths) != 1 or lengths.pop() < 4:
        return False
    cells = [cell for row in body for cell in row]
    filled = [cell for cell in cells if cell.lower() not in _MISSING]
    return sum(map(is_number, filled)) >= len(filled) / 2


def read_table(source: KeypointSource) -> TextTable:
    """Return the table in a text file.

    Rows without any number before the first with one are the header; of several the first counts.
    A first row ``0, 1, 2, ...`` that only numbers the columns is left out.

    Raises:
        DataError: If it cannot be read, or rows have different numbers of cells.
    """
    try:
        rows = split_lines(source.text.splitlines())
    except csv.Error as error:
        raise DataError(f"cannot be read as a table: {error}", path=source.path) from error
    first = next((n for n, row in enumerate(rows) if any(map(is_number, row))), len(rows))
    header, body = (tuple(map(clean_text, rows[0])) if first else None), rows[first:]
    if header is None and body and _numbers_columns(body[0]):
        body = body[1:]
    if not body:
        raise DataError("holds no row with numbers", path=source.path)
    width = len(header) if header else len(body[0])
    for line, row in enumerate(body):
        if len(row) != width:
            raise DataError(
                f"row {line + 1} has {len(row)} cells, others have {width}", path=source.path
            )
    return TextTable(header, body, has_index=header is not None and header[0] in ("", "Unnamed: 0"))


def _numbers_columns(row: Sequence[str]) -> bool:
    return len(row) > 3 and list(row) == [str(number) for number in range(len(row))]


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell
