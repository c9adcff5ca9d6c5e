"""Reference pages made at each build: every setting from its type, every command from its help.

A hook of MkDocs. Nothing is written into the repository, so that the pages cannot be out of date.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

PAGES = {"reference/settings.md": "settings_page", "reference/commands.md": "commands_page"}
"""Pages of the site, each with the function that returns its text."""

_SETTINGS_INTRODUCTION = """\
# Settings

Every key of a configuration, with the values it takes. This page is made from the types in the
source. Set a key in a YAML file (`skeletonagent config show` prints a complete one) or on the
command line with `--set section.key=value`; unknown keys and wrong values are refused before a run
starts. Presets change some of the defaults: `skeletonagent config show utd-mhad` prints what a
preset sets."""

_COMMANDS_INTRODUCTION = """\
# Commands

This page is made from the commands' own help: `skeletonagent COMMAND --help` prints the same.
Results go to standard output, progress and remarks to standard error. The options of
`skeletonagent` itself stand before the command: `--version`, `--quiet` (`-q`), `--verbose` (`-v`)
and `--debug`, which shows the traceback of an error."""

_ARGS = re.compile(r"^Args:\n(?P<body>(?:[ \t]+.*\n?|\n)+)", re.M)
_ARG = re.compile(r"^    (?P<name>\w+): (?P<text>.*(?:\n {5,}.*)*)", re.M)
_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")
_NUMBERS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def on_files(files: Any, config: Any) -> Any:
    """Add the pages to the site's files."""
    from mkdocs.structure.files import File

    for path, function in PAGES.items():
        files.append(File.generated(config, path, content=globals()[function]()))
    return files


@dataclass(frozen=True)
class Setting:
    """Row of the settings page.

    Args:
        key: Full key, such as ``training.epochs``.
        kind: Type and range of allowed values, in words.
        default: Default as it is written in YAML.
        meaning: Description, from the docstring of the settings class.
        values: Documentation of an enumeration's values; empty for any other type.
    """

    key: str
    kind: str
    default: str
    meaning: str
    values: str


def settings() -> Iterator[Setting]:
    """Yield all settings of a configuration, in its order."""
    from skeletonagent.experiments.config import Config

    yield from _settings_of(Config, "")


def settings_page() -> str:
    """Return the page of settings, one table for each section of a configuration."""
    rows = list(settings())
    sections = dict.fromkeys(row.key.rpartition(".")[0] for row in rows)
    parts = [_SETTINGS_INTRODUCTION]
    for section in sorted(sections, key=lambda name: not name):
        chosen = [row for row in rows if row.key.rpartition(".")[0] == section]
        table = ["| key | values | default | meaning |", "|---|---|---|---|"]
        table += [
            f"| `{row.key}` | {_cell(row.kind)} | {_cell(row.default)} | {_cell(row.meaning)} |"
            for row in chosen
        ]
        heading = f"## {section}" if section else "## Keys without a section"
        parts.append("\n".join([heading, "", *table]))
        parts += [f"### Values of {row.key}\n\n{row.values}" for row in chosen if row.values]
    return "\n\n".join(parts) + "\n"


def commands_page() -> str:
    """Return the page of commands, from the help of each."""
    parts = [_COMMANDS_INTRODUCTION]
    for name, command, context in commands():
        description, examples = _split_help(command.help or "")
        heading = "##" if name.count(" ") == 1 else "###"
        parts.append(f"{heading} {name}\n\n{description}")
        if hasattr(command, "commands"):
            continue
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        parts.append(f"```text\n{usage}\n```")
        records = [
            record
            for parameter in command.params
            if (record := parameter.get_help_record(context)) and parameter.name != "help"
        ]
        if records:
            table = [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in records]
            parts.append("\n".join(["| argument or option | meaning |", "|---|---|", *table]))
        if examples:
            parts.append("\n".join(["Examples:", "", "```text", *examples, "```"]))
    return "\n\n".join(parts) + "\n"


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Yield the full name, the command and its context, of all groups and commands in order."""
    import typer

    from skeletonagent.cli.app import app

    root: Any = typer.main.get_command(app)
    yield from _commands_below(root, root.context_class(root, info_name="skeletonagent"))


def _commands_below(group: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    for name in group.list_commands(context):
        command = group.commands[name]
        if command.hidden:
            continue
        inner = command.context_class(command, info_name=name, parent=context)
        yield inner.command_path, command, inner
        if hasattr(command, "commands"):
            yield from _commands_below(command, inner)


def _split_help(text: str) -> tuple[str, list[str]]:
    """Return a command's description, and the lines of its examples."""
    before, _, examples = re.sub(r"Examples?:", "\0", text.replace("\b", ""), count=1).partition(
        "\0"
    )
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    return inspect.cleandoc(before), lines


def _settings_of(section: type, prefix: str) -> Iterator[Setting]:
    hints = get_type_hints(section, include_extras=True)
    meanings = documented_arguments(section)
    for item in fields(section):
        hint, key = hints[item.name], prefix + item.name
        if is_dataclass(hint) and isinstance(hint, type):
            yield from _settings_of(hint, f"{key}.")
        else:
            meaning = meanings.get(item.name, "")
            yield Setting(key, _kind(hint), _default(item), meaning, _values(hint))


def documented_arguments(section: type) -> dict[str, str]:
    """Return the meaning of a class's fields, by name, from its docstring and its bases'."""
    meanings: dict[str, str] = {}
    for base in reversed(section.__mro__[:-1]):
        block = _ARGS.search(inspect.cleandoc(base.__doc__ or "") + "\n")
        if block:
            meanings |= {
                match["name"]: _markdown(" ".join(match["text"].split()))
                for match in _ARG.finditer(block["body"])
            }
    return meanings


def _kind(hint: Any) -> str:
    """Return a type with its range in words, such as ``number, > 0``."""
    if get_origin(hint) is Annotated:
        inner, *limits = get_args(hint)
        ranges = [
            f"{sign} {_plain(value)}"
            for limit in limits
            for name, sign in _NUMBERS.items()
            if (value := getattr(limit, name, None)) is not None
        ]
        return ", ".join([_kind(inner), *ranges])
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(map(_kind, get_args(hint)))
    if get_origin(hint) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(hint))
    if get_origin(hint) in (tuple, list):
        return f"list of {_kind(get_args(hint)[0])}s"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(f"`{member.value}`" for member in hint)
    names = {bool: "`true`, `false`", int: "integer", float: "number", str: "text"}
    return "`null`" if hint is type(None) else names.get(hint, getattr(hint, "__name__", str(hint)))


def _values(hint: Any) -> str:
    """Return the documentation of an enumeration, of which a type consists."""
    if get_origin(hint) is not None:
        return next(filter(None, map(_values, get_args(hint))), "")
    if isinstance(hint, type) and issubclass(hint, Enum):
        text = _markdown(inspect.cleandoc(hint.__doc__ or ""))
        return text if "`" in text else ""
    return ""


def _default(item: Field[Any]) -> str:
    made = item.default_factory is not MISSING
    value = item.default_factory() if item.default_factory is not MISSING else item.default
    return f"`{_plain(value)}`" if made or value is not MISSING else ""


def _plain(value: Any) -> str:
    """Return a value as it is written in YAML."""
    if isinstance(value, Enum):
        return str(value.value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _markdown(text: str) -> str:
    """Return text of a docstring with Markdown's marks."""
    return _ROLE.sub(r"`\1`", text).replace("``", "`")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
