"""Tensors that say they are on a GPU, and compute on the CPU.

What only shows on a GPU (operands on two devices, a host that waits for results) shows here
without one, see :func:`pretended_cuda`. Seen are the functions that Python code calls; what they
call themselves has the devices of their operands.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

CUDA = torch.device("cuda:0")
CPU = torch.device("cpu")
GROUP = Optimizer._group_tensors_by_device_and_dtype
SUBMIT = ThreadPoolExecutor.submit
SOURCES = str(Path(__file__).resolve().parents[1] / "src")
WAITS = frozenset({
    "item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__",
    "__contains__", "__format__", "nonzero", "argwhere", "masked_select", "unique",
    "unique_consecutive", "bincount", "histc", "equal", "allclose", "is_nonzero",
})  # fmt: skip
"""Functions whose results, or their shapes, the host has to know before it can go on."""
COPIES = frozenset(
    {"copy_", "to", "cpu", "cuda", "type", "data", "_has_compatible_shallow_copy_type"}
)
"""Functions that take operands on two devices."""


class TwoDevicesError(AssertionError):
    """Operands of one function that lie on two devices."""


class PretendedTensor(Tensor):
    """Tensor on the CPU that says that it is on a GPU."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """The GPU."""
        return CUDA

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        """That it is on a GPU."""
        return True

    def __deepcopy__(self, memo: dict[int, object]) -> PretendedTensor:
        """Return a copy, a parameter if this is one."""
        with torch._C.DisableTorchFunction():
            copied = self.detach().clone().as_subclass(PretendedTensor)
            copied.requires_grad_(self.requires_grad)
        if getattr(self, "_is_param", False):
            copied._is_param = True  # type: ignore[attr-defined]
        memo[id(self)] = copied
        return copied

    def record_stream(self, stream: object) -> None:
        """Do nothing: there is one stream."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute, also in threads in which the mode is not on; waits there are not counted."""
        return PretendedCuda().called(func, args, kwargs or {})


class PretendedCuda(TorchFunctionMode):
    """Mode in which what is to be on a GPU is a :class:`PretendedTensor`.

    Args:
        waits: Places at which the host waited; filled in.
    """

    def __init__(self, waits: list[str] | None = None) -> None:
        super().__init__()
        self.waits = [] if waits is None else waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Return what a function returns."""
        return self.called(func, args, kwargs or {})

    def called(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Return what a function returns, with tensors that are where it would put them."""
        name = getattr(func, "__name__", "")
        if name in ("device", "_parse_to"):
            return func(*args, **kwargs)
        if name in ("__get__", "__set__", "__delete__"):
            name = getattr(getattr(func, "__self__", None), "__name__", "")
        tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        on_gpu = [isinstance(tensor, PretendedTensor) for tensor in tensors]
        target = _target(name, args, kwargs)
        goes_to_gpu = any(on_gpu) if target is None else target.type == "cuda"
        if name == "copy_":
            goes_to_gpu = on_gpu[0]
        if name in COPIES:
            copied = on_gpu[-1] if name == "copy_" else on_gpu[:1] == [True]
            if copied and not goes_to_gpu:
                self._wait(name)
        elif any(on_gpu):
            _require_one_device(name, tensors, on_gpu)
            if _waits(name, args, kwargs):
                self._wait(name)
        args, kwargs = tree_map(_on_cpu, (args, kwargs))
        kwargs = {key: value for key, value in kwargs.items() if key != "pin_memory"}
        if name == "cuda":
            func, args = Tensor.clone, args[:1]
        with torch._C.DisableTorchFunction():
            result = func(*args, **kwargs)
        return tree_map(lambda x: _shown(x, goes_to_gpu), result)

    def _wait(self, name: str) -> None:
        frames = [
            frame for frame in traceback.extract_stack() if frame.filename.startswith(SOURCES)
        ]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "a test"
        self.waits.append(f"{name} at {place}")


