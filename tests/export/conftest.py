"""A run of seconds, and the file that it is exported to."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.small_run import small_archive, small_run

from skeletonagent.export import write
from skeletonagent.inference.predictor import Predictor, load_predictor


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_archive(tmp_path_factory.mktemp("skeletons") / "mine")


@pytest.fixture(scope="session")
def run(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = {"model__backbone": "tiny-gcn", "model__width": 4, "model__readout": "mean"}
    return small_run(
        archive, tmp_path_factory.mktemp("run") / "one", kernel_ridge__weight=1.0, **settings
    ).path


@pytest.fixture(scope="session")
def predictor(run: Path) -> Predictor:
    return load_predictor(run, "cpu")


@pytest.fixture(scope="session")
def file(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    predictor.export(path, license="CC BY 4.0")
    return path


@pytest.fixture
def traced(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the graph of that file for every export, since tracing it again takes long."""
    monkeypatch.setattr(write, "export_program", lambda *_: None)
    monkeypatch.setattr(write, "onnx_bytes", lambda _: file.read_bytes())
