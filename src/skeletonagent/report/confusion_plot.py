"""Confusion matrices as a picture: heat maps side by side in one SVG file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.core.files import write_text

CELL = 18
"""Side of a cell, in pixels."""
NOTED_SHARE = 0.1
"""Smallest share of a class that is written into the cell of a mistake."""
_COLOURS = np.array([(247, 251, 255), (158, 202, 225), (49, 130, 189), (8, 48, 107)])
"""Colours of shares from none to all, evenly spaced."""
_CHARACTER, _GAP, _TOP = 6.2, 26, 34
"""Width of a letter, room between parts, and room for titles, in pixels."""


def write_confusion_plot(
    counts: Mapping[str, Int[np.ndarray, "y y"]], class_names: Sequence[str], path: Path
) -> None:
    """Write confusion matrices side by side as an SVG file.

    Args:
        counts: Matrices by the title above them; ``[m, n]`` samples of ``m`` predicted as ``n``.
        class_names: Names in label order.
        path: File to write.
    """
    write_text(path, confusion_svg(counts, class_names))


def confusion_svg(counts: Mapping[str, Int[np.ndarray, "y y"]], class_names: Sequence[str]) -> str:
    """Return confusion matrices as SVG; rows are true classes, as shares of their samples."""
    side = CELL * len(class_names)
    margin = round(_CHARACTER * max(map(len, class_names))) + 24
    width = margin + len(counts) * (side + _GAP) + 70
    height = _TOP + side + margin
    panels = [
        _panel(title, _class_shares(matrix), class_names, margin + number * (side + _GAP))
        for number, (title, matrix) in enumerate(counts.items())
    ]
    rows = _labels(class_names, margin - 6)
    bar = _colour_bar(width - 58, side)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="system-ui, sans-serif" font-size="11" role="img" '
        f'aria-label="Confusion matrices: {escape(", ".join(counts), quote=True)}">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
        f'<text transform="translate(12 {_TOP + side / 2}) rotate(-90)" text-anchor="middle" '
        f'fill="#555">true class</text>{"".join(rows)}{"".join(panels)}{"".join(bar)}</svg>\n'
    )


def _class_shares(matrix: Int[np.ndarray, "y y"]) -> Float[np.ndarray, "y y"]:
    """Return each row as shares of its sum; a class without samples has none."""
    shares: np.ndarray = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return shares


def _panel(
    title: str, shares: Float[np.ndarray, "y y"], class_names: Sequence[str], left: int
) -> str:
    side = CELL * len(class_names)
    middle = left + side / 2
    return (
        f'<g><text x="{middle}" y="20" text-anchor="middle" font-size="13" font-weight="600">'
        f"{escape(title)}</text>{''.join(_cells(shares, class_names, left))}"
        f"{''.join(_column_labels(class_names, left))}"
        f'<rect x="{left}" y="{_TOP}" width="{side}" height="{side}" fill="none" stroke="#bbb"/>'
        "</g>"
    )


def _cells(
    shares: Float[np.ndarray, "y y"], class_names: Sequence[str], left: int
) -> Iterator[str]:
    """Yield the cells that are not empty, the larger mistakes with their share in per cent."""
    for row, column in np.argwhere(shares > 0).tolist():
        share = float(shares[row, column])
        x, y = left + CELL * column, _TOP + CELL * row
        tip = f"{class_names[row]} predicted as {class_names[column]}: {share:.0%}"
        yield (
            f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{_colour(share)}">'
            f"<title>{escape(tip)}</title></rect>"
        )
        if row != column and share >= NOTED_SHARE:
            ink = "#fff" if share > 0.55 else "#222"
            yield (
                f'<text x="{x + CELL / 2}" y="{y + CELL / 2 + 3}" text-anchor="middle" '
                f'font-size="8.5" fill="{ink}" pointer-events="none">{100 * share:.0f}</text>'
            )


def _colour(share: float) -> str:
    """Return the colour of a share, interpolated between the nearest two."""
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = (round(float(np.interp(share, stops, values))) for values in _COLOURS.T)
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def _labels(class_names: Sequence[str], right: int) -> Iterator[str]:
    for row, name in enumerate(class_names):
        y = _TOP + CELL * row + CELL / 2 + 4
        yield f'<text x="{right}" y="{y}" text-anchor="end">{escape(name)}</text>'


def _column_labels(class_names: Sequence[str], left: int) -> Iterator[str]:
    bottom = _TOP + CELL * len(class_names)
    for column, name in enumerate(class_names):
        x = left + CELL * column + CELL / 2 + 4
        yield (
            f'<text transform="translate({x} {bottom + 6}) rotate(-90)" text-anchor="end">'
            f"{escape(name)}</text>"
        )


def _colour_bar(left: int, side: int) -> Iterator[str]:
    """Yield the scale of colours, with what it is of."""
    steps = 24
    height = min(side, 160)
    for step in range(steps):
        y = _TOP + height * (steps - 1 - step) / steps
        yield (
            f'<rect x="{left}" y="{y:.1f}" width="10" height="{height / steps + 0.5:.1f}" '
            f'fill="{_colour(step / (steps - 1))}"/>'
        )
    for share in (0, 0.5, 1):
        y = _TOP + height * (1 - share) + 4
        yield f'<text x="{left + 14}" y="{y:.1f}" fill="#555">{100 * share:.0f} %</text>'
