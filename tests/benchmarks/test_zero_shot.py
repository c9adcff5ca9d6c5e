"""Zero-shot recognition on generated clips of classes that bundled notes describe."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from benchmarks.described_features import features_of_base
from typer.testing import CliRunner

from benchmarks import zero_shot
from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import KINECT_20
from skeletonagent.data.archive import read_archive
from skeletonagent.experiments.datasets import write_dataset
from skeletonagent.experiments.pretraining import pretrain

CLASSES = ("walk around", "sit down", "stand up", "throw", "carry")
HANDS = [joint for joint, name in enumerate(KINECT_20.joints) if "hand" in name]


def performed(label: int, seed: int) -> np.ndarray:
    """Return a body that travels, sinks, rises, whips its right hand, or carries something."""
    rng = np.random.default_rng(seed)
    rest = np.random.default_rng(3).normal(0, 0.1, (20, 3))
    rest[:, 1] += [0.0, 0.3, 0.6, 0.9, *([0.5, 0.3, 0.1, 0.0] * 2), *([0.0, -0.4, -0.8, -0.9] * 2)]
    rest[4:8, 0] += 0.3
    rest[8:12, 0] -= 0.3
    rest[12:16, 0] += 0.15
    rest[16:20, 0] -= 0.15
    time = np.linspace(0, 1, 20)[:, None]
    x = np.tile(rest, (20, 1, 1))
    if label in (0, 4):
        x[..., 2] += 2 * time
    if label in (1, 2):
        x[..., 1] += (0.5 if label == 2 else -0.5) * time
    if label == 3:
        x[:, HANDS[1]] += np.stack([0 * time, np.sin(9 * time), np.cos(9 * time)], -1)[:, 0]
    if label == 4:
        x[:, HANDS] = x[:, [1]] + [[[0.05, 0.1, 0.2], [-0.05, 0.1, 0.2]]]
    return (x + rng.normal(0, 0.02, x.shape))[None].astype(np.float32)


def archive(folder: Path, class_names: tuple[str, ...] = CLASSES) -> Path:
    sequences = [
        SkeletonSequence(performed(n % 5, n), n % 5, f"clip{n}", subject=n // 5 % 4)
        for n in range(60)
    ]
    ids = [sequence.sample_id for sequence in sequences]
    return write_dataset(
        sequences,
        layout=KINECT_20,
        class_names=class_names,
        splits={"halves": (ids[:30], ids[30:])},
        path=folder / "five",
    )


def test_descriptions_beat_their_controls(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(zero_shot.main)
    options = ["--unseen", "2", "--splits", "6", "--seeds", "1"]
    for more in (["--fits", "1"], ["--held-out"]):
        result = CliRunner().invoke(
            app, [str(archive(tmp_path / str(len(more)))), *options, *more], catch_exceptions=False
        )
        found = json.loads(result.output)
        assert found["description"][0] > 75
        assert 25 < found["descriptions under each other's names"][0] < 75
        assert ("generalised: harmonic mean" in found) == ("--fits" in more)
        gain = found["gain: one example: motion features, and description"][0]
        alone, both = (
            found[f"one example: motion features{beside}"][0]
            for beside in ("", ", and description")
        )
        assert gain == pytest.approx(both - alone, abs=0.11)


def test_examples_are_compared_by_the_features_of_a_base_too(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(zero_shot.main)
    options = ["--unseen", "2", "--splits", "3", "--seeds", "1", "--base", "base"]
    result = CliRunner().invoke(app, [str(archive(tmp_path)), *options], catch_exceptions=False)
    found = json.loads(result.output)
    name = "one example: whitened motion features"
    assert found["base"] == "base" and found["one example: features of a base"][0] > 60
    gain = found[f"gain by a base: {name}{zero_shot.BESIDE_BASE}"][0]
    beside = found[f"{name}{zero_shot.BESIDE_BASE}"][0]
    assert gain == pytest.approx(beside - found[name][0], abs=0.11)


def test_a_base_that_learned_a_class_is_refused(tmp_path: Path) -> None:
    small = {"clips.frames": 8, "model.readout_width": 8, "model.width": 4, "device": "cpu"}
    base = tmp_path / "base"
    pretrain(archive(tmp_path), out=base, overrides={**small, "training.steps": 2})
    with pytest.raises(ConfigError, match="has learned carry, sit down, stand up, throw, walk"):
        features_of_base(str(base), read_archive(archive(tmp_path / "again")).store)


def test_classes_without_notes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no bundled notes with claims describe swim"):
        zero_shot.main(archive(tmp_path, (*CLASSES[:4], "swim")), unseen=2)
