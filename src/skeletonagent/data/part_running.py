"""Writing of the parts of a conversion: in this process, or by several of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import Protocol, runtime_checkable

from skeletonagent.core.errors import DataError


@runtime_checkable
class WritablePart(Protocol):
    """Part that is written by whichever process takes it; it can be pickled."""

    def write(self) -> int:
        """Write the part unless it is there; return the number of its items."""


RunParts = Callable[[Iterator[WritablePart]], Iterator[int]]
"""Function that has parts written and yields the number of items of each, in any order."""


def parts_by_processes(processes: int) -> RunParts:
    """Return a function that has parts written by processes of this machine.

    At most one part more than there are processes is pending, so that memory stays constant.

    Args:
        processes: Number of processes; one is this process.
    """
    return one_after_another if processes <= 1 else partial(_by_pool, processes=processes)


def one_after_another(parts: Iterator[WritablePart]) -> Iterator[int]:
    """Yield the number of items of each part once this process has written it."""
    return (part.write() for part in parts)


def _by_pool(parts: Iterator[WritablePart], processes: int) -> Iterator[int]:
    pending: set[Future[int]] = set()
    # A fork would copy the locks of threads, which PyTorch has.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            for part in parts:
                pending.add(pool.submit(part.write))
                if len(pending) > processes:
                    ready, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in ready)
            yield from (future.result() for future in pending)
        except BrokenProcessPool as error:
            raise DataError(
                "a reading process was ended, perhaps for want of memory; start again, with fewer "
                "processes: what was read is kept"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)
