"""Chart of what guidance adds, drawn from the tables of ``results/guidance.md``.

``python docs/guidance_chart.py`` writes ``docs/images/guidance.svg``; a test compares the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parent
TABLES = DOCS / "results" / "guidance.md"
CHART = DOCS / "images" / "guidance.svg"

DATA_SETS = {"utd-mhad": "UTD-MHAD", "nw-ucla": "NW-UCLA", "sbu": "SBU", "jhmdb": "JHMDB"}
ROWS = {
    "both losses, static": ("guidance of the class, asked once", "#3949ab"),
    "both losses, online": ("guidance of the class, asked again", "#7986cb"),
    "both losses, shuffled": ("control: guidance of another class", "#9e9e9e"),
}

_DIFFERENCES = "#### Difference to “class loss only”"
_ESTIMATE = re.compile(r"([+-][\d.]+) \[([+-][\d.]+), ([+-][\d.]+)\]")

_LEFT, _RIGHT, _TOP, _LINE, _GROUP = 130, 760, 78, 22, 16
_LOWEST, _HIGHEST = -4, 10


@dataclass(frozen=True)
class Difference:
    """Difference of top-1 accuracy to the class loss alone, in percentage points."""

    mean: float
    low: float
    high: float


def read_differences(page: str) -> dict[str, dict[str, Difference]]:
    """Return the differences of :data:`ROWS`, by data set and row, from the page's tables."""
    found: dict[str, dict[str, Difference]] = {}
    for name in DATA_SETS:
        tables = page.partition(f"<!-- tables of {name} -->")[2].partition("<!-- end of")[0]
        lines = tables.partition(_DIFFERENCES)[2].partition("####")[0].splitlines()
        cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
        found[name] = {
            row[0]: Difference(*map(float, match.groups()))
            for row in cells
            if row[0] in ROWS and (match := _ESTIMATE.match(row[1]))
        }
    return found


def draw_chart(differences: dict[str, dict[str, Difference]]) -> str:
    """Return the chart as SVG: an interval for each data set and row."""
    group = len(ROWS) * _LINE + _GROUP
    bottom = _TOP + len(differences) * group
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 {bottom + 44}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13">'
    )
    parts = [
        opening,
        "<title>Top-1 accuracy with guidance minus without, four data sets</title>",
        f'<rect width="780" height="{bottom + 44}" fill="#ffffff"/>',
    ]
    for index, (label, colour) in enumerate(ROWS.values()):
        x = 16 + index * 254
        parts.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="25" fill="#212121">{label}</text>')
    for tick in range(_LOWEST, _HIGHEST + 1, 2):
        colour, width = ("#212121", 1.5) if tick == 0 else ("#e0e0e0", 1)
        parts.append(
            f'<line x1="{_x(tick)}" y1="{_TOP - 24}" x2="{_x(tick)}" y2="{bottom}" '
            f'stroke="{colour}" stroke-width="{width}"/>'
        )
        parts.append(
            f'<text x="{_x(tick)}" y="{bottom + 18}" text-anchor="middle" '
            f'fill="#424242">{tick:+d}</text>'.replace(">+0<", ">0<")
        )
    for number, (name, rows) in enumerate(differences.items()):
        top = _TOP + number * group
        parts.append(
            f'<text x="{_LEFT - 16}" y="{top + _LINE + 4}" text-anchor="end" font-weight="bold" '
            f'fill="#212121">{DATA_SETS[name]}</text>'
        )
        for index, (row, (_, colour)) in enumerate(ROWS.items()):
            parts += _interval(rows[row], top + index * _LINE, colour)
    parts.append(
        f'<text x="{(_LEFT + _RIGHT) / 2:g}" y="{bottom + 36}" text-anchor="middle" fill="#424242">'
        "difference of top-1 accuracy to training without guidance, percentage points</text>"
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _interval(difference: Difference, y: int, colour: str) -> list[str]:
    line = (
        f'<line x1="{_x(difference.low)}" y1="{y}" x2="{_x(difference.high)}" y2="{y}" '
        f'stroke="{colour}" stroke-width="3" stroke-linecap="round"/>'
    )
    return [
        line,
        f'<circle cx="{_x(difference.mean)}" cy="{y}" r="6" fill="{colour}"/>',
    ]


def _x(points: float) -> str:
    share = (points - _LOWEST) / (_HIGHEST - _LOWEST)
    return f"{_LEFT + share * (_RIGHT - _LEFT):.1f}"


if __name__ == "__main__":
    CHART.write_text(draw_chart(read_differences(TABLES.read_text(encoding="utf-8"))), "utf-8")
