"""Name and version of the program."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

import skeletonagent
from skeletonagent.core import program


def test_the_program_is_named_by_whichever_distribution_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert program.program_name() == f"skeletonagent {skeletonagent.__version__}"

    def version(name: str) -> str:
        if name != "skeletonagent-onnx":
            raise PackageNotFoundError
        return "9.9"

    monkeypatch.setattr(program, "version", version)
    assert program.program_name() == "skeletonagent 9.9"
    monkeypatch.setattr(program, "_DISTRIBUTIONS", ())
    assert program.program_name() == "skeletonagent"
