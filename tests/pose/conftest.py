"""Pose models of the user's cache, which tests otherwise do not see."""

from __future__ import annotations

from pathlib import Path

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.pose.fetch import PoseModelFiles, find_pose_models, pose_model_folder

FETCHED = pose_model_folder()
"""Folder before the tests get caches of their own."""


@pytest.fixture
def fetched_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PoseModelFiles:
    """Pose models that the test finds where a user has them."""
    try:
        find_pose_models(FETCHED)
    except ConfigError:
        pytest.skip(f"needs pose models: nothing at {FETCHED}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(FETCHED.parents[1]))
    return find_pose_models()
