"""The small distribution: the sources of the other one, with fewer dependencies."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.export.test_without_torch import ABSENT

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "distributions" / "onnx"


def read(folder: Path) -> Mapping[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def test_dependencies_are_those_of_the_whole() -> None:
    whole, small = read(ROOT)["project"], read(SMALL)["project"]
    extras = whole["optional-dependencies"].values()
    known = {*whole["dependencies"], *(line for extra in extras for line in extra)}
    asked = {line for extra in small["optional-dependencies"].values() for line in extra}
    asked |= set(small["dependencies"])
    assert asked <= known
    names = {line.split(">")[0].split("[")[0].replace("-", "_") for line in small["dependencies"]}
    assert not names & set(ABSENT)
    assert small["requires-python"] == whole["requires-python"]
    assert small["scripts"] == whole["scripts"]


def test_files_are_those_of_the_whole() -> None:
    whole, small = read(ROOT)["tool"]["setuptools"], read(SMALL)["tool"]["setuptools"]
    assert small["package-data"] == whole["package-data"]
    assert small["dynamic"] == whole["dynamic"]
    sources = SMALL / small["packages"]["find"]["where"][0]
    assert sources.resolve() == ROOT / whole["packages"]["find"]["where"][0]
    assert (sources / "skeletonagent" / "runtime").is_dir()
