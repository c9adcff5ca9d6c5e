"""Files from outside: read as they are, bounded; values in messages are bounded, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skeletonagent.core.errors import DataError, SkeletonAgentError
from skeletonagent.core.npz_files import read_npy, read_npz
from skeletonagent.core.outside_files import (
    decoding_problem,
    problem_line,
    read_outside_bytes,
    read_outside_text,
)
from skeletonagent.core.outside_text import brief
from skeletonagent.data.readers.safe_pickle import load_restricted
from skeletonagent.models.released_checkpoint import read_released_checkpoint


def test_text_is_read_with_and_without_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for content in ("Grüße\r\n".encode(), "Grüße\r\n".encode("utf-8-sig")):
        path.write_bytes(content)
        assert read_outside_text(path) == "Grüße\r\n"
    for encoding in ("utf-16", "latin-1"):
        path.write_bytes("Grüße".encode(encoding))
        with pytest.raises(DataError, match=r"a\.txt: cannot be read: .*no UTF-8 text.*save it as"):
            read_outside_text(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_outside_bytes(tmp_path / "a", most=5) == b"12345"
    with pytest.raises(DataError, match="is larger than 4 bytes"):
        read_outside_bytes(tmp_path / "a", most=4)


def test_values_are_shown_within_bounds() -> None:
    shared: Any = ["x"]
    for _ in range(200):
        shared = [shared] * 9
    for value in (shared, "a" * 10**6, 10**5000, {"a": [shared]}, "\x1b]0;title\x07\n"):
        shown = brief(value)
        assert len(shown) <= 80 and shown.isprintable()
    assert brief([1, "a"]) == "[1, 'a']"


def test_errors_quote_files_within_bounds() -> None:
    error = DataError("got " + "x" * 10**5 + "\x1b[2J", path=Path("a\x1b]0;t\x07b"), sample="s")
    assert str(error).startswith("ab: sample 's': got xxx") and len(str(error)) < 2100
    assert str(error).isprintable()


def test_problems_are_one_line() -> None:
    assert problem_line(KeyError("a")) == "KeyError: 'a'"
    assert problem_line(MemoryError()) == "MemoryError"
    assert problem_line(FileNotFoundError(2, "No such file", "x")) == "No such file"
    assert problem_line(ValueError("two\nlines")) == "two lines"
    assert len(problem_line(ValueError("long " * 1000))) <= 300


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html><title>Quota exceeded</title></html>", "it is a web page"),
        (b"<html>", "it is a web page"),
        (b"PK", "what the decoder says"),
        (b"", "what the decoder says"),
    ],
)
def test_what_lies_in_a_files_place_is_named(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "joints.npz"
    path.write_bytes(content)
    error = ValueError("what the decoder says")
    assert problem in decoding_problem(error, path)
    assert decoding_problem(error, tmp_path / "none") == "what the decoder says"
    for read in (read_npz, read_npy, load_restricted, read_released_checkpoint):
        with pytest.raises(SkeletonAgentError) as caught:
            read(path)
        assert problem in str(caught.value) or problem.startswith("what")
