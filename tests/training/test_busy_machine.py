"""The remark on a busy machine: when it is made, and that it is made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from skeletonagent.training.busy_machine import BusyMachineRemark
from skeletonagent.training.callbacks import EpochRecord

RECORD = EpochRecord(0, 1.0, 0.5, 0.25, 0.25, 0.75, None, 0.1, 0, 100.0, 2.0)


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def remarks(processor: float, wall: float, load: float, epochs: int = 3) -> list[str]:
    """Return what is said of epochs that take ``wall`` seconds each."""
    now, said = [0.0], []
    share = processor / wall
    callback = BusyMachineRemark(
        said.append, wall=lambda: now[0], processor=lambda: share * now[0], load=lambda: load
    )
    for _ in range(epochs):
        now[0] += wall
        callback.on_epoch(RECORD)
    return said


def test_threads_that_wait_for_others_are_remarked_once() -> None:
    (line,) = remarks(processor=5, wall=122, load=1e6)
    assert "computed for 5 of 122 s: its 2 threads" in line and "OMP_NUM_THREADS=1" in line


@pytest.mark.parametrize(
    ("processor", "wall", "load"), [(200, 122, 1e6), (5, 122, 0.5), (0.1, 1, 1e6)]
)
def test_a_machine_that_is_free_a_slow_disk_and_a_short_time_are_not(
    processor: float, wall: float, load: float
) -> None:
    assert remarks(processor, wall, load) == []


def test_one_thread_waits_for_no_other() -> None:
    torch.set_num_threads(1)
    assert remarks(processor=5, wall=122, load=1e6) == []
