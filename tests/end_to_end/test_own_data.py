"""A new user's path: from CSV files of a skeleton that nobody has seen to a prediction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.importing.figures import ACTIONS, figure, write_csv, write_recordings


@pytest.mark.slow
def test_sixty_files_become_predictions_in_five_commands(
    command: Any, quick: Any, tmp_path: Path
) -> None:
    files = write_recordings(tmp_path / "recordings", subjects=5, takes=4)
    assert len(list(files.iterdir())) == 60
    archive, run = tmp_path / "skeletons" / "office", tmp_path / "runs" / "office"
    pattern = "{label}_{subject}_{take}"
    imported = command("data", "import", files, "--out", archive, "--pattern", pattern, "--json")
    assert imported.status == 0, imported.err
    assert imported.json["samples"] == 60 and imported.json["layout_problems"] == []
    assert imported.json["split_reason"].startswith("by subject: ")
    checked = command("data", "check", archive, "--json")
    assert checked.status == 0 and checked.json["coordinates"]["unit"] == "metres"
    trained = command(
        "train", "--data", archive, "--out", run, *quick("training.epochs=12", "agents.chat=none")
    )
    assert trained.status == 0, trained.err
    evaluated = command("evaluate", run, "--json")
    assert evaluated.json["top1"] > 1 / 3
    new = write_csv(tmp_path / "new.csv", figure(2, 999))
    predicted = command("predict", new, "--run", run, "--json")
    assert predicted.status == 0, predicted.err
    assert any(label in predicted.out for label in ACTIONS) and np.isfinite(evaluated.json["top1"])
    assert json.loads((run / "summary.json").read_text())["split"] == "subjects"
