"""JSON files that are read back: what is not as it was written is named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.core.json_files import JsonRecord, read_json


class Example(JsonRecord):
    """Example of a record."""

    number: int
    share: float = 0.0


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ('{"number": 1, "share": 1, "more": [2]}', Example),
        ('{"a": ["b"]}', dict[str, list[str]]),
        ('{"number": 1, "share": NaN}', Example),
    ],
)
def test_content_is_returned_as_it_is(tmp_path: Path, text: str, schema: Any) -> None:
    (tmp_path / "a.json").write_text(text)
    assert str(read_json(tmp_path / "a.json", schema)) == str(eval(text, {"NaN": float("nan")}))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"5", b"null", b"[]", b'"x"', b"{}", b'{"number": "1"}', b'{"number": 1.5}',
        b'{"number": true}', b'{"number": 1, "share": []}', b"[" * 100000, b'{"number": 1',
    ],
    ids=lambda content: str(content)[:24],
)  # fmt: skip
def test_other_content_is_damage(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json: is damaged") as error:
        read_json(path, Example)
    assert len(str(error.value)) < len(str(path)) + 900


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name, problem in (
        ("pipe", "is a named pipe"), ("missing", "No such file"), (".", "is a folder"),
        ("bytes", "is no UTF-8 text"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=problem):
            read_json(tmp_path / name, Example)
