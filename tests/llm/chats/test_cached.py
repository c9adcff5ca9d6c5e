from __future__ import annotations

import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from skeletonagent.core.dialogue import Exchange, Provenance, Question, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.llm.chat import Answer
from skeletonagent.llm.chats.cached import CachedChat

SOURCE = Provenance(
    "model", {"form": "tool"}, "2026-01-01T00:00:00+00:00", 2.0, 10, 5, 3, ("timeout",)
)


@dataclass
class Counting:
    """A chat that counts how often it is asked."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str = "model"
    asked: int = 0

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        self.asked += 1
        if question.action == "refused":
            raise ChatError(self.name, question.action, question.step, 1, "refused", ("refusal",))
        return Answer(f"answer {self.asked} about {question.action}", SOURCE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "answers.sqlite"


def test_the_second_answer_is_the_first_and_costs_nothing(
    path: Path, ask_about: Callable[..., Question]
) -> None:
    chat = CachedChat(Counting(), path)
    first, second = chat.ask(ask_about(), ()), chat.ask(ask_about(), ())
    assert first == Answer("answer 1 about wave", SOURCE)
    assert second.text == first.text
    assert second.source == Provenance("model", {"form": "tool"}, SOURCE.asked)


def test_whatever_an_answer_depends_on_makes_another_key(
    path: Path, ask_about: Callable[..., Question]
) -> None:
    inner, question = Counting(), ask_about()
    chat = CachedChat(inner, path)
    chat.ask(question, ())
    other_history = (Exchange(ask_about(Step.BODY_PARTS), "Head: still."),)
    chat.ask(replace(question, text="other"), ())
    chat.ask(replace(question, form="other"), ())
    chat.ask(replace(question, step=Step.CRITICAL_JOINTS), ())
    chat.ask(question, other_history)
    assert inner.asked == 5
    for others in (Counting({"temperature": 1.0}), Counting(name="other")):
        CachedChat(others, path).ask(question, ())
        assert others.asked == 1


def test_rounds_and_counts_are_not_part_of_the_key(
    path: Path, ask_about: Callable[..., Question]
) -> None:
    inner, question = Counting(), ask_about()
    CachedChat(inner, path).ask(question, ())
    CachedChat(inner, path).ask(replace(question, round=3, counts=(7,)), ())
    assert inner.asked == 1


def test_failures_are_not_kept(path: Path, ask_about: Callable[..., Question]) -> None:
    inner = Counting()
    for _ in range(2):
        with pytest.raises(ChatError):
            CachedChat(inner, path).ask(ask_about(action="refused"), ())
    assert inner.asked == 2


@pytest.mark.parametrize("column", ["text", "source"])
@pytest.mark.parametrize(
    "value", [None, b"\xff\xfe", "", "  ", "null", "[]", "{}", '{"model": 3}', "[" * 9999]
)
def test_a_row_that_holds_no_answer_is_asked_for_again(
    path: Path, ask_about: Callable[..., Question], column: str, value: object
) -> None:
    inner = Counting()
    chat = CachedChat(inner, path)
    chat.ask(ask_about(), ())
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(f"UPDATE answers SET {column} = ?", (value,))
    if column == "text" and isinstance(value, str) and value.strip():
        assert chat.ask(ask_about(), ()).text == value, "the checks of answers judge it"
        return
    assert chat.ask(ask_about(), ()).text == "answer 2 about wave"
    assert chat.ask(ask_about(), ()).text == "answer 2 about wave", "the row is replaced"
    assert inner.asked == 2


def test_a_file_of_another_kind_costs_caching_only(
    path: Path, ask_about: Callable[..., Question]
) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE answers (other)")
    with pytest.warns(RuntimeWarning, match="asked for instead"):
        assert CachedChat(Counting(), path).ask(ask_about(), ()).text == "answer 1 about wave"


def test_a_damaged_file_is_set_aside(path: Path, ask_about: Callable[..., Question]) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but longer than a header of one hundred bytes" * 9)
    inner = Counting()
    chat = CachedChat(inner, path)
    with pytest.warns(RuntimeWarning, match="set aside as answers.sqlite.damaged"):
        chat.ask(ask_about(), ())
    assert chat.ask(ask_about(), ()).text == "answer 1 about wave"
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def test_who_comes_late_does_not_set_the_new_file_aside(
    path: Path, ask_about: Callable[..., Question]
) -> None:
    chat = CachedChat(Counting(), path)
    chat.ask(ask_about(), ())
    assert "replaced" in chat._set_aside()
    assert chat.ask(ask_about(), ()).text == "answer 1 about wave"


def test_threads_share_a_file_that_was_damaged(
    path: Path, ask_about: Callable[..., Question]
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 100)
    inner = Counting()
    chat = CachedChat(inner, path)
    with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
        warnings.simplefilter("ignore")
        for _ in range(2):
            list(pool.map(lambda i: chat.ask(ask_about(action=f"class {i}"), ()), range(16)))
    asked = inner.asked
    for number in range(16):
        chat.ask(ask_about(action=f"class {number}"), ())
    assert inner.asked == asked


def test_a_locked_file_costs_caching_only(
    path: Path, ask_about: Callable[..., Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skeletonagent.llm.chats.cached._LOCK_TIMEOUT", 0.05)
    chat = CachedChat(Counting(), path)
    chat.ask(ask_about(), ())
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.warns(RuntimeWarning, match="locked"):
            answer = chat.ask(ask_about(action="clap"), ())
    assert answer.text == "answer 2 about clap"


def test_a_place_that_cannot_be_written_costs_caching_only(
    tmp_path: Path, ask_about: Callable[..., Question]
) -> None:
    (tmp_path / "file").write_text("in the way")
    chat = CachedChat(Counting(), tmp_path / "file" / "answers.sqlite")
    with pytest.warns(RuntimeWarning, match="asked for instead"):
        assert chat.ask(ask_about(), ()).text == "answer 1 about wave"


PROGRAM = """
import sys, warnings
from pathlib import Path
from types import SimpleNamespace
from skeletonagent.core.dialogue import Question, Step
from skeletonagent.llm.chats.cached import CachedChat
from skeletonagent.llm.chat import Answer

warnings.simplefilter("error")
inner = SimpleNamespace(name="model", parameters={}, ask=lambda q, h: Answer(f"about {q.action}"))
chat = CachedChat(inner, Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 30):
    chat.ask(Question(f"class {number}", Step.OVERVIEW, (), (), f"text {number}"), ())
"""


def test_processes_share_a_file(path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(path)]
    processes = [
        subprocess.Popen([*command, str(start)], stderr=subprocess.PIPE, text=True)
        for start in (0, 15, 30)
    ]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM answers").fetchone() == (60,)
