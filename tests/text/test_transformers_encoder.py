"""Pretrained text encoders: sentences to unit vectors, and where the files come from."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.text import transformers_encoder
from skeletonagent.text.towers import Pooling
from skeletonagent.text.transformers_encoder import (
    PRETRAINED,
    TransformersEncoder,
    fetch_transformer,
    read_transformer,
)

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def clip(folders: dict[str, Path]) -> TransformersEncoder:
    return read_transformer(folders["clip-vit-b-32"], "clip-vit-b-32")


@pytest.fixture(scope="module")
def bert(folders: dict[str, Path]) -> TransformersEncoder:
    return read_transformer(folders["bert"], "bert")


@pytest.fixture(scope="module", params=["clip", "bert"])
def encoder(request: pytest.FixtureRequest) -> TransformersEncoder:
    found: TransformersEncoder = request.getfixturevalue(request.param)
    return found


def test_a_vector_is_the_towers_at_length_one(encoder: TransformersEncoder) -> None:
    ids = encoder.tokenizer.encode("the arm swings.").ids
    vector = encoder.tower.vector(torch.tensor(ids))
    torch.testing.assert_close(
        encoder.encode(["the arm swings."])[0], vector / vector.square().sum().sqrt()
    )


def test_tokens_stand_between_their_marks(
    clip: TransformersEncoder, bert: TransformersEncoder
) -> None:
    tokens = ["<|startoftext|>", "arm</w>", "hand</w>", ".</w>", "<|endoftext|>"]
    assert clip.tokenizer.encode("Arm hand.").tokens == tokens
    tokens = ["[CLS]", "arm", "hand", ".", "[SEP]"]
    assert bert.tokenizer.encode("Arm hand.").tokens == tokens
    for encoder in (clip, bert):
        assert encoder.length("Arm hand.") == 5
        assert encoder.length("") == 2
        assert encoder.length("arm " * 600) == 602  # the whole of it, not what is read


def test_of_a_long_sentence_the_end_is_cut_and_the_marks_stay(encoder: TransformersEncoder) -> None:
    most = encoder.max_tokens
    arm, hand = (encoder.tokenizer.encode(word).ids[1] for word in ("arm", "hand"))
    start, end = encoder.tokenizer.encode("").ids
    kept = torch.tensor([start, *[arm] * (most - 3), hand, end])
    assert len(kept) == most
    expected = torch.nn.functional.normalize(encoder.tower.vector(kept), dim=0)
    fits = "arm " * (most - 3) + "hand"
    for sentence in (fits, f"{fits} arm", f"{fits} hand" + " arm" * 500):
        torch.testing.assert_close(encoder.encode([sentence])[0], expected, rtol=0, atol=0)
    assert encoder.length(fits) == most
    assert encoder.length(f"{fits} arm") == most + 1
    assert not torch.equal(encoder.encode(["arm " * (most - 2)])[0], expected)


_SENTENCES = st.lists(st.text("armhnds .é跳", max_size=12), min_size=1, max_size=4)


@given(sentences=_SENTENCES)
def test_bits_do_not_depend_on_the_company(
    encoder: TransformersEncoder, sentences: list[str]
) -> None:
    together = encoder.encode(sentences)
    alone = torch.cat([encoder.encode([sentence]) for sentence in sentences])
    torch.testing.assert_close(together, alone, rtol=0, atol=0)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(sentences)))
    torch.testing.assert_close(encoder.encode(sentences[::-1]), together.flip(0), rtol=0, atol=0)


def test_other_sentences_have_other_vectors(encoder: TransformersEncoder) -> None:
    vectors = encoder.encode(["the arm swings", "the hand swings", "the arm swing.", ""])
    assert len({tuple(vector.tolist()) for vector in vectors}) == 4


def test_a_name_has_the_number_of_tokens_it_was_trained_on(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRETRAINED, "minilm", replace(PRETRAINED["minilm"], max_tokens=9))
    assert read_transformer(folders["minilm"], "minilm").max_tokens == 9
    assert read_transformer(folders["minilm"]).max_tokens == 40
    assert read_transformer(folders["bert"], "bert").max_tokens == 40


def test_the_published_encoders() -> None:
    rows = {n: (row.pooling, row.max_tokens, row.dim) for n, row in PRETRAINED.items()}
    assert rows == {
        "clip-vit-b-32": (Pooling.END, 77, 512),
        "clip-vit-b-16": (Pooling.END, 77, 512),
        "clip-rn101": (Pooling.END, 77, 512),
        "bert": (Pooling.MEAN, 512, 768),
        "minilm": (Pooling.MEAN, 256, 384),
    }


@pytest.mark.parametrize("part", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_name_stands_for_the_content_of_the_files(
    folders: dict[str, Path], tmp_path: Path, part: str
) -> None:
    original = read_transformer(folders["minilm"], "minilm")
    copy = Path(shutil.copytree(folders["minilm"], tmp_path / "copy"))
    assert read_transformer(copy, "minilm").name == original.name
    assert original.name.startswith("minilm-")
    path = copy / part
    if path.suffix == ".json":
        path.write_text(path.read_text() + "\n")
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    assert read_transformer(copy, "minilm").name != original.name


def test_another_model_than_the_name_says_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"is not bert: .*mean of all tokens, 384 wide, not.*768"):
        read_transformer(folders["minilm"], "bert")
    with pytest.raises(ConfigError, match=r"is not minilm: .*projected end of text, 512 wide"):
        read_transformer(folders["clip-rn101"], "minilm")


def test_a_missing_library_is_named(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers_encoder, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"'bert' needs .*pip install 'skeletonagent\[text\]'"):
        read_transformer(folders["bert"], "bert")
    with pytest.raises(ConfigError, match=r"pip install 'skeletonagent\[text\]'"):
        fetch_transformer("clip-vit-b-32")


def test_a_path_without_anything_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file or folder .*gone"):
        read_transformer(tmp_path / "gone")


def test_a_tokenizer_of_another_model_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folders["minilm"], tmp_path / "copy"))
    shutil.copy(folders["clip-vit-b-32"] / "tokenizer.json", copy)
    with pytest.raises(DataError, match=r"tokenizer\.json: knows 65 tokens, the weights 10"):
        read_transformer(copy)


def test_a_tokenizer_without_marks_is_refused(
    folders: dict[str, Path], clip: TransformersEncoder, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(folders["clip-vit-b-32"], tmp_path / "copy"))
    bare = type(clip.tokenizer)(clip.tokenizer.model)
    bare.save(str(copy / "tokenizer.json"))
    with pytest.raises(DataError, match="special token before and after"):
        read_transformer(copy)
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read as a tokenizer"):
        read_transformer(copy)


@pytest.mark.parametrize("name", PRETRAINED)
def test_files_are_fetched_by_name(
    name: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(repository: str, files: tuple[tuple[str, ...], ...]) -> Path:
        asked.append(repository)
        assert all(any((folders[name] / n).is_file() for n in names) for names in files)
        return folders[name]

    monkeypatch.setattr(transformers_encoder, "fetch", fetch)
    assert fetch_transformer(name).name == read_transformer(folders[name], name).name
    assert asked == [PRETRAINED[name].repository]


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_message_says_how_to_do_without_the_hub(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(repository: str, files: object) -> Path:
        raise ConfigError(f"{repository} cannot be had")

    monkeypatch.setattr(transformers_encoder, "fetch", fetch)
    with pytest.raises(ConfigError) as caught:
        fetch_transformer(name)
    message = str(caught.value)
    assert f"'{name}' is not on this machine: {PRETRAINED[name].repository} cannot" in message
    assert f"'hf download {PRETRAINED[name].repository} " in message
    assert f"agents.text_encoder={name}:PATH" in message
    assert "tokenizer.json" in message and "agents.text_encoder=wordllama" in message
