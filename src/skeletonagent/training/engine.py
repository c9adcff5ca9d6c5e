"""The engine: the only module that knows how and with whom a step is run."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from skeletonagent.core.errors import ConfigError, SkeletonAgentError, TrainingError
from skeletonagent.training.launch import Launch, ProcessSettings

Precision = Literal["32", "bf16"]
"""Single precision throughout, or bfloat16 where that is safe."""

T = TypeVar("T")

ROLL_CALL = 5.0
"""Seconds in which a process has to answer once another is missed."""


class Engine:
    """What moves, casts and steps, and what the processes of a run say to each other."""

    def __init__(self, fabric: Fabric, settings: ProcessSettings) -> None:
        """Meet the other processes, if there are any."""
        self.settings = settings
        self._fabric = fabric
        self._control: dist.ProcessGroup | None = None
        if fabric.world_size > 1:
            # Of its own, so that words can be exchanged while the devices are still working.
            limit = timedelta(seconds=settings.timeout)
            self._control = dist.new_group(backend="gloo", timeout=limit)
            self._store.set(f"who/{self.process}", f"{socket.gethostname()}, pid {os.getpid()}")

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self._fabric.device

    @property
    def processes(self) -> int:
        """How many processes share the work."""
        return int(self._fabric.world_size)

    @property
    def process(self) -> int:
        """Number of this process, from 0."""
        return int(self._fabric.global_rank)

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all: it asks the agents and writes the files."""
        return self.process == 0

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which a recognizer runs in the engine's precision."""
        context: AbstractContextManager[object] = self._fabric.autocast()
        return context

    def setup(
        self, module: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Return module and optimizer as they are to be called here."""
        ready: tuple[nn.Module, torch.optim.Optimizer] = self._fabric.setup(module, optimizer)
        return ready

    def backward(self, loss: Tensor) -> None:
        """Compute gradients, and average them over the processes."""
        self._fabric.backward(loss)

    def share(self, value: Any) -> Any:
        """Return the first process's value, in all of them."""
        if self._control is None:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self._control)
        return values[0]

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in all of them."""
        values: list[Any] = [value] * self.processes
        if self._control is not None:
            dist.all_gather_object(values, value, group=self._control)
        return values

    def largest(self, number: int) -> int:
        """Return the largest of the processes' numbers; devices go on working meanwhile."""
        if self._control is None:
            return number
        largest = torch.tensor(number)
        dist.all_reduce(largest, dist.ReduceOp.MAX, group=self._control)
        return int(largest)

    def add_up(self, tensor: Tensor) -> Tensor:
        """Return the sum over all processes, in place of the tensor."""
        if self._control is not None:
            dist.all_reduce(tensor)
        return tensor

    def copy_from_first(self, tensors: list[Tensor]) -> None:
        """Overwrite tensors by the first process's."""
        if self._control is not None:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def on_first(self, work: Callable[[], T]) -> T:
        """Return what the first process makes; if it fails, all fail for the same reason."""
        result: Any = None
        failure: Exception | None = None
        if self.is_first:
            try:
                result = work()
            except (SkeletonAgentError, OSError) as error:
                failure = error
        result, told = self.share((result, failure and str(failure)))
        if failure is not None:
            raise failure
        if told is not None:
            raise TrainingError(told)
        shared: T = result
        return shared

    @contextmanager
    def together(self) -> Iterator[None]:
        """Turn the loss of a process into an error that names it.

        Raises:
            TrainingError: If a process is gone or does not answer in time.
        """
        try:
            yield
        except RuntimeError as error:
            if self._control is None or not _is_about_talking(error):
                raise
            lost = self._lost()
            named = ", ".join(lost) or "one of the processes (all answer by now)"
            raise TrainingError(
                f"{named} of {self.processes} is gone or did not answer within "
                f"{self.settings.timeout:g} s; look at what it printed last, then start all again "
                "with --resume"
            ) from error

    @property
    def _store(self) -> Any:
        """What all processes can write to and read from, even after one is gone."""
        return dist.distributed_c10d._get_default_store()

    def _lost(self) -> list[str]:
        """Return the processes that do not answer a roll call."""
        try:
            self._store.set(f"here/{self.process}", "")
            waited = time.monotonic()
            missing = [p for p in range(self.processes) if p != self.process]
            while missing and time.monotonic() - waited < min(ROLL_CALL, self.settings.timeout):
                missing = [p for p in missing if not self._store.check([f"here/{p}"])]
                time.sleep(0.1)
            return [f"process {p} ({self._store.get(f'who/{p}').decode()})" for p in missing]
        except RuntimeError:  # the first process kept the list of who is there
            return ["process 0"]


def _is_about_talking(error: RuntimeError) -> bool:
    words = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        word in words for word in ("gloo", "nccl", "connection", "timed out", "peer")
    )


class _Sum(torch.autograd.Function):
    """A sum over processes whose gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        return _added_up(tensor)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _added_up(gradient)


def _added_up(tensor: Tensor) -> Tensor:
    summed = tensor.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(summed)
    return summed


def differentiable_sum(tensor: Tensor) -> Tensor:
    """Return the sum over all processes, through which gradients flow back to each."""
    summed: Tensor = _Sum.apply(tensor)  # type: ignore[no-untyped-call]
    return summed


def start_engine(
    device: torch.device, precision: Precision, settings: ProcessSettings | None = None
) -> Engine:
    """Return the engine of this process: on one device, or as one of several processes.

    Raises:
        ConfigError: If several processes were started in a way that cannot work.
    """
    launch = Launch.detect()
    settings = settings or ProcessSettings()
    mode: Any = "bf16-mixed" if precision == "bf16" else "32-true"
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    if not launch.together:
        index: list[int] | int = [device.index or 0] if device.type == "cuda" else 1
        alone = Fabric(accelerator=device.type, devices=index, strategy="auto", precision=mode)
        return Engine(alone, settings)
    if device.index is not None:
        raise ConfigError(
            f"{launch.processes} processes cannot share device {device}; name cuda, and each takes "
            "its own"
        )
    strategy = DDPStrategy(timeout=timedelta(seconds=settings.timeout))
    try:
        fabric = Fabric(
            accelerator=device.type,
            devices=launch.processes // launch.nodes,
            num_nodes=launch.nodes,
            strategy=strategy,
            precision=mode,
        )
        fabric.launch()
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"{launch.processes} processes cannot work together: {error}") from error
    return Engine(fabric, settings)
