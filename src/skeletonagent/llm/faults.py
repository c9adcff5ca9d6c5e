"""What can go wrong with one request to a language model."""

from __future__ import annotations

from enum import Enum, auto


class Remedy(Enum):
    """What helps against a fault."""

    WAIT = auto()
    """It passes: the same request again, after a while."""
    REFORM = auto()
    """The server cannot do this form of output: the next form, at once."""
    REPEAT = auto()
    """The answer does not fit its form: once more, then the next form."""
    NONE = auto()
    """Nothing this run can do."""


class Fault(Exception):
    """A request that brought no usable answer.

    Args:
        word: What went wrong, in a word or two.
        problem: The same in a sentence, free of secrets.
        remedy: What helps.
        wait: Seconds the server asks to wait.
        status: The HTTP status, where there is one.
    """

    def __init__(
        self,
        word: str,
        problem: str,
        remedy: Remedy,
        *,
        wait: float = 0.0,
        status: int | None = None,
    ) -> None:
        super().__init__(problem)
        self.word = word
        self.problem = problem
        self.remedy = remedy
        self.wait = wait
        self.status = status


REFUSAL = "refusal"
"""The word of a fault that tells nothing about the health of the server."""
