"""Files written by pandas, as DeepLabCut uses it, and by sleap-io are read to the last digit."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.data.keypoints.genuine.write_files import FRAMES, HERE, NODES, TRACKS, mice

from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.reading import read_keypoints

TWO = ("two_mice.csv", "appendable.h5", "fixed.h5", "project.slp", "exported.analysis.h5")


def read(name: str) -> KeypointRecording:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (recording,) = read_keypoints(HERE / name)
    return recording


@pytest.mark.parametrize("name", ["one_mouse.csv", *TWO])
def test_values_names_and_scores_are_those_that_were_written(name: str) -> None:
    recording = read(name)
    expected = mice() if name in TWO else mice()[:1]
    assert recording.joint_names == NODES and recording.num_frames == FRAMES
    np.testing.assert_allclose(recording.joints, expected[..., :2], rtol=1e-6)
    assert recording.confidence is not None
    seen = ~np.isnan(expected[..., 2])
    np.testing.assert_allclose(recording.confidence[seen], expected[..., 2][seen], rtol=1e-6)
    assert not recording.confidence[~seen].any()
    assert recording.person_ids == (TRACKS if name in TWO else ("0",))


@pytest.mark.parametrize("name", ["project.slp", "exported.analysis.h5"])
def test_the_skeleton_of_sleap_is_taken_with_its_sides(name: str) -> None:
    layout = read(name).layout
    assert layout is not None and layout.joints == NODES
    assert sorted(layout.bones) == [(0, 3), (1, 0), (2, 0)]
    assert layout.pairs == ((1, 2),)


def test_the_same_in_another_format_is_read_once(tmp_path: Path) -> None:
    for name in ("one_mouse.csv", "two_mice.csv"):
        shutil.copy(HERE / name, tmp_path)
    shutil.copy(HERE / "fixed.h5", tmp_path / "two_mice.h5")
    shutil.copy(HERE / "fixed.h5", tmp_path / "other_mice.h5")
    with pytest.warns(UserWarning, match="such as two_mice.h5, which is as two_mice.csv"):
        recordings = read_keypoints(tmp_path)
    assert sorted(r.name for r in recordings) == ["one_mouse", "other_mice", "two_mice"]


def test_files_of_one_name_that_differ_are_both_read(tmp_path: Path) -> None:
    shutil.copy(HERE / "one_mouse.csv", tmp_path / "mice.csv")
    shutil.copy(HERE / "fixed.h5", tmp_path / "mice.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recordings = read_keypoints(tmp_path)
    assert [r.name for r in recordings] == ["mice.csv", "mice.h5"]
