"""Parts of an archive that the workers of a Ray cluster write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import ConfigError, SkeletonAgentError
from skeletonagent.core.outside_files import problem_line
from skeletonagent.core.program import program_name
from skeletonagent.data.part_running import RunParts, WritablePart
from skeletonagent.experiments.launchers.ray_session import ray_session

_MOST_LOSSES = 3
"""Workers that may be lost with one part before it is given up: it may be what ends them."""


def parts_by_ray(address: str, workers: int) -> RunParts:
    """Return a function that has parts written by the workers of a Ray cluster.

    The part of a worker that is lost is written by another one. All machines have to see the files
    that are read, and the folder that is written to, under the same paths.

    Args:
        address: ``local``, or the address of a cluster that is running.
        workers: Number of workers, each with a processor core.
    """
    return partial(_written, address=address, workers=workers)


def _written(parts: Iterator[WritablePart], address: str, workers: int) -> Iterator[int]:
    """Yield the number of items of each part; few of them wait, so that memory stays constant.

    Raises:
        ConfigError: If Ray is missing, there is no cluster at the address, or it fails.
    """
    with ray_session(address, workers) as ray:
        write = ray.remote(num_cpus=1, max_retries=_MOST_LOSSES)(_write)
        here, program = Path.cwd(), program_name()
        pending: list[Any] = []
        try:
            for part in parts:
                pending.append(write.remote(part, here, program))
                if len(pending) > workers:
                    ready, pending = ray.wait(pending)
                    yield from ray.get(ready)
            while pending:
                ready, pending = ray.wait(pending)
                yield from ray.get(ready)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, SkeletonAgentError | OSError):
                raise error.cause from None
            raise
        except ray.exceptions.RayError as error:
            raise ConfigError(
                f"the Ray cluster failed: {problem_line(error)}; what was read is kept, and the "
                "same command goes on"
            ) from error


def _write(part: WritablePart, folder: Path, program: str) -> int:
    """Write a part in a worker, and return the number of its items.

    Raises:
        ConfigError: If the worker has another version of this program.
    """
    if program_name() != program:
        raise ConfigError(
            f"a worker has {program_name()}, and this command is {program}; all machines need the "
            "same version"
        )
    with chdir(folder):
        return part.write()
