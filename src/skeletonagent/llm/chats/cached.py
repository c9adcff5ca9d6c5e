"""Answers known already, on disk, shared by all trainings that ask the same question."""

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
from skeletonagent.llm.answer_schemas import ANSWER_SCHEMAS
from skeletonagent.llm.chat import Answer, Chat
from skeletonagent.llm.messages import to_messages

T = TypeVar("T")

_MOVING = Lock()
_PATIENCE = 5.0
"""Seconds to wait for another process that writes."""
_TABLE = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT, source TEXT)"


class ParametrisedChat(Chat, Protocol):
    """A chat whose answers depend on parameters besides the words."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What the model is told besides the words."""
        ...


@dataclass(frozen=True)
class CachedChat:
    """A chat that asks another one only what was never answered before.

    Only answers are kept, never refusals or failures. The file may be shared by threads and
    processes on one machine. Whatever is wrong with it costs answers, never the training.

    Args:
        chat: Whoever answers what is not known yet.
        path: The SQLite file.
    """

    chat: ParametrisedChat
    path: Path

    @property
    def name(self) -> str:
        """Who answers."""
        return self.chat.name

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the known answer, or else the chat's own.

        Raises:
            ChatError: If the answer is not known and the chat gives none.
        """
        key = self._key(question, history)
        known = self._attempt(lambda: self._read(key))
        if known is not None:
            return known
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
        if row is None:
            return None
        try:
            source = Provenance.from_json(json.loads(row[1]))
        except (TypeError, ValueError):
            return None
        return Answer(row[0], source)

    def _write(self, key: str, answer: Answer) -> None:
        told = answer.source or Provenance(self.name)
        known = replace(told, seconds=0.0, input_tokens=0, output_tokens=0, requests=0, faults=())
        row = (key, answer.text, json.dumps(asdict(known)))
        with closing(self._open()) as file, file:
            file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", row)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(self.path, timeout=_PATIENCE)
        try:
            # It only lets readers pass a writer; another process may be switching to it just now.
            with suppress(sqlite3.OperationalError):
                file.execute("PRAGMA journal_mode = WAL")
            file.execute(_TABLE)
        except BaseException:
            file.close()
            raise
        return file

    def _attempt(self, work: Callable[[], T]) -> T | None:
        """Return what some work on the file comes to, or None if the file does not let it."""
        try:
            return work()
        except (sqlite3.OperationalError, OSError) as error:
            problem = f"{error}; the answer is asked for instead"
        except sqlite3.DatabaseError as error:
            problem = f"{error}; {self._set_aside()}"
        warnings.warn(f"the cache of answers {self.path}: {problem}", RuntimeWarning, stacklevel=3)
        return None

    def _set_aside(self) -> str:
        """Move a damaged file out of the way, if nobody else has; return what came of it."""
        with _MOVING:
            if self._sound():
                return "it was replaced by a new one"
            aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
            try:
                self.path.rename(aside)
                for suffix in ("-wal", "-shm"):
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            except OSError as error:
                return f"it stays where it is: {error}"
            return f"it is set aside as {aside.name}"

    def _sound(self) -> bool:
        try:
            with closing(self._open()) as file:
                return bool(file.execute("PRAGMA quick_check").fetchone()[0] == "ok")
        except sqlite3.DatabaseError:
            return False
