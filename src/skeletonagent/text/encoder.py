"""Text encoders, sentences to vectors: their protocol, a cache around them, and their table."""

from __future__ import annotations

import logging
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
from skeletonagent.core.published_files import user_cache_folder
from skeletonagent.core.suggestions import did_you_mean
from skeletonagent.text.transformers_encoder import PRETRAINED, load_transformer, read_transformer
from skeletonagent.text.wordllama import load_wordllama

_log = logging.getLogger(__name__)


@runtime_checkable
class TextEncoder(Protocol):
    """Text encoder, sentences to vectors that can be compared."""

    @property
    def name(self) -> str:
        """Name of model and weights: encoders of one name give the same vectors."""
        ...

    @property
    def dim(self) -> int:
        """D, the width of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Most tokens of a sentence, special ones included; a longer one is truncated."""
        ...

    def count_tokens(self, sentence: str) -> int:
        """Return the number of tokens of a sentence before truncation, special ones included."""
        ...

    def encode(self, sentences: Sequence[str]) -> Float[Tensor, "y d"]:
        """Return a unit vector of each sentence, as float32 on the CPU."""
        ...


class CachedEncoder:
    """Text encoder with a cache on disk: no sentence is encoded twice, not even by another process.

    Each vector is one small file, named by the digest of the encoder's name and the sentence. A
    file that cannot be read is written again; if none can be written, the vectors are cached in
    memory only.

    Args:
        encoder: Text encoder of the sentences that are not cached.
        folder: Folder of the vectors, made when the first one is written.
    """

    def __init__(self, encoder: TextEncoder, folder: Path) -> None:
        self._encoder = encoder
        self._folder = folder
        self._vectors: dict[str, Float[np.ndarray, " d"]] = {}

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

    def count_tokens(self, sentence: str) -> int:
        """Return the number of tokens of a sentence before truncation, special ones included."""
        return self._encoder.count_tokens(sentence)

    def encode(self, sentences: Sequence[str]) -> Float[Tensor, "y d"]:
        """Return a unit vector of each sentence, as float32 on the CPU."""
        unique = dict.fromkeys(sentences)
        missing = [s for s in unique if s not in self._vectors and not self._read(s)]
        if missing:
            vectors = self._encoder.encode(missing).numpy()
            self._vectors.update(zip(missing, vectors, strict=True))
            self._write(missing)
        table = np.empty((len(sentences), self.dim), dtype=np.float32)
        for row, sentence in zip(table, sentences, strict=True):
            row[:] = self._vectors[sentence]
        return torch.from_numpy(table)

    def _path(self, sentence: str) -> Path:
        digest = sha256(f"{self.name}\0{sentence}".encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest}.npy"

    def _read(self, sentence: str) -> bool:
        """Read a sentence's vector from its file; return whether that succeeded."""
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
        self._vectors[sentence] = vector
        return True

    def _write(self, sentences: Sequence[str]) -> None:
        """Write vectors to their files, if the folder allows."""
        try:
            for sentence in sentences:
                with write_atomically(self._path(sentence)) as file:
                    np.save(file, self._vectors[sentence], allow_pickle=False)
        except OSError as error:
            _log.warning(
                "text vectors are cached in memory only, not in %s: %s", self._folder, error
            )


def default_cache_folder() -> Path:
    """Return the folder of text vectors in the user's cache (``XDG_CACHE_HOME``)."""
    return user_cache_folder() / "text"


TEXT_ENCODERS: Mapping[str, Callable[[], TextEncoder]] = {
    "wordllama": load_wordllama,
    **{name: partial(load_transformer, name) for name in PRETRAINED},
}
"""Builders of all text encoders by name, the default first."""


def build_encoder(setting: str) -> TextEncoder:
    """Return the text encoder of a setting.

    Args:
        setting: A name in :data:`TEXT_ENCODERS`; ``NAME:PATH`` for the model of that name in a
            folder; or the path of a folder alone, for any CLIP or BERT model.

    Raises:
        ConfigError: If no text encoder has that name or is at that path, or if its files are not
            on this machine and cannot be downloaded.
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
        f"no text encoder {setting!r}; {did_you_mean(setting, TEXT_ENCODERS)}choose one of: "
        f"{', '.join(TEXT_ENCODERS)}; or give "
        "NAME:PATH or the path of a folder with a CLIP or BERT model"
    )
