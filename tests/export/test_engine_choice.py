"""Engine that is taken for a run with an exported file: the faster one of the same weights."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.export.test_exported_model import clips
from tests.export.test_without_torch import COMMAND, without_torch

import skeletonagent as sa
from skeletonagent.core.errors import ConfigError
from skeletonagent.inference import engine_choice
from skeletonagent.inference.exported_model import EXPORTED_NAME
from skeletonagent.inference.predictor import Predictor
from skeletonagent.inference.stream_model import StreamModel


@pytest.fixture
def both(run: Path, file: Path, tmp_path: Path) -> Path:
    """Return a run whose directory holds its exported file, which is newer."""
    copy = tmp_path / "both"
    shutil.copytree(run, copy)
    shutil.copyfile(file, copy / EXPORTED_NAME)
    return copy


def slower(monkeypatch: pytest.MonkeyPatch, torch: float, onnx: float) -> None:
    def seconds(model: object, samples: object) -> float:
        return torch if isinstance(model, StreamModel) else onnx

    monkeypatch.setattr(engine_choice, "_seconds", seconds)


def test_the_faster_engine_is_taken_and_said(
    both: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    slower(monkeypatch, torch=0.080, onnx=0.016)
    fast = sa.load(both)
    said = "ONNX Runtime takes 2.0 ms a clip here, PyTorch 10.0: ONNX Runtime is used"
    assert fast.is_exported and fast.choice == said
    np.testing.assert_allclose(
        fast.predict(clips()).probs, predictor.predict(clips()).probs, atol=1e-5
    )
    with pytest.raises(ConfigError, match="load its run with engine='torch'"):
        fast.torch_models  # noqa: B018
    slower(monkeypatch, torch=0.008, onnx=0.016)
    assert sa.load(both).choice.endswith("PyTorch 1.0: PyTorch is used")
    assert not sa.load(both, engine="torch").choice and not sa.load(both, None).choice


def test_engines_are_timed(both: Path) -> None:
    assert " ms a clip here, PyTorch " in sa.load(both, "cpu").choice


def test_files_of_other_weights_are_not_taken(
    both: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    slower(monkeypatch, torch=1.0, onnx=0.001)
    file = both / EXPORTED_NAME
    os.utime(both / "checkpoints", (2e9, 2e9))
    assert "newer checkpoints" in sa.load(both).choice
    os.utime(file, (3e9, 3e9))
    assert sa.load(both).is_exported
    (both / "actions.json").write_text("{}")
    assert sa.load(both).choice == "PyTorch is used: actions were added to the run"
    (both / "actions.json").unlink()
    file.write_bytes(b"no model")
    os.utime(file, (3e9, 3e9))
    assert sa.load(both).choice.startswith(f"PyTorch is used: {file}: ")
    file.unlink()
    predictor.export(file, precision="int8")
    os.utime(file, (3e9, 3e9))
    assert "is of int8; --engine onnx takes it" in sa.load(both).choice


def test_without_torch_the_file_in_a_run_is_taken(both: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", clips()[0])
    done = without_torch(COMMAND, "predict", str(tmp_path / "clip.npy"), "--run", str(both))
    assert done.returncode == 0, done.stderr
    assert "PyTorch is not installed: ONNX Runtime is used" in done.stderr + done.stdout
