"""NumPy archives from outside: as NumPy reads them; what is not as its header says is refused."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core import npz_files
from skeletonagent.core.errors import DataError
from skeletonagent.core.npz_files import MOST_MEMBERS, is_npy, read_npy, read_npz

ARRAYS = {
    "a": np.arange(12, dtype=np.float16).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "names": np.array(["x", "Grüße"]),
    "empty": np.zeros((0, 3), np.int8),
    "one": np.array(5),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_those_of_numpy(tmp_path: Path, save: object) -> None:
    path = tmp_path / "a.npz"
    save(path, **ARRAYS)  # type: ignore[operator]
    read = read_npz(path)
    with np.load(path) as expected:
        assert read.keys() == set(expected.files)
        for name, array in read.items():
            assert array.dtype == expected[name].dtype and array.flags.writeable
            np.testing.assert_array_equal(array, expected[name])
    assert read_npz(path, ("a", "absent")).keys() == {"a"}


def member(shape: str, dtype: str = "<f4", content: bytes = b"") -> bytes:
    """Return an npy file with a header of our making."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (64 - (11 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def write_zip(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (member("(1000000000000000, 20, 3)"), "says 240000000000000000 bytes for"),
        (member("(4611686018427387904, 4, 4)"), "bytes for"),
        (member("(3,)", content=b"\0" * 8), "says 12 bytes for .* and has 8"),
        (member("(2,)", content=b"\0" * 9), "says 8 bytes for .* and has 9"),
        (member("(-1,)"), "an array of shape"),
        (member("(1,)", "|O", b"\x80\x04N."), "pickled objects"),
        (member("(" * 300), ""),
        (b"\x93NUMPY\x07\x00", "version"),
        (b"hello", "EOF"),
    ],
)
def test_a_header_that_is_not_true_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = write_zip(tmp_path / "a.npz", {"a.npy": content, "b.npy": member("(0,)")})
    with pytest.raises(DataError, match=rf"a\.npz: cannot be read as NumPy arrays.*{problem}"):
        read_npz(path)
    assert read_npz(path, ("b",)).keys() == {"b"}


def test_what_expands_far_beyond_the_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = {"a": np.zeros(10**6, np.int8), "b": np.zeros(1)}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    assert read_npz(tmp_path / "a.npz").keys() == {"a", "b"}
    monkeypatch.setattr(npz_files, "ALWAYS_UNPACKED", 10**5)
    with pytest.raises(DataError, match="would expand to 1000008"):
        read_npz(tmp_path / "a.npz")
    assert read_npz(tmp_path / "a.npz", ("b",))["b"].tolist() == [0]


def test_archives_of_other_things_are_refused(tmp_path: Path) -> None:
    folders = write_zip(tmp_path / "f.npz", {f"folder {n}/": b"" for n in range(MOST_MEMBERS + 1)})
    with pytest.raises(DataError, match="10001 members"):
        read_npz(folders)
    with pytest.raises(DataError, match="a ZIP archive without arrays"):
        read_npz(write_zip(tmp_path / "n.npz", {"readme.txt": b"hello"}))
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("a.npy", member("(0,)"))
        with pytest.warns(UserWarning, match="Duplicate"):  # zipfile's own
            archive.writestr("a.npy", member("(0,)"))
    with pytest.raises(DataError, match="the array 'a' twice"):
        read_npz(tmp_path / "t.npz")


def test_pipes_devices_and_folders_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    for name, kind in (("pipe.npz", "a named pipe"), ("zero.npz", "a device"), ("", "a folder")):
        with pytest.raises(DataError, match=f"is {kind}, a file is wanted"):
            read_npz(tmp_path / name)
    with pytest.raises(DataError, match="No such file"):
        read_npz(tmp_path / "absent.npz")


def test_a_damaged_member_is_noticed(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.arange(100))
    content = bytearray(buffer.getvalue())
    content[400] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match="Bad CRC-32"):
        read_npz(tmp_path / "a.npz")


def test_a_single_array_is_read_as_its_header_says(tmp_path: Path) -> None:
    path, array = tmp_path / "a.npy", np.arange(6.0).reshape(2, 3)
    np.save(path, array)
    assert is_npy(path)
    np.testing.assert_array_equal(read_npy(path), array)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match="it is cut off"):
        read_npy(path)
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="pickled objects"):
        read_npy(path)
    path.write_text("no array")
    assert not is_npy(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_text_of_numbers_that_are_no_characters_is_refused(tmp_path: Path, order: str) -> None:
    numbers = np.array([97, 0x110000], dtype=f"{order}u4")
    text = numbers.view(f"{order}U2")
    np.savez(tmp_path / "a.npz", names=text)
    np.save(tmp_path / "a.npy", text)
    for read, name in ((read_npz, "a.npz"), (read_npy, "a.npy")):
        with pytest.raises(DataError, match="stand for no character"):
            read(tmp_path / name)
    np.savez(tmp_path / "b.npz", names=np.array(["Grüße", "手"], dtype=f"{order}U5"))
    assert read_npz(tmp_path / "b.npz")["names"].tolist() == ["Grüße", "手"]
