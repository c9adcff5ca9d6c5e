"""Pretrained text encoders of the transformers library, the paper's CLIP among them.

Weights and tokenizer are files of one folder: a local one, or one of the Hugging Face hub's
cache. Nothing in them is executed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.text.model_files import (
    CONFIG,
    OPEN_CLIP_WEIGHTS,
    REQUIRED_KEYS,
    TOKENIZER,
    WEIGHTS,
    ModelFiles,
    convert_open_clip_keys,
    digest_files,
    download_model_files,
    find_model_files,
    model_family,
    open_clip_settings,
    read_tokenizer,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_REMEDY = "copy the folder again"


class TokenPooling(StrEnum):
    """Way from a transformer's outputs at the tokens to one vector of the sentence."""

    END = "projected end of text"
    MEAN = "mean of all tokens"


@dataclass(frozen=True)
class PretrainedSpec:
    """Row of the table of pretrained text encoders.

    Args:
        repository: Repository on the Hugging Face hub.
        files: For each file needed from there the names it may have.
        pooling: Way from the tokens to the vector of a sentence.
        max_tokens: Most tokens of a sentence, special ones included.
        dim: D, the width of a vector.
    """

    repository: str
    files: tuple[tuple[str, ...], ...]
    pooling: TokenPooling
    max_tokens: int
    dim: int


_FOLDER = ((CONFIG,), (TOKENIZER,), WEIGHTS)

PRETRAINED: Mapping[str, PretrainedSpec] = {
    "clip-vit-b-32": PretrainedSpec(
        "openai/clip-vit-base-patch32", _FOLDER, TokenPooling.END, max_tokens=77, dim=512
    ),
    "clip-vit-b-16": PretrainedSpec(
        "openai/clip-vit-base-patch16", _FOLDER, TokenPooling.END, max_tokens=77, dim=512
    ),
    "clip-rn101": PretrainedSpec(
        "timm/resnet101_clip.openai",
        ((TOKENIZER,), (OPEN_CLIP_WEIGHTS,)),
        TokenPooling.END,
        max_tokens=77,
        dim=512,
    ),
    "bert": PretrainedSpec(
        "google-bert/bert-base-uncased", _FOLDER, TokenPooling.MEAN, max_tokens=512, dim=768
    ),
    "minilm": PretrainedSpec(
        "sentence-transformers/all-MiniLM-L6-v2",
        _FOLDER,
        TokenPooling.MEAN,
        max_tokens=256,
        dim=384,
    ),
}
"""Text encoders of the paper's table 5, its default first, and MiniLM.

BERT's vector is the mean of all tokens, not [CLS], which says little about a sentence unless it
is trained to (Reimers and Gurevych 2019, table 1). MiniLM is trained with the mean, on at most
256 tokens.
"""


@dataclass(frozen=True)
class TextTransformer:
    """Pretrained transformer, token ids to the vector of a sentence.

    Args:
        model: Module of the transformers library.
        pooling: Way from the tokens to the vector.
        dim: D, the width of the vector.
        max_tokens: Number of positions.
        vocab_size: Number of tokens in the vocabulary.
    """

    model: Any
    pooling: TokenPooling
    dim: int
    max_tokens: int
    vocab_size: int

    def encode_tokens(self, ids: Int[Tensor, " t"]) -> Float[Tensor, " d"]:
        """Return the vector of a sentence, not normalised."""
        hidden: Tensor = self.model(input_ids=ids[None]).last_hidden_state[0]
        if self.pooling is TokenPooling.MEAN:
            return hidden.mean(dim=0)
        projected: Tensor = self.model.text_projection(hidden[-1])
        return projected


@dataclass(frozen=True)
class TransformersEncoder:
    """Text encoder made of a tokenizer and a pretrained transformer.

    Args:
        name: Name of the model with a digest of its files.
        tokenizer: Tokenizer that puts a first and a last special token around a sentence, and
            neither pads nor truncates.
        transformer: Transformer, token ids to the vector of a sentence.
        max_tokens: Most tokens that are encoded, special ones included.
    """

    name: str
    tokenizer: Tokenizer
    transformer: TextTransformer
    max_tokens: int

    @property
    def dim(self) -> int:
        """D, the width of a sentence's vector."""
        return self.transformer.dim

    def count_tokens(self, sentence: str) -> int:
        """Return the number of tokens of a sentence before truncation, special ones included."""
        return len(self.tokenizer.encode(sentence).ids)

    def encode(self, sentences: Sequence[str]) -> Float[Tensor, "y d"]:
        """Return a unit vector per sentence; a long sentence is cut before its last token.

        Each is encoded by itself: without padding, its bits do not depend on the others, which
        would show in a resumed run. On a CPU that takes little longer than batches do.
        """
        vectors = torch.empty(len(sentences), self.dim)
        with torch.no_grad():
            for row, encoding in zip(
                vectors, self.tokenizer.encode_batch(list(sentences)), strict=True
            ):
                vector = self.transformer.encode_tokens(torch.tensor(self._truncate(encoding.ids)))
                row.copy_(functional.normalize(vector, dim=0))
        return vectors

    def _truncate(self, ids: list[int]) -> list[int]:
        return ids if len(ids) <= self.max_tokens else [*ids[: self.max_tokens - 1], ids[-1]]


