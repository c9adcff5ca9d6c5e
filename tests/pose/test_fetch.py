"""Pose models come from one published wheel, verified, and nothing else is kept."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.pose import fetch
from skeletonagent.pose.fetch import WHEEL, fetch_pose_models, find_pose_models, pose_model_folder

CONTENT = {name: f"content of {name}".encode() for name in fetch._PUBLISHED.content}


def write_wheel(path: Path, content: Mapping[str, bytes] = CONTENT) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, (member, _) in fetch._PUBLISHED.content.items():
            archive.writestr(member, content[name])
        info = "mediapipe-0.10.21.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: mediapipe\nVersion: 0.10.21\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-in for the published wheel, in a folder that serves as package index."""
    (tmp_path / "index").mkdir()
    path = write_wheel(tmp_path / "index" / WHEEL)
    digests = {
        name: (member, sha256(CONTENT[name]).hexdigest())
        for name, (member, _) in fetch._PUBLISHED.content.items()
    }
    published = replace(
        fetch._PUBLISHED, content=digests, digest=sha256(path.read_bytes()).digest()
    )
    monkeypatch.setattr(fetch, "_PUBLISHED", published)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path


def test_pip_downloads_the_wheel_and_the_models_are_kept(wheel: Path, tmp_path: Path) -> None:
    files = fetch_pose_models()
    assert files.detector.parent == pose_model_folder() == tmp_path / "cache/skeletonagent/pose"
    kept = {path.name: path.read_bytes() for path in files.detector.parent.iterdir()}
    assert kept == CONTENT
    wheel.unlink()
    assert fetch_pose_models() == files  # they are there: nothing is downloaded


def test_an_index_without_the_wheel_is_reported(wheel: Path) -> None:
    wheel.unlink()
    with pytest.raises(DataError, match=r"pip cannot download .*--wheel FILE"):
        fetch_pose_models()
    assert not pose_model_folder().exists()


def test_a_wheel_at_hand_serves_and_stays(wheel: Path) -> None:
    assert fetch_pose_models(wheel=wheel).licence.read_bytes() == CONTENT["LICENSE"]
    assert wheel.is_file()


def test_another_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    other = write_wheel(tmp_path / "other.whl", {**CONTENT, "LICENSE": b"another"})
    with pytest.raises(DataError, match="its sha256 is"):
        fetch_pose_models(wheel=other)
    with pytest.raises(DataError, match="no such file"):
        fetch_pose_models(wheel=tmp_path / "absent.whl")


def test_models_that_are_not_there_are_asked_for(wheel: Path) -> None:
    with pytest.raises(ConfigError, match="skeletonagent pose fetch"):
        find_pose_models()


def test_a_damaged_model_is_named_and_replaced(wheel: Path) -> None:
    files = fetch_pose_models(wheel=wheel)
    files.detector.write_bytes(b"torn")
    with pytest.raises(DataError, match="not the published file"):
        find_pose_models()
    assert fetch_pose_models(wheel=wheel).detector.read_bytes() == CONTENT[files.detector.name]
