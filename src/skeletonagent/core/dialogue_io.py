"""Dialogues on disk: a folder with a file per class, a JSON line per exchange.

``about.json`` beside them holds class names and skeleton, so that the folder can be read by itself.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeletonagent.core.dialogue import Dialogue, Exchange
from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_from, write_text
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.outside_text import printable_values

LONGEST_TEXT = 100_000
"""Longest text of a recorded exchange, in characters; questions repeat earlier answers."""
DIALOGUES_METADATA = "about.json"


@dataclass(frozen=True)
class DialogueCollection:
    """Dialogues about every class of a data set.

    Args:
        layout: Skeleton that the dialogues are about.
        dialogues: Dialogue of each class, in label order; two classes may have the same name.
    """

    layout: SkeletonLayout
    dialogues: tuple[Dialogue, ...]

    def save(self, folder: Path) -> None:
        """Write all dialogues to a folder."""
        write_metadata(folder, self.layout, [dialogue.action for dialogue in self.dialogues])
        for label, dialogue in enumerate(self.dialogues):
            write_dialogue(folder, label, dialogue)

    @classmethod
    def load(cls, path: Path) -> DialogueCollection:
        """Return the dialogues in a folder, or in the ``dialogues`` folder of a run.

        Raises:
            DataError: If a file is missing or damaged, naming it and the line.
        """
        folder = path / "dialogues" if (path / "dialogues" / DIALOGUES_METADATA).is_file() else path
        about = _parsed(_read(folder / DIALOGUES_METADATA), folder / DIALOGUES_METADATA)
        try:
            layout = SkeletonLayout.from_json(about["layout"])
            actions = [str(name) for name in about["class_names"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"does not describe dialogues: {error}", path=folder / DIALOGUES_METADATA
            ) from error
        return cls(
            layout,
            tuple(
                _dialogue(folder / file_name(label, action), action, layout)
                for label, action in enumerate(actions)
            ),
        )


def file_name(label: int, action: str) -> str:
    """Return the name of a class's file, such as ``001_drink_water.jsonl``."""
    return f"{label + 1:03d}_{re.sub(r'[^A-Za-z0-9]+', '_', action)[:80]}.jsonl"


def write_metadata(folder: Path, layout: SkeletonLayout, class_names: Sequence[str]) -> None:
    """Write class names and skeleton of a folder's dialogues."""
    about = {
        "layout": layout.to_json(),
        "class_names": list(class_names),
    }
    write_text(folder / DIALOGUES_METADATA, json.dumps(about, indent=1))


def write_dialogue(
    folder: Path, label: int, dialogue: Dialogue, written: Dialogue | None = None
) -> None:
    """Write the dialogue about one class.

    Args:
        folder: Folder of the dialogues.
        label: Label of the class.
        dialogue: The dialogue.
        written: What the file holds. If the dialogue goes on from there, its new lines are all that
            is written, so that a round costs the same however many were before it.
    """
    path = folder / file_name(label, dialogue.action)
    known = () if written is None else written.exchanges
    if known and dialogue.exchanges[: len(known)] == known and path.is_file():
        new = _lines(dialogue.action, dialogue.exchanges[len(known) :])
        write_from(path, path.stat().st_size, new.encode())
    else:
        write_text(path, _lines(dialogue.action, dialogue.exchanges))


def _lines(action: str, exchanges: Sequence[Exchange]) -> str:
    """Return the lines of exchanges about an action."""
    values = ({"action": action, **exchange.to_json()} for exchange in exchanges)
    return "".join(f"{json.dumps(value, ensure_ascii=False)}\n" for value in values)


def _dialogue(path: Path, action: str, layout: SkeletonLayout) -> Dialogue:
    *whole, last = _read(path).split("\n")
    if _is_begun(last):
        warnings.warn(
            f"{path}: the last line is not complete and was left out; the run was ended while it "
            "was written, and writes it anew when it is resumed",
            stacklevel=2,
        )
        last = ""
    lines = [_parsed(line, path) for line in (*whole, last) if line.strip()]
    try:
        return Dialogue.from_json({"action": action, "exchanges": lines}, layout.joints)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"does not hold a dialogue: {error}", path=path) from error


def _is_begun(line: str) -> bool:
    """Return whether a last line, after which the file ends, is that of an exchange cut short."""
    if not line.startswith('{"action": '):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read: {error}; a folder of dialogues or a run is needed"
        raise DataError(problem, path=path) from error


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        value = printable_values(json.loads(text), LONGEST_TEXT)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is damaged: {error}", path=path) from error
    if not isinstance(value, dict):
        raise DataError(f"is damaged: a JSON object is needed, got {value!r:.60}", path=path)
    return value
