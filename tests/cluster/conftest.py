"""An archive, a run of seconds on it, and the file that the run is exported to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.small_run import samples, small_archive, small_run, swinging

from skeletonagent.core.layout import COCO_17
from skeletonagent.inference.predictor import load_predictor


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_archive(tmp_path_factory.mktemp("skeletons") / "mine", samples(20))


@pytest.fixture(scope="session")
def run(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = {"model__backbone": "tiny-gcn", "model__width": 4, "model__readout": "mean"}
    return small_run(archive, tmp_path_factory.mktemp("run") / "one", **settings).path


@pytest.fixture(scope="session")
def file(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    load_predictor(run, "cpu").export(path, license="CC BY 4.0")
    return path


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of keypoint files: five recordings in two folders, and one that is none."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "more").mkdir()
    names = ("a", "b", "more/a", "more/c", "more/d")
    header = ",".join(f"{joint}_{axis}" for joint in COCO_17.joints for axis in "xy")
    for number, name in enumerate(names):
        bodies = swinging(number % 3, number, frames=60)[0].reshape(60, -1)
        np.savetxt(folder / f"{name}.csv", bodies, "%.4f", ",", header=header, comments="")
    (folder / "more" / "broken.json").write_text('{"frames": [')
    return folder
