"""Warnings of the package as remarks of the command line."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from skeletonagent.cli.console import print_warning


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
