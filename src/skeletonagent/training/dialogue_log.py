"""Dialogues of a run's checkpoints: a file beside them that only grows, a line per exchange.

A line names the line of the exchange before it in its dialogue, so that a checkpoint refers to a
dialogue by one number. What an epoch adds is all that it writes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Any

from skeletonagent.core.dialogue import Dialogue, Exchange
from skeletonagent.core.errors import CorruptCheckpointError
from skeletonagent.core.files import write_from

DIALOGUE_LOG = "dialogues.jsonl"
"""Name of the file, in the folder of the checkpoints."""
_NO_LINE = -1


@dataclass(frozen=True)
class DialoguePosition:
    """State of the file at the time of a checkpoint.

    Args:
        size: Number of bytes.
        digest: SHA-256 of these bytes.
        latest: Line of the latest exchange of each class, -1 of a class without any.
    """

    size: int = 0
    digest: str = sha256().hexdigest()
    latest: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the position as plain values."""
        return {"size": self.size, "sha256": self.digest, "latest": list(self.latest)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DialoguePosition:
        """Return the position of :meth:`to_json`.

        Raises:
            KeyError: If a field is missing.
            TypeError: If a field is not what it should be.
            ValueError: If one is no number.
        """
        latest = tuple(map(int, value["latest"]))
        return cls(int(value["size"]), str(value["sha256"]), latest)


@dataclass(frozen=True)
class LoggedDialogues:
    """Dialogues that a checkpoint refers to.

    Args:
        position: State of the file.
        lines: Lines of the file up to there.
    """

    position: DialoguePosition
    lines: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, position: DialoguePosition) -> LoggedDialogues:
        """Return the dialogues in a file.

        Raises:
            CorruptCheckpointError: If the file is not as it was at that time.
        """
        content = b""
        if position.size:
            with path.open("rb") as file:
                content = file.read(position.size)
        if sha256(content).hexdigest() != position.digest:
            raise CorruptCheckpointError(f"{path} is damaged: its checksum does not match")
        return cls(position, tuple(content.decode().split("\n")[:-1]))

    def chains(self) -> tuple[tuple[int, ...], ...]:
        """Return the lines of each class's exchanges, the oldest first.

        Raises:
            ValueError: If there is no such line, or it comes after the one that names it.
        """
        before = [int(json.loads(line)["before"]) for line in self.lines]
        named = [*enumerate(before), *((len(before), line) for line in self.position.latest)]
        if any(not _NO_LINE <= earlier < line for line, earlier in named):
            raise ValueError("a line of the dialogues is named that is missing or comes later")
        chains = []
        for line in self.position.latest:
            chain = []
            while line != _NO_LINE:
                chain.append(line)
                line = before[line]
            chains.append(tuple(reversed(chain)))
        return tuple(chains)

    def to_json(self) -> list[list[dict[str, Any]]]:
        """Return the exchanges of each class as :meth:`Exchange.to_json` gives them."""
        records = [json.loads(line) for line in self.lines]
        for record in records:
            del record["before"]
        return [[records[line] for line in chain] for chain in self.chains()]


class DialogueLog:
    """Writer of the dialogues of a run's checkpoints.

    Args:
        path: File, perhaps missing; what it holds beyond the latest position is written over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin()

    def _begin(self) -> None:
        self._position, self._sum, self._lines = DialoguePosition(), sha256(), 0
        self._chains: Mapping[int, tuple[Sequence[Exchange], Sequence[int]]] = {}

    def resume(self, logged: LoggedDialogues, dialogues: Sequence[Dialogue]) -> None:
        """Go on after a checkpoint, which has these dialogues."""
        self._position, self._lines = logged.position, len(logged.lines)
        self._sum = sha256("".join(f"{line}\n" for line in logged.lines).encode())
        chains = zip(dialogues, logged.chains(), strict=True)
        self._chains = {label: (one.exchanges, lines) for label, (one, lines) in enumerate(chains)}

    def append(self, dialogues: Sequence[Dialogue]) -> DialoguePosition:
        """Write the exchanges that are not in the file yet, and return where it ends.

        Args:
            dialogues: Dialogue of each class, in label order.

        Raises:
            OSError: If the file cannot be written; what it held before is untouched.
        """
        if self._position.size > (self.path.stat().st_size if self.path.exists() else 0):
            self._begin()  # somebody removed it
        text: list[str] = []
        chains = {
            label: (dialogue.exchanges, self._chain(label, dialogue.exchanges, text))
            for label, dialogue in enumerate(dialogues)
        }
        content = "".join(text).encode()
        if content:
            write_from(self.path, self._position.size, content)
        self._sum.update(content)
        self._lines, self._chains = self._lines + len(text), chains
        self._position = DialoguePosition(
            size=self._position.size + len(content),
            digest=self._sum.hexdigest(),
            latest=tuple(lines[-1] if lines else _NO_LINE for _, lines in chains.values()),
        )
        return self._position

    def withdraw(self, size: int) -> None:
        """Cut the file back to a size that it had, after a checkpoint that could not be written."""
        with suppress(OSError):
            os.truncate(self.path, size)
        self._begin()

    @property
    def size(self) -> int:
        """Number of bytes of the file that count."""
        return self._position.size

    def _chain(self, label: int, exchanges: Sequence[Exchange], text: list[str]) -> Sequence[int]:
        """Return the lines of a class's exchanges; those that are new are added to the text."""
        known, lines = self._chains.get(label, ((), ()))
        if exchanges is known:
            return lines
        pairs = zip(exchanges, known, strict=False)
        chain = [line for line, _ in zip(lines, takewhile(_is_same, pairs), strict=False)]
        for exchange in exchanges[len(chain) :]:
            before = chain[-1] if chain else _NO_LINE
            chain.append(self._lines + len(text))
            text.append(f"{json.dumps({'before': before, **exchange.to_json()})}\n")
        return chain


def _is_same(pair: tuple[Exchange, Exchange]) -> bool:
    return pair[0] is pair[1] or pair[0] == pair[1]
