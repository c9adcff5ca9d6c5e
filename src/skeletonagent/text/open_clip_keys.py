"""Names of the tensors of OpenAI's CLIP text encoder, and those of the transformers library.

The open_clip library publishes CLIP models under OpenAI's names, CLIP-RN101 among them, which the
transformers library does not have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

HEAD_WIDTH = 64
"""Width of an attention head in all of OpenAI's text encoders; the tensors do not say it."""

REQUIRED_KEYS = ("token_embedding.weight", "positional_embedding", "text_projection")
"""Tensors that every text encoder under OpenAI's names has."""

_LAYER = r"transformer\.resblocks\.(\d+)\."
_RENAMED_LAYER = r"text_model.encoder.layers.\1."
_RENAMED = tuple(
    (re.compile(pattern + r"(?=\.|$)"), replacement)
    for pattern, replacement in (
        (r"token_embedding", "text_model.embeddings.token_embedding"),
        (r"positional_embedding", "text_model.embeddings.position_embedding.weight"),
        (r"ln_final", "text_model.final_layer_norm"),
        (_LAYER + r"ln_([12])", _RENAMED_LAYER + r"layer_norm\2"),
        (_LAYER + r"attn\.out_proj", _RENAMED_LAYER + "self_attn.out_proj"),
        (_LAYER + r"mlp\.c_fc", _RENAMED_LAYER + "mlp.fc1"),
        (_LAYER + r"mlp\.c_proj", _RENAMED_LAYER + "mlp.fc2"),
    )
)
_STACKED = re.compile(_LAYER + r"attn\.in_proj_(weight|bias)$")


def convert_open_clip_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a text encoder's tensors under the names of ``CLIPTextModelWithProjection``.

    OpenAI has queries, keys and values in one matrix, and the projection transposed.

    Args:
        state: Tensors under OpenAI's names; those of no text encoder are ignored.
    """
    renamed = {"text_projection.weight": state["text_projection"].T.contiguous()}
    for name, tensor in state.items():
        stacked = _STACKED.match(name)
        if stacked:
            layer, kind = stacked.groups()
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                key = f"text_model.encoder.layers.{layer}.self_attn.{letter}_proj.{kind}"
                renamed[key] = part.clone()
        for pattern, replacement in _RENAMED:
            if pattern.match(name):
                renamed[pattern.sub(replacement, name, count=1)] = tensor
    return renamed


def open_clip_settings(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the settings of ``CLIPTextConfig`` that fit tensors under OpenAI's names."""
    vocab_size, width = state["token_embedding.weight"].shape
    layers = {match.group(1) for match in map(re.compile(_LAYER).match, state) if match}
    return {
        "vocab_size": vocab_size,
        "bos_token_id": vocab_size - 2,
        "eos_token_id": vocab_size - 1,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "projection_dim": state["text_projection"].shape[1],
        "num_hidden_layers": len(layers),
        "num_attention_heads": max(1, width // HEAD_WIDTH),
        "max_position_embeddings": state["positional_embedding"].shape[0],
        "hidden_act": "quick_gelu",
    }
