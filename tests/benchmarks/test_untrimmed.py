"""Stitched recordings are what they say, and both scripts run at a tiny size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from tests.small_run import CLASSES, small_archive, small_run
from typer.testing import CliRunner

from benchmarks import streaming, untrimmed
from skeletonagent.experiments.datasets import open_dataset


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_archive(tmp_path_factory.mktemp("skeletons") / "mine")


@pytest.fixture(scope="module")
def run(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(archive, tmp_path_factory.mktemp("run") / "one", agents__chat="none").path


def printed(main: Callable[..., None], *arguments: object) -> dict[str, Any]:
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    found: dict[str, Any] = json.loads(result.stdout, parse_constant=pytest.fail)
    return found


def test_stitched_clips_lie_where_the_truth_says(archive: Path) -> None:
    data = open_dataset(archive)
    names = ["clip3", "clip7", "clip4"]
    made = untrimmed.stitch(data, names, np.random.default_rng(0), (0.5, 1.0), 0.01, 30.0)
    joints = made.recording.joints[0]
    assert made.recording.fps == 30 and made.clips == tuple(names)
    for name, true in zip(names, made.true, strict=True):
        sample = data.store.sequence(data.store.index_of[name])
        start, end = int(true.start), int(true.end)
        np.testing.assert_array_equal(joints[start:end], sample.joints[0])
        assert true.label == CLASSES[sample.label]
        pause = joints[end : end + 15]
        assert 0 < np.abs(pause - sample.joints[0][-1]).max() < 0.5
    assert made.true[1].start - made.true[0].end >= 15


def test_untrimmed(run: Path, archive: Path) -> None:
    found = printed(untrimmed.main, run, archive, "--clips", 3, "--threshold", 0)
    assert found["clips"] == found["segments"] == 6 and found["recordings"] == 2
    assert found["stream_equals_offline"] is True
    assert 0 <= found["found"] <= 1 and 0 <= found["movement_accuracy"] <= 1


def test_streaming(run: Path, archive: Path) -> None:
    found = printed(streaming.main, run, archive, "--clips", 2, "--persons", 2, "--mutilations", 2)
    assert found["mutilated"]["recordings"] == 2 and found["persons"] == 2
    assert found["milliseconds"]["median"] <= found["milliseconds"]["most"]
