"""OpenAI's tensors under the transformers library's names, against the encoder step by step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from skeletonagent.text.model_files import convert_open_clip_keys, open_clip_settings

transformers = pytest.importorskip("transformers")


def _library_model(state: dict[str, torch.Tensor]) -> nn.Module:
    settings = transformers.CLIPTextConfig(**open_clip_settings(state))
    model = transformers.CLIPTextModelWithProjection(settings).eval()
    model.load_state_dict(convert_open_clip_keys(state))
    return model


def test_converted_keys_give_openais_vectors(tower: Any) -> None:
    words = tower.token_embedding.num_embeddings
    ids = torch.randint(0, words - 1, (3, 77), generator=torch.Generator().manual_seed(0))
    for row, length in enumerate((5, 40, 77)):
        ids[row, length - 1] = words - 1
        ids[row, length:] = 0  # OpenAI pads with zeros
    with torch.no_grad():
        actual = _library_model(tower.state_dict())(input_ids=ids).text_embeds
        torch.testing.assert_close(actual, tower(ids), rtol=1e-4, atol=1e-4)


def test_every_tensor_of_the_text_encoder_is_converted(tower: Any) -> None:
    state = tower.state_dict()
    ignored = ("visual.", "logit_scale")
    expected = sum(v.numel() for name, v in state.items() if not name.startswith(ignored))
    renamed = convert_open_clip_keys(state)
    assert sum(tensor.numel() for tensor in renamed.values()) == expected
    assert set(renamed) == set(_library_model(state).state_dict())


def test_open_clip_settings_of_vit_b_32() -> None:
    """The published numbers (Radford et al. 2021, table 19): 12 layers of width 512, 8 heads."""
    state = {
        "token_embedding.weight": torch.empty(49408, 512, device="meta"),
        "positional_embedding": torch.empty(77, 512, device="meta"),
        "text_projection": torch.empty(512, 512, device="meta"),
    } | {f"transformer.resblocks.{i}.ln_1.bias": torch.empty(512) for i in range(12)}
    library = transformers.CLIPTextConfig().to_dict()
    assert {key: library[key] for key in open_clip_settings(state)} == open_clip_settings(state)


@given(width=st.integers(1, 4), rows=st.integers(1, 3))
def test_stacked_matrices_are_split(width: int, rows: int) -> None:
    stacked = torch.randn(3 * rows, width)
    renamed = convert_open_clip_keys(
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
