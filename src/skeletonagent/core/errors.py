"""The errors a user can meet; each message says what was got, what is allowed and what to do."""

from __future__ import annotations

from pathlib import Path
from signal import Signals


class SkeletonAgentError(Exception):
    """Base of every error that is reported to the user in one line, without a traceback."""


class ConfigError(SkeletonAgentError):
    """A configuration that cannot be used; the message lists every mistake at once."""


class DataError(SkeletonAgentError):
    """A data file or a sample in it that cannot be used.

    Args:
        problem: What is wrong and what to do.
        path: The file, where one is to blame.
        sample: The sample's id, where one is to blame.
    """

    def __init__(
        self, problem: str, *, path: Path | None = None, sample: str | None = None
    ) -> None:
        where = ": ".join(str(part) for part in (path, sample and f"sample {sample!r}") if part)
        super().__init__(f"{where}: {problem}" if where else problem)
        self.path = path
        self.sample = sample


class ChatError(SkeletonAgentError):
    """A question that got no answer: the chat is unreachable, refused or gave up.

    Args:
        provider: Name of the chat.
        action: The class asked about.
        step: The step of the dialogue.
        attempts: How many requests were sent.
        problem: What went wrong; never a key or anything else that is secret.
        faults: What went wrong with each request, a word or two each.
    """

    def __init__(
        self,
        provider: str,
        action: str,
        step: str,
        attempts: int,
        problem: str,
        faults: tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            f"{provider} gave no answer about {action!r} ({step}), {attempts} attempt(s): {problem}"
        )
        self.provider = provider
        self.action = action
        self.step = step
        self.attempts = attempts
        self.problem = problem
        self.faults = faults


class ChatClosedError(ChatError):
    """A question that was not even sent: a budget is spent, or the chat was found dead."""


class AnswerError(SkeletonAgentError):
    """An answer that cannot be used as guidance.

    Args:
        action: The class asked about.
        step: The step of the dialogue.
        answer: The answer's text, shortened in the message.
        problem: Which check failed.
    """

    def __init__(self, action: str, step: str, answer: str, problem: str) -> None:
        shown = answer if len(answer) <= 120 else f"{answer[:117]}..."
        super().__init__(f"unusable answer about {action!r} ({step}): {problem}; got {shown!r}")
        self.action = action
        self.step = step
        self.answer = answer
        self.problem = problem


class CheckpointError(SkeletonAgentError):
    """A checkpoint that is missing, damaged or belongs to another run."""


class CorruptCheckpointError(CheckpointError):
    """A checkpoint that was torn or altered; an earlier one may still do."""


class RunInUseError(SkeletonAgentError):
    """A directory that another process is writing to."""


class TrainingInterrupted(SkeletonAgentError):
    """Training that a signal has ended, and whose state is saved.

    Args:
        by: The signal.
    """

    def __init__(self, by: Signals) -> None:
        super().__init__(f"stopped by {by.name}, everything is saved")
        self.signal = by


class TrainingError(SkeletonAgentError):
    """Training that cannot go on, for instance because the loss is no longer finite."""
