"""Cache of answers on disk, shared by all trainings that ask the same question."""

from __future__ import annotations

import json
import sqlite3
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeVar

from skeletonagent.core.dialogue import Exchange, Provenance, Question
from skeletonagent.core.outside_text import printable_values
from skeletonagent.llm.answer_schemas import ANSWER_SCHEMAS
from skeletonagent.llm.chat import LONGEST_ANSWER, Answer, Chat
from skeletonagent.llm.messages import to_messages

_T = TypeVar("_T")

_MOVE_LOCK = Lock()
_LOCK_TIMEOUT = 5.0
"""Seconds to wait for another process that writes."""
_TABLE = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT, source TEXT)"


class ParametrisedChat(Chat, Protocol):
    """Chat whose answers depend on parameters besides the conversation."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters of the requests besides the conversation."""
        ...


@dataclass(frozen=True)
class CachedChat:
    """Chat that asks another one only questions that were never answered before.

    Only answers are kept, never refusals or failures. The file may be shared by threads and
    processes on one machine. A damaged or locked file costs cached answers, never the training.

    Args:
        chat: Chat that is asked where no answer is cached.
        path: The SQLite file.
    """

    chat: ParametrisedChat
    path: Path

    @property
    def name(self) -> str:
        """Name of the chat."""
        return self.chat.name

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the cached answer, or else the chat's.

        Raises:
            ChatError: If no answer is cached and the chat gives none.
        """
        key = self._key(question, history)
        cached = self._attempt(lambda: self._read(key))
        if cached is not None:
            return cached
        answer = self.chat.ask(question, history)
        self._attempt(lambda: self._write(key, answer))
        return answer

    def _key(self, question: Question, history: Sequence[Exchange]) -> str:
        """Return a digest of all that an answer depends on."""
        schema = ANSWER_SCHEMAS[question.step].model_json_schema()
        content = (
            self.name,
            dict(self.chat.parameters),
            to_messages(history, question.plain),
            schema,
        )
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _read(self, key: str) -> Answer | None:
        with closing(self._open()) as file:
            row = file.execute("SELECT text, source FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else _answer(*row)

    def _write(self, key: str, answer: Answer) -> None:
        source = answer.source or Provenance(self.name)
        cached = replace(
            source, seconds=0.0, input_tokens=0, output_tokens=0, requests=0, faults=()
        )
        row = (key, answer.text, json.dumps(asdict(cached)))
        with closing(self._open()) as file, file:
            file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", row)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(self.path, timeout=_LOCK_TIMEOUT)
        try:
            # It only lets readers pass a writer; another process may be switching to it just now.
            with suppress(sqlite3.OperationalError):
                file.execute("PRAGMA journal_mode = WAL")
            file.execute(_TABLE)
        except BaseException:
            file.close()
            raise
        return file

    def _attempt(self, work: Callable[[], _T]) -> _T | None:
        """Return the result of some work on the file, or None if the file prevents it."""
        try:
            return work()
        except (sqlite3.OperationalError, OSError) as error:
            problem = f"{error}; the answer is asked for instead"
        except sqlite3.DatabaseError as error:
            problem = f"{error}; {self._set_aside()}"
        warnings.warn(f"the cache of answers {self.path}: {problem}", RuntimeWarning, stacklevel=3)
        return None

    def _set_aside(self) -> str:
        """Move a damaged file out of the way, unless it was moved already; return the result."""
        with _MOVE_LOCK:
            if self._is_intact():
                return "it was replaced by a new one"
            aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
            try:
                self.path.rename(aside)
                for suffix in ("-wal", "-shm"):
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            except OSError as error:
                return f"it stays where it is: {error}"
            return f"it is set aside as {aside.name}"

    def _is_intact(self) -> bool:
        try:
            with closing(self._open()) as file:
                return bool(file.execute("PRAGMA quick_check").fetchone()[0] == "ok")
        except sqlite3.DatabaseError:
            return False


def _answer(text: object, source: object) -> Answer | None:
    """Return the answer of a row; None if it holds none, so that it is asked for again."""
    if not isinstance(text, str) or not text.strip() or not isinstance(source, str):
        return None
    try:
        recorded = printable_values(json.loads(source), LONGEST_ANSWER)
        return Answer(text, Provenance.from_json(recorded))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None
