"""Recognizer in an exported file, used as that of a run is: the graph runs in ONNX Runtime."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.outside_files import problem_line
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.experiments.config import with_overrides
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.export.description import KERNEL_RIDGE, PROPERTY, ExportDescription
from skeletonagent.export.session import OnnxSession
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.models.recognizer import Recognizer

ENGINES = ("auto", "onnx", "torch")
"""Engines that a caller may choose."""

EXPORTED_NAME = "model.onnx"
"""Name of the exported file that is looked for in a run directory."""


@dataclass(frozen=True)
class SessionRecognizer:
    """Exported recognizer that is called as a fused one is.

    Args:
        session: The graph in ONNX Runtime.
    """

    session: OnnxSession

    def __call__(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n y"]:
        """Return the logits; ``bodies`` as a recognizer takes them."""
        return self._run(clips, bodies)[0]

    def features(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "n d"]:
        """Return the features that logits are computed from."""
        return self._run(clips, bodies)[1]

    def _run(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"] | None
    ) -> tuple[Float[Tensor, "n y"], Float[Tensor, "n d"]]:
        if bodies is None:
            bodies = torch.arange(clips.shape[0] * clips.shape[1])
        logits, features = self.session.run(
            np.ascontiguousarray(clips.float().cpu().numpy()), bodies.cpu().numpy()
        )
        return torch.from_numpy(logits), torch.from_numpy(features)


@dataclass(frozen=True)
class ExportedModel(StreamModel):
    """Recognizer in an exported file, and how its clips are made.

    It has no ``recognizer``: there are no weights in PyTorch.

    Args:
        session: The graph in ONNX Runtime.
        description: What the file says about itself.
    """

    recognizer: Recognizer = field(init=False, repr=False)
    session: OnnxSession = field(kw_only=True, repr=False)
    description: ExportDescription = field(kw_only=True, repr=False)

    @classmethod
    def open(cls, path: Path, overrides: Sequence[str] = ()) -> ExportedModel:
        """Return the recognizer in a file of ONNX.

        Args:
            path: The file.
            overrides: ``section.key=value`` settings in place of the file's.

        Raises:
            ConfigError: If ONNX Runtime is missing, or a setting cannot be changed.
            DataError: If the file is no exported recognizer.
        """
        session = OnnxSession.open(path)
        properties = session.properties
        described = ExportDescription.from_text(properties.get(PROPERTY, ""), path)
        described.require_graph(session.clip_shape, session.num_classes, path)
        metadata = described.metadata
        changed = replace(metadata, config=with_overrides(metadata.config, overrides))
        if changed.config.clips.frames != metadata.config.clips.frames:
            raise ConfigError(
                f"clips.frames is {metadata.config.clips.frames} for good in {path}; export a run "
                "with other clips"
            )
        return cls(
            metadata=changed,
            guidance=described.guidance,
            epoch=described.epoch,
            kernel_ridge=_kernel_ridge(
                properties.get(KERNEL_RIDGE), len(metadata.class_names), path
            ),
            session=session,
            description=described,
        )

    @property
    def device(self) -> torch.device:
        """Device of clips and graph."""
        return torch.device("cpu")

    @cached_property
    def fused(self) -> SessionRecognizer:  # type: ignore[override]  # called alike
        """The graph, called as a recognizer in PyTorch is."""
        return SessionRecognizer(self.session)

    @property
    def held_out(self) -> ClassProbabilities | None:
        """Held-out clips that were recognized rightly, which give the same threshold as the run's.

        Their class counts as the first, and other probabilities as zero.
        """
        shares = self.description.held_out
        if not shares:
            return None
        probs = np.zeros((len(shares), len(self.metadata.class_names)), dtype=np.float32)
        probs[:, 0] = shares
        ids = tuple(map(str, range(len(shares))))
        return ClassProbabilities(ids, np.zeros(len(shares), dtype=np.int64), probs)


def _kernel_ridge(text: str | None, num_classes: int, path: Path) -> KernelRidge | None:
    """Return the classifier beside the network that a file carries, None if there is none.

    Raises:
        DataError: If it is damaged, or knows more classes than the recognizer.
    """
    if text is None:
        return None
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise DataError(f"is damaged: {problem_line(error)}", path=path) from error
    classifier = KernelRidge.from_bytes(content, path)
    classifier.require_classes(num_classes, path)
    return classifier


def exported_file(path: Path, engine: str) -> Path | None:
    """Return the exported file that is to be used; None if a run is, in PyTorch.

    Args:
        path: A run directory or a file.
        engine: One of the :data:`ENGINES`; ``auto`` goes by what the path is.

    Raises:
        ConfigError: If there is no such engine, or the path has no form for it.
    """
    if engine not in ENGINES:
        raise ConfigError(f"no engine {engine!r}; there are {', '.join(ENGINES)}")
    is_file = path.suffix.lower() == ".onnx" and not path.is_dir()
    if engine == "torch" and is_file:
        raise ConfigError(f"{path} runs in ONNX Runtime; for PyTorch, name the run directory")
    if engine == "onnx" and not is_file:
        file = path / EXPORTED_NAME
        if not file.exists():
            raise ConfigError(
                f"{file} is not there; write it with 'skeletonagent export {path}', or name an "
                "exported file"
            )
        return file
    return path if is_file else None
