from __future__ import annotations

import gzip
import json
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

from skeletonagent.report.agent_rounds import agent_rounds
from skeletonagent.report.runs import read_runs

from .conftest import EVIL


def told(run: Path) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    found = agent_rounds(read_runs([run])[0])
    assert found is not None
    return found["rounds"], json.loads(gzip.decompress(b64decode(found["details"]["gzip"])))


def test_every_round_tells_what_was_asked_and_what_changed(runs: Path) -> None:
    rounds, details = told(runs / "guided")
    assert [(r["number"], r["asked"], r["changed"]) for r in rounds] == [(0, 3, 3), (1, 1, 1)]
    assert rounds[1]["epoch"] == 2 and rounds[1]["outcomes"] == {"repaired": 1}
    (entry,) = details[1]
    assert (entry["label"], entry["confused"]) == (0, 4)
    assert (entry["joints_before"], entry["joints"]) == ([11, 7], [11, 8])
    assert entry["sentence"].endswith("round 1.") and entry["sentence_before"].endswith("round 0.")
    (said,) = entry["exchanges"]
    assert said["rivals"] == [[1, 3], ["gone", 1]]
    assert said["answer"] == f"Joints: 12\nDifference: {EVIL} 1."
    assert said["earlier"][0]["outcome"] == "rejected"
    assert said["problem"] == "the <form>" and said["remarks"] == ["the <hip> rests"]


def test_before_training_every_class_is_new(runs: Path) -> None:
    _, details = told(runs / "guided")
    assert [entry["label"] for entry in details[0]] == [0, 1, 2]
    assert all(
        entry["joints_before"] is None and entry["sentence_before"] == "" for entry in details[0]
    )


def test_without_guidance_there_is_none(runs: Path) -> None:
    (run,) = read_runs([runs / "begun"])
    assert agent_rounds(run) is None
    (going,) = read_runs([runs / "going"])
    assert agent_rounds(replace(going, rounds=())) is None
