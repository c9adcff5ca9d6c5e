"""Name and version of this program, whichever distribution of it is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

_DISTRIBUTIONS = ("skeletonagent", "skeletonagent-onnx")


def program_name() -> str:
    """Return the name of the program with its version, as files and predictions state it."""
    for name in _DISTRIBUTIONS:
        try:
            return f"skeletonagent {version(name)}"
        except PackageNotFoundError:
            continue
    return "skeletonagent"
