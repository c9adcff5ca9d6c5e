"""One JSON of all figures that ``benchmarks/gpu.sh`` left in a folder, beside what was expected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.measuring import print_rows

EXPECTED = {
    "eager": "370 to 475",
    "compiled": "1,000 to 1,640",
    "kernels": "at most 3,800",
    "goal": "2,500",
}
"""Clips per second that were expected of the paper's step of an H100 before any measurement."""


def main(folder: Annotated[Path, typer.Argument(help="Folder of gpu.sh.")]) -> None:
    """Print what each line came to, and write ``gpu.json``; fail if a line did."""
    lines = []
    figures: dict[str, Any] = {"expected_clips_per_second": EXPECTED}
    for line in (folder / "lines.txt").read_text().splitlines():
        name, status, seconds, limit = line.split()
        ended = {"0": "done", "124": f"stopped after {limit} s"}.get(status, f"failed: {status}")
        lines.append({"line": name, "ended": ended, "seconds": int(seconds)})
        path = folder / f"{name}.json"
        figures[name] = json.loads(path.read_text()) if path.exists() else None
    figures["lines"] = lines
    steps = [
        {"step": f"{name}: {row['name']}", "clips/s": row["clips_per_second"]}
        for name in ("step", "compiled", "fused", "mix")
        for row in (figures.get(name) or {}).get("variants", [])
    ]
    print_rows("lines", lines)
    print_rows("training steps", steps)
    target = folder / "gpu.json"
    target.write_text(json.dumps(figures, indent=1) + "\n")
    typer.echo(target)
    if any(line["ended"] != "done" for line in lines):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
