"""Progress bar of conversions and downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from skeletonagent.cli.console import console


@contextmanager
def file_progress(title: str, counter: ProgressColumn) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback that shows the share that is done: a bar, or a line for each tenth."""
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        counter,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task, shown = bar.add_task(escape(title), total=None), 0

    def report(done: int, total: int) -> None:
        nonlocal shown
        bar.update(task, completed=done, total=total or None)
        tenths = 10 * done // total if total else 0
        if not console.is_terminal and shown < tenths < 10:
            shown = tenths
            console.print(f"{escape(title)}: {tenths}0%, {done} of {total}")

    with bar:
        yield report
