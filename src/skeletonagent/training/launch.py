"""Ranks of a distributed run, read from the environment; imports no torch."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

DEFAULT_PORT = 12910
"""Port of the first rank, where neither the environment nor a job number says another."""


@dataclass(frozen=True)
class LaunchInfo:
    """Place of this process among those that were started together.

    Args:
        world_size: Number of processes.
        num_nodes: Number of machines they run on, with equally many processes each.
        rank: Number of this process, from 0.
        local_rank: Number of this process on its machine, from 0.
    """

    world_size: int = 1
    num_nodes: int = 1
    rank: int = 0
    local_rank: int = 0

    @property
    def is_distributed(self) -> bool:
        """Whether there is more than one process."""
        return self.world_size > 1

    @property
    def local_world_size(self) -> int:
        """Number of processes on each machine."""
        return max(1, self.world_size // self.num_nodes)

    @classmethod
    def detect(cls) -> LaunchInfo:
        """Return what torchrun or SLURM's srun wrote into the environment.

        A SLURM job named ``bash`` or ``interactive`` counts as one process: a shell runs in it.
        """
        env = os.environ
        if is_rank_of_torchrun():
            world_size = int(env["WORLD_SIZE"])
            num_nodes = world_size // int(env["LOCAL_WORLD_SIZE"])
            return cls(world_size, num_nodes, int(env["RANK"]), int(env.get("LOCAL_RANK", 0)))
        interactive = env.get("SLURM_JOB_NAME") in ("bash", "interactive")
        if "SLURM_PROCID" in env and "SLURM_NTASKS" in env and not interactive:
            return cls(
                int(env["SLURM_NTASKS"]),
                int(env.get("SLURM_NNODES", 1)),
                int(env["SLURM_PROCID"]),
                int(env.get("SLURM_LOCALID", 0)),
            )
        return cls()


def is_rank_of_torchrun() -> bool:
    """Return whether torchrun started this process, which is to end with it."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def main_address() -> tuple[str, int]:
    """Return host and port at which the first rank is reached.

    ``MASTER_ADDR`` and ``MASTER_PORT``, which torchrun sets, come first; under SLURM the host is
    the first of the job's nodes, and the port is derived from the job's number.
    """
    env = os.environ
    nodes = env.get("SLURM_JOB_NODELIST") or env.get("SLURM_NODELIST") or "127.0.0.1"
    job = env.get("SLURM_JOB_ID")
    port = int(job[-4:]) + 15_000 if job else DEFAULT_PORT
    return env.get("MASTER_ADDR") or first_node(nodes), int(env.get("MASTER_PORT") or port)


def first_node(nodes: str) -> str:
    """Return the first host of a SLURM node list.

    >>> first_node("node[05-9,12],other3")
    'node05'
    >>> first_node("a1,a2")
    'a1'
    """
    return re.split(r"[ ,]", re.sub(r"\[([^],-]*)[^]]*\]", r"\1", nodes))[0]
