"""Fields of an ONNX file at its top level, read without a package for ONNX."""

from __future__ import annotations

from collections.abc import Iterator

from skeletonagent.core.errors import DataError

_PROPERTIES = 14
"""Number of the field ``metadata_props`` in ``ModelProto``."""


def without_properties(content: bytes) -> bytes:
    """Return a model in ONNX without the texts that it carries beside its graph.

    Args:
        content: The bytes of the file.

    Raises:
        DataError: If these are no message of protocol buffers.
    """
    kept = [content[start:end] for number, start, end in _fields(content) if number != _PROPERTIES]
    return b"".join(kept)


def _fields(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each field, where it begins, and where the next one does."""
    place = 0
    while place < len(content):
        start = place
        key, place = _varint(content, place)
        match key & 7:
            case 0:
                _, place = _varint(content, place)
            case 1:
                place += 8
            case 2:
                length, place = _varint(content, place)
                place += length
            case 5:
                place += 4
            case kind:
                raise DataError(f"the ONNX model has a field of the kind {kind}; export it again")
        if place > len(content):
            raise DataError("the ONNX model is cut off; export it again")
        yield key >> 3, start, place


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Return a number of variable length, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(content):
            break
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise DataError("the ONNX model is cut off; export it again")
