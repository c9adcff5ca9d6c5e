"""Notice that CPU threads wait for other processes, which makes an epoch many times slower."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import torch

from skeletonagent.training.callbacks import Callback, EpochRecord

LEAST_SECONDS = 5.0
"""Wall time that is measured before anything is said."""
LEAST_SHARE = 0.5
"""Share of the wall time in which a training on a CPU computes, on a machine that is free."""

Clock = Callable[[], float]


class BusyMachineRemark(Callback):
    """Remark, once, on a CPU whose threads are kept from computing by other processes.

    With several threads each operation waits for the last of them, and that one for a core. The
    process then computes for a small part of the time, while the machine has more to do than it
    has cores.

    Args:
        on_remark: Function that is called with the remark.
        wall: Clock of the wall time, in seconds.
        processor: Clock of the processor time of this process, all threads together.
        load: Function that returns the number of processes that compute or wait for a core.
    """

    def __init__(
        self,
        on_remark: Callable[[str], None],
        *,
        wall: Clock = time.perf_counter,
        processor: Clock = time.process_time,
        load: Clock = lambda: os.getloadavg()[0],
    ) -> None:
        self._on_remark, self._load = on_remark, load
        self._wall, self._processor = wall, processor
        self._began: tuple[float, float] | None = (wall(), processor())

    def on_epoch(self, record: EpochRecord) -> None:
        """Compare the clocks at the end of an epoch, until there is something to say."""
        threads, cores = torch.get_num_threads(), len(os.sched_getaffinity(0))
        if self._began is None or threads == 1:
            return
        wall, processor = self._wall() - self._began[0], self._processor() - self._began[1]
        if wall < LEAST_SECONDS:
            return
        self._began = self._wall(), self._processor()
        if processor < LEAST_SHARE * wall and self._load() > cores:
            self._began = None
            self._on_remark(
                f"the training computed for {processor:.0f} of {wall:.0f} s: its {threads} threads "
                "wait for cores that other processes use; stop it and --resume with "
                "OMP_NUM_THREADS=1, which is faster beside other work"
            )
