"""Precisions of exported recognizers below single precision."""

from __future__ import annotations

import logging
import tempfile
from enum import StrEnum
from pathlib import Path

from skeletonagent.core.errors import ConfigError, ExportError
from skeletonagent.core.outside_files import problem_line
from skeletonagent.export.graph import MISSING


class ExportPrecision(StrEnum):
    """Number format of an exported recognizer.

    - ``fp32``: single precision; the values are checked against those of PyTorch.
    - ``fp16``: half precision, half the size. Inputs and outputs stay in single precision.
    - ``int8``: weights of matrix products in 8 bits, the values beside them when they come.
    """

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


def with_precision(content: bytes, precision: ExportPrecision) -> bytes:
    """Return a model in ONNX in another precision.

    Args:
        content: The model in single precision.
        precision: The precision.

    Raises:
        ConfigError: If a package for it is missing.
        ExportError: If it cannot be converted.
    """
    if precision is ExportPrecision.FP32:
        return content
    try:
        return _half(content) if precision is ExportPrecision.FP16 else _eight_bits(content)
    except ImportError as error:
        raise ConfigError(MISSING) from error
    except Exception as error:  # the converters raise whatever they meet
        raise ExportError(f"cannot be converted to {precision}: {problem_line(error)}") from error


def _half(content: bytes) -> bytes:
    import onnx
    from onnxruntime.transformers.float16 import (  # type: ignore[import-untyped]
        convert_float_to_float16,
    )

    model = onnx.load_from_string(content)
    halved: bytes = convert_float_to_float16(model, keep_io_types=True).SerializeToString()
    return halved


def _eight_bits(content: bytes) -> bytes:
    from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "single.onnx", Path(folder) / "quantized.onnx"
        source.write_bytes(content)
        logging.disable(logging.WARNING)  # advice to users of the quantizer on the root logger
        try:
            quantize_dynamic(
                source, target, op_types_to_quantize=["MatMul", "Gemm"],
                weight_type=QuantType.QInt8, per_channel=True,
            )  # fmt: skip
        finally:
            logging.disable(logging.NOTSET)
        return target.read_bytes()
