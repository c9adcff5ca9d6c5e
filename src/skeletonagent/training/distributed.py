"""Device, precision and ranks of a run, in plain torch."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import Store
from torch.nn.parallel import DistributedDataParallel

from skeletonagent.core.errors import ConfigError, SkeletonAgentError, TrainingError
from skeletonagent.training.launch import LaunchInfo
from skeletonagent.training.process_group import join_process_group, select_device
from skeletonagent.training.settings import DistributedSettings, Precision

T = TypeVar("T")

LIVENESS_TIMEOUT = 3.0
"""Seconds in which a rank has to answer once another one is missed."""


class DistributedContext:
    """Device and precision of this process, and its communication with the run's other ranks.

    Args:
        device: Device this process computes on.
        precision: Precision of the forward pass.
        settings: Settings of the distributed run.
        launch: Place of this process among the ranks.
        store: Store that all ranks can read and write, also after one of them is gone; None if
            there is a single process.
    """

    def __init__(
        self,
        device: torch.device,
        precision: Precision,
        settings: DistributedSettings,
        launch: LaunchInfo | None = None,
        store: Store | None = None,
    ) -> None:
        self.device = device
        self.settings = settings
        self._precision = precision
        self._launch = launch or LaunchInfo()
        self._store = store
        self._control: dist.ProcessGroup | None = None
        if store is not None:
            # A group of its own, so that ranks can communicate while their devices are at work.
            limit = timedelta(seconds=settings.timeout)
            self._control = dist.new_group(backend="gloo", timeout=limit)
            store.set(f"who/{self.rank}", f"{socket.gethostname()}, pid {os.getpid()}")

    @property
    def world_size(self) -> int:
        """Number of processes that share the work."""
        return self._launch.world_size

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        return self._launch.rank

    @property
    def is_main(self) -> bool:
        """Whether this is the first rank, which asks the agents and writes the files."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which a recognizer runs in the run's precision."""
        if self._precision == "32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return the module with the run's precision in forward, and gradients averaged over ranks.

        In bfloat16 its floating-point inputs are cast, and its outputs are single precision.
        """
        if self._control is not None:
            on_gpu = self.device.type == "cuda"
            # DDP captures what it sets up on the current stream, which must not be the default.
            stream = torch.cuda.stream(torch.cuda.Stream()) if on_gpu else nullcontext()
            with stream:
                device_ids = [self.device.index] if on_gpu else None
                module = DistributedDataParallel(module, device_ids=device_ids)
        return module if self._precision == "32" else MixedPrecision(module, self.device.type)

    def broadcast_object(self, value: Any) -> Any:
        """Return the first rank's value, in all ranks."""
        if self._control is None:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self._control)
        return values[0]

    def all_gather_object(self, value: Any) -> list[Any]:
        """Return the values of all ranks, in all ranks."""
        values: list[Any] = [value] * self.world_size
        if self._control is not None:
            dist.all_gather_object(values, value, group=self._control)
        return values

    def all_reduce_max(self, number: int) -> int:
        """Return the largest of the ranks' numbers; devices go on computing meanwhile."""
        if self._control is None:
            return number
        largest = torch.tensor(number)
        dist.all_reduce(largest, dist.ReduceOp.MAX, group=self._control)
        return int(largest)

    def all_reduce_sum_(self, tensor: Tensor) -> Tensor:
        """Return the sum over all ranks, in place of the tensor."""
        if self._control is not None:
            dist.all_reduce(tensor)
        return tensor

    def broadcast_(self, tensors: list[Tensor]) -> None:
        """Overwrite tensors by the first rank's."""
        if self._control is not None:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def run_on_main(self, work: Callable[[], T]) -> T:
        """Return the first rank's result of a function; if it fails there, all ranks fail.

        Raises:
            SkeletonAgentError: On the first rank, what the function raised.
            OSError: On the first rank, what the function raised.
            TrainingError: On the other ranks, with the same message.
        """
        result: Any = None
        failure: Exception | None = None
        if self.is_main:
            try:
                result = work()
            except (SkeletonAgentError, OSError) as error:
                failure = error
        result, message = self.broadcast_object((result, failure and str(failure)))
        if failure is not None:
            raise failure
        if message is not None:
            raise TrainingError(message)
        shared: T = result
        return shared

    @contextmanager
    def name_lost_ranks(self) -> Iterator[None]:
        """Turn the loss of a rank into an error that names it.

        Raises:
            TrainingError: If a rank is gone or does not answer in time.
        """
        try:
            yield
        except RuntimeError as error:
            if self._store is None or not _is_communication_error(error):
                raise
            lost = self._lost_ranks(self._store)
            named = ", ".join(lost) or "one of the processes (all answer by now)"
            raise TrainingError(
                f"{named} of {self.world_size} is gone or did not answer within "
                f"{self.settings.timeout:g} s; look at what it printed last, then start all again "
                "with --resume"
            ) from error

    def _lost_ranks(self, store: Store) -> list[str]:
        """Return the ranks that do not answer a roll call, with their hosts."""
        try:
            store.set(f"here/{self.rank}", "")
            start = time.monotonic()
            limit = min(LIVENESS_TIMEOUT, self.settings.timeout)
            missing = [rank for rank in range(self.world_size) if rank != self.rank]
            while missing and time.monotonic() - start < limit:
                missing = [rank for rank in missing if not store.check([f"here/{rank}"])]
                time.sleep(0.1)
            return [f"process {rank} ({store.get(f'who/{rank}').decode()})" for rank in missing]
        except RuntimeError:  # under SLURM the store lives in the first rank
            return ["process 0"]


