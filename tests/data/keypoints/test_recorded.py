"""Own files hold a recording exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.recorded import (
    KEYPOINT_SCHEMA,
    RECORDED_KEYPOINTS,
    write_keypoints,
)
from skeletonagent.data.keypoints.source import KeypointSource


def recording(persons: int = 2) -> KeypointRecording:
    rng = np.random.default_rng(0)
    joints = rng.uniform(0, 900, (persons, 5, 17, 2)).round(2).astype(np.float32)
    joints[:1, 2] = np.nan
    joints[:1, 0, 3] = np.nan
    return KeypointRecording(
        name="two people",
        joints=joints,
        joint_names=COCO_17.joints,
        layout=COCO_17,
        confidence=rng.uniform(0, 1, (persons, 5, 17)).round(4).astype(np.float32),
        fps=29.97,
        image_size=(1280.0, 720.0),
        person_ids=("1", "4")[:persons],
    )


def read(path: Path) -> KeypointRecording:
    source = KeypointSource(path)
    assert RECORDED_KEYPOINTS.matches(source)
    (found,) = RECORDED_KEYPOINTS.read(source)
    return found


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("persons", [0, 2])
def test_what_is_written_is_read(tmp_path: Path, suffix: str, persons: int) -> None:
    written, path = recording(persons), tmp_path / f"keypoints{suffix}"
    write_keypoints(path, written)
    found = read(path)
    np.testing.assert_array_equal(found.joints, written.joints)
    np.testing.assert_array_equal(found.confidence, written.confidence)
    plain = replace(written, joints=found.joints, confidence=found.confidence, source=path)
    assert found == plain


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_what_is_unknown_stays_unknown(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"k{suffix}"
    joints = np.zeros((1, 2, 3, 3), np.float32)
    write_keypoints(path, KeypointRecording("r", joints))
    found = read(path)
    assert (found.joint_names, found.layout, found.confidence) == (None, None, None)
    assert (found.fps, found.image_size, found.person_ids) == (None, None, ())
    np.testing.assert_array_equal(found.joints, joints)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.json or \.npz"):
        write_keypoints(tmp_path / "k.csv", recording())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "skeletonagent.keypoints/9"}, "is of the schema skeletonagent.keypoints/9"),
        ({"shape": [2, 5, 17, 3]}, "damaged"),
        ({"joint_names": ["nose"]}, "1 names for 17 joints"),
        ({"joints": None}, "damaged"),
        ({"fps": "many"}, "damaged"),
        ({"person_ids": None}, "damaged"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "k.json"
    write_keypoints(path, recording())
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_other_files_are_of_another_format(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", joints=np.zeros((3, 4, 2)))
    (tmp_path / "b.json").write_text('{"schema": "other"}')
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 torn")
    for name in ("a.npz", "b.json", "c.npz"):
        assert not RECORDED_KEYPOINTS.matches(KeypointSource(tmp_path / name))
    assert KEYPOINT_SCHEMA.endswith("/1")
