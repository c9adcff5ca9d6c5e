"""Archives that are read in parts: equal samples, whatever is asked for before."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.small_run import samples, small_archive

from skeletonagent.core.errors import DataError
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.archive import Archive
from skeletonagent.data.archive_stream import ArchiveStream


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an npz file with keypoint confidence and sizes of images."""
    path = small_archive(tmp_path_factory.mktemp("packed") / "mine", samples(9))
    with np.load(path) as content:
        arrays = dict(content)
    rng = np.random.default_rng(0)
    arrays["keypoint_score"] = rng.random(arrays["keypoint"].shape[:2]).astype(np.float16)
    arrays["image_size"] = np.arange(18, dtype=np.float32).reshape(9, 2) + 1
    np.savez_compressed(path, **arrays)
    return path


@pytest.fixture(scope="module")
def folder(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("folder")
    (base / "mine").mkdir()
    with np.load(packed) as content:
        for name, array in content.items():
            np.save(base / "mine" / f"{name}.npy", array)
    (base / "mine.json").write_bytes(packed.with_suffix(".json").read_bytes())
    return base


def equal(one: SkeletonSequence, other: SkeletonSequence) -> bool:
    return np.array_equal(one.joints, other.joints) and (
        (one.sample_id, one.label, one.image_size, one.fps)
        == (other.sample_id, other.label, other.image_size, other.fps)
    )


@pytest.mark.parametrize("kind", ["packed", "folder"])
@pytest.mark.parametrize("confidence", [False, True])
def test_parts_are_the_samples_of_the_whole(
    kind: str, confidence: bool, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    whole = list(Archive.open(path, "r", require_labels=False).sequences(confidence=confidence))
    stream = ArchiveStream.open(path)
    assert len(stream) == len(whole) == 9
    reader = stream.reader()
    for start, end in ((0, 2), (2, 5), (7, 9), (1, 4), (0, 9), (8, 9)):  # backwards as well
        part = list(reader.part(start, end).sequences(confidence=confidence))
        assert len(part) == end - start
        assert all(map(equal, part, whole[start:end]))


def test_opening_reads_no_joints(packed: Path, folder: Path) -> None:
    for path in (packed, folder):
        keypoint = ArchiveStream.open(path).archive.arrays["keypoint"]
        assert keypoint.strides == (0, 0, 0) and keypoint.shape[1:] == (17, 2)


def test_an_archive_without_labels_and_splits_is_read(packed: Path, tmp_path: Path) -> None:
    with np.load(packed) as content:
        arrays = {name: array for name, array in content.items() if name != "label"}
    np.savez(tmp_path / "new.npz", **arrays)
    text = packed.with_suffix(".json").read_text()
    (tmp_path / "new.json").write_text(text.replace('"split"', '"other"'))
    stream = ArchiveStream.open(tmp_path / "new.npz")
    assert {s.label for s in stream.reader().part(0, 9).sequences(confidence=False)} == {-1}


def replaced(packed: Path, to: Path, name: str, content: bytes) -> Path:
    """Write the archive with another content of an array."""
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(to, "w") as new:
        for member in old.namelist():
            new.writestr(member, content if member == f"{name}.npy" else old.read(member))
    to.with_suffix(".json").write_bytes(packed.with_suffix(".json").read_bytes())
    return to


def test_joints_that_are_cut_off_or_turned_are_refused(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        content = archive.read("keypoint.npy")
    cut = replaced(packed, tmp_path / "cut.npz", "keypoint", content[:-8])
    with pytest.raises(DataError, match=r"cut\.npz.*bytes and has"):
        ArchiveStream.open(cut)
    with np.load(packed) as arrays:
        np.save(tmp_path / "turned.npy", np.asfortranarray(arrays["keypoint"]))
    turned = (tmp_path / "turned.npy").read_bytes()
    path = replaced(packed, tmp_path / "turned.npz", "keypoint", turned)
    with pytest.raises(DataError, match="column by column"):
        ArchiveStream.open(path)


def test_damaged_joints_are_one_clear_line(packed: Path, tmp_path: Path) -> None:
    content = bytearray(packed.read_bytes())
    with zipfile.ZipFile(packed) as archive:
        start = archive.getinfo("keypoint.npy").header_offset
    content[start + 400 : start + 600] = bytes(200)
    (tmp_path / "bad.npz").write_bytes(content)
    (tmp_path / "bad.json").write_bytes(packed.with_suffix(".json").read_bytes())
    with pytest.raises(DataError, match=r"bad\.npz.*cannot be read") as error:
        ArchiveStream.open(tmp_path / "bad.npz").reader().part(0, 9)
    assert "\n" not in str(error.value)
