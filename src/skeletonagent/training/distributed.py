"""The engine: the only module that knows how and with whom a step is run."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from skeletonagent.core.errors import ConfigError, SkeletonAgentError, TrainingError
from skeletonagent.training.settings import DistributedSettings, Precision

T = TypeVar("T")

LIVENESS_TIMEOUT = 5.0
"""Seconds in which a process has to answer once another is missed."""


class DistributedContext:
    """What moves, casts and steps, and what the processes of a run say to each other."""

    def __init__(self, fabric: Fabric, settings: DistributedSettings) -> None:
        """Meet the other processes, if there are any."""
        self.settings = settings
        self._fabric = fabric
        self._control: dist.ProcessGroup | None = None
        if fabric.world_size > 1:
            # Of its own, so that words can be exchanged while the devices are still working.
            limit = timedelta(seconds=settings.timeout)
            self._control = dist.new_group(backend="gloo", timeout=limit)
            self._store.set(f"who/{self.rank}", f"{socket.gethostname()}, pid {os.getpid()}")

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self._fabric.device

    @property
    def world_size(self) -> int:
        """How many processes share the work."""
        return int(self._fabric.world_size)

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        return int(self._fabric.global_rank)

    @property
    def is_main(self) -> bool:
        """Whether this process speaks for all: it asks the agents and writes the files."""
        return self.rank == 0

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

    def broadcast_object(self, value: Any) -> Any:
        """Return the first process's value, in all of them."""
        if self._control is None:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self._control)
        return values[0]

    def all_gather_object(self, value: Any) -> list[Any]:
        """Return the values of all processes, in all of them."""
        values: list[Any] = [value] * self.world_size
        if self._control is not None:
            dist.all_gather_object(values, value, group=self._control)
        return values

    def all_reduce_max(self, number: int) -> int:
        """Return the largest of the processes' numbers; devices go on working meanwhile."""
        if self._control is None:
            return number
        largest = torch.tensor(number)
        dist.all_reduce(largest, dist.ReduceOp.MAX, group=self._control)
        return int(largest)

    def all_reduce_sum_(self, tensor: Tensor) -> Tensor:
        """Return the sum over all processes, in place of the tensor."""
        if self._control is not None:
            dist.all_reduce(tensor)
        return tensor

    def broadcast_(self, tensors: list[Tensor]) -> None:
        """Overwrite tensors by the first process's."""
        if self._control is not None:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def run_on_main(self, work: Callable[[], T]) -> T:
        """Return what the first process makes; if it fails, all fail for the same reason."""
        result: Any = None
        failure: Exception | None = None
        if self.is_main:
            try:
                result = work()
            except (SkeletonAgentError, OSError) as error:
                failure = error
        result, told = self.broadcast_object((result, failure and str(failure)))
        if failure is not None:
            raise failure
        if told is not None:
            raise TrainingError(told)
        shared: T = result
        return shared

    @contextmanager
    def name_lost_ranks(self) -> Iterator[None]:
        """Turn the loss of a process into an error that names it.

        Raises:
            TrainingError: If a process is gone or does not answer in time.
        """
        try:
            yield
        except RuntimeError as error:
            if self._control is None or not _is_about_talking(error):
                raise
            lost = self._lost_ranks()
            named = ", ".join(lost) or "one of the processes (all answer by now)"
            raise TrainingError(
                f"{named} of {self.world_size} is gone or did not answer within "
                f"{self.settings.timeout:g} s; look at what it printed last, then start all again "
                "with --resume"
            ) from error

    @property
    def _store(self) -> Any:
        """What all processes can write to and read from, even after one is gone."""
        return dist.distributed_c10d._get_default_store()

    def _lost_ranks(self) -> list[str]:
        """Return the processes that do not answer a roll call."""
        try:
            self._store.set(f"here/{self.rank}", "")
            waited = time.monotonic()
            missing = [p for p in range(self.world_size) if p != self.rank]
            while missing and time.monotonic() - waited < min(
                LIVENESS_TIMEOUT, self.settings.timeout
            ):
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


def init_distributed(
    device: torch.device, precision: Precision, settings: DistributedSettings | None = None
) -> DistributedContext:
    """Return the engine of this process: on one device, or as one of several processes.

    Raises:
        ConfigError: If several processes were started in a way that cannot work.
    """
    launch = LaunchInfo.detect()
    settings = settings or DistributedSettings()
    mode: Any = "bf16-mixed" if precision == "bf16" else "32-true"
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    if not launch.is_distributed:
        index: list[int] | int = [device.index or 0] if device.type == "cuda" else 1
        alone = Fabric(accelerator=device.type, devices=index, strategy="auto", precision=mode)
        return DistributedContext(alone, settings)
    if device.index is not None:
        raise ConfigError(
            f"{launch.world_size} processes cannot share device {device}; name cuda, and each takes "
            "its own"
        )
    strategy = DDPStrategy(timeout=timedelta(seconds=settings.timeout))
    try:
        fabric = Fabric(
            accelerator=device.type,
            devices=launch.world_size // launch.num_nodes,
            num_nodes=launch.num_nodes,
            strategy=strategy,
            precision=mode,
        )
        fabric.launch()
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"{launch.world_size} processes cannot work together: {error}") from error
    return DistributedContext(fabric, settings)


@dataclass(frozen=True)
class LaunchInfo:
    """How many processes were started together.

    Args:
        world_size: In all.
        num_nodes: Machines they are on, with as many processes each.
        rank: Number of this one, from 0.
    """

    world_size: int = 1
    num_nodes: int = 1
    rank: int = 0

    @property
    def is_distributed(self) -> bool:
        """Whether there is more than one."""
        return self.world_size > 1

    @classmethod
    def detect(cls) -> LaunchInfo:
        """Return what torchrun or SLURM's srun says in the environment."""
        env = os.environ
        if TorchElasticEnvironment.detect():
            processes = int(env["WORLD_SIZE"])
            nodes = processes // int(env["LOCAL_WORLD_SIZE"])
            return cls(processes, nodes, int(env["RANK"]))
        if "SLURM_PROCID" in env and SLURMEnvironment.detect():
            nodes = int(env.get("SLURM_NNODES", 1))
            return cls(int(env["SLURM_NTASKS"]), nodes, int(env["SLURM_PROCID"]))
        return cls()


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
