"""Pretrained text encoders: sentences to unit vectors, and where the files come from."""

from __future__ import annotations

import logging
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.text import transformers_encoder
from skeletonagent.text.model_files import find_model_files
from skeletonagent.text.transformers_encoder import (
    PRETRAINED,
    TokenPooling,
    TransformersEncoder,
    load_transformer,
    read_text_transformer,
    read_transformer,
)

transformers = pytest.importorskip("transformers")
FORMS = ["clip-vit-b-32", "clip-rn101", "bert"]
IDS = torch.tensor([2, 5, 6, 3])


@pytest.fixture(scope="module")
def clip(folders: dict[str, Path]) -> TransformersEncoder:
    return read_transformer(folders["clip-vit-b-32"], "clip-vit-b-32")


@pytest.fixture(scope="module")
def bert(folders: dict[str, Path]) -> TransformersEncoder:
    return read_transformer(folders["bert"], "bert")


@pytest.fixture(scope="module", params=["clip", "bert"])
def encoder(request: pytest.FixtureRequest) -> TransformersEncoder:
    encoder: TransformersEncoder = request.getfixturevalue(request.param)
    return encoder


def test_a_vector_is_the_transformers_at_length_one(encoder: TransformersEncoder) -> None:
    ids = encoder.tokenizer.encode("the arm swings.").ids
    vector = encoder.transformer.encode_tokens(torch.tensor(ids))
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
        assert encoder.count_tokens("Arm hand.") == 5
        assert encoder.count_tokens("") == 2
        assert encoder.count_tokens("arm " * 600) == 602  # the whole of it, not what is read


def test_of_a_long_sentence_the_end_is_cut_and_the_marks_stay(encoder: TransformersEncoder) -> None:
    most = encoder.max_tokens
    arm, hand = (encoder.tokenizer.encode(word).ids[1] for word in ("arm", "hand"))
    start, end = encoder.tokenizer.encode("").ids
    kept = torch.tensor([start, *[arm] * (most - 3), hand, end])
    assert len(kept) == most
    expected = torch.nn.functional.normalize(encoder.transformer.encode_tokens(kept), dim=0)
    fits = "arm " * (most - 3) + "hand"
    for sentence in (fits, f"{fits} arm", f"{fits} hand" + " arm" * 500):
        torch.testing.assert_close(encoder.encode([sentence])[0], expected, rtol=0, atol=0)
    assert encoder.count_tokens(fits) == most
    assert encoder.count_tokens(f"{fits} arm") == most + 1
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
        "clip-vit-b-32": (TokenPooling.END, 77, 512),
        "clip-vit-b-16": (TokenPooling.END, 77, 512),
        "clip-rn101": (TokenPooling.END, 77, 512),
        "bert": (TokenPooling.MEAN, 512, 768),
        "minilm": (TokenPooling.MEAN, 256, 384),
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
        load_transformer("clip-vit-b-32")


def test_a_path_without_anything_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no folder .*gone"):
        read_transformer(tmp_path / "gone")


