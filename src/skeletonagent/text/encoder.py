"""Sentences to vectors: what a text encoder is, which there are, and a cache around them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_atomically
from skeletonagent.text.transformers_encoder import PRETRAINED, fetch_transformer, read_transformer
from skeletonagent.text.wordllama import load_wordllama

_log = logging.getLogger(__name__)


@runtime_checkable
class TextEncoder(Protocol):
    """Turns each sentence into a vector by which it can be compared with others."""

    @property
    def name(self) -> str:
        """Identifies model and weights: encoders of one name give the same vectors."""
        ...

    @property
    def dim(self) -> int:
        """D, the width of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens it reads at most, special ones among them; of a longer sentence the end is cut."""
        ...

    def length(self, sentence: str) -> int:
        """Return how many tokens the whole sentence has, special ones among them."""
        ...

    def encode(self, sentences: Sequence[str]) -> Float[Tensor, "y d"]:
        """Return a unit vector of each sentence, as float32 on the host."""
        ...


class CachedEncoder:
    """A text encoder that encodes no sentence twice, not even in another process.

    Vectors lie in one small file each, named by the digest of the encoder's name and the
    sentence. A file that cannot be read is made anew; where none can be written, what is
    known is only kept in memory.

    Args:
        encoder: Encodes the sentences that are not known yet.
        folder: Where the vectors are kept; made when the first one is written.
    """

    def __init__(self, encoder: TextEncoder, folder: Path) -> None:
        self._encoder = encoder
        self._folder = folder
        self._known: dict[str, Float[np.ndarray, " d"]] = {}

    @property
    def name(self) -> str:
        """Name of the encoder inside."""
        return self._encoder.name

    @property
    def dim(self) -> int:
        """D of the encoder inside."""
        return self._encoder.dim

    @property
    def max_tokens(self) -> int:
        """Most tokens of the encoder inside."""
        return self._encoder.max_tokens

    def length(self, sentence: str) -> int:
        """Return how many tokens the whole sentence has, special ones among them."""
        return self._encoder.length(sentence)

    def encode(self, sentences: Sequence[str]) -> Float[Tensor, "y d"]:
        """Return a unit vector of each sentence, as float32 on the host."""
        fresh = [s for s in dict.fromkeys(sentences) if s not in self._known and not self._read(s)]
        if fresh:
            vectors = self._encoder.encode(fresh).numpy()
            self._known.update(zip(fresh, vectors, strict=True))
            self._write(fresh)
        table = np.empty((len(sentences), self.dim), dtype=np.float32)
        for row, sentence in zip(table, sentences, strict=True):
            row[:] = self._known[sentence]
        return torch.from_numpy(table)

    def _path(self, sentence: str) -> Path:
        digest = sha256(f"{self.name}\0{sentence}".encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest}.npy"

    def _read(self, sentence: str) -> bool:
        """Take a sentence's vector from its file; tell whether there was a sound one."""
        try:
            vector = np.load(self._path(sentence), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return False
        if (
            vector.shape != (self.dim,)
            or vector.dtype != np.float32
            or not np.isfinite(vector).all()
        ):
            return False
        self._known[sentence] = vector
        return True

    def _write(self, sentences: Sequence[str]) -> None:
        """Write vectors to their files, as far as the folder allows."""
        try:
            for sentence in sentences:
                with write_atomically(self._path(sentence)) as file:
                    np.save(file, self._known[sentence], allow_pickle=False)
        except OSError as error:
            _log.warning("text vectors are kept in memory only, not in %s: %s", self._folder, error)


def default_cache_folder() -> Path:
    """Return where text vectors are kept: a folder of the user's cache (``XDG_CACHE_HOME``)."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "skeletonagent" / "text"


TEXT_ENCODERS: Mapping[str, Callable[[], TextEncoder]] = {
    "wordllama": load_wordllama,
    **{name: partial(fetch_transformer, name) for name in PRETRAINED},
}
"""Builders of the text encoders, by name; the default is first."""


def build_encoder(setting: str) -> TextEncoder:
    """Return the text encoder of a setting.

    Args:
        setting: A name; ``NAME:PATH`` for a model of that name that lies in a folder or a file of
            OpenAI's; or the path alone, for any CLIP or BERT model.

    Raises:
        ConfigError: If there is none of that name or at that path, or it cannot be had.
        DataError: If its files are damaged.
    """
    name, _, path = setting.partition(":")
    if path and name in PRETRAINED:
        return read_transformer(Path(path).expanduser(), name)
    if setting in TEXT_ENCODERS:
        return TEXT_ENCODERS[setting]()
    if setting and Path(setting).expanduser().exists():
        return read_transformer(Path(setting).expanduser())
    raise ConfigError(
        f"no text encoder {setting!r}; choose one of: {', '.join(TEXT_ENCODERS)}; or give "
        "NAME:PATH or the path of a folder with a CLIP or BERT model"
    )
