"""The cache around a text encoder, and the table of encoders."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.errors import ConfigError
from skeletonagent.text import transformers_encoder
from skeletonagent.text.encoder import (
    TEXT_ENCODERS,
    CachedEncoder,
    TextEncoder,
    build_encoder,
    default_cache_folder,
)
from skeletonagent.text.transformers_encoder import PRETRAINED


class CountingEncoder:
    """Encodes by digest, and remembers what it was asked."""

    dim = 4
    max_tokens = 6

    def __init__(self, name: str = "counting") -> None:
        self.name = name
        self.asked: list[str] = []

    def count_tokens(self, sentence: str) -> int:
        return len(sentence)

    def encode(self, sentences: Sequence[str]) -> Float[Tensor, "y d"]:
        self.asked += sentences
        rows = [list(sha256(f"{self.name}{s}".encode()).digest()[:4]) for s in sentences]
        vectors = torch.tensor(rows, dtype=torch.float32).reshape(-1, self.dim) + 1
        return vectors / vectors.norm(dim=1, keepdim=True)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_only_unknown_sentences_are_encoded(tmp_path: Path) -> None:
    inner = CountingEncoder()
    cached = CachedEncoder(inner, tmp_path)
    first = cached.encode(["a", "b", "a"])
    second = cached.encode(["c", "b"])
    assert inner.asked == ["a", "b", "c"]
    torch.testing.assert_close(first, CountingEncoder().encode(["a", "b", "a"]), rtol=0, atol=0)
    torch.testing.assert_close(second, CountingEncoder().encode(["c", "b"]), rtol=0, atol=0)


@given(rounds=st.lists(st.lists(st.text(max_size=3), max_size=5), max_size=4))
def test_a_cache_changes_nothing(
    rounds: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    cached = CachedEncoder(CountingEncoder(), tmp_path_factory.mktemp("cache"))
    for sentences in rounds:
        expected = CountingEncoder().encode(sentences)
        torch.testing.assert_close(cached.encode(sentences), expected, rtol=0, atol=0)


def test_vectors_outlive_the_process(tmp_path: Path) -> None:
    before = CachedEncoder(CountingEncoder(), tmp_path).encode(["a", "b"])
    inner = CountingEncoder()
    after = CachedEncoder(inner, tmp_path).encode(["b", "a"])
    assert inner.asked == []
    torch.testing.assert_close(after, before.flip(0), rtol=0, atol=0)


def test_encoders_do_not_share_vectors(tmp_path: Path) -> None:
    one = CachedEncoder(CountingEncoder("one"), tmp_path).encode(["a"])
    other = CachedEncoder(CountingEncoder("other"), tmp_path).encode(["a"])
    assert not torch.equal(one, other)
    assert len(_files(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "shape", "dtype", "nan", "pickle"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    expected = CachedEncoder(CountingEncoder(), tmp_path).encode(["a"])
    (path,) = _files(tmp_path)
    whole = path.read_bytes()
    if damage in ("empty", "cut", "noise"):
        path.write_bytes({"empty": b"", "cut": whole[:-3], "noise": b"noise" * 9}[damage])
    else:
        arrays = {
            "shape": np.ones(5, np.float32),
            "dtype": np.ones(4, np.float64),
            "nan": np.full(4, np.nan, np.float32),
            "pickle": np.array([{}] * 4),
        }
        np.save(path, arrays[damage])
    again = CachedEncoder(CountingEncoder(), tmp_path).encode(["a"])
    torch.testing.assert_close(again, expected, rtol=0, atol=0)
    assert path.read_bytes() == whole


def test_an_unwritable_folder_leaves_the_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    inner = CountingEncoder()
    cached = CachedEncoder(inner, tmp_path / "file" / "cache")
    first = cached.encode(["a", "b"])
    torch.testing.assert_close(cached.encode(["a", "b"]), first, rtol=0, atol=0)
    assert inner.asked == ["a", "b"]
    assert "cached in memory only" in caplog.text


def test_the_result_may_be_changed(tmp_path: Path) -> None:
    cached = CachedEncoder(CountingEncoder(), tmp_path)
    cached.encode(["a"]).zero_()
    assert cached.encode(["a"]).any()


def test_default_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "skeletonagent" / "text"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / ".cache" / "skeletonagent" / "text"


def test_a_cache_passes_on_what_an_encoder_is(tmp_path: Path) -> None:
    inner = CountingEncoder()
    cached = CachedEncoder(inner, tmp_path)
    assert (cached.name, cached.dim, cached.max_tokens) == ("counting", 4, 6)
    assert cached.count_tokens("a sentence") == 10
    assert isinstance(cached, TextEncoder)
    assert inner.asked == []


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("bort", r"did you mean 'bert'\? "),
        ("", ""),
        ("bort:", r"did you mean 'bert'\? "),
        ("bert:", r"did you mean 'bert'\? "),
        ("wordllama:x", r"did you mean 'wordllama'\? "),
        ("/no/where", ""),
    ],
)
def test_an_unknown_encoder_is_refused(setting: str, hint: str) -> None:
    message = rf"no text encoder '{setting}'; {hint}choose one of: .*bert"
    with pytest.raises(ConfigError, match=message):
        build_encoder(setting)


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no folder .*gone:2"):
        build_encoder(f"bert:{tmp_path}/gone:2")


def test_the_message_lists_the_encoders_the_default_first() -> None:
    with pytest.raises(ConfigError, match=r"no text encoder 'xyz'; choose one of: wordllama, cli"):
        build_encoder("xyz")


@pytest.fixture(params=TEXT_ENCODERS)
def setting(request: pytest.FixtureRequest) -> str:
    """Every encoder, the downloaded ones with random weights from a folder of their kind."""
    name: str = request.param
    if name == "wordllama":
        return name
    return f"{name}:{request.getfixturevalue('folders')[name]}"


def test_every_encoder_keeps_the_contract(setting: str) -> None:
    encoder: TextEncoder = build_encoder(setting)
    vectors = encoder.encode(["raise one hand", "sit down", "raise one hand"])
    assert isinstance(encoder, TextEncoder)
    assert vectors.shape == (3, encoder.dim)
    assert vectors.dtype == torch.float32
    assert vectors.device.type == "cpu"
    assert not vectors.requires_grad
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(vectors[0], vectors[2], rtol=0, atol=0)
    assert encoder.encode([]).shape == (0, encoder.dim)
    assert encoder.name == build_encoder(setting).name
    assert 0 < encoder.count_tokens("raise one hand") <= encoder.max_tokens
    assert encoder.count_tokens("raise one hand") > encoder.count_tokens("hand")


def test_every_encoder_reads_what_it_may(setting: str) -> None:
    encoder = build_encoder(setting)
    if encoder.max_tokens > 1000:
        assert not PRETRAINED.get(setting.partition(":")[0])
        return
    whole = "the arm " * encoder.max_tokens
    assert encoder.count_tokens(whole) > encoder.max_tokens
    longer = encoder.encode([whole, f"{whole} hand"])
    torch.testing.assert_close(longer[0], longer[1], rtol=0, atol=0)


def test_an_encoder_is_named_or_given_by_its_path(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders["minilm"]
    named, alone = build_encoder(f"minilm:{folder}"), build_encoder(str(folder))
    torch.testing.assert_close(named.encode(["the arm"]), alone.encode(["the arm"]))
    monkeypatch.setenv("HOME", str(folder.parent))
    assert build_encoder(f"minilm:~/{folder.name}").name == named.name
    monkeypatch.chdir(folder.parent)
    assert build_encoder(f"./{folder.name}").name == alone.name


def test_a_name_alone_is_fetched(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        transformers_encoder, "download_model_files", lambda repository, files: folders["minilm"]
    )
    assert build_encoder("minilm").name == build_encoder(f"minilm:{folders['minilm']}").name
