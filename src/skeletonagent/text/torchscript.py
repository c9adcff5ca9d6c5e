"""The tensors of a TorchScript archive, without running anything that is in it.

OpenAI publishes CLIP in this form, which ``torch.load(weights_only=True)`` refuses.
``torch.jit.load`` would read it but also compile the code inside.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import torch
from torch import Tensor

from skeletonagent.core.errors import DataError

_DTYPES: Mapping[str, torch.dtype] = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
}

_DAMAGE = (
    BadZipFile, pickle.UnpicklingError, StopIteration, AttributeError, EOFError, LookupError,
    OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What bytes that are no archive, or a damaged one, can raise."""


def is_torchscript(path: Path) -> bool:
    """Return whether a file is a TorchScript archive, told from ``torch.save``'s by its constants.

    Raises:
        OSError: If it cannot be read.
    """
    if not is_zipfile(path):
        return False
    with ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: Path, leave_out: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """Return the tensors of an archived module, named as in its state dict.

    Args:
        path: The archive.
        leave_out: Prefixes of names whose tensors are not read.

    Raises:
        DataError: If it is damaged.
    """
    try:
        with ZipFile(path) as archive:
            record = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(record) as file:
                module = _InertUnpickler(file).load()
            folder = record.removesuffix(".pkl")
            return {
                name: stored.read(archive, folder)
                for name, stored in _tensors(module, "")
                if not name.startswith(leave_out)
            }
    except _DAMAGE as error:
        raise DataError(f"cannot be read as a TorchScript archive: {error}", path=path) from error


class _Inert:
    """Stands for every class and function named in an archive; it does nothing when called."""

    def __init__(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class _StorageType:
    """Which numbers a storage holds; the archive's name for it is looked up only if it is used."""

    name: str


@dataclass(frozen=True)
class _Stored:
    """Where a tensor lies in the archive."""

    kind: _StorageType
    key: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self, archive: ZipFile, folder: str) -> Tensor:
        """Return the tensor, in memory of its own."""
        dtype = _DTYPES[self.kind.name]
        buffer = bytearray(archive.read(f"{folder}/{self.key}"))
        flat = torch.frombuffer(buffer, dtype=dtype) if buffer else torch.empty(0, dtype=dtype)
        return flat.as_strided(self.size, self.stride, self.offset).clone()


def _stored(
    storage: tuple[Any, ...],
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    *_: object,
) -> _Stored:
    """Note down what an archive has to say about a tensor."""
    return _Stored(storage[1], storage[2], offset, size, stride)


class _InertUnpickler(pickle.Unpickler):
    """Builds a module's tree of plain objects; of all names in it only tensors mean something."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a class or function; nothing is ever imported."""
        if module == "torch" and name.endswith("Storage"):
            return _StorageType(name)
        return _stored if (module, name) == ("torch._utils", "_rebuild_tensor_v2") else _Inert

    def persistent_load(self, pid: Any) -> Any:
        """Return the description of a storage as it is, to be read later or never."""
        return pid


def _tensors(node: object, prefix: str) -> Iterator[tuple[str, _Stored]]:
    for name, value in vars(node).items():
        if isinstance(value, _Stored):
            yield f"{prefix}{name}", value
        elif isinstance(value, _Inert):
            yield from _tensors(value, f"{prefix}{name}.")
