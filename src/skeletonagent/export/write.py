"""Writing of a recognizer for other software, checked before the file is there."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from skeletonagent.core.errors import ConfigError, ExportError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.outside_files import problem_line
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.export.description import PROPERTY, ExportDescription, MeasuredAccuracy
from skeletonagent.export.graph import MISSING, export_program, onnx_bytes
from skeletonagent.export.parity import TOLERANCE, RunClips, check_parity
from skeletonagent.export.precision import ExportPrecision, with_precision
from skeletonagent.export.session import OnnxSession
from skeletonagent.models.recognizer import Recognizer


class ExportFormat(StrEnum):
    """Form of an exported recognizer.

    - ``onnx``: a file of ONNX, for ONNX Runtime and all that reads it.
    - ``torch-export``: a program of ``torch.export``, for PyTorch without this package.
    """

    ONNX = "onnx"
    TORCH = "torch-export"

    @property
    def suffix(self) -> str:
        """Usual end of the names of such files."""
        return ".onnx" if self is ExportFormat.ONNX else ".pt2"


@dataclass(frozen=True)
class ExportedFile:
    """Exported recognizer as it was written.

    Args:
        path: The file.
        megabytes: Its size.
        difference: Largest difference from PyTorch on random clips, as a share of the largest
            logit or feature.
        description: What the file says about itself.
    """

    path: Path
    megabytes: float
    difference: float
    description: ExportDescription


def export_recognizer(
    recognizer: Recognizer,
    description: ExportDescription,
    path: Path,
    *,
    form: ExportFormat = ExportFormat.ONNX,
    precision: ExportPrecision = ExportPrecision.FP32,
    properties: Mapping[str, str] = MappingProxyType({}),
    measure: Callable[[RunClips], MeasuredAccuracy] | None = None,
    encoder: BaseEncoder | None = None,
) -> ExportedFile:
    """Write a recognizer for other software; nothing is left of one that computes something else.

    Args:
        recognizer: The recognizer in evaluation mode, on the CPU.
        description: What the file says about itself; precision and accuracy are filled in.
        path: File to write.
        form: Form of the file.
        precision: Number format.
        properties: Further texts that the file carries, by their names.
        measure: Function that returns the accuracy of the exported recognizer.
        encoder: Base whose features follow the recognizer's; None for no base.

    Raises:
        ConfigError: If a package for it is missing, or the form has no such precision.
        ExportError: If it cannot be exported, or the export differs from PyTorch.
    """
    if form is ExportFormat.TORCH and precision is not ExportPrecision.FP32:
        raise ConfigError(f"{form} has fp32 alone; {precision} is there with --format onnx")
    shape = description.clip_shape
    convolutions = form is ExportFormat.ONNX and precision is not ExportPrecision.INT8
    program = export_program(recognizer, shape, encoder, convolutions)
    tolerance = TOLERANCE if precision is ExportPrecision.FP32 else math.inf
    if form is ExportFormat.ONNX:
        content = with_precision(onnx_bytes(program), precision)
        run: RunClips = OnnxSession.of(content).run
    else:
        content = _program_bytes(program, {})
        run = _program_runner(content)
    difference = check_parity(run, recognizer, shape, tolerance, encoder)
    described = replace(
        description, precision=precision.value, accuracy=None if measure is None else measure(run)
    )
    texts = {PROPERTY: described.to_text(), **properties}
    if form is ExportFormat.ONNX:
        content = _with_properties(content, texts)
    else:
        content = _program_bytes(program, texts)
    with write_atomically(path) as file:
        file.write(content)
    return ExportedFile(path, len(content) / 1e6, difference, described)


def _with_properties(content: bytes, texts: Mapping[str, str]) -> bytes:
    """Return a model in ONNX that carries texts."""
    try:
        import onnx
    except ImportError as error:
        raise ConfigError(MISSING) from error
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, dict(texts))
    described: bytes = model.SerializeToString()
    return described


def _program_bytes(program: torch.export.ExportedProgram, texts: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files=dict(texts))
    return buffer.getvalue()


def _program_runner(content: bytes) -> RunClips:
    """Return the function of a program that was saved."""
    module = torch.export.load(io.BytesIO(content)).module()

    def run(clips: np.ndarray, bodies: np.ndarray) -> tuple[Any, Any]:
        try:
            with torch.inference_mode():
                logits, features = module(torch.from_numpy(clips), torch.from_numpy(bodies))
        except Exception as error:  # a program raises whatever its guards do
            raise ExportError(problem_line(error)) from error
        return logits.numpy(), features.numpy()

    return run
