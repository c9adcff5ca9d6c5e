"""The embedded text encoder against its package's own arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.text import wordllama
from skeletonagent.text.wordllama import WordLlama, load_wordllama, read_wordllama

SENTENCES = [
    "Clapping brings both palms together again and again.",
    "The arm swings.",
    "Élan: “quick” steps — 跳 — with one foot in front of the other, while the torso leans.",
]


@pytest.fixture(scope="module")
def encoder() -> WordLlama:
    return load_wordllama()


def test_vectors_equal_those_of_the_package(encoder: WordLlama) -> None:
    inference = pytest.importorskip("wordllama.inference")
    original = inference.WordLlamaInference(encoder.table.numpy(), load_wordllama().tokenizer)
    expected = original.embed(SENTENCES, norm=True)
    np.testing.assert_allclose(encoder.encode(SENTENCES).numpy(), expected, atol=1e-5)


def test_a_vector_is_the_normalised_mean_of_its_tokens(encoder: WordLlama) -> None:
    rows = [
        encoder.table[i] for i in encoder.tokenizer.encode("jump up", add_special_tokens=False).ids
    ]
    mean = sum(rows[1:], rows[0]) / len(rows)
    torch.testing.assert_close(encoder.encode(["jump up"])[0], mean / mean.norm())


def test_meaning_shows(encoder: WordLlama) -> None:
    wave, waving, kneel = encoder.encode(["waving a hand", "the hand waves", "kneeling down"])
    assert wave @ waving > wave @ kneel


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4))
def test_a_sentence_is_encoded_alike_in_any_company(sentences: list[str]) -> None:
    encoder = _shared_encoder()
    together = encoder.encode(sentences)
    alone = torch.cat([encoder.encode([sentence]) for sentence in sentences])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(sentences)))


def test_no_sentences_and_empty_sentences(encoder: WordLlama) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)
    assert not encoder.encode([""]).any()


def test_name_and_dim(encoder: WordLlama) -> None:
    assert encoder.dim == 256
    assert encoder.encode(["a"]).dtype == torch.float32
    assert encoder.name == load_wordllama().name


def test_length_counts_words_and_knows_no_limit(encoder: WordLlama) -> None:
    tokens = encoder.tokenizer.encode(SENTENCES[0], add_special_tokens=False).tokens
    assert encoder.count_tokens(SENTENCES[0]) == len(tokens)
    assert encoder.count_tokens("") == 0
    many = "jump " * 5000
    assert encoder.count_tokens(many) < encoder.max_tokens
    assert not torch.equal(encoder.encode([many]), encoder.encode([many + "kneel " * 5000]))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordllama, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="pip install wordllama"):
        load_wordllama()


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"l2_supercat_256\.safetensors.*reinstall"):
        read_wordllama(tmp_path)


@pytest.mark.parametrize("damaged", [wordllama._WEIGHTS, wordllama._TOKENIZER])
def test_damaged_files_are_named(tmp_path: Path, damaged: str) -> None:
    whole = Path(wordllama.find_spec("wordllama").submodule_search_locations[0])
    for name in (wordllama._WEIGHTS, wordllama._TOKENIZER):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).symlink_to(whole / name)
    (tmp_path / damaged).unlink()
    (tmp_path / damaged).write_bytes(b"not it")
    with pytest.raises(DataError, match=Path(damaged).name):
        read_wordllama(tmp_path)


_LOADED: list[WordLlama] = []


def _shared_encoder() -> WordLlama:
    """Return one encoder for all examples of a property."""
    if not _LOADED:
        _LOADED.append(load_wordllama())
    return _LOADED[0]
