"""Pretrained text encoders through the transformers library, the paper's CLIP among them.

Weights and tokenizer come from one folder: a local one, or one of the Hugging Face hub's cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.text.files import digest, read_tokenizer
from skeletonagent.text.hub import fetch
from skeletonagent.text.towers import (
    CONFIG,
    OPEN_CLIP_WEIGHTS,
    TOKENIZER,
    WEIGHTS,
    Pooling,
    Tower,
    find_files,
    read_tower,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_REMEDY = "copy the folder anew"


@dataclass(frozen=True)
class PretrainedEncoder:
    """A published text encoder.

    Args:
        repository: Where it is on the Hugging Face hub.
        files: What is needed from there, each by the names it may have.
        pooling: How a sentence's vector is made from its tokens.
        max_tokens: Tokens it reads at most, special ones among them.
        dim: D, the width of a vector.
    """

    repository: str
    files: tuple[tuple[str, ...], ...]
    pooling: Pooling
    max_tokens: int
    dim: int


_FOLDER = ((CONFIG,), (TOKENIZER,), WEIGHTS)

PRETRAINED: Mapping[str, PretrainedEncoder] = {
    "clip-vit-b-32": PretrainedEncoder(
        "openai/clip-vit-base-patch32", _FOLDER, Pooling.END, max_tokens=77, dim=512
    ),
    "clip-vit-b-16": PretrainedEncoder(
        "openai/clip-vit-base-patch16", _FOLDER, Pooling.END, max_tokens=77, dim=512
    ),
    "clip-rn101": PretrainedEncoder(
        "timm/resnet101_clip.openai",
        ((TOKENIZER,), (OPEN_CLIP_WEIGHTS,)),
        Pooling.END,
        max_tokens=77,
        dim=512,
    ),
    "bert": PretrainedEncoder(
        "google-bert/bert-base-uncased", _FOLDER, Pooling.MEAN, max_tokens=512, dim=768
    ),
    "minilm": PretrainedEncoder(
        "sentence-transformers/all-MiniLM-L6-v2", _FOLDER, Pooling.MEAN, max_tokens=256, dim=384
    ),
}
"""Those of the paper's table 5, its default first, and MiniLM.

Of BERT the mean of all tokens is taken, not [CLS], which says little about a sentence as long as
it is not trained to (Reimers and Gurevych 2019, table 1). MiniLM is trained with the mean, on at
most 256 tokens.
"""


@dataclass(frozen=True)
class TransformersEncoder:
    """A sentence is what a pretrained transformer makes of its tokens.

    Args:
        name: Names the model and, by their content, its files.
        tokenizer: Splits a sentence into tokens between a first and a last special one, and
            neither pads nor cuts.
        tower: Turns tokens into a vector.
        max_tokens: Tokens read at most, special ones among them.
    """

    name: str
    tokenizer: Tokenizer
    tower: Tower
    max_tokens: int

    @property
    def dim(self) -> int:
        """D, the width of a sentence's vector."""
        return self.tower.dim

    def length(self, sentence: str) -> int:
        """Return how many tokens the whole sentence has, special ones among them."""
        return len(self.tokenizer.encode(sentence).ids)

    def encode(self, sentences: Sequence[str]) -> Float[Tensor, "y d"]:
        """Return a unit vector per sentence; of too long a one the end is cut, before its mark.

        Each is read by itself: no padding, and bits that do not depend on the others, which a
        resumed run would otherwise see. On the host that takes little longer than in batches.
        """
        vectors = torch.empty(len(sentences), self.dim)
        with torch.no_grad():
            for row, encoding in zip(
                vectors, self.tokenizer.encode_batch(list(sentences)), strict=True
            ):
                vector = self.tower.vector(torch.tensor(self._fit(encoding.ids)))
                row.copy_(functional.normalize(vector, dim=0))
        return vectors

    def _fit(self, ids: list[int]) -> list[int]:
        return ids if len(ids) <= self.max_tokens else [*ids[: self.max_tokens - 1], ids[-1]]


def fetch_transformer(name: str) -> TransformersEncoder:
    """Return a published text encoder, from the Hugging Face hub's cache or from the hub.

    Args:
        name: One of :data:`PRETRAINED`.

    Raises:
        ConfigError: If the transformers library is not installed, or the files cannot be had; the
            message says how to get them.
        DataError: If they are damaged.
    """
    require_transformers(name)
    published = PRETRAINED[name]
    try:
        folder = fetch(published.repository, published.files)
    except ConfigError as error:
        files = " ".join(names[-1] for names in published.files)
        raise ConfigError(
            f"the text encoder {name!r} is not on this machine: {error}; where the hub can be "
            f"reached, run 'hf download {published.repository} {files} --local-dir {name}', then "
            f"copy that folder here and give its path as agents.text_encoder={name}:PATH; or use "
            "agents.text_encoder=wordllama, which needs no download"
        ) from error
    return read_transformer(folder, name)


def read_transformer(path: Path, name: str | None = None) -> TransformersEncoder:
    """Return the text encoder in a folder or a file.

    Args:
        path: A folder with a CLIP or BERT model of the transformers library or with open_clip's
            file of one of OpenAI's, or OpenAI's own file; ``tokenizer.json`` is in the folder too.
        name: Which of :data:`PRETRAINED` it should be; without it, any.

    Raises:
        ConfigError: If the transformers library is not installed, there is nothing at the path,
            or something else than the name says.
        DataError: If the files are damaged or not all there.
    """
    require_transformers(name or str(path))
    if not path.exists():
        raise ConfigError(f"there is no file or folder {path} to read a text encoder from")
    files = find_files(path)
    tower = read_tower(files)
    published = PRETRAINED.get(name) if name else None
    if published and (tower.dim, tower.pooling) != (published.dim, published.pooling):
        raise ConfigError(
            f"{path} is not {name}: its vectors are the {tower.pooling}, {tower.dim} wide, not the "
            f"{published.pooling}, {published.dim} wide; give the path alone to use it all the same"
        )
    return TransformersEncoder(
        name=f"{name or 'transformer'}-{digest(files.all, _REMEDY)}",
        tokenizer=_fitting_tokenizer(files.tokenizer, tower),
        tower=tower,
        max_tokens=min(published.max_tokens if published else tower.max_tokens, tower.max_tokens),
    )


def require_transformers(name: str) -> None:
    """Pass if the transformers library is installed.

    Raises:
        ConfigError: If it is not.
    """
    if find_spec("transformers") is None:
        raise ConfigError(
            f"the text encoder {name!r} needs the transformers library, which is not installed; "
            "install it with \"pip install 'skeletonagent[text]'\""
        )


def _fitting_tokenizer(path: Path, tower: Tower) -> Tokenizer:
    tokenizer = read_tokenizer(path, _REMEDY)
    if len(tokenizer.encode("").ids) != 2:
        raise DataError("does not put a special token before and after a sentence", path=path)
    if tokenizer.get_vocab_size() > tower.vocabulary:
        raise DataError(
            f"knows {tokenizer.get_vocab_size()} tokens, the weights {tower.vocabulary}: they do "
            "not belong together; take both from one place",
            path=path,
        )
    return tokenizer
