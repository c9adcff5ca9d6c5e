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
        b"", b"5", b"null", b"[]", b'"x"', b"{}", b"\xff", b'{"number": "1"}', b'{"number": 1.5}',
        b'{"number": true}', b'{"number": 1, "share": []}', b"[" * 100000, b'{"number": 1',
    ],
    ids=lambda content: str(content)[:24],
)  # fmt: skip
def test_other_content_is_damage(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json: is damaged") as error:
        read_json(path, Example)
    assert len(str(error.value)) < len(str(path)) + 300


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "missing", "."):
        with pytest.raises(DataError, match="is no file"):
            read_json(tmp_path / name, Example)
