"""The benchmark of large archives, at a tiny size and without Ray."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import cluster


def test_memory_of_the_command_is_measured(file: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    cluster.main(file, few=3, many=9, clips=3, part_size=4, ray=False, json_=figures)
    few, many = json.loads(figures.read_text())["memory"]
    assert (few["clips"], many["clips"]) == (3, 9)
    assert 20 < few["peak_megabytes"] < 4000 and many["peak_megabytes"] > 20
