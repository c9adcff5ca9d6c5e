"""Modules in JavaScript joined to one script, in the order in which they need each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from posixpath import dirname, join, normpath

from skeletonagent.core.errors import DataError

_IMPORT = re.compile(
    r'^import\s+(?:\{(?P<names>[^}]*)\}|\*\s+as\s+(?P<whole>\w+))\s+from\s+"(?P<source>[^"]+)";[^\n]*$',
    re.MULTILINE,
)
_EXPORT = re.compile(
    r"^export\s+(?P<kept>(?:async\s+)?(?:function\*?|class|const)\s+(?P<name>\w+))", re.MULTILINE
)
_LAST_EXPORT = re.compile(r"export\s*\{(?P<names>[^}]*)\};?\s*(?://# sourceMappingURL=\S+\s*)?$")
_REST = re.compile(r"^(?:import\b(?!\s*\()|export\b|await\b).*$", re.MULTILINE)
_MARKUP = re.compile(r"<(?=/script|script|!--)", re.IGNORECASE)


def join_modules(modules: Mapping[str, str], entry: str) -> str:
    """Return a script that does what a module and those that it imports do.

    Each module becomes a function that returns what it exports. They import by name alone, export
    functions, classes and constants, wait for nothing at their top level, and do not import each
    other in a circle.

    Args:
        modules: Text of each module by its name, which has slashes where it is in a folder.
        entry: Name of the module to begin with.

    Raises:
        DataError: If a module is missing, or written in another way.
    """
    parts: dict[str, str] = {}
    _add(entry, modules, parts, ())
    return "\n".join(parts.values()) + "\n"


def _add(
    name: str, modules: Mapping[str, str], parts: dict[str, str], above: tuple[str, ...]
) -> None:
    """Add a module to the parts, after those that it imports."""
    if name in parts:
        return
    if name in above:
        raise DataError(f"the page's modules import each other: {' > '.join((*above, name))}")
    if name not in modules:
        raise DataError(f"the page has no module {name}, which {above[-1:]} imports")
    text = modules[name]
    for found in _IMPORT.finditer(text):
        _add(_target(found["source"], name), modules, parts, (*above, name))
    parts[name] = _as_function(name, text)


def _target(source: str, name: str) -> str:
    """Return the name of an imported module."""
    if not source.startswith("."):
        return source
    return normpath(join(dirname(name), source))


def _variable(name: str) -> str:
    return "module_" + re.sub(r"\W", "_", name)


def _as_function(name: str, text: str) -> str:
    """Return a module as the declaration of an object with what it exports.

    Raises:
        DataError: If it is written in a way that is not understood.
    """
    exported: list[str] = []

    def with_import(found: re.Match[str]) -> str:
        source = _variable(_target(found["source"], name))
        if found["whole"]:
            return f"const {found['whole']} = {source};"
        names = re.sub(r"\s+as\s+", ": ", found["names"])
        return f"const {{{names}}} = {source};"

    def without_export(found: re.Match[str]) -> str:
        exported.append(found["name"])
        return found["kept"]

    body = _EXPORT.sub(without_export, _IMPORT.sub(with_import, text))
    if last := _LAST_EXPORT.search(body):
        exported += [
            re.sub(r"^(\S+)\s+as\s+(\S+)$", r"\2: \1", item.strip())
            for item in last["names"].split(",")
        ]
        body = body[: last.start()]
    if rest := _REST.search(body):
        raise DataError(f"{name} has a line that cannot be joined: {rest[0][:80]}")
    if _MARKUP.search(body):
        raise DataError(f"{name} holds text that would end its script")
    return (
        f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();"
    )
