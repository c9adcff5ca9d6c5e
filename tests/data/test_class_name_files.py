"""Class names in a text file: for each label its own, or a message that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.data.class_name_files import read_class_names


@pytest.mark.parametrize(
    "content",
    [
        b"walk\r\nfall\r\nsit\r\n",
        b"\xef\xbb\xbfwalk\nfall\nsit",
        b"  walk \nfall\nsit\n\n\n",
        b"0 walk\n1 fall\n2 sit\n",
        b"1, walk\n2, fall\n3, sit\n",
    ],
)
def test_names_are_read_as_programs_save_them(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "names.txt").write_bytes(content)
    assert read_class_names(tmp_path / "names.txt") == ("walk", "fall", "sit")


def test_numbers_that_are_names_stay(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    for text, names in (
        ("3 steps\n4 steps\n", ("3 steps", "4 steps")),
        ("1 walk\n3 sit\n", ("1 walk", "3 sit")),
        ("走路\n摔倒\n", ("走路", "摔倒")),
    ):
        path.write_text(text, encoding="utf-8")
        assert read_class_names(path) == names


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"walk\n\nfall\n", "line 2 is empty"),
        (b"walk\nfall\nwalk\n", "the labels 0 and 2 have the same class name 'walk'"),
        (b"class_name\nwalk\n", "looks like a header"),
        (b"", "holds no class names"),
        ("walk\nfall".encode("utf-16"), "save it as UTF-8"),
        ("tombé\n".encode("cp1252"), "save it as UTF-8"),
    ],
)
def test_what_would_shift_names_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(DataError, match=problem):
        read_class_names(tmp_path / "names.txt")
