"""Naming files by what is in them, and reading tokenizers."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import DataError
from skeletonagent.text.files import digest, read_tokenizer


def _write(folder: Path, contents: list[bytes]) -> list[Path]:
    paths = [folder / f"{index}" for index in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def test_one_file_has_the_digest_of_its_content(tmp_path: Path) -> None:
    assert digest(_write(tmp_path, [b"abc"]), "") == "ba7816bf8f01"  # FIPS 180-2, appendix B.1


def test_several_files_have_the_digest_of_their_digests(tmp_path: Path) -> None:
    contents = [b"abc", b""]
    expected = sha256(b"".join(sha256(content).digest() for content in contents)).hexdigest()[:12]
    assert digest(_write(tmp_path, contents), "") == expected


_CONTENTS = st.lists(st.binary(max_size=3), min_size=1, max_size=3)


@given(one=_CONTENTS, other=_CONTENTS)
def test_digests_are_equal_where_contents_are(
    one: list[bytes], other: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    digests = [digest(_write(tmp_path_factory.mktemp("f"), c), "") for c in (one, other)]
    assert (digests[0] == digests[1]) == (one == other)


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: cannot be read: No such file.*; sing"):
        digest([tmp_path / "gone"], "sing")
    with pytest.raises(DataError, match=r"gone: cannot be read as a tokenizer.*; sing"):
        read_tokenizer(tmp_path / "gone", "sing")


def test_a_tokenizer_neither_pads_nor_cuts(folders: dict[str, Path]) -> None:
    path = folders["minilm"] / "tokenizer.json"
    assert '"truncation":null' not in path.read_text().replace(" ", "")
    tokenizer = read_tokenizer(path, "")
    assert tokenizer.encode("arm").tokens == ["[CLS]", "arm", "[SEP]"]
    assert len(tokenizer.encode("arm " * 20).ids) == 22
