"""Process group of a distributed run, and the device of each of its ranks."""

from __future__ import annotations

import atexit
import os
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from skeletonagent.core.errors import ConfigError
from skeletonagent.training.launch import LaunchInfo, main_address


def select_device(device: torch.device, launch: LaunchInfo) -> torch.device:
    """Return this rank's device, made the current one.

    Raises:
        ConfigError: If there are fewer GPUs than ranks on this machine.
    """
    if device.type != "cuda":
        return device
    index = launch.local_rank if launch.is_distributed else device.index or 0
    count = torch.cuda.device_count()
    if index >= count:
        raise ConfigError(
            f"process {launch.rank} of {launch.world_size} needs GPU {index} of its machine, which "
            f"has {count}; start at most {count} process(es) on each machine"
            if launch.is_distributed
            else f"device 'cuda:{index}' was asked for, but this machine has {count} GPU(s)"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


_STORES: list[Store] = []
"""Store of the process group, which a process joins once, however many runs it trains."""


def join_process_group(device: torch.device, launch: LaunchInfo, timeout: timedelta) -> Store:
    """Join the other ranks unless this process already has, and return their store.

    Raises:
        RuntimeError: If the other ranks cannot be reached in time.
    """
    if dist.is_initialized():
        return _STORES[0]
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, _num_cpus() // launch.local_world_size))
    host, port = main_address()
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = host, str(port)
    store, rank, world_size = next(
        rendezvous("env://", launch.rank, launch.world_size, timeout=timeout)
    )
    store.set_timeout(timeout)
    on_gpu = device.type == "cuda"
    dist.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=PrefixStore("default_pg", store),
        rank=rank,
        world_size=world_size,
        timeout=timeout,
        device_id=device if on_gpu else None,
    )
    if on_gpu:  # torch warns about an NCCL process group that is not destroyed
        atexit.register(_destroy_process_group)
    _STORES.append(PrefixStore("skeletonagent", store))
    return _STORES[0]


def _destroy_process_group() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def _num_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