def test_a_tokenizer_of_another_model_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folders["minilm"], tmp_path / "copy"))
    shutil.copy(folders["clip-vit-b-32"] / "tokenizer.json", copy)
    with pytest.raises(DataError, match=r"tokenizer\.json: has 65 tokens, the weights 10"):
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

    def download(repository: str, files: tuple[tuple[str, ...], ...]) -> Path:
        asked.append(repository)
        assert all(any((folders[name] / n).is_file() for n in names) for names in files)
        return folders[name]

    monkeypatch.setattr(transformers_encoder, "download_model_files", download)
    assert load_transformer(name).name == read_transformer(folders[name], name).name
    assert asked == [PRETRAINED[name].repository]


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_message_says_how_to_do_without_the_hub(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(repository: str, files: object) -> Path:
        raise ConfigError(f"{repository} cannot be had")

    monkeypatch.setattr(transformers_encoder, "download_model_files", download)
    with pytest.raises(ConfigError) as caught:
        load_transformer(name)
    message = str(caught.value)
    assert f"'{name}' is not on this machine: {PRETRAINED[name].repository} cannot" in message
    assert f"'hf download {PRETRAINED[name].repository} " in message
    assert f"agents.text_encoder={name}:PATH" in message
    assert "tokenizer.json" in message and "agents.text_encoder=wordllama" in message


def _vector(path: Path, ids: torch.Tensor = IDS) -> torch.Tensor:
    with torch.no_grad():
        return read_text_transformer(find_model_files(path)).encode_tokens(ids)


@pytest.mark.parametrize(
    ("name", "pooling", "dim", "positions"),
    [
        ("clip-vit-b-16", TokenPooling.END, 512, 77),
        ("clip-rn101", TokenPooling.END, 512, 77),
        ("minilm", TokenPooling.MEAN, 384, 40),
    ],
)
def test_a_transformer_has_the_shape_of_its_files(
    folders: dict[str, Path], name: str, pooling: TokenPooling, dim: int, positions: int
) -> None:
    transformer = read_text_transformer(find_model_files(folders[name]))
    assert (transformer.pooling, transformer.dim, transformer.max_tokens) == (
        pooling,
        dim,
        positions,
    )
    assert transformer.encode_tokens(IDS).shape == (dim,)
    assert not transformer.model.training
    assert not any(parameter.requires_grad for parameter in transformer.model.parameters())


def test_clip_is_the_librarys_text_embedding(folders: dict[str, Path]) -> None:
    model = transformers.CLIPTextModelWithProjection.from_pretrained(folders["clip-vit-b-32"])
    end = model.config.eos_token_id
    padded = torch.tensor([[1, 2, 3, end], [4, end, end, end]])
    with torch.no_grad():
        expected = model.eval()(input_ids=padded).text_embeds
    for ids, vector in zip(([1, 2, 3, end], [4, end]), expected, strict=True):
        torch.testing.assert_close(_vector(folders["clip-vit-b-32"], torch.tensor(ids)), vector)


def test_bert_is_the_mean_of_what_is_no_padding(folders: dict[str, Path]) -> None:
    model = transformers.BertModel.from_pretrained(folders["bert"]).eval()
    padded = torch.tensor([[2, 4, 5, 6, 3], [2, 5, 3, 0, 0]])
    mask = (padded > 0).long()
    with torch.no_grad():
        hidden = model(input_ids=padded, attention_mask=mask).last_hidden_state
    expected = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    for ids, vector in zip(([2, 4, 5, 6, 3], [2, 5, 3]), expected, strict=True):
        actual = _vector(folders["bert"], torch.tensor(ids))
        torch.testing.assert_close(actual, vector, rtol=1e-4, atol=1e-5)


def test_open_clip_gives_openais_vectors(tower: Any, folders: dict[str, Path]) -> None:
    ids = torch.tensor([9, 8, 7, tower.token_embedding.num_embeddings - 1])
    vector = _vector(folders["clip-rn101"], ids)
    torch.testing.assert_close(vector, tower(ids[None])[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("folder", ["clip-rn101"], indirect=True)
def test_half_precision_is_read_as_float32(folder: Path) -> None:
    expected = _vector(folder)
    weights = folder / "open_clip_model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(weights).items()}, weights)
    vector = _vector(folder)
    assert vector.dtype == torch.float32
    torch.testing.assert_close(vector, expected, rtol=0.05, atol=0.2)


@pytest.mark.parametrize("folder", ["clip-rn101"], indirect=True)
def test_other_tensors_of_open_clip_are_refused(folder: Path) -> None:
    save_file({"visual.proj": torch.zeros(1)}, folder / "open_clip_model.safetensors")
    with pytest.raises(DataError, match=r"safetensors: is no CLIP model .*token_embedding\.weight"):
        _vector(folder)


@pytest.mark.parametrize("folder", ["clip-vit-b-32", "bert"], indirect=True)
def test_torchs_own_format_is_read_too(folder: Path) -> None:
    expected = _vector(folder)
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    assert find_model_files(folder).weights.name == "pytorch_model.bin"
    torch.testing.assert_close(_vector(folder), expected)


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_what_is_pickled_is_never_run(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"a": Bomb(tmp_path / "trace")}, folder / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"pytorch_model\.bin: cannot be read"):
        _vector(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "trace")))
    with pytest.raises(DataError, match=r"pytorch_model\.bin: cannot be read"):
        _vector(folder)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("folder", FORMS, indirect=True)
def test_a_missing_tensor_is_not_made_up(folder: Path) -> None:
    weights = find_model_files(folder).weights
    state = load_file(weights)
    del state[next(name for name in state if name.endswith(("layer_norm2.bias", "ln_2.bias",
                                                            "output.LayerNorm.bias")))]  # fmt: skip
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"safetensors: 1 tensors of the text encoder are missing"):
        _vector(folder)


@pytest.mark.parametrize("folder", FORMS, indirect=True)
def test_damaged_weights_are_named(folder: Path) -> None:
    find_model_files(folder).weights.write_bytes(b"not it")
    with pytest.raises(DataError, match=r"safetensors: cannot be read"):
        _vector(folder)


@pytest.mark.parametrize("name", FORMS)
def test_reading_is_quiet(
    folders: dict[str, Path],
    name: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    library = transformers.utils.logging
    before = library.get_verbosity(), library.is_progress_bar_enabled()
    with caplog.at_level(logging.WARNING):
        read_text_transformer(find_model_files(folders[name]))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert (library.get_verbosity(), library.is_progress_bar_enabled()) == before
