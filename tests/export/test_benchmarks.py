"""The benchmarks of exported recognizers run at a tiny size, and write finite figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import engines, export_parity


@pytest.mark.usefixtures("traced")
def test_engines_are_timed_side_by_side(run: Path, tmp_path: Path) -> None:
    engines.main(run, batches="1,2", threads="1", repeats=2, json=tmp_path / "engines.json")
    facts = json.loads((tmp_path / "engines.json").read_text(encoding="utf-8"))
    assert [(row["engine"], row["clips"]) for row in facts["rows"]] == [
        (name, clips) for clips in (1, 2) for name in ("torch", "onnx fp32", "onnx int8")
    ]
    assert all(row["CPU ms a clip"] >= 0 for row in facts["rows"])
    assert set(facts["files"]) == {"fp32", "int8"}


def test_real_clips_are_compared(archive: Path, tmp_path: Path) -> None:
    export_parity.main(
        [archive], backbones="tiny-gcn", clips=5, frames=8, width=8, json=tmp_path / "parity.json"
    )
    (row,) = json.loads((tmp_path / "parity.json").read_text(encoding="utf-8"))["rows"]
    assert (row["clips"], row["same class"], row["bodies"]) == (5, 5, 2)
    assert float(row["logits differ by"]) < 1e-5
