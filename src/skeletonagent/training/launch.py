"""How many processes train one recognizer, and how they are to do it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from annotated_types import Gt
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment


class BatchNormRule(StrEnum):
    """Whose statistics normalise a batch that several processes share.

    ``synchronised``: those of the whole batch. ``first``: each process its own share's; what is
    kept for evaluation is the first process's.
    """

    SYNCHRONISED = "synchronised"
    FIRST = "first"


@dataclass(frozen=True)
class ProcessSettings:
    """How several processes train one recognizer; torchrun or SLURM starts them.

    Args:
        batch_norm: Whose statistics normalise a batch.
        timeout: Seconds one process waits for another before the run ends; more than the agents
            may take for a round, if it is waited for.
    """

    batch_norm: BatchNormRule = BatchNormRule.SYNCHRONISED
    timeout: Annotated[float, Gt(0)] = 1800.0


@dataclass(frozen=True)
class Launch:
    """How many processes were started together.

    Args:
        processes: In all.
        nodes: Machines they are on, with as many processes each.
        process: Number of this one, from 0.
    """

    processes: int = 1
    nodes: int = 1
    process: int = 0

    @property
    def together(self) -> bool:
        """Whether there is more than one."""
        return self.processes > 1

    @classmethod
    def detect(cls) -> Launch:
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
