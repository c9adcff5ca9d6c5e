"""Runs trained in seconds: of plane joints, of two streams, and of pixels with confidence."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.small_run import small_archive, small_run


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_archive(tmp_path_factory.mktemp("skeletons") / "mine")


@pytest.fixture(scope="session")
def run(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(archive, tmp_path_factory.mktemp("run") / "one").path


@pytest.fixture(scope="session")
def streams(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run on joints and one on their motion."""
    folder = tmp_path_factory.mktemp("streams")
    for stream in ("joint", "joint_motion"):
        small_run(archive, folder / stream, clips__stream=stream, agents__chat="none")
    return folder