def _is_communication_error(error: RuntimeError) -> bool:
    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        word in text for word in ("gloo", "nccl", "connection", "timed out", "peer")
    )


class _AllReduceSum(torch.autograd.Function):
    """Sum over ranks whose gradient is the sum of the ranks' gradients.

    torch.distributed.nn.functional.all_reduce does the same, but warns from torch 2.13 on that it
    is deprecated in favour of a private module.
    """

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return _all_reduce_sum(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _all_reduce_sum(gradient)


def _all_reduce_sum(tensor: Tensor) -> Tensor:
    total = tensor.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def differentiable_sum(tensor: Tensor) -> Tensor:
    """Return the sum over all ranks, through which gradients flow back to each of them."""
    total: Tensor = _AllReduceSum.apply(tensor)  # type: ignore[no-untyped-call]
    return total


def init_distributed(
    device: torch.device, precision: Precision, settings: DistributedSettings | None = None
) -> DistributedContext:
    """Return the context of this process, alone or as one of several ranks.

    Raises:
        ConfigError: If several processes were started in a way that cannot work.
    """
    launch = LaunchInfo.detect()
    settings = settings or DistributedSettings()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    if launch.is_distributed and device.index is not None:
        raise ConfigError(
            f"{launch.world_size} processes cannot share device {device}; name cuda, and each "
            "takes its own"
        )
    device = select_device(device, launch)
    if not launch.is_distributed:
        return DistributedContext(device, precision, settings)
    try:
        store = join_process_group(device, launch, timedelta(seconds=settings.timeout))
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"{launch.world_size} processes cannot work together: {error}") from error
    return DistributedContext(device, precision, settings, launch, store)


def pick_device(name: str) -> torch.device:
    """Return the device of a name: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for the fastest.

    Raises:
        ConfigError: If there is none of that name on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"device {name!r} was asked for, but this machine has no usable GPU; use cpu"
        )
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {name!r} is not supported; use auto, cpu, cuda or cuda:N")
    return device


def describe_device(device: torch.device) -> str:
    """Return the device in words, for reports."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


class MixedPrecision(nn.Module):
    """Module whose forward pass runs in bfloat16 where autocast considers it safe.

    Args:
        module: Module with positional tensor arguments that returns a tensor or a tuple of them.
        device_type: Type of the device it runs on.
    """

    def __init__(self, module: nn.Module, device_type: str) -> None:
        super().__init__()
        self.module = module
        self._device_type = device_type

    def forward(self, *inputs: Tensor | None) -> Any:
        """Return the module's output in single precision."""
        with torch.autocast(self._device_type, dtype=torch.bfloat16):
            output = self.module(*(_cast(value, torch.bfloat16) for value in inputs))
        if isinstance(output, tuple):
            return tuple(_cast(value, torch.float32) for value in output)
        return _cast(output, torch.float32)


def _cast(value: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Return the value, cast if it is a floating-point tensor."""
    return value.to(dtype) if value is not None and value.is_floating_point() else value
