"""Options for archives that several processes or machines make in parts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from skeletonagent.cli.console import output, print_json, print_remark
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.shard import Shard

if TYPE_CHECKING:
    from skeletonagent.data.part_folder import ShareOfParts
    from skeletonagent.data.part_running import RunParts

DEFAULT_WORKERS = 2
"""Workers of a Ray cluster unless another number is asked for."""

ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="Read only share I/N of the parts, or 'auto' in a SLURM array; the same command "
        "without it makes the archive of all.",
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster", help="Workers of Ray read: 'local' or the address of a running cluster."
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="With --cluster: workers; 2 by default.")
]


@dataclass(frozen=True)
class PartOptions:
    """Who makes the parts of an archive.

    Args:
        shard: Share of the parts, as it was typed.
        cluster: Address of a Ray cluster.
        workers: Workers of the cluster.
        processes: Processes of this machine; None if none were asked for.
    """

    shard: str | None = None
    cluster: str | None = None
    workers: int | None = None
    processes: int | None = None

    def require_one_way(self) -> None:
        """Check that the options fit each other.

        Raises:
            ConfigError: If they do not.
        """
        if self.shard and self.cluster:
            raise ConfigError(
                "--shard and --cluster exclude each other: a cluster shares parts itself"
            )
        if self.workers and not self.cluster:
            raise ConfigError("--workers is for --cluster; elsewhere, each shard is a process")
        if self.cluster and self.processes:
            raise ConfigError("--processes is for this machine; a cluster has --workers")

    @property
    def share(self) -> Shard | None:
        """Share of the parts; None for all of them."""
        return None if self.shard is None else Shard.parse(self.shard)

    def run(self, usual: int = os.cpu_count() or 1) -> RunParts:
        """Return the function that has parts made.

        Args:
            usual: Processes where no number was asked for.
        """
        if self.cluster:
            from skeletonagent.cluster.ray_parts import parts_by_ray

            return parts_by_ray(self.cluster, self.workers or DEFAULT_WORKERS)
        from skeletonagent.data.part_running import parts_by_processes

        return parts_by_processes(self.processes or usual)


def print_share(done: ShareOfParts, shard: Shard, as_json: bool) -> None:
    """Print what was made of a share, and what makes the archive."""
    if as_json:
        print_json(
            {
                "shard": str(shard),
                "folder": str(done.folder),
                "made": done.made,
                "done_before": done.done_before,
                "parts": done.parts,
            }
        )
        return
    output.print(
        f"shard {shard}: {done.made} part(s) of {done.parts} made, {done.done_before} done before, "
        f"in {done.folder}",
        markup=False,
        soft_wrap=True,
    )
    print_remark("once all shards are done, the same command without --shard makes the archive")
