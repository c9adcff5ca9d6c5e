"""What the documents tell people to type can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from skeletonagent.cli.main import app
from skeletonagent.cli.train import parse_stream, resolve_config
from skeletonagent.data.download import DOWNLOADS
from skeletonagent.evaluation.ablation import PLANS
from skeletonagent.presets import PresetSize

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

IN_A_BLOCK = re.compile(r"^(?: {4,}|\t)?(?:\$ )?(?:\.venv/bin/)?skeletonagent (.+)$", re.MULTILINE)
IN_A_LINE = re.compile(r"(?<!`)`(?:\.venv/bin/)?skeletonagent\s+([^`]+)`(?!`)")
AFTER = re.compile(r"\s(?:[|>&#;]|\d>).*$")
"""What is for the shell: redirections, a second command, a comment."""
PLACEHOLDER = re.compile(r"\.\.\.|[\[\]<>…]")


def commands(text: str) -> Iterator[list[str]]:
    """Yield what follows the program's name, word by word; forms to be filled in are left out."""
    text = re.sub(r"\\\n\s*", " ", text)
    for pattern in (IN_A_BLOCK, IN_A_LINE):
        for match in pattern.finditer(text):
            typed = AFTER.sub("", " ".join(match[1].split()))
            if not PLACEHOLDER.search(typed):
                yield shlex.split(typed)


def parsed(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the command's full name and the values of its parameters; a mention has none.

    Raises:
        Exception: As the program would, if there is no such command or option.
    """
    command: Any = typer.main.get_command(app)
    names: list[str] = []
    while words and hasattr(command, "commands"):
        name, *words = words
        if name.startswith("-"):
            continue
        if name not in command.commands:
            raise LookupError(f"no command {' '.join([*names, name])!r}")
        command = command.commands[name]
        names.append(name)
    if not words or hasattr(command, "commands"):
        return " ".join(names), {}
    return " ".join(names), dict(command.make_context(names[-1], words).params)


def check_values(name: str, values: dict[str, Any]) -> None:
    """Raise an error if a preset, stream, plan or setting is named that does not exist."""
    if name == "data download":
        assert values["name"] in DOWNLOADS
    if name == "ablate":
        assert values["plan"] in PLANS
    if "set_" in values:
        chosen = values.get("preset") or values.get("config") or "default"
        base = "default" if chosen.endswith((".yaml", ".yml")) else chosen
        resolve_config(base, PresetSize.SMALL, None, None, values["set_"] or [])
    if values.get("stream") not in (None, "all"):
        for stream in values["stream"].split(","):
            parse_stream(stream)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_a_document_exists(document: Path) -> None:
    wrong = []
    for words in commands(document.read_text(encoding="utf-8")):
        try:
            check_values(*parsed(words))
        except Exception as error:
            told = getattr(error, "message", None) or str(error) or type(error).__name__
            wrong.append(f"skeletonagent {shlex.join(words)}: {told}")
    assert not wrong, "\n".join(wrong)


def test_commands_are_found_wherever_they_stand() -> None:
    text = """
Type `skeletonagent data check a` or, over two lines, `skeletonagent train x --out
runs/x`; `skeletonagent.core` is none, nor is `skeletonagent-x`.

    skeletonagent config show sbu > mine.yaml
    $ skeletonagent runs list  # all of them
    skeletonagent report RUN [RUN ...] --out FILE

```
skeletonagent evaluate runs/x \\
  --json
```
"""
    assert sorted(commands(text)) == [
        ["config", "show", "sbu"], ["data", "check", "a"], ["evaluate", "runs/x", "--json"],
        ["runs", "list"], ["train", "x", "--out", "runs/x"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        "teach me", "data fetch x", "train --bogus", "train sbbu", "train --seeds none",
        "train --set training.epoch=3", "train sbu --stream bones", "ensemble --fit",
        "ablate nothing --out runs", "data download imagenet", "data check a b",
    ],
)  # fmt: skip
def test_a_mistake_is_found(words: str) -> None:
    with pytest.raises(Exception, match=r"\w"):
        check_values(*parsed(words.split()))


@pytest.mark.parametrize("words", ["evaluate", "data", "data check", "--debug train sbu"])
def test_a_mention_needs_no_arguments(words: str) -> None:
    check_values(*parsed(words.split()))


def test_this_is_not_about_nothing() -> None:
    found = {path.name: len(list(commands(path.read_text("utf-8")))) for path in DOCUMENTS}
    assert found["README.md"] > 5 and found["data.md"] > 20 and sum(found.values()) > 40
