"""Runtimes of pose models: LiteRT for BlazePose, ONNX Runtime for models of users."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from skeletonagent.core.errors import ConfigError, DataError


@runtime_checkable
class ImageModel(Protocol):
    """Model from a picture to tensors."""

    def run(self, image: Float32[np.ndarray, "1 a b c"]) -> list[np.ndarray]:
        """Return the outputs of the model in its order."""
        ...


class LiteModel:
    """Model in the format of TensorFlow Lite, run on one thread of the CPU.

    Args:
        path: The ``.tflite`` file.

    Raises:
        ConfigError: If the runtime is not installed.
        DataError: If the file cannot be read as a model.
    """

    def __init__(self, path: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]
        except ImportError as error:
            raise ConfigError(
                "pose estimation needs ai-edge-litert; install it with "
                "pip install 'skeletonagent[video]'"
            ) from error
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise DataError(f"cannot be read as a model: {error}", path=path) from error
        self._input: int = self._interpreter.get_input_details()[0]["index"]
        outputs = self._interpreter.get_output_details()
        self._outputs: list[int] = [output["index"] for output in outputs]

    def run(self, image: Float32[np.ndarray, "1 h w 3"]) -> list[np.ndarray]:
        """Return the outputs of the model in its order."""
        self._interpreter.set_tensor(self._input, image)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class OnnxModel:
    """Model in ONNX, run on one thread of the CPU.

    Args:
        path: The ``.onnx`` file.

    Raises:
        ConfigError: If the runtime is not installed.
        DataError: If the file cannot be read as a model with one input.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime  # type: ignore[import-untyped]
        except ImportError as error:
            raise ConfigError(
                "ONNX models need onnxruntime; install it with pip install 'skeletonagent[onnx]'"
            ) from error
        if not path.is_file():
            raise DataError("there is no such file", path=path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's errors have no common base
            reason = str(error).strip().partition("\n")[0]
            raise DataError(f"cannot be read as an ONNX model: {reason}", path=path) from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            shapes = ", ".join(f"{value.name} {value.shape}" for value in inputs)
            raise DataError(
                f"a pose model takes one input (1, 3, height, width), this one {shapes}", path=path
            )
        self.path = path
        self.input_shape: tuple[Any, ...] = tuple(inputs[0].shape)
        self._name: str = inputs[0].name

    def run(self, image: Float32[np.ndarray, "1 3 h w"]) -> list[np.ndarray]:
        """Return the outputs of the model in its order.

        Raises:
            DataError: If the model fails.
        """
        try:
            outputs: list[np.ndarray] = self._session.run(None, {self._name: image})
        except Exception as error:  # the runtime's errors have no common base
            reason = str(error).strip().partition("\n")[0]
            raise DataError(f"failed: {reason}", path=self.path) from error
        return outputs
