"""Reading pretrained transformers from their files, whole or not at all."""

from __future__ import annotations

import logging
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from skeletonagent.core.errors import DataError
from skeletonagent.text.towers import Pooling, find_files, read_tower

transformers = pytest.importorskip("transformers")
FORMS = ["clip-vit-b-32", "clip-rn101", "bert"]
IDS = torch.tensor([2, 5, 6, 3])


@pytest.fixture
def folder(request: pytest.FixtureRequest, folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a folder, to be changed."""
    return Path(shutil.copytree(folders[request.param], tmp_path / "copy"))


def _vector(path: Path, ids: torch.Tensor = IDS) -> torch.Tensor:
    with torch.no_grad():
        return read_tower(find_files(path)).vector(ids)


@pytest.mark.parametrize(
    ("name", "pooling", "dim", "positions"),
    [
        ("clip-vit-b-16", Pooling.END, 512, 77),
        ("clip-rn101", Pooling.END, 512, 77),
        ("minilm", Pooling.MEAN, 384, 40),
    ],
)
def test_a_tower_knows_its_shape(
    folders: dict[str, Path], name: str, pooling: Pooling, dim: int, positions: int
) -> None:
    tower = read_tower(find_files(folders[name]))
    assert (tower.pooling, tower.dim, tower.max_tokens) == (pooling, dim, positions)
    assert tower.vector(IDS).shape == (dim,)
    assert not tower.model.training
    assert not any(parameter.requires_grad for parameter in tower.model.parameters())


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


def test_openais_file_is_openais_tower(tower: Any, archive: Path, folders: dict[str, Path]) -> None:
    ids = torch.tensor([9, 8, 7, tower.token_embedding.num_embeddings - 1])
    for path in (archive, folders["clip-rn101"]):
        torch.testing.assert_close(_vector(path, ids), tower(ids[None])[0], rtol=1e-4, atol=1e-4)


def test_half_precision_is_read_as_float32(tower: Any, tmp_path: Path, archive: Path) -> None:
    state = {name: tensor.half() for name, tensor in tower.state_dict().items()}
    torch.save(state, tmp_path / "half.pt")
    shutil.copy(archive.parent / "tokenizer.json", tmp_path)
    vector = _vector(tmp_path / "half.pt")
    assert vector.dtype == torch.float32
    torch.testing.assert_close(vector, _vector(archive), rtol=0.05, atol=0.2)


@pytest.mark.parametrize("folder", ["clip-vit-b-32", "bert"], indirect=True)
def test_torchs_own_format_is_read_too(folder: Path) -> None:
    expected = _vector(folder)
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    assert find_files(folder).weights.name == "pytorch_model.bin"
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
    weights = find_files(folder).weights
    state = load_file(weights)
    del state[next(name for name in state if name.endswith(("layer_norm2.bias", "ln_2.bias",
                                                            "output.LayerNorm.bias")))]  # fmt: skip
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"safetensors: 1 tensors of the text encoder are missing"):
        _vector(folder)


@pytest.mark.parametrize("folder", FORMS, indirect=True)
def test_damaged_weights_are_named(folder: Path) -> None:
    find_files(folder).weights.write_bytes(b"not it")
    with pytest.raises(DataError, match=r"safetensors: cannot be read"):
        _vector(folder)


@pytest.mark.parametrize("folder", FORMS, indirect=True)
@pytest.mark.parametrize("part", ["tokenizer.json", "weights"])
def test_missing_files_are_named_with_what_to_do(folder: Path, part: str) -> None:
    weights = find_files(folder).weights.name
    (folder / (weights if part == "weights" else part)).unlink()
    said = rf"no .*{weights}" if part == "weights" else r"tokenizer\.json is missing.*put there"
    with pytest.raises(DataError, match=said):
        find_files(folder)


@pytest.mark.parametrize("config", [None, "", "[]", "{", '{"model_type": "t5"}'])
@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_models_of_another_kind_are_refused(folder: Path, config: str | None) -> None:
    (folder / "config.json").unlink()
    if config is not None:
        (folder / "config.json").write_text(config)
    with pytest.raises(DataError, match=r"config\.json of a CLIP or BERT model"):
        find_files(folder)


def test_files_are_what_the_vectors_depend_on(folders: dict[str, Path], archive: Path) -> None:
    names = [path.name for path in find_files(folders["bert"]).all]
    assert names == ["model.safetensors", "tokenizer.json", "config.json"]
    names = [path.name for path in find_files(folders["clip-rn101"]).all]
    assert names == ["open_clip_model.safetensors", "tokenizer.json"]
    assert find_files(archive).all == [archive, archive.parent / "tokenizer.json"]


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
        read_tower(find_files(folders[name]))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert (library.get_verbosity(), library.is_progress_bar_enabled()) == before
