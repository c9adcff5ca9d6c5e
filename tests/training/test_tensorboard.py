from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.training.callbacks import Callback, EpochRecord, TensorBoardCallback

from .conftest import make_guidance


class Writer:
    """Notes what is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: dict[tuple[str, int], object] = {}
        self.flushed = 0

    def add_scalar(self, name: str, value: float, epoch: int) -> None:
        self.written[name, epoch] = value

    add_text = add_scalar

    def flush(self) -> None:
        self.flushed += 1


def record(epoch: int, validated: float | None) -> EpochRecord:
    return EpochRecord(epoch, 3.0, 1.5, 1.0, 0.5, 0.25, validated, 0.1, 2, 100.0, 2.0)


def test_figures_and_rounds_are_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = TensorBoardCallback(tmp_path)
    assert isinstance(board, Callback)
    board.on_guidance(None, make_guidance(0))
    board.on_epoch(record(0, 0.5))
    board.on_guidance(make_guidance(0), make_guidance(1))
    board.on_problem("offline")
    board.on_epoch(record(1, None))
    written = board._writer.written
    assert written["loss/total", 1] == 3.0 and written["accuracy/validation", 1] == 0.5
    assert ("accuracy/validation", 2) not in written and written["agents/round", 2] == 2
    assert written["agents/classes changed", 1] == 3 and written["agents/problem", 1] == "offline"
    assert board._writer.flushed == 2 and board._writer.folder == tmp_path


def test_without_tensorboard_it_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match="pip install"):
        TensorBoardCallback(tmp_path)
