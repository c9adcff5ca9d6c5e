"""Results of all runs of a command: one, several seeds, several streams."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skeletonagent.core.streams import Stream
from skeletonagent.experiments import fusion
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.fusion import combine_summaries

JOINT, BONE = (
    replace(Config(), clips=replace(Config().clips, stream=stream))
    for stream in (Stream.JOINT, Stream.BONE)
)


def test_of_one_run_the_result_is_its_summary() -> None:
    summary = {"top1": 0.5, "seed": 3}
    result = combine_summaries({Path("a"): JOINT}, [summary])
    assert result == summary and result is not summary


def test_of_several_seeds_it_has_mean_and_standard_deviation() -> None:
    summaries = [{"top1": value} for value in (0.5, 0.7, 0.9)]
    result = combine_summaries({Path(n): JOINT for n in "abc"}, summaries)
    assert result["top1"] == pytest.approx(0.7)
    assert result["top1_sd"] == pytest.approx(0.2)  # n - 1 in the denominator
    assert result["runs"] == summaries


def test_streams_are_fused_for_each_split_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(runs: Sequence[Path]) -> dict[str, Any]:
        return {"runs": [str(run) for run in runs]}

    monkeypatch.setattr(fusion, "fuse_runs", names)
    runs = {
        Path(seed) / config.clips.stream.value: config
        for seed in ("seed0", "seed1")
        for config in (JOINT, BONE)
    }
    result = combine_summaries(runs, [{"top1": 0.5}] * 4)
    assert [group["runs"] for group in result["ensembles"]] == [
        ["seed0/joint", "seed0/bone"], ["seed1/joint", "seed1/bone"],
    ]  # fmt: skip
    assert "top1" not in result


def test_no_mean_is_taken_over_different_protocols(tmp_path: Path) -> None:
    runs, summaries = {}, []
    for split, top1 in (("xsub", 0.5), ("xview", 0.9)):
        for seed in (0, 1):
            path = tmp_path / split / f"seed{seed}"
            path.mkdir(parents=True)
            (path / "evaluation_parts.json").write_text(json.dumps({split: ["shared", split]}))
            runs[path] = replace(JOINT, data=replace(JOINT.data, split=split), seed=seed)
            summaries.append({"top1": top1, "split": split})
    result = combine_summaries(runs, summaries)
    assert "top1" not in result
    assert result["protocols"] == {
        "xsub": {"top1": 0.5, "top1_sd": 0}, "xview": {"top1": 0.9, "top1_sd": 0},
    }  # fmt: skip
