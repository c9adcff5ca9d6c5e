"""Safe reading of pickles: plain values and NumPy arrays only, nothing is executed."""

from __future__ import annotations

import mmap
import pickle
from collections.abc import Mapping
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_files import (
    UNREADABLE,
    decoding_problem,
    problem_line,
    require_file,
)
from skeletonagent.core.outside_text import brief, printable_line
from skeletonagent.core.pickle_scan import scan_pickle

_MOST_AXES = 32


def load_restricted(path: Path) -> Any:
    """Return the content of a pickle of NumPy arrays, scalars and built-in containers.

    Arrays are of numbers, booleans or text, never of objects.

    Raises:
        DataError: If the file is missing or damaged, would exhaust the memory, or names anything
            else, which is not executed.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                scan_pickle(content)
            return _Unpickler(file, path).load()
    except UNREADABLE as error:
        raise _damaged(decoding_problem(error, path), path) from error


def loads_restricted(data: bytes, path: Path) -> Any:
    """Return the content of a pickle inside a file, with the limits of :func:`load_restricted`.

    Args:
        data: The pickle.
        path: File that it is in, which errors name.

    Raises:
        DataError: If it is damaged, or names anything but arrays, which is not executed.
    """
    try:
        scan_pickle(data)
        return _Unpickler(BytesIO(data), path).load()
    except UNREADABLE as error:
        raise _damaged(problem_line(error), path) from error


def _damaged(problem: str, path: Path) -> DataError:
    return DataError(f"cannot be read as a pickle: {problem}", path=path)


class _Unpickler(pickle.Unpickler):
    """Unpickler that resolves the globals of NumPy's arrays, and no others.

    They are resolved to stand-ins: instances that can be called only as NumPy's pickles call them.
    A class or function of NumPy itself could be called with any arguments.
    """

    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file)
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a global."""
        stand_in = _STAND_INS.get((module.replace("numpy._core", "numpy.core"), name))
        if stand_in is None:
            named = printable_line(f"{module}.{name}", 200)
            raise DataError(
                f"holds {named}, which is no part of arrays and plain containers; it was not run. "
                "Read the file only if you trust it, and save it anew without",
                path=self.path,
            )
        return stand_in


class _StandIn:
    """Stand-in of a global; it accepts no state, which could change its behaviour."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError(f"a state for {type(self).__name__}")


class _ArrayClass(_StandIn):
    """Stand-in of ``numpy.ndarray``, which is an argument and never called."""


class _DtypeClass(_StandIn):
    """Stand-in of ``numpy.dtype``."""

    def __call__(self, code: str, align: bool = False, copy: bool = True) -> _Dtype:
        return _Dtype(code)


class _Dtype:
    """Dtype under construction: the pickle has its byte order after its code."""

    __slots__ = ("dtype",)

    def __init__(self, code: str) -> None:
        if not isinstance(code, str | bytes):
            raise pickle.UnpicklingError(f"an array of {brief(code)}; numbers and text are allowed")
        self.dtype = np.dtype(code.decode("latin-1") if isinstance(code, bytes) else code)
        if self.dtype.kind not in "biufSU":
            raise pickle.UnpicklingError(f"an array of {self.dtype}; numbers and text are allowed")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, subarray, names, fields, size, *_ = state
        if (subarray, names, fields) != (None, None, None) or size not in (-1, self.dtype.itemsize):
            raise pickle.UnpicklingError(
                f"an array of structures or of another size: {brief(state)}"
            )
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """Array under construction; it is pickled as any other."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        _require_size(shape, dtype, data)
        filled: Any = (1, shape, dtype.dtype, bool(fortran), data)
        super().__setstate__(filled)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)


class _Reconstruct(_StandIn):
    """Stand-in of the function that makes an empty array, which is filled by its state."""

    def __call__(self, kind: object, shape: tuple[int, ...], code: object) -> _Array:
        if not isinstance(kind, _ArrayClass) or shape != (0,):
            raise pickle.UnpicklingError(
                f"an array made in an unknown way, of shape {brief(shape)}"
            )
        return np.zeros(0, np.int8).view(_Array)


class _FromBuffer(_StandIn):
    """Stand-in of the function that makes an array of bytes, from protocol 5 on."""

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
    """Stand-in of the function that makes a NumPy scalar."""

    def __call__(self, dtype: _Dtype, data: bytes) -> Any:
        _require_size((1,), dtype, data)
        return np.frombuffer(data, dtype.dtype)[0]


class _Encode(_StandIn):
    """Stand-in of ``_codecs.encode``, which turns text into bytes in protocol 2."""

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
            raise pickle.UnpicklingError(
                f"bytes in the encoding {brief(encoding)}; latin1 is allowed"
            )
        return text.encode("latin-1")


class _Set(_StandIn):
    """Stand-in of ``set``, as protocols below 4 make it."""

    def __call__(self, members: list[Any]) -> set[Any]:
        return set(members)


class _FrozenSet(_StandIn):
    """Stand-in of ``frozenset``, as protocols below 4 make it."""

    def __call__(self, members: list[Any]) -> frozenset[Any]:
        return frozenset(members)


class _OrderedDict(_StandIn):
    """Stand-in of ``collections.OrderedDict``, which is filled as a dictionary is."""

    def __call__(self, *items: Any) -> dict[Any, Any]:
        if items not in ((), ([],)):
            raise pickle.UnpicklingError("an OrderedDict made of something else than items")
        return {}


class _Bytes(_StandIn):
    """Stand-in of ``bytes``, as protocol 2 makes empty ones."""

    def __call__(self) -> bytes:
        return b""


def _require_size(shape: Any, dtype: _Dtype, data: Any) -> None:
    """Refuse an array whose declared size is not its real one, before memory is allocated."""
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        raise pickle.UnpicklingError("an array of something else than bytes")
    if not isinstance(shape, tuple) or len(shape) > _MOST_AXES:
        raise pickle.UnpicklingError(f"an array of shape {brief(shape)}")
    if not all(isinstance(length, int) and 0 <= length < 1 << 63 for length in shape):
        raise pickle.UnpicklingError(f"an array of shape {brief(shape)}")
    needed = prod(shape) * dtype.dtype.itemsize
    if needed != len(data):
        raise pickle.UnpicklingError(
            f"an array of shape {shape} needs {needed} bytes, but has {len(data)}"
        )


_STAND_INS: Mapping[tuple[str, str], object] = {
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
    ("collections", "OrderedDict"): _OrderedDict(),
    ("builtins", "bytes"): _Bytes(),
    ("__builtin__", "bytes"): _Bytes(),
}
"""Stand-ins of the globals that a pickle may name, in the modules of any NumPy."""
