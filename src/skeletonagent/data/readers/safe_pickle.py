"""Pickles of plain values and NumPy arrays, read without running anything else they may hold."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError

DAMAGED = (
    pickle.UnpicklingError, OSError, EOFError, AttributeError, ImportError, IndexError, KeyError,
    MemoryError, OverflowError, RecursionError, TypeError, ValueError,
)  # fmt: skip
"""What the unpickler raises where a file is damaged or no pickle."""


def load_restricted(path: Path) -> Any:
    """Return what a pickle of NumPy arrays, scalars and built-in containers holds.

    Arrays are of numbers, booleans or text, never of objects.

    Raises:
        DataError: If the file is missing or damaged, or names anything else, which is not run.
    """
    try:
        with path.open("rb") as file:
            return _Unpickler(file, path).load()
    except DAMAGED as error:
        problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise DataError(f"cannot be read as a pickle: {problem}", path=path) from error


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows what NumPy's arrays need, and nothing else.

    What it knows are stand-ins: instances that can be called only as NumPy's pickles call them.
    A class or function of NumPy itself could be called with anything.
    """

    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file)
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a global."""
        known = _KNOWN.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise DataError(
                f"holds {module}.{name}, which is no part of arrays and plain containers; it was "
                "not run. Read the file only if you trust it, and save it anew without",
                path=self.path,
            )
        return known


class _StandIn:
    """Something a pickle may name; it takes no state, which could change what it does."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError(f"a state for {type(self).__name__}")


class _ArrayClass(_StandIn):
    """Stands for ``numpy.ndarray``: an argument, never called."""


class _DtypeClass(_StandIn):
    """Stands for ``numpy.dtype``."""

    def __call__(self, code: str, align: bool = False, copy: bool = True) -> _Dtype:
        return _Dtype(code)


class _Dtype:
    """A dtype under construction: the pickle tells its byte order after its code."""

    __slots__ = ("dtype",)

    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(str(code))
        if self.dtype.kind not in "biufSU":
            raise pickle.UnpicklingError(f"an array of {self.dtype}; numbers and text are allowed")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, subarray, names, fields, size, *_ = state
        if (subarray, names, fields) != (None, None, None) or size not in (-1, self.dtype.itemsize):
            raise pickle.UnpicklingError(f"an array of structures or of another size: {state}")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """An array under construction; it is pickled as any other."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        _require_size(shape, dtype, data)
        filled: Any = (1, shape, dtype.dtype, bool(fortran), data)
        super().__setstate__(filled)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)


class _Reconstruct(_StandIn):
    """Stands for what makes an empty array, to be filled by its state."""

    def __call__(self, kind: object, shape: tuple[int, ...], code: object) -> _Array:
        if not isinstance(kind, _ArrayClass) or shape != (0,):
            raise pickle.UnpicklingError(f"an array made in an unknown way, of shape {shape}")
        return np.zeros(0, np.int8).view(_Array)


class _FromBuffer(_StandIn):
    """Stands for what makes an array of bytes, from protocol 5 on."""

    def __call__(
        self,
        data: bytes | bytearray,
        dtype: _Dtype,
        shape: tuple[int, ...],
        order: str,
        axes: tuple[int, ...] | None = None,
    ) -> np.ndarray:
        _require_size(shape, dtype, data)
        array = np.frombuffer(data, dtype.dtype).reshape(shape, order="F" if order == "F" else "C")
        return array if axes is None else array.transpose(axes)


class _Scalar(_StandIn):
    """Stands for what makes a NumPy scalar."""

    def __call__(self, dtype: _Dtype, data: bytes) -> Any:
        _require_size((1,), dtype, data)
        return np.frombuffer(data, dtype.dtype)[0]


class _Encode(_StandIn):
    """Stands for ``_codecs.encode``, by which protocol 2 turns text into bytes."""

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}; latin1 is allowed")
        return text.encode("latin-1")


class _Set(_StandIn):
    """Stands for ``set``, as protocols below 4 make it."""

    def __call__(self, members: list[Any]) -> set[Any]:
        return set(members)


class _FrozenSet(_StandIn):
    """Stands for ``frozenset``, as protocols below 4 make it."""

    def __call__(self, members: list[Any]) -> frozenset[Any]:
        return frozenset(members)


class _Bytes(_StandIn):
    """Stands for ``bytes``, as protocol 2 makes empty ones."""

    def __call__(self) -> bytes:
        return b""


def _require_size(shape: Any, dtype: _Dtype, data: Any) -> None:
    """Refuse an array that declares another size than it has, before memory is taken for it."""
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        raise pickle.UnpicklingError("an array of something else than bytes")
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        raise pickle.UnpicklingError(f"an array of shape {shape}")
    needed = prod(shape) * dtype.dtype.itemsize
    if needed != len(data):
        raise pickle.UnpicklingError(
            f"an array of shape {shape} needs {needed} bytes, but has {len(data)}"
        )


_KNOWN: Mapping[tuple[str, str], object] = {
    ("numpy", "ndarray"): _ArrayClass(),
    ("numpy", "dtype"): _DtypeClass(),
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy.core.multiarray", "scalar"): _Scalar(),
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer(),
    ("_codecs", "encode"): _Encode(),
    ("builtins", "set"): _Set(),
    ("__builtin__", "set"): _Set(),
    ("builtins", "frozenset"): _FrozenSet(),
    ("__builtin__", "frozenset"): _FrozenSet(),
    ("builtins", "bytes"): _Bytes(),
    ("__builtin__", "bytes"): _Bytes(),
}
"""Globals a pickle may name, in the modules of any NumPy."""
