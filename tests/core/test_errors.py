"""Messages of the errors a user meets."""

from __future__ import annotations

from pathlib import Path

import pytest

from skeletonagent.core.errors import (
    AnswerError,
    ChatError,
    CheckpointError,
    ConfigError,
    DataError,
    SkeletonAgentError,
    TrainingError,
)


@pytest.mark.parametrize(
    "error", [AnswerError, ChatError, CheckpointError, ConfigError, DataError, TrainingError]
)
def test_one_base_catches_all(error: type[Exception]) -> None:
    assert issubclass(error, SkeletonAgentError)


@pytest.mark.parametrize(
    ("path", "sample", "message"),
    [
        (None, None, "is empty"),
        (Path("a.npz"), None, "a.npz: is empty"),
        (None, "s1", "sample 's1': is empty"),
        (Path("a.npz"), "s1", "a.npz: sample 's1': is empty"),
    ],
)
def test_data_errors_say_where(path: Path | None, sample: str | None, message: str) -> None:
    error = DataError("is empty", path=path, sample=sample)
    assert str(error) == message
    assert (error.path, error.sample) == (path, sample)


def test_chat_errors_say_who_was_asked_what() -> None:
    error = ChatError("local", "wave", "overview", 3, "timed out")
    assert str(error) == "local gave no answer about 'wave' (overview), 3 attempt(s): timed out"


def test_answer_errors_show_the_beginning_of_a_long_answer() -> None:
    error = AnswerError("wave", "overview", "x" * 500, "too long")
    assert error.answer == "x" * 500
    assert str(error).endswith("too long; got '" + "x" * 117 + "...'")
    assert "got 'short'" in str(AnswerError("wave", "overview", "short", "no joints"))
