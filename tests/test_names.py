"""Names of the package: the field's words, each defined once, modules of a readable size."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "skeletonagent"
MODULES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 350
DIALECT = {
    "pace", "judged", "dealt", "told", "residence", "lanes", "Found", "tidying", "signals",
}  # fmt: skip
"""Words of an earlier dialect that nobody who trains networks would look for."""


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in MODULES:
        yield path.relative_to(SOURCE), ast.parse(path.read_text(encoding="utf-8"))


def definitions(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module defines at its top level."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def identifiers(tree: ast.Module) -> Iterator[str]:
    """Yield every name of variables, arguments, attributes, functions, classes and keywords."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.keyword(arg=str(name)) | ast.alias(asname=str(name)):
                yield name


def test_every_public_name_is_defined_once() -> None:
    places = defaultdict(list)
    for path, tree in trees():
        for name in set(definitions(tree)):
            if not name.startswith("_"):
                places[name].append(str(path))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_no_name_is_of_the_dialect() -> None:
    assert {
        str(path): used
        for path, tree in trees()
        if (used := DIALECT.intersection(identifiers(tree)))
    } == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_is_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
