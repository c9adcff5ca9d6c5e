"""A new user's path: from CSV files of a skeleton that nobody has seen to a prediction."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.importing.figures import ACTIONS, ONE_MORE, figure, write_csv, write_recordings

PATTERN = ("--pattern", "{label}_{subject}_{take}")
FEWER = ("--set", "training.steps=20", "--set", "device=cpu", "--json")
"""The recipe is the default one, but for its steps."""


@pytest.mark.slow
def test_the_eight_commands_of_the_guide(command: Any, tmp_path: Path) -> None:
    files = write_recordings(tmp_path / "recordings", subjects=5, takes=4)
    assert len(list(files.iterdir())) == 60
    archive, run = tmp_path / "skeletons" / "office", tmp_path / "runs" / "office"
    imported = command("data", "import", files, "--out", archive, *PATTERN, "--json")
    assert imported.status == 0, imported.err
    assert imported.json["samples"] == 60 and imported.json["layout_problems"] == []
    assert imported.json["split_reason"].startswith("by subject: ")
    checked = command("data", "check", archive, "--json")
    assert checked.status == 0 and checked.json["coordinates"]["unit"] == "metres"
    page = tmp_path / "office.html"
    assert command("data", "view", archive, "--out", page).status == 0 and page.stat().st_size > 1e5
    trained = command("train", "--data", archive, "--out", run, *FEWER)
    assert trained.status == 0, trained.err
    assert json.loads((run / "summary.json").read_text())["split"] == "subjects"
    evaluated = command("evaluate", run, "--json")
    assert evaluated.json["top1"] > 1 / 3 and np.isfinite(evaluated.json["top1"])
    predicted = command("predict", write_csv(tmp_path / "new.csv", figure(2, 999)), "--run", run)
    assert predicted.status == 0, predicted.err
    assert any(label in predicted.out for label in (*ACTIONS, "unknown"))
    _go_on_with_one_class_more(command, files, run, tmp_path)


def _go_on_with_one_class_more(command: Any, files: Path, run: Path, folder: Path) -> None:
    """Run the last two commands, and look whether the class is known."""
    added = write_recordings(folder / "added", subjects=5, takes=2, actions=(ONE_MORE,))
    shutil.copytree(added, files, dirs_exist_ok=True)
    archive, finer = folder / "skeletons" / "more", folder / "runs" / "more"
    imported = command("data", "import", files, "--out", archive, *PATTERN, "--json")
    assert imported.json["samples"] == 70
    assert imported.json["classes"].keys() == {*ACTIONS, ONE_MORE}
    tuned = command("train", "--from", run, "--data", archive, "--out", finer, *FEWER)
    assert tuned.status == 0, tuned.err
    evaluated = command("evaluate", finer, "--json")
    assert evaluated.json["top1"] > 1 / 4
