"""Default text encoder: averaged token embeddings from the files of an installed package."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.text.model_files import digest_files, read_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_TENSOR = "embedding.weight"
_REINSTALL = "reinstall it with 'pip install --force-reinstall wordllama'"


@dataclass(frozen=True)
class WordLlama:
    """Text encoder that averages a sentence's token vectors; it needs no network and no GPU.

    Args:
        name: Name of the model with a digest of its files.
        tokenizer: Tokenizer that neither pads nor truncates.
        table: Vectors of the tokens.
    """

    name: str
    tokenizer: Tokenizer
    table: Float[Tensor, "w d"]

    @property
    def dim(self) -> int:
        """D, the width of a sentence's vector."""
        return int(self.table.shape[1])

    @property
    def max_tokens(self) -> int:
        """Most tokens of a sentence: no limit."""
        return sys.maxsize

    def count_tokens(self, sentence: str) -> int:
        """Return the number of tokens of a sentence, without special ones."""
        return len(self.tokenizer.encode(sentence, add_special_tokens=False).ids)

    def encode(self, sentences: Sequence[str]) -> Float[Tensor, "y d"]:
        """Return a unit vector per sentence, zeros for a sentence without tokens."""
        encodings = self.tokenizer.encode_batch(list(sentences), add_special_tokens=False)
        tokens = torch.tensor([i for e in encodings for i in e.ids], dtype=torch.long)
        ends = torch.tensor([0, *(len(e.ids) for e in encodings)], dtype=torch.long).cumsum(0)
        means = functional.embedding_bag(
            tokens, self.table, ends, mode="mean", include_last_offset=True
        )
        return functional.normalize(means)


def load_wordllama() -> WordLlama:
    """Return the text encoder in the files of the installed ``wordllama`` package.

    The package's own loader may turn to the network or to a cache in the home folder, and
    importing it sets up logging for the whole program, so only its folder is used.

    Raises:
        ConfigError: If the package is not installed.
        DataError: If its files are missing or damaged.
    """
    spec = find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "the text encoder 'wordllama' needs the package of that name, which is not installed; "
            "install it with 'pip install wordllama'"
        )
    return read_wordllama(Path(spec.submodule_search_locations[0]))


def read_wordllama(folder: Path) -> WordLlama:
    """Return the text encoder in a folder laid out like the package's.

    Raises:
        DataError: If the files are missing or damaged.
    """
    weights, words = folder / _WEIGHTS, folder / _TOKENIZER
    digests = "-".join(digest_files([path], _REINSTALL) for path in (weights, words))
    return WordLlama(
        name=f"wordllama-l2-supercat-256-{digests}",
        tokenizer=read_tokenizer(words, _REINSTALL),
        table=_read_table(weights),
    )


def _read_table(path: Path) -> Float[Tensor, "w d"]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)[_TENSOR].float()
    except (OSError, KeyError, SafetensorError) as error:
        raise DataError(
            f"cannot be read as token vectors: {error}; {_REINSTALL}", path=path
        ) from error
