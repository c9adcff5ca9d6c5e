"""Consoles of the command line: results on standard output, progress and errors beside it."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from skeletonagent.core.outside_text import printable_text
from skeletonagent.training.launch import LaunchInfo

PLAIN_WIDTH = 160
"""Columns of the output where no terminal has a width, so that nothing of a table is cut off."""


def _width() -> int | None:
    """Return the width of the output, None for that of the terminal."""
    if "COLUMNS" in os.environ or any(map(os.isatty, range(3))):
        return None
    return PLAIN_WIDTH


_IS_MAIN = LaunchInfo.detect().rank == 0
"""Of several processes that train together, the first prints for all."""

LONGEST_OUTPUT = 100_000
"""Longest text that is printed at once, in characters."""


class PlainConsole(Console):
    """Console to which a text, such as a path, can do no more than be read."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as it is shown: nothing in it steers the terminal."""
        return super().render_str(printable_text(text, LONGEST_OUTPUT), **options)


output = PlainConsole(highlight=False, emoji=False, quiet=not _IS_MAIN, width=_width())
"""Results that a person asked for, on standard output."""

console = PlainConsole(
    stderr=True, highlight=False, emoji=False, quiet=not _IS_MAIN, width=_width()
)
"""Progress and remarks, on standard error."""

error_console = PlainConsole(stderr=True, highlight=False, emoji=False)
"""Errors of any process, on standard error."""


def set_verbosity(*, quiet: bool, verbose: bool) -> None:
    """Leave out progress and remarks, or print the package's log records among them."""
    console.quiet = quiet or not _IS_MAIN
    package = logging.getLogger("skeletonagent")
    for handler in [h for h in package.handlers if isinstance(h, _ConsoleHandler)]:
        package.removeHandler(handler)
    if verbose:
        package.addHandler(_ConsoleHandler())
    package.setLevel(logging.INFO if verbose else logging.NOTSET)


class _ConsoleHandler(logging.Handler):
    """Handler that prints log records on the console of progress and remarks."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record's message."""
        line = f"{record.levelname.lower()}: {record.name}: {record.getMessage()}"
        console.print(line, style="dim", markup=False, soft_wrap=True)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object, on one line, on standard output."""
    print_text(json.dumps(value) + "\n")


def print_text(text: str) -> None:
    """Print text as it is on standard output, for other programs to read."""
    if _IS_MAIN:
        sys.stdout.write(text)
        sys.stdout.flush()


def print_remark(line: str) -> None:
    """Print a line of progress that is not broken."""
    console.print(line, markup=False, soft_wrap=True)


def print_warning(line: str, *, on: Console = console) -> None:
    """Print a line that begins with an exclamation mark and is not broken."""
    text = Text.assemble(("!", "yellow"), " ", printable_text(line, LONGEST_OUTPUT))
    on.print(text, soft_wrap=True)


def accuracy_table(test: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return accuracies of a test set and its parts as a table."""
    table = Table("test set", "samples", "top-1", "top-5", "mean over classes", box=None)
    for name, figures in test.items():
        table.add_row(escape(name), str(figures["samples"]), *accuracy_cells(figures))
    return table


def accuracy_cells(figures: Mapping[str, Any]) -> Sequence[str]:
    """Return top-1, top-5 and per-class accuracy in per cent."""
    return [f"{figures[key]:.2%}" for key in ("top1", "top5", "mean_class")]


@contextmanager
def warnings_at_once() -> Iterator[None]:
    """Print warnings of any thread on the console of remarks as they come, each once."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        print_warning(str(message))

    with warnings.catch_warnings():
        for kind in (UserWarning, RuntimeWarning):
            warnings.simplefilter("default", kind)
        warnings.showwarning = show
        yield


@contextmanager
def warnings_on_console() -> Iterator[None]:
    """Print warnings on the console of remarks, without the line of code they come from."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        finally:
            for warning in caught:
                print_warning(str(warning.message))
