"""Benchmarks of unknown actions and other sensors: parts by hand, and whole at a tiny size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from benchmarks.unknown_actions import area_under_roc, draw_classes, without_classes
from tests.small_run import CLASSES, SETTINGS, samples, small_archive
from typer.testing import CliRunner

from benchmarks import other_sensor, unknown_actions
from skeletonagent.experiments.datasets import open_dataset


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_archive(tmp_path_factory.mktemp("skeletons") / "mine", samples(24))


def test_area_under_roc_is_the_share_of_pairs() -> None:
    known, unknown = np.array([0.1, 0.4, 0.4]), np.array([0.4, 0.9])
    pairs = [(u > k) + 0.5 * (u == k) for k in known for u in unknown]
    assert area_under_roc(known, unknown) == pytest.approx(np.mean(pairs))


def test_classes_are_left_out_of_both_parts(archive: Path) -> None:
    data = open_dataset(archive)
    kept = without_classes(data, (1,))
    assert kept.store.class_names == (CLASSES[0], CLASSES[2])
    assert set(kept.store.labels.tolist()) == {0, 1} and len(kept.store) == 16
    (split,) = kept.splits.values()
    assert {*split.train, *split.test} == set(kept.store.sample_ids)
    for sample in split.test:
        before = int(data.store.labels[data.store.index_of[sample]])
        after = int(kept.store.labels[kept.store.index_of[sample]])
        assert data.store.class_names[before] == kept.store.class_names[after]
    assert draw_classes(27, 5, 1) == draw_classes(27, 5, 1) != draw_classes(27, 5, 2)


def test_unknown_actions(archive: Path) -> None:
    app = typer.Typer()
    app.command()(unknown_actions.main)
    settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    result = CliRunner().invoke(
        app, [str(archive), "--left-out", "1", "--other", str(archive), *settings],
        catch_exceptions=False,
    )  # fmt: skip
    found = json.loads(result.stdout.splitlines()[-1])
    assert len(found["left_out"]) == 1 and 0 <= found["auroc"] <= 1
    assert set(found["other_sets"]["mine"]) == {
        "auroc", "auroc_of_the_probability_alone", "called_unknown",
    }  # fmt: skip


def test_other_sensors(archive: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(other_sensor.main)
    figures = tmp_path / "figures.json"
    result = CliRunner().invoke(app, [str(archive), "--json", str(figures)], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(figures.read_text())
    (alarms,) = found["false_alarms"]
    assert alarms["clips"] == 12 and alarms["remarked"] == 0
    noticed = {row["recordings"]: row["remarked"] for row in found["noticed"]}
    assert noticed["a thousand times as large"] == 1 and len(noticed) == 5
