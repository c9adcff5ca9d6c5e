"""Serialization of values for a page: small, and safe whatever text they contain."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from markupsafe import Markup

LARGEST_INTEGERS = {"int8": 127, "int16": 32767}
"""Largest value of the signed formats."""


def pack_json(values: Shaped[np.ndarray, "..."]) -> dict[str, Any]:
    """Return an array as its number format, its shape and its little-endian bytes in base64."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return {
        "type": values.dtype.name,
        "shape": list(values.shape),
        "bytes": b64encode(little.tobytes()).decode(),
    }


def quantize(values: Float[np.ndarray, "..."], kind: str) -> dict[str, Any]:
    """Return numbers as integers of a signed format, with the ``scale`` to multiply them by.

    The largest magnitude becomes the largest integer; no error is larger than half the scale.

    Args:
        values: Finite numbers.
        kind: ``int8`` or ``int16``.
    """
    largest = float(np.abs(values).max(initial=0.0))
    scale = (largest or 1.0) / LARGEST_INTEGERS[kind]
    return {**pack_json(np.rint(values / scale).astype(kind)), "scale": scale}


def pack_shares(values: Float[np.ndarray, "..."]) -> dict[str, Any]:
    """Return numbers from 0 to 1 as bytes."""
    return {**pack_json(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)), "scale": 1 / 255}


def compress_json(value: Any) -> dict[str, Any]:
    """Return plain values as gzip-compressed JSON, for long texts with repetitions."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return {"gzip": b64encode(gzip.compress(text.encode(), mtime=0)).decode()}


def round_floats(value: Any, digits: int = 5) -> Any:
    """Return plain values with their numbers rounded; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {key: round_floats(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [round_floats(item, digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if np.isfinite(value) else None
    return value


def escape_for_script(value: Any) -> Markup:
    """Return plain values as JSON, escaped so that no text in it can end a script element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
