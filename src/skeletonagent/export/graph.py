"""Graph of a recognizer for other software: from clips and bodies to logits and features."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skeletonagent.core.errors import ConfigError, ExportError
from skeletonagent.core.outside_files import problem_line
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.export.session import INPUTS, OUTPUTS
from skeletonagent.models.fused import fuse_for_inference
from skeletonagent.models.recognizer import Recognizer

OPSET = 18
"""Version of ONNX's operators in exported files."""

MISSING = "export needs onnx, onnxscript and onnxruntime; pip install 'skeletonagent[export]'"
"""What to do where the packages for export are missing."""

_TRACED = 3
"""Clips in the example that is traced; one or two would be taken for fixed numbers."""

_LOGGERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


class ExportableRecognizer(nn.Module):
    """Recognizer with norms folded that runs all bodies at once, whatever the machine.

    Args:
        recognizer: The recognizer; it stays as it is.
        encoder: Base of the classifier beside it, which takes the same clips; None if it has none.
        convolutions: Whether 1x1 convolutions stay such; else they are matrix products.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        encoder: BaseEncoder | None = None,
        convolutions: bool = False,
    ) -> None:
        super().__init__()
        fuse = partial(fuse_for_inference, cpu_chunk_size=None, convolutions=convolutions)
        self.fused = fuse(recognizer)
        self.encoder = encoder
        if encoder is not None:
            self.fused_encoder = fuse(encoder.recognizer)

    def forward(
        self, clips: Float[Tensor, "n m t v c"], bodies: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "n y"], Float[Tensor, "n d"]]:
        """Return the logits, and the features that they are computed from; then those of a base.

        Args:
            clips: Clips with room for M bodies.
            bodies: Bodies that are present, ascending: body ``m`` of clip ``n`` as ``n M + m``.
        """
        features = self.fused.features(clips, bodies)
        logits: Tensor = self.fused.cls_head(features)
        if self.encoder is None:
            return logits, features
        of_base = self.fused_encoder.features(self.encoder.as_in_base(clips), bodies)
        return logits, torch.cat([features, of_base], dim=1)


def export_program(
    recognizer: Recognizer,
    clip_shape: tuple[int, int, int, int],
    encoder: BaseEncoder | None = None,
    convolutions: bool = False,
) -> torch.export.ExportedProgram:
    """Return a recognizer as a program of ``torch.export``, for any number of clips and bodies.

    Args:
        recognizer: The recognizer, on the CPU; it stays as it is.
        clip_shape: M, T, V and C of a clip.
        encoder: Base whose features follow the recognizer's; None for no base.
        convolutions: Whether 1x1 convolutions stay such, at which ONNX Runtime is faster; else
            they are matrix products, whose weights can have 8 bits.

    Raises:
        ExportError: If it cannot be traced.
    """
    model = ExportableRecognizer(recognizer, encoder, convolutions).eval()
    clips = torch.randn(_TRACED, *clip_shape, generator=torch.Generator().manual_seed(0))
    bodies = torch.arange(_TRACED * clip_shape[0])
    any_number = {0: torch.export.Dim.DYNAMIC}
    with _quiet(), torch.no_grad():
        try:
            return torch.export.export(
                model, (clips, bodies), dynamic_shapes=(any_number, any_number), strict=False
            )
        except Exception as error:  # tracing raises whatever the traced code does
            raise ExportError(f"the recognizer cannot be traced: {problem_line(error)}") from error


def onnx_bytes(program: torch.export.ExportedProgram) -> bytes:
    """Return a program of :func:`export_program` in ONNX, constants folded.

    Raises:
        ConfigError: If a package for it is missing.
        ExportError: If an operator has no form in ONNX.
    """
    try:
        import onnxruntime  # type: ignore[import-untyped]
        import onnxscript  # noqa: F401  # needed by the exporter of torch
    except ImportError as error:
        raise ConfigError(MISSING) from error
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        draft, folded = Path(folder) / "draft.onnx", Path(folder) / "folded.onnx"
        try:
            # ONNX Runtime folds constants in a hundredth of the time of the exporter's optimizer.
            exported = torch.onnx.export(
                program, dynamo=True, opset_version=OPSET, optimize=False, verbose=False,
                input_names=INPUTS, output_names=OUTPUTS,
            )  # fmt: skip
            assert exported is not None
            exported.save(draft)
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
            options.optimized_model_filepath = str(folded)
            options.log_severity_level = 3
            onnxruntime.InferenceSession(str(draft), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # neither package has a base of its errors
            raise ExportError(f"no form in ONNX: {problem_line(error)}") from error
        return folded.read_bytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the remarks of exporters about their own work from users."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    try:
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
