"""Guidance of all rounds of a run: a JSON file that grows by a line in each round.

Every round is a line of its own, so that a round costs the same however many were before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from skeletonagent.core.files import write_from, write_text

_Round = dict[str, Any]
"""Guidance of a round as plain values."""
_BEGIN, _BETWEEN, _END = '{"rounds": [\n', ",\n", "\n]}\n"


class RoundLog:
    """Writer of the guidance of each round.

    Args:
        path: File, perhaps missing; the first round that is written replaces it.
        earlier: Rounds that are kept, as far as they come before that one; oldest first.
        reread: Function that returns the rounds in the file, where another has written to it.
    """

    def __init__(
        self, path: Path, earlier: Sequence[_Round], reread: Callable[[], Sequence[_Round]]
    ) -> None:
        self.path = path
        self._earlier, self._reread = earlier, reread
        self._position = 0
        """Where the line of the latest round ends; 0 before the first is written."""

    def write(self, record: _Round) -> None:
        """Write the guidance of a round.

        Args:
            record: The round as plain values, with its number, which none written has.

        Raises:
            DataError: If another has written to the file, and it is damaged.
            OSError: If the file cannot be written.
        """
        if self._position:
            if self.path.is_file() and self.path.stat().st_size == self._position + len(_END):
                text = f"{_BETWEEN}{json.dumps(record)}"
                write_from(self.path, self._position, f"{text}{_END}".encode())
                self._position += len(text)
                return
            self._earlier = self._reread()
        kept = [one for one in self._earlier if one["round"] < record["round"]]
        text = _BEGIN + _BETWEEN.join(map(json.dumps, (*kept, record)))
        write_text(self.path, f"{text}{_END}")
        self._position, self._earlier = len(text), ()


def whole_rounds(text: str) -> str:
    """Return the content of a file of rounds, without a line that a kill cut short."""
    if not text.startswith(_BEGIN) or text.endswith(_END):
        return text
    cut = text.removeprefix(_BEGIN).removesuffix("\n]").split("\n")
    *lines, last = (line.removesuffix(",") for line in cut)
    return _BEGIN + _BETWEEN.join([*lines, *([last] if _is_whole(last) else [])]) + _END


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
