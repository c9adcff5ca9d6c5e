from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from skeletonagent.core.errors import CheckpointError, DataError
from skeletonagent.report.runs import compare_runs, find_runs, group_by_recipe, read_runs

from .conftest import CLASSES, RunMaker


def test_runs_are_named_from_where_they_part(runs: Path) -> None:
    assert [run.name for run in read_runs([runs / "guided", runs / "again"])] == ["guided", "again"]
    (alone,) = read_runs([runs / "going"])
    assert alone.name == "going"
    here = runs / "going" / ".." / "going"
    assert read_runs([here])[0].name == "going"


def test_a_folder_stands_for_the_runs_within(runs: Path, tmp_path: Path) -> None:
    assert find_runs([runs / "again"]) == [runs / "again"]
    shutil.copytree(runs / "again", tmp_path / "all" / "b" / "seed0")
    shutil.copytree(runs / "guided", tmp_path / "all" / "a")
    within = [tmp_path / "all" / "a", tmp_path / "all" / "b" / "seed0"]
    assert find_runs([runs / "again", tmp_path / "all"]) == [runs / "again", *within]
    (tmp_path / "none").mkdir()
    for path in (tmp_path / "none", tmp_path / "missing"):
        with pytest.raises(DataError, match="holds no run"):
            find_runs([runs / "again", path])


def test_unfinished_runs_are_read_as_far_as_they_are(runs: Path) -> None:
    begun, going, done = read_runs([runs / name for name in ("begun", "going", "guided")])
    assert (begun.class_names, begun.metrics, begun.checkpoint()) == ((), [], None)
    assert going.class_names == CLASSES and going.predictions is None and len(going.metrics) == 3
    assert done.predictions is not None and done.summary is not None and done.guided


def test_runs_are_one_recipe_if_only_the_seed_differs(runs: Path, make_run: RunMaker) -> None:
    make_run(runs / "other", "agents.chat=none", "loss.alpha=0", "training.momentum=0.4")
    names = ("guided", "unguided", "again", "other")
    found = group_by_recipe(read_runs([runs / name for name in names]))
    assert [(group.name, [run.name for run in group.runs]) for group in found] == [
        ("training.momentum=0.9, chat=analyst", ["guided", "again"]),
        ("unguided, training.momentum=0.9", ["unguided"]),
        ("unguided, training.momentum=0.4", ["other"]),
    ]
    shutil.rmtree(runs / "other")


def test_what_is_compared_with_what(runs: Path) -> None:
    paths = [runs / name for name in ("guided", "again", "unguided")]
    whole = compare_runs(paths, None)
    assert whole.baseline is not None and whole.baseline.name == "unguided"
    assert [run.name for run in whole.main.runs] == ["guided", "again"]
    assert compare_runs(paths[::-1], None).baseline is None  # about the unguided one itself
    assert compare_runs(paths[:2], None).baseline is None
    added = compare_runs(paths[:1], paths[2])
    assert len(added.runs) == 2 and added.baseline is not None
    assert added.baseline.runs[0].name == "unguided"


def test_a_run_of_the_same_settings_can_be_the_baseline(runs: Path) -> None:
    compared = compare_runs([runs / "guided", runs / "again"], runs / "again")
    assert compared.baseline is not None and compared.baseline.name == "baseline"
    assert [run.name for run in compared.main.runs] == ["guided"]
    assert [len(group.runs) for group in compared.recipes] == [1, 1]


def test_what_cannot_be_compared_is_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no run"):
        read_runs([tmp_path])
    odd = tmp_path / "odd"
    shutil.copytree(runs / "guided", odd)
    about = odd / "dialogues" / "about.json"
    facts = json.loads(about.read_text())
    (file,) = about.parent.glob("001_*.jsonl")
    file.rename(file.with_name("001_another.jsonl"))
    facts["class_names"][0] = "another"
    about.write_text(json.dumps(facts))
    with pytest.raises(DataError, match="other classes"):
        compare_runs([runs / "guided", odd], None)


def test_the_newest_sound_checkpoint_is_taken(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(runs / "guided", copy)
    (run,) = read_runs([copy])
    whole = run.checkpoint()
    assert whole is not None
    kept = copy / "checkpoints"
    shutil.copytree(kept / whole.name, kept / "epoch_0099")
    (kept / "epoch_0099" / "tensors.safetensors").write_bytes(b"torn")
    before = run.checkpoint()
    assert before is not None and before.epoch == whole.epoch
    for file in kept.glob("*/tensors.safetensors"):
        file.write_bytes(b"torn")
    with pytest.raises(CheckpointError):
        run.checkpoint()
    shutil.rmtree(copy / "checkpoints")
    assert run.checkpoint() is None
