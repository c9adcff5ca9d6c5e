"""Joints are taken away as a row says, and the table of a small run has all rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import typer
from benchmarks.absent_joints import (
    ABSENCES,
    center_of_first_frames,
    center_of_frames,
    joints_of_clips,
    joints_of_frames,
    main,
    without_joints,
)
from tests.data.random_bodies import body_store, random_bodies
from tests.small_run import small_archive, small_run
from typer.testing import CliRunner

from skeletonagent.core.clips import ClipStore
from skeletonagent.experiments.datasets import prepare_dataset
from skeletonagent.inference.evaluate import evaluate_split
from skeletonagent.inference.predictor import load_predictor


@pytest.fixture(scope="module")
def store() -> ClipStore:
    return body_store([random_bodies(n, 1 + n % 2, frames=30) for n in range(40)])


def test_joints_are_taken_away_frame_by_frame_or_in_whole_clips(store: ClipStore) -> None:
    assert torch.equal(without_joints(store, joints_of_frames(0.0), 0).frames, store.frames)
    single = without_joints(store, joints_of_frames(0.3), 0).frames.ne(0).any(dim=-1)
    assert 0.68 < float(single.float().mean()) < 0.72
    whole = without_joints(store, joints_of_clips(0.3), 0).frames.ne(0).any(dim=-1)
    bodies = whole.unflatten(0, (-1, 30))
    assert torch.equal(bodies.any(dim=1), bodies.all(dim=1))
    assert 0.6 < float(whole.float().mean()) < 0.8
    again, other = (without_joints(store, joints_of_frames(0.3), seed).frames for seed in (0, 1))
    assert torch.equal(again.ne(0).any(dim=-1), single) and not torch.equal(again, other)


def test_of_the_center_only_that_is_taken_away(store: ClipStore) -> None:
    chosen = without_joints(store, center_of_frames(1 / 3), 0).frames
    assert torch.equal(chosen[:, 1:], store.frames[:, 1:])
    gone = ~chosen[:, 0].any(dim=-1)
    assert 0.3 < float(gone.float().mean()) < 0.37
    first = without_joints(store, center_of_first_frames(1 / 3), 0).frames
    assert torch.equal(first[:, 1:], store.frames[:, 1:])
    assert (~first[:, 0].any(dim=-1)).unflatten(0, (-1, 30)).sum(dim=1).eq(10).all()


def test_the_table_begins_with_the_accuracy_of_the_run(tmp_path: Path) -> None:
    archive = small_archive(tmp_path / "mine")
    run = small_run(archive, tmp_path / "one", agents__chat="none").path
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, [str(run), str(archive), "--seeds", "1"])
    rows = re.findall(r"^\| (.+) \| (\d+\.\d) \| .* \|$", result.stdout, re.MULTILINE)
    assert [words for words, _ in rows] == list(ABSENCES)
    model = load_predictor(run, "cpu")
    expected = evaluate_split(model, prepare_dataset(model.config.data)).top1
    assert float(rows[0][1]) == pytest.approx(100 * expected, abs=0.05)
