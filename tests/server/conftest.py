"""A recognizer in an exported file, and a server of it that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.serving import Served, served
from tests.small_run import small_archive, small_run

from skeletonagent.inference.loading import open_predictor
from skeletonagent.inference.predictor import Predictor, load_predictor


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    settings = {"model__backbone": "tiny-gcn", "model__width": 4, "model__readout": "mean"}
    run = small_run(small_archive(folder / "mine"), folder / "run", **settings).path
    load_predictor(run, "cpu").export(folder / "mine.onnx")
    return folder / "mine.onnx"


@pytest.fixture(scope="session")
def model(file: Path) -> Predictor:
    return open_predictor(file)


@pytest.fixture(scope="module")
def server(model: Predictor) -> Iterator[Served]:
    with served(model) as one:
        yield one
