"""Files of pretrained text encoders: in a folder or downloaded, their digests and tokenizers."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from skeletonagent.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_log = logging.getLogger(__name__)

TOKENIZER = "tokenizer.json"
CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names of the transformers library for its weights, the preferred one first."""
OPEN_CLIP_WEIGHTS = "open_clip_model.safetensors"
"""Name of the open_clip library for its weights."""

HUB_TIMEOUT = 5.0
"""Seconds after which a hub that does not answer counts as unreachable."""


@dataclass(frozen=True)
class ModelFiles:
    """Files of a text encoder.

    Args:
        weights: Tensors of the model.
        tokenizer: Tokenizer of the model.
        config: Configuration of the transformers library; None for weights of open_clip.
    """

    weights: Path
    tokenizer: Path
    config: Path | None

    @property
    def all(self) -> list[Path]:
        """Every file the vectors depend on."""
        return [path for path in (self.weights, self.tokenizer, self.config) if path is not None]


def find_model_files(folder: Path) -> ModelFiles:
    """Return the files of the text encoder in a folder.

    Raises:
        DataError: If one is missing.
    """
    if not (folder / TOKENIZER).is_file():
        raise DataError(
            f"{TOKENIZER} is missing in this folder; put there the one of the weights (that of "
            "openai/clip-vit-base-patch32 on the Hugging Face hub fits all of OpenAI's CLIP)",
            path=folder,
        )
    readable = model_family(folder / CONFIG) is not None
    names = WEIGHTS if readable else (OPEN_CLIP_WEIGHTS,)
    for name in names:
        if (folder / name).is_file():
            config = folder / CONFIG if readable else None
            return ModelFiles(folder / name, folder / TOKENIZER, config)
    raise DataError(
        f"no {' or '.join(names)} in this folder; needed are {CONFIG} of a CLIP or BERT model of "
        f"the transformers library and {' or '.join(WEIGHTS)}, or {OPEN_CLIP_WEIGHTS}",
        path=folder,
    )


def model_family(config: Path) -> str | None:
    """Return the family of a folder's model, ``clip`` or ``bert``; None for any other."""
    try:
        kind = json.loads(config.read_bytes()).get("model_type")
    except (OSError, ValueError, AttributeError):
        return None
    return {"clip": "clip", "clip_text_model": "clip", "bert": "bert"}.get(kind)


def digest_files(paths: Sequence[Path], remedy: str) -> str:
    """Return 12 hexadecimal digits that stand for the content of some files.

    Args:
        paths: The files; their order counts, their names do not.
        remedy: Advice for the message if one cannot be read.

    Raises:
        DataError: If one cannot be read.
    """
    digests = [_digest_file(path, remedy) for path in paths]
    return (digests[0] if len(digests) == 1 else sha256(b"".join(digests)).digest()).hex()[:12]


def _digest_file(path: Path, remedy: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}; {remedy}", path=path) from error


def read_tokenizer(path: Path, remedy: str) -> Tokenizer:
    """Return the tokenizer of a ``tokenizer.json``, set to neither pad nor truncate.

    Args:
        path: The file, under whatever name.
        remedy: Advice for the message if it cannot be read.

    Raises:
        DataError: If it cannot be read.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises nothing more specific
        raise DataError(f"cannot be read as a tokenizer: {error}; {remedy}", path=path) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def download_model_files(repository: str, files: Sequence[Sequence[str]]) -> Path:
    """Return the folder of a repository's files in the cache of the Hugging Face hub.

    Nothing is sent over the network if all of them are in the cache, or if ``HF_HUB_OFFLINE`` is
    set.

    Args:
        repository: Name of the repository, with its owner.
        files: For each file the names it may have, the preferred one first.

    Raises:
        ConfigError: If one is not in the cache and cannot be downloaded.
    """
    paths = [_find_cached(repository, names) for names in files]
    if None in paths:
        paths = [_download(repository, names) for names in files]
    return next(path for path in paths if path is not None).parent


def _find_cached(repository: str, names: Sequence[str]) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    for name in names:
        try:
            return Path(hf_hub_download(repository, name, local_files_only=True))
        except LocalEntryNotFoundError:
            continue
    return None


def _download(repository: str, names: Sequence[str]) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        for name in names:
            if _is_on_hub(repository, name):
                _log.info("downloading %s of %s from the Hugging Face hub", name, repository)
                return Path(hf_hub_download(repository, name, etag_timeout=HUB_TIMEOUT))
    except Exception as error:  # an HTTP library's, and which one differs between versions
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ConfigError(
            f"{name} of {repository} cannot be downloaded from the Hugging Face hub ({reason})"
        ) from error
    raise ConfigError(f"{repository} on the Hugging Face hub has no {' or '.join(names)}")


def _is_on_hub(repository: str, name: str) -> bool:
    """Return whether the hub has a file; a download without asking would retry for minutes."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(repository, name), timeout=HUB_TIMEOUT)
    except EntryNotFoundError:
        return False
    return True


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
