"""Errors that users see; each message says what was got, what is allowed and what to do."""

from __future__ import annotations

from pathlib import Path
from signal import Signals

from skeletonagent.core.outside_text import printable_text

_LONGEST_PROBLEM = 2000
_LONGEST_PLACE = 5000
"""Longest place of a problem in a message, in characters; a path has 4096 at most."""


class SkeletonAgentError(Exception):
    """Base class of errors that are reported in one line, without a traceback."""


class ConfigError(SkeletonAgentError):
    """Configuration that cannot be used; the message lists every mistake at once."""


class DataError(SkeletonAgentError):
    """Data file, or sample in it, that cannot be used.

    Args:
        problem: Problem, and what to do about it.
        path: File with the problem, if it is in one.
        sample: Id of the sample with the problem, if it is in one.
    """

    def __init__(
        self, problem: str, *, path: Path | None = None, sample: str | None = None
    ) -> None:
        where = ": ".join(str(part) for part in (path, sample and f"sample {sample!r}") if part)
        shown = printable_text(problem, _LONGEST_PROBLEM)  # it may quote the file
        super().__init__(f"{printable_text(where, _LONGEST_PLACE)}: {shown}" if where else shown)
        self.path = path
        self.sample = sample


class ChatError(SkeletonAgentError):
    """Question without an answer: the chat is unreachable, refused or gave up.

    Args:
        provider: Name of the chat.
        action: Class the question is about.
        step: Step of the dialogue.
        attempts: Number of requests sent.
        problem: Problem; never a key or anything else that is secret.
        faults: Code of each request's failure.
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
    """Question that was not sent: a budget is spent, or the chat failed too often."""


class AnswerError(SkeletonAgentError):
    """Answer that cannot be used as guidance.

    Args:
        action: Class the question is about.
        step: Step of the dialogue.
        answer: Text of the answer, shortened in the message.
        problem: Check that failed.
    """

    def __init__(self, action: str, step: str, answer: str, problem: str) -> None:
        shown = answer if len(answer) <= 120 else f"{answer[:117]}..."
        super().__init__(f"unusable answer about {action!r} ({step}): {problem}; got {shown!r}")
        self.action = action
        self.step = step
        self.answer = answer
        self.problem = problem


class CheckpointError(SkeletonAgentError):
    """Checkpoint that is missing, corrupt or of another run."""


class CorruptCheckpointError(CheckpointError):
    """Checkpoint that was torn or altered; an earlier one may be readable."""


class ExportError(SkeletonAgentError):
    """Recognizer that cannot be exported, or whose export computes something else."""


class RunInUseError(SkeletonAgentError):
    """Directory that another process is writing to."""


class TrainingInterrupted(SkeletonAgentError):
    """Training that a signal has ended, and whose state is saved.

    Args:
        by: Signal received.
    """

    def __init__(self, by: Signals) -> None:
        super().__init__(f"stopped by {by.name}, everything is saved")
        self.signal = by


class TrainingError(SkeletonAgentError):
    """Training that cannot go on, for instance because the loss is no longer finite."""