def _target(name: str, args: Any, kwargs: dict[str, Any]) -> torch.device | None:
    """Return the device that a call names; None if that of its operands counts."""
    if name == "cpu":
        return CPU
    if name == "cuda":
        return CUDA
    if kwargs.get("device") is not None:
        return torch.device(kwargs["device"])
    if name != "to":
        return None
    for value in args[1:]:
        if isinstance(value, Tensor):
            return value.device
        if isinstance(value, str | torch.device):
            return torch.device(value)
    return None


def _require_one_device(name: str, tensors: list[Tensor], on_gpu: list[bool]) -> None:
    """Raise for operands on the CPU beside some on the GPU; single numbers are allowed.

    Raises:
        TwoDevicesError: If there are such.
    """
    for tensor, pretended in zip(tensors, on_gpu, strict=True):
        if not pretended and tensor.dim():
            raise TwoDevicesError(f"{name} has an operand of {tuple(tensor.shape)} on the CPU")


def _waits(name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    if name in ("__getitem__", "__setitem__"):
        chosen = args[1] if isinstance(args[1], tuple) else (args[1],)
        return any(isinstance(x, Tensor) and x.dtype in (torch.bool, torch.uint8) for x in chosen)
    if name == "repeat_interleave":
        return any(isinstance(x, Tensor) for x in args[1:]) and "output_size" not in kwargs
    return name in WAITS


def _on_cpu(value: Any) -> Any:
    return CPU if isinstance(value, torch.device) and value.type == "cuda" else (
        "cpu" if isinstance(value, str) and value.startswith("cuda") else value
    )  # fmt: skip


def _shown(value: Any, on_gpu: bool) -> Any:
    if isinstance(value, torch.device) or not isinstance(value, Tensor):
        return value
    if isinstance(value, PretendedTensor) == on_gpu:
        return value
    with torch._C.DisableTorchFunction():
        return value.as_subclass(PretendedTensor if on_gpu else Tensor)


class _Stream(torch.cuda.Stream):
    """Stream of a pretended GPU."""

    device = CUDA

    def __new__(cls, *_: object) -> _Stream:
        return object.__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def wait_stream(self, other: object) -> None:
        pass


class _Generator(torch.Generator):
    """Source of random numbers of any device, on the CPU."""

    def __new__(cls, device: object = "cpu") -> _Generator:
        return super().__new__(cls)


@contextmanager
def _on(stream: object) -> Iterator[None]:
    yield


def _submit(pool: ThreadPoolExecutor, function: Any, *args: Any, **kwargs: Any) -> Future[Any]:
    """Submit what is called with a mode of its own: modes are those of a thread."""

    def called() -> Any:
        with PretendedCuda():
            return function(*args, **kwargs)

    return SUBMIT(pool, called)


def _grouped(tensors: Any, with_indices: bool = False) -> dict[tuple[Any, Any], Any]:
    """Return tensors by the device that they say they are on; optimizers ask for it."""
    groups = GROUP(tensors, with_indices)
    shown = any(isinstance(tensor, PretendedTensor) for tensor in tensors[0])
    return {((CUDA if shown else key[0]), key[1]): group for key, group in groups.items()}


@contextmanager
def pretended_cuda() -> Iterator[PretendedCuda]:
    """Within it there seems to be one GPU; random numbers are those of the CPU."""
    of_cuda: dict[str, Callable[..., Any]] = {
        "_lazy_init": lambda: None, "is_available": lambda: True, "device_count": lambda: 1,
        "current_device": lambda: 0, "set_device": lambda device: None,
        "mem_get_info": lambda device=None: (2**34, 2**34),
        "Stream": _Stream, "stream": _on,
        "current_stream": lambda device=None: _Stream(), "synchronize": lambda device=None: None,
        "manual_seed_all": lambda seed: None, "get_device_name": lambda device=None: "pretended",
        "is_bf16_supported": lambda *_, **__: True,
        "get_device_properties": lambda device=None: SimpleNamespace(major=9, minor=0),
    }  # fmt: skip
    overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with (
            patch.multiple(torch.cuda, **of_cuda),
            patch.object(torch, "Generator", _Generator),
            patch.object(ThreadPoolExecutor, "submit", _submit),
            patch.object(Optimizer, "_group_tensors_by_device_and_dtype", staticmethod(_grouped)),
            PretendedCuda() as mode,
        ):
            yield mode
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(overwrites)
