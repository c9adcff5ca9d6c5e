"""Every command in a document exists, and so do its options, presets and settings."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.documents.reading import commands
from tests.documents.sources import DOCUMENTS, named

from skeletonagent.cli.app import app
from skeletonagent.data.downloads import DOWNLOADS
from skeletonagent.experiments.plans import STUDY_PLANS
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import parse_stream, resolve_config


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
    if not words or words == ["--help"] or hasattr(command, "commands"):
        return " ".join(names), {}
    return " ".join(names), dict(command.make_context(names[-1], words).params)


def check_values(name: str, values: dict[str, Any]) -> None:
    """Raise an error if a preset, stream, plan or setting is named that does not exist."""
    if name == "data download" and values:
        assert values["name"] in DOWNLOADS
    if name == "ablate" and values:
        assert values["plan"] in STUDY_PLANS
    if "set_" in values:
        chosen = values.get("preset") or values.get("config") or "default"
        base = "default" if chosen.endswith((".yaml", ".yml")) else chosen
        chat = [f"agents.chat={values['chat']}"] if values.get("chat") else []
        source = values.get("init_from")
        begun = [f"training.init_from={source}"] if source else []
        resolve_config(base, PresetSize.SMALL, None, None, [*(values["set_"] or []), *chat, *begun])
    if values.get("stream") not in (None, "all"):
        for stream in values["stream"].split(","):
            parse_stream(stream)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_in_a_document_exists(document: Path) -> None:
    wrong = []
    for words in commands(document.read_text(encoding="utf-8")):
        try:
            check_values(*parsed(words))
        except Exception as error:
            problem = getattr(error, "message", None) or str(error) or type(error).__name__
            wrong.append(f"skeletonagent {shlex.join(words)}: {problem}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "words",
    [
        "teach me", "data fetch x", "train --bogus", "train sbbu", "train --seeds none",
        "train --set training.epoch=3", "train sbu --stream bones", "ensemble --fit",
        "ablate nothing --out runs", "data download imagenet", "data check a b",
        "train sbu --chat nobody",
    ],
)  # fmt: skip
def test_a_wrong_command_is_detected(words: str) -> None:
    with pytest.raises(Exception, match=r"\w"):
        check_values(*parsed(words.split()))


@pytest.mark.parametrize("words", ["evaluate", "data", "data check", "--debug train sbu"])
def test_a_mention_needs_no_arguments(words: str) -> None:
    check_values(*parsed(words.split()))
