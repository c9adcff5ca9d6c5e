"""OpenAI's text tower of CLIP: its tensors, and their names in the transformers library."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skeletonagent.core.errors import DataError
from skeletonagent.text.torchscript import is_torchscript, read_torchscript

_IMAGE_TOWER = "visual."
_HEAD_WIDTH = 64  # that of all of OpenAI's text towers; their tensors do not tell
_NEEDED = ("token_embedding.weight", "positional_embedding", "text_projection")
_LAYER = r"transformer\.resblocks\.(\d+)\."
_THEIRS = r"text_model.encoder.layers.\1."
_RENAMED = tuple(
    (re.compile(pattern + r"(?=\.|$)"), replacement)
    for pattern, replacement in (
        (r"token_embedding", "text_model.embeddings.token_embedding"),
        (r"positional_embedding", "text_model.embeddings.position_embedding.weight"),
        (r"ln_final", "text_model.final_layer_norm"),
        (_LAYER + r"ln_([12])", _THEIRS + r"layer_norm\2"),
        (_LAYER + r"attn\.out_proj", _THEIRS + "self_attn.out_proj"),
        (_LAYER + r"mlp\.c_fc", _THEIRS + "mlp.fc1"),
        (_LAYER + r"mlp\.c_proj", _THEIRS + "mlp.fc2"),
    )
)
_STACKED = re.compile(_LAYER + r"attn\.in_proj_(weight|bias)$")


def read_openai_clip(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a CLIP model under OpenAI's names, if possible without the image tower.

    Args:
        path: OpenAI's TorchScript archive, a state dict of it, or open_clip's safetensors.

    Raises:
        DataError: If it is none of them; nothing but tensors is ever unpickled.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        elif is_torchscript(path):
            state = read_torchscript(path, leave_out=(_IMAGE_TOWER,))
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, SafetensorError) as error:
        raise DataError(f"cannot be read as tensors: {error}", path=path) from error
    for name in _NEEDED:
        if not isinstance(state, Mapping) or name not in state:
            raise DataError(f"is no CLIP model of OpenAI's: it has no {name}", path=path)
    return {name: tensor for name, tensor in state.items() if not name.startswith(_IMAGE_TOWER)}


def shape_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the settings of the transformers library for a text tower under OpenAI's names."""
    words, width = state["token_embedding.weight"].shape
    layers = {match.group(1) for match in map(re.compile(_LAYER).match, state) if match}
    return {
        "vocab_size": words,
        "bos_token_id": words - 2,
        "eos_token_id": words - 1,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "projection_dim": state["text_projection"].shape[1],
        "num_hidden_layers": len(layers),
        "num_attention_heads": max(1, width // _HEAD_WIDTH),
        "max_position_embeddings": state["positional_embedding"].shape[0],
        "hidden_act": "quick_gelu",
    }


def from_openai_clip(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a text tower under the names of ``CLIPTextModelWithProjection``.

    Queries, keys and values are one matrix at OpenAI, and the projection is its transpose.

    Args:
        state: Tensors under OpenAI's names; those of no text tower are passed over.
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
