"""From token ids to vectors: pretrained transformers, read from files without running any of them.

Three layouts are understood: a folder of the transformers library with a CLIP or a BERT model,
OpenAI's own file of a CLIP model, and open_clip's file of the same tensors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.errors import DataError
from skeletonagent.text.openai_clip import from_openai_clip, read_openai_clip, shape_of

TOKENIZER = "tokenizer.json"
CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names of the transformers library for its weights, the best first."""
OPEN_CLIP_WEIGHTS = "open_clip_model.safetensors"


class Pooling(StrEnum):
    """How a sentence's vector is made from what a transformer says about its tokens."""

    END = "projected end of text"
    MEAN = "mean of all tokens"


@dataclass(frozen=True)
class Tower:
    """A pretrained transformer that reads sentences.

    Args:
        model: The network of the transformers library.
        pooling: How its tokens become one vector.
        dim: D, the width of that vector.
        max_tokens: Tokens it has positions for.
        vocabulary: Tokens it knows.
    """

    model: Any
    pooling: Pooling
    dim: int
    max_tokens: int
    vocabulary: int

    def vector(self, ids: Int[Tensor, " t"]) -> Float[Tensor, " d"]:
        """Return what a sentence's tokens become."""
        hidden: Tensor = self.model(input_ids=ids[None]).last_hidden_state[0]
        if self.pooling is Pooling.MEAN:
            return hidden.mean(dim=0)
        projected: Tensor = self.model.text_projection(hidden[-1])
        return projected


@dataclass(frozen=True)
class Files:
    """Where a text encoder is stored.

    Args:
        weights: Its tensors.
        tokenizer: Its tokenizer.
        config: Its shape, where the tensors alone do not tell.
    """

    weights: Path
    tokenizer: Path
    config: Path | None

    @property
    def all(self) -> list[Path]:
        """Every file the vectors depend on."""
        return [path for path in (self.weights, self.tokenizer, self.config) if path is not None]


def find_files(path: Path) -> Files:
    """Return the files of a text encoder.

    Args:
        path: A folder, or OpenAI's file with ``tokenizer.json`` beside it.

    Raises:
        DataError: If they are not all there.
    """
    folder = path if path.is_dir() else path.parent
    if not (folder / TOKENIZER).is_file():
        raise DataError(
            f"{TOKENIZER} is missing in this folder; put there the one of the weights (that of "
            "openai/clip-vit-base-patch32 on the Hugging Face hub serves all of OpenAI's CLIP)",
            path=folder,
        )
    if path.is_file():
        return Files(path, folder / TOKENIZER, None)
    readable = _family(folder / CONFIG) is not None
    names = WEIGHTS if readable else (OPEN_CLIP_WEIGHTS,)
    for name in names:
        if (folder / name).is_file():
            config = folder / CONFIG if readable else None
            return Files(folder / name, folder / TOKENIZER, config)
    raise DataError(
        f"no {' or '.join(names)} in this folder; needed are {CONFIG} of a CLIP or BERT model of "
        f"the transformers library and {' or '.join(WEIGHTS)}, or {OPEN_CLIP_WEIGHTS}",
        path=folder,
    )


def _family(config: Path) -> str | None:
    """Return which of the models that can be read a folder's configuration is about, if any."""
    try:
        kind = json.loads(config.read_bytes()).get("model_type")
    except (OSError, ValueError, AttributeError):
        return None
    return {"clip": "clip", "clip_text_model": "clip", "bert": "bert"}.get(kind)


def read_tower(files: Files) -> Tower:
    """Return the transformer stored in some files.

    Raises:
        DataError: If they are damaged or hold something else.
    """
    from transformers import BertModel, CLIPTextConfig, CLIPTextModelWithProjection

    options: dict[str, Any] = {"use_safetensors": files.weights.suffix == ".safetensors"}
    architecture: Any = CLIPTextModelWithProjection
    folder: Path | None = files.weights.parent
    if files.config is None:
        state = read_openai_clip(files.weights)
        folder = None
        options = {
            "config": CLIPTextConfig(**shape_of(state)),
            "state_dict": from_openai_clip(state),
        }
    elif _family(files.config) == "bert":
        architecture, options = BertModel, {**options, "add_pooling_layer": False}
    with _quiet():
        try:
            model, report = architecture.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, **options
            )
        except Exception as error:  # from several libraries, in several ways
            raise DataError(f"cannot be read: {error}", path=files.weights) from error
    missing = sorted(report["missing_keys"])
    if missing:  # the library would leave them as they were drawn at random
        raise DataError(
            f"{len(missing)} tensors of the text encoder are missing, for instance {missing[0]}",
            path=files.weights,
        )
    return _tower(model.float().eval().requires_grad_(False))


def _tower(model: Any) -> Tower:
    shape = model.config
    projected = hasattr(model, "text_projection")
    return Tower(
        model=model,
        pooling=Pooling.END if projected else Pooling.MEAN,
        dim=shape.projection_dim if projected else shape.hidden_size,
        max_tokens=shape.max_position_embeddings,
        vocabulary=shape.vocab_size,
    )


@contextmanager
def _quiet() -> Iterator[None]:
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
