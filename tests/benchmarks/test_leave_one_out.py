"""Benchmark of sources of a base: its rows, its shares, its scores, and what it does not repeat."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import typer
from benchmarks.base_kernel import compared
from benchmarks.base_scores import Measurement
from benchmarks.leave_one_out import combinations, tables, with_share
from tests.small_run import samples, small_archive
from typer.testing import CliRunner

from benchmarks import leave_one_out
from skeletonagent.experiments.base_sources import PERFORMANCES, base_dataset
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import resolve_config


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("skeletons")
    single = [one for one in samples(48, channels=3) if len(one.joints) == 1]
    unrelated = [replace(one, label=number // 5 % 3) for number, one in enumerate(single)]
    return [
        small_archive(folder / name, clips)
        for name, clips in (("one", single), ("two", single), ("target", unrelated))
    ]


def test_each_source_is_left_out_once(archives: list[Path]) -> None:
    one, two, _ = archives
    found = {s.name: (s.archives, s.generated, s.share) for s in combinations((one, two), 9)}
    assert found == {
        "all sources": ((one, two), 9, 1.0),
        f"without {one.name}": ((two,), 9, 1.0),
        f"without {two.name}": ((one,), 9, 1.0),
        "without generated": ((one, two), 0, 1.0),
        "generated alone": ((), 9, 1.0),
        "a quarter of all": ((one, two), 9, 0.25),
        "half of all": ((one, two), 9, 0.5),
    }
    names = [[s.name for s in combinations((one,), count)] for count in (0, 9)]
    assert f"without {one.name}" not in names[0] and f"without {one.name}" in names[1]
    assert "generated alone" not in names[1]


def test_a_share_of_each_class_and_of_the_motions(archives: list[Path]) -> None:
    data = base_dataset(archives[:1], 8, 0)
    part = with_share(data, 0.25)
    labels = data.store.labels
    whole, kept = (labels[data.store.indices(s["every-tenth"].train)].bincount(minlength=11)
                   for s in (data.splits, part.splits))  # fmt: skip
    assert kept[:3].tolist() == [int(count / 4) for count in whole[:3]]
    assert kept[3:].tolist() == [*whole[3:5].tolist(), 0, 0, 0, 0, 0, 0]
    assert part.splits["every-tenth"].test == data.splits["every-tenth"].test
    assert whole[3] == PERFORMANCES - 1


def test_scores_are_those_of_the_classifier(archives: list[Path], tmp_path: Path) -> None:
    measured = Measurement.open(archives[2], "default", None, 2, True, tmp_path)
    ((known, unseen),) = measured.folds
    config = resolve_config(
        "default",
        PresetSize.SMALL,
        None,
        archives[2],
        ["agents.chat=none", "kernel_ridge.base=base"],
    )
    wanted = compared(config, measured.loader, known, unseen)
    found = measured.scores({"packaged": Path("base")}, None)
    assert [found["none"][0], found["packaged"][0]] == [pytest.approx(w, rel=1e-3) for w in wanted]
    assert all(loss > 0.1 for _, loss in wanted)


def test_what_is_finished_is_not_repeated(
    archives: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()
    app.command()(leave_one_out.main)
    settings = ["clips.frames=8", "model.readout_width=4", "model.width=4", "training.batch_size=8"]
    one, two, target = map(str, archives)
    given = [
        target, one, two, "--generated", "2", "--steps", "2", "--clips", "2,3", "--draws", "2",
        "--out", str(tmp_path), "--rows", "all sources,without one.npz",
        *(f"--set={text}" for text in settings),
    ]  # fmt: skip
    first = CliRunner().invoke(app, given, catch_exceptions=False).stdout
    parts = [part.splitlines() for part in first.strip().split("\n\n")]
    assert [[line.split(" | ")[0][2:] for line in part if "---" not in line] for part in parts] == [
        ["top-1", "none", "all sources", "without one.npz"],
        ["top-1, from all sources", "all sources", "without one.npz"],
        ["cross-entropy", "none", "all sources", "without one.npz"],
    ]
    assert all(line.count("|") == 5 for part in parts for line in part)
    monkeypatch.setattr(leave_one_out, "run_experiment", None)
    monkeypatch.setattr(Measurement, "_measured", None)
    assert CliRunner().invoke(app, given, catch_exceptions=False).stdout == first
    refused = CliRunner().invoke(app, [one, *given[1:]])
    assert refused.exit_code == 2 and "is target and source" in refused.output


def test_differences_are_those_of_the_same_draws() -> None:
    scores = [
        {"none": [(50.0, 1.0), (60.0, 2.0)], "all sources": [(52.0, 0.5), (63.0, 1.5)]},
        {"none": [(70.0, 1.0), (70.0, 1.0)], "all sources": [(70.0, 1.0), (69.0, 1.25)]},
    ]
    lines = list(tables(scores, ("1", "all")))
    assert lines[:3] == ["", "| top-1 | 1 | all | mean |", "|---|---:|---:|---:|"]
    assert lines[3] == "| none | 55.0 | 70.0 | 55.0 |"  # all clips play no part in the mean
    assert lines[4].startswith("| all sources | +2.5 (") and " | -0.5 (" in lines[4]
    assert "| -0.500 (-0.500 to -0.500) |" in lines[9]
    assert list(tables(scores, ("1", "2")))[4].split(" | ")[-1].startswith("+1.0 (")