def load_transformer(name: str) -> TransformersEncoder:
    """Return a pretrained text encoder from the Hugging Face hub or its cache on this machine.

    Args:
        name: Name in :data:`PRETRAINED`.

    Raises:
        ConfigError: If the transformers library is not installed, or the files are neither in the
            cache nor on a hub that can be reached; the message says how to get them.
        DataError: If the files are damaged.
    """
    _require_transformers(name)
    spec = PRETRAINED[name]
    try:
        folder = download_model_files(spec.repository, spec.files)
    except ConfigError as error:
        files = " ".join(names[-1] for names in spec.files)  # the names that all repositories have
        raise ConfigError(
            f"the text encoder {name!r} is not on this machine: {error}; where the hub can be "
            f"reached, run 'hf download {spec.repository} {files} --local-dir {name}', then "
            f"copy that folder here and give its path as agents.text_encoder={name}:PATH; or use "
            "agents.text_encoder=wordllama, which needs no download"
        ) from error
    return read_transformer(folder, name)


def read_transformer(folder: Path, name: str | None = None) -> TransformersEncoder:
    """Return the text encoder in a folder.

    Args:
        folder: Folder with ``tokenizer.json`` and a CLIP or BERT model of the transformers
            library, or open_clip's weights of one of OpenAI's CLIP models.
        name: Name in :data:`PRETRAINED` that the model must fit; None allows any.

    Raises:
        ConfigError: If the transformers library is not installed, the folder does not exist, or
            the model does not fit the name.
        DataError: If files are damaged or missing.
    """
    _require_transformers(name or str(folder))
    if not folder.is_dir():
        raise ConfigError(f"no folder {folder} to read a text encoder from")
    files = find_model_files(folder)
    transformer = read_text_transformer(files)
    spec = PRETRAINED.get(name) if name else None
    if spec and (transformer.dim, transformer.pooling) != (spec.dim, spec.pooling):
        raise ConfigError(
            f"{folder} is not {name}: its vectors are the {transformer.pooling}, "
            f"{transformer.dim} wide, not the {spec.pooling}, {spec.dim} wide; give the path "
            "alone to use it all the same"
        )
    max_tokens = transformer.max_tokens
    return TransformersEncoder(
        name=f"{name or 'transformer'}-{digest_files(files.all, _REMEDY)}",
        tokenizer=_read_matching_tokenizer(files.tokenizer, transformer),
        transformer=transformer,
        max_tokens=min(spec.max_tokens, max_tokens) if spec else max_tokens,
    )


def read_text_transformer(files: ModelFiles) -> TextTransformer:
    """Return the transformer in some files.

    Raises:
        DataError: If they are damaged or hold something else.
    """
    from transformers import BertModel, CLIPTextConfig, CLIPTextModelWithProjection

    options: dict[str, Any] = {"use_safetensors": files.weights.suffix == ".safetensors"}
    architecture: Any = CLIPTextModelWithProjection
    folder: Path | None = files.weights.parent
    if files.config is None:
        state = _read_open_clip(files.weights)
        folder = None
        options = {
            "config": CLIPTextConfig(**open_clip_settings(state)),
            "state_dict": convert_open_clip_keys(state),
        }
    elif model_family(files.config) == "bert":
        architecture, options = BertModel, {**options, "add_pooling_layer": False}
    with _quiet_transformers():
        try:
            model, report = architecture.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, **options
            )
        except Exception as error:  # from several libraries, in several ways
            raise DataError(f"cannot be read: {error}", path=files.weights) from error
    missing = sorted(report["missing_keys"])
    if missing:  # the library would leave them with random values
        raise DataError(
            f"{len(missing)} tensors of the text encoder are missing, for instance {missing[0]}",
            path=files.weights,
        )
    settings = model.config
    has_projection = hasattr(model, "text_projection")
    return TextTransformer(
        model=model.float().eval().requires_grad_(False),
        pooling=TokenPooling.END if has_projection else TokenPooling.MEAN,
        dim=settings.projection_dim if has_projection else settings.hidden_size,
        max_tokens=settings.max_position_embeddings,
        vocab_size=settings.vocab_size,
    )


def _read_open_clip(path: Path) -> dict[str, Tensor]:
    """Return the tensors of open_clip's file, without those of the image encoder."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if not name.startswith("visual.")]  # noqa: SIM118
            state = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot be read as tensors: {error}", path=path) from error
    for name in REQUIRED_KEYS:
        if name not in state:
            raise DataError(f"is no CLIP model of open_clip: it has no {name}", path=path)
    return state


def _require_transformers(name: str) -> None:
    if find_spec("transformers") is None:
        raise ConfigError(
            f"the text encoder {name!r} needs the transformers library, which is not installed; "
            "install it with \"pip install 'skeletonagent[text]'\""
        )


def _read_matching_tokenizer(path: Path, transformer: TextTransformer) -> Tokenizer:
    tokenizer = read_tokenizer(path, _REMEDY)
    if len(tokenizer.encode("").ids) != 2:
        raise DataError("does not put a special token before and after a sentence", path=path)
    if tokenizer.get_vocab_size() > transformer.vocab_size:
        raise DataError(
            f"has {tokenizer.get_vocab_size()} tokens, the weights {transformer.vocab_size}: they "
            "do not belong together; take both from one place",
            path=path,
        )
    return tokenizer


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep the transformers library from writing to the terminal."""
    from transformers.utils import logging as library

    logging: Any = library  # has no annotations
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
