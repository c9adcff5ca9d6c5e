"""Exported recognizer as ONNX Runtime runs it, without torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.outside_files import problem_line, read_outside_bytes

_MOST_BYTES = 1 << 30
"""Largest file that is read as a model."""

INPUTS = ("clips", "bodies")
"""Names of the inputs of an exported file."""

OUTPUTS = ("logits", "features")
"""Names of the outputs of an exported file."""


@dataclass(frozen=True)
class OnnxSession:
    """Exported recognizer in ONNX Runtime on the CPU.

    Args:
        session: Session of ONNX Runtime.
        path: File that errors name; None of a file that is being made.
    """

    session: Any
    path: Path | None = None

    @classmethod
    def open(cls, path: Path, threads: int | None = None) -> OnnxSession:
        """Return the recognizer in a file.

        Args:
            path: The file; weights outside it are not read.
            threads: Threads of the CPU; None takes ``OMP_NUM_THREADS``, as PyTorch does, or as
                many as there are cores.

        Raises:
            ConfigError: If ONNX Runtime is not installed.
            DataError: If the file is no exported recognizer.
        """
        return cls.of(read_outside_bytes(path, _MOST_BYTES, "an ONNX model"), path, threads)

    @classmethod
    def of(
        cls, content: bytes, path: Path | None = None, threads: int | None = None
    ) -> OnnxSession:
        """Return the recognizer in the bytes of a file; arguments and errors as of :meth:`open`."""
        try:
            import onnxruntime  # type: ignore[import-untyped]
        except ImportError as error:
            raise ConfigError(
                "exported recognizers need onnxruntime; pip install 'skeletonagent[onnx]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or _threads_of_environment()
        options.log_severity_level = 4  # what goes wrong is raised
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's errors have no common base
            raise DataError(
                f"cannot be read as an ONNX model: {problem_line(error)}", path=path
            ) from error
        found = tuple(value.name for value in session.get_inputs())
        given = tuple(value.name for value in session.get_outputs())
        if (found, given) != (INPUTS, OUTPUTS):
            raise DataError(
                f"takes {', '.join(found)} and returns {', '.join(given)}; a recognizer that "
                "'skeletonagent export' wrote takes clips and bodies, and returns logits and "
                "features",
                path=path,
            )
        return cls(session, path)

    @property
    def properties(self) -> Mapping[str, str]:
        """Texts that the file carries by their names, as they are in it."""
        return dict(self.session.get_modelmeta().custom_metadata_map)

    @property
    def clip_shape(self) -> tuple[Any, ...]:
        """M, T, V and C of a clip."""
        return tuple(self.session.get_inputs()[0].shape[1:])

    @property
    def num_classes(self) -> Any:
        """Y, number of logits."""
        return self.session.get_outputs()[0].shape[1]

    @property
    def num_features(self) -> Any:
        """D, number of features."""
        return self.session.get_outputs()[1].shape[1]

    def run(
        self, clips: Float32[np.ndarray, "n m t v c"], bodies: Int64[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "n y"], Float[np.ndarray, "n d"]]:
        """Return the logits and the features of clips.

        Args:
            clips: Clips.
            bodies: Bodies that are present: body ``m`` of clip ``n`` as ``n M + m``.

        Raises:
            DataError: If the model fails.
        """
        try:
            logits, features = self.session.run(
                OUTPUTS, dict(zip(INPUTS, (clips, bodies), strict=True))
            )
        except Exception as error:  # the runtime's errors have no common base
            raise DataError(f"the model fails: {problem_line(error)}", path=self.path) from error
        return logits, features


def _threads_of_environment() -> int:
    """Return the number of threads that the environment asks for, 0 if it asks for none."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isascii() and asked.isdecimal() else 0


def class_probabilities(logits: Float[np.ndarray, "n y"]) -> Float[np.ndarray, "n y"]:
    """Return the softmax of logits."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares
