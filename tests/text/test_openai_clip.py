"""OpenAI's tensors under the transformers library's names, against the tower step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from skeletonagent.core.errors import DataError
from skeletonagent.text.openai_clip import from_openai_clip, read_openai_clip, shape_of

transformers = pytest.importorskip("transformers")


def _library_tower(state: dict[str, torch.Tensor]) -> nn.Module:
    shape = transformers.CLIPTextConfig(**shape_of(state))
    model = transformers.CLIPTextModelWithProjection(shape).eval()
    model.load_state_dict(from_openai_clip(state))
    return model


def test_the_renamed_tower_computes_what_openais_does(tower: Any) -> None:
    words = tower.token_embedding.num_embeddings
    ids = torch.randint(0, words - 1, (3, 77), generator=torch.Generator().manual_seed(0))
    for row, length in enumerate((5, 40, 77)):
        ids[row, length - 1] = words - 1
        ids[row, length:] = 0  # OpenAI pads with zeros
    with torch.no_grad():
        actual = _library_tower(tower.state_dict())(input_ids=ids).text_embeds
        torch.testing.assert_close(actual, tower(ids), rtol=1e-4, atol=1e-4)


def test_every_tensor_of_the_text_tower_finds_its_place(tower: Any) -> None:
    state = tower.state_dict()
    elsewhere = ("visual.", "logit_scale")
    theirs = sum(v.numel() for name, v in state.items() if not name.startswith(elsewhere))
    renamed = from_openai_clip(state)
    assert sum(tensor.numel() for tensor in renamed.values()) == theirs
    assert set(renamed) == set(_library_tower(state).state_dict())


def test_shape_of_vit_b_32() -> None:
    """The published numbers (Radford et al. 2021, table 19): 12 layers of width 512, 8 heads."""
    state = {
        "token_embedding.weight": torch.empty(49408, 512, device="meta"),
        "positional_embedding": torch.empty(77, 512, device="meta"),
        "text_projection": torch.empty(512, 512, device="meta"),
    } | {f"transformer.resblocks.{i}.ln_1.bias": torch.empty(512) for i in range(12)}
    library = transformers.CLIPTextConfig().to_dict()
    assert {key: library[key] for key in shape_of(state)} == shape_of(state)


@given(width=st.integers(1, 4), rows=st.integers(1, 3))
def test_stacked_matrices_are_only_taken_apart(width: int, rows: int) -> None:
    stacked = torch.randn(3 * rows, width)
    renamed = from_openai_clip(
        {
            "text_projection": torch.zeros(1, 1),
            "transformer.resblocks.11.attn.in_proj_weight": stacked,
            "transformer.resblocks.1.attn.in_proj_bias": stacked[:, 0],
        }
    )
    layer = "text_model.encoder.layers.{}.self_attn.{}_proj.{}"
    weights = [renamed[layer.format(11, letter, "weight")] for letter in "qkv"]
    biases = [renamed[layer.format(1, letter, "bias")] for letter in "qkv"]
    torch.testing.assert_close(torch.cat(weights), stacked, rtol=0, atol=0)
    torch.testing.assert_close(torch.cat(biases), stacked[:, 0], rtol=0, atol=0)


def test_all_forms_of_the_file_hold_the_same(
    tower: Any, archive: Path, folders: dict[str, Path], tmp_path: Path
) -> None:
    expected = {k: v for k, v in tower.state_dict().items() if not k.startswith("visual.")}
    torch.save(tower.state_dict(), tmp_path / "state.pt")
    paths = [archive, tmp_path / "state.pt", folders["clip-rn101"] / "open_clip_model.safetensors"]
    for path in paths:
        state = read_openai_clip(path)
        assert state.keys() == expected.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(state[name], tensor, rtol=0, atol=0)


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("content", ["bomb", "module", "list", "other", "text", "nothing"])
def test_other_files_are_refused_and_never_run(content: str, tmp_path: Path) -> None:
    path, trace = tmp_path / "ViT-B-32.pt", tmp_path / "trace"
    whole: dict[str, Any] = {
        "bomb": Bomb(trace),
        "module": nn.Linear(2, 2),
        "list": [torch.zeros(1)],
        "other": {"visual.proj": torch.zeros(1)},
    }
    if content in whole:
        torch.save(whole[content], path)
    elif content == "text":
        path.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(DataError, match=r"ViT-B-32\.pt: (cannot be read|is no CLIP)"):
        read_openai_clip(path)
    assert not trace.exists()


def test_damaged_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "open_clip_model.safetensors"
    path.write_bytes(b"not it")
    with pytest.raises(DataError, match=r"open_clip_model\.safetensors: cannot be read"):
        read_openai_clip(path)
