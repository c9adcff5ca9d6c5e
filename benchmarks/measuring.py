"""Time, memory, arithmetic and memory traffic of work on a device."""

from __future__ import annotations

import json
import resource
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from skeletonagent.cli.console import console

WARM_UP = 3
WIDTH = 140
"""Of tables that no terminal limits."""

NO_TRAFFIC = frozenset({
    "device", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided",
    "_unsafe_view",
})  # fmt: skip
"""Operators that neither read nor write elements."""

Work = Callable[[], object]
Mark = float | torch.cuda.Event


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the quartiles of some values."""
        lower, median, upper = np.percentile(np.asarray(values), (25, 50, 75)).tolist()
        return cls(median, lower, upper)

    def milliseconds(self) -> dict[str, float]:
        """Return seconds as milliseconds, for reports."""
        return {name: round(1e3 * value, 4) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Clock:
    """The time on a device: marks are set without waiting for it and read at the end."""

    device: torch.device

    def mark(self) -> Mark:
        """Return a mark of now; on a GPU, of when it has done what was asked of it so far."""
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def wait(self) -> None:
        """Wait until the device has done everything."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, marks: Sequence[Mark]) -> list[float]:
        """Return the times between neighbouring marks, after waiting for the device."""
        self.wait()
        return [_between(a, b) for a, b in pairwise(marks)]

    def durations(self, work: Work, repeats: int, prepare: Work = lambda: None) -> Spread:
        """Return how long work takes, by itself and warmed up.

        Args:
            work: What is timed.
            repeats: How often.
            prepare: Done before each, not timed.
        """
        marks: list[tuple[Mark, Mark]] = []
        for _ in range(WARM_UP + repeats):
            prepare()
            begin = self.mark()
            work()
            marks.append((begin, self.mark()))
        return Spread.of([self.seconds(pair)[0] for pair in marks[WARM_UP:]])


def _between(begin: Mark, end: Mark) -> float:
    if isinstance(begin, torch.cuda.Event) and isinstance(end, torch.cuda.Event):
        return float(begin.elapsed_time(end)) / 1e3
    assert isinstance(begin, float)
    assert isinstance(end, float)
    return end - begin


class Traffic(TorchDispatchMode):
    """Add up the bytes that operators read and write, views left out.

    It is what eager code moves if no cache keeps anything between two operators and every
    operator looks at all of its operands once: an upper estimate for what fused code moves.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Run an operator and count its operands and results."""
        result = func(*args, **(kwargs or {}))
        if not func.is_view and func.overloadpacket.__name__ not in NO_TRAFFIC:
            self.bytes += sum(map(_size, tree_leaves((args, kwargs, result))))
        return result


class Operations(TorchDispatchMode):
    """Add up the floating point operations that PyTorch has a formula for, as its counter does.

    That counter also follows modules, and cannot where weights are handed to one as arguments.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.number = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Run an operator and count its operations, or those it is made of."""
        options, formula = kwargs or {}, flop_registry.get(func._overloadpacket)
        if formula is None:
            with self:
                composed = func.decompose(*args, **options)
            if composed is not NotImplemented:
                return composed
        result = func(*args, **options)
        if formula is not None:
            self.number += int(formula(*args, **options, out_val=result))
        return result


class SyncWatch:
    """Count how often the host waits for a GPU between the first and the last of three steps."""

    STEPS = 3

    def __init__(self, device: torch.device) -> None:
        self.on = device.type == "cuda"
        self.seen = 0
        self._steps = 0
        self._caught = warnings.catch_warnings(record=True)
        self._told: list[warnings.WarningMessage] = []

    def __enter__(self) -> None:
        """Begin to collect the warnings in which PyTorch tells of waiting."""
        self._told = self._caught.__enter__() or []
        warnings.simplefilter("always")

    def between_steps(self) -> None:
        """Look on after the first step and look away after the last, whose end may wait."""
        self._steps += 1
        if self.on:
            torch.cuda.set_sync_debug_mode("warn" if self._steps < self.STEPS else "default")

    def __exit__(self, *exception: object) -> None:
        """Count what was told."""
        self._caught.__exit__(None, None, None)
        if self.on:
            torch.cuda.set_sync_debug_mode("default")
        self.seen = sum("synchroniz" in str(warning.message) for warning in self._told)


def _size(value: object) -> int:
    """Return the bytes of a tensor's numbers; an expanded one has fewer than elements."""
    if not isinstance(value, Tensor):
        return 0
    numbers = value.numel() * value.element_size()
    held: int = value.untyped_storage().nbytes()
    return min(numbers, held)


def flops_of(work: Work) -> int:
    """Return the floating point operations of convolutions and matrix products in some work."""
    operations = Operations()
    with operations:
        work()
    return operations.number


def bytes_of(work: Work) -> int:
    """Return the bytes that the operators of some work read and write; see :class:`Traffic`."""
    traffic = Traffic()
    with traffic:
        work()
    return traffic.bytes


def copy_bandwidth(clock: Clock, megabytes: int, repeats: int = 10) -> float:
    """Return the bytes a second that copying on the device reads and writes."""
    source = torch.ones(megabytes * 2**18, device=clock.device)
    target = torch.empty_like(source)
    seconds = clock.durations(lambda: target.copy_(source), repeats).median
    return 2 * source.numel() * source.element_size() / max(seconds, 1e-9)


def forget_peak(device: torch.device) -> None:
    """Begin anew to watch for the peak of memory, where that is possible."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_megabytes(device: torch.device) -> float:
    """Return the peak of the GPU's memory, or of this process since it began."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 1e6, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


def print_rows(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print a table for people, a column for each name."""
    if not rows:
        return
    table = Table(*rows[0], title=title, title_justify="left", box=None)
    for row in rows:
        table.add_row(*(_told(value) for value in row.values()))
    wide = console if console.is_terminal else Console(stderr=True, highlight=False, width=WIDTH)
    wide.print(table)


def _told(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def write_facts(facts: Mapping[str, Any], path: Path | None) -> None:
    """Write the figures as JSON, if a file is named; what is not finite is refused.

    Raises:
        ValueError: If a figure is not finite.
    """
    text = json.dumps(facts, indent=1, allow_nan=False)
    if path is not None:
        path.write_text(f"{text}\n", encoding="utf-8")
