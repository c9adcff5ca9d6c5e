"""Settings of the agents: section ``agents`` of a configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Gt, Interval
from pydantic import BeforeValidator

from skeletonagent.core.suggestions import did_you_mean
from skeletonagent.llm.settings import ProviderSettings

OFFLINE = ("analyst", "none", "bundled")
"""Chats that ask no language model, apart from recorded ones."""


class VerifyMode(StrEnum):
    """Treatment of joints and claims that the training clips speak against.

    Contradicted claims are left out in every mode but ``off``.
    """

    OFF = "off"
    """Neither joints nor claims are checked against the clips."""
    FLAG = "flag"
    """The dialogue gets a remark; the joints stay salient."""
    FILTER = "filter"
    """The dialogue gets a remark, and the joints are left out."""
    REPAIR = "repair"
    """The question is asked again with the evidence; joints still doubted are left out."""


class GuidanceControl(StrEnum):
    """Control of whether the content of the guidance matters, for studies."""

    NONE = "none"
    """Each class has its own guidance."""
    SHUFFLED = "shuffled"
    """Each class has the guidance of another class, the same one all the time."""
    RANDOM = "random"
    """Each class has as many joints and claims, drawn at random, and a random vector as sentence;
    the vectors have the scalar products of the sentences."""


def _unquoted(value: object) -> object:
    """Return ``off`` for the truth value that YAML reads in its place where it is not quoted."""
    return "off" if value is False else value


@dataclass(frozen=True)
class AgentSettings:
    """Agents that give guidance, and limits of what they may cost.

    Args:
        chat: Who answers the agents' questions. ``analyst`` answers from the training clips,
            offline; ``bundled`` answers from the class notes of well-known data sets that come with
            the package, and from the clips for any other class; ``none`` trains without guidance,
            on the class loss alone; ``recorded:PATH`` answers from the dialogues of a run or of
            ``dialogues import``; ``provider:model``, such as ``openai:gpt-4o``, asks a language
            model, whose key is taken from the environment; ``model@address`` asks a model on a
            server of one's own.
        must_answer: Whether a training ends before it has begun where a language model turns its
            first question down for good: a wrong key, no permission or no such model (HTTP 401,
            403, 404). If not, it goes on without its answers, and says so.
        fallback: Further language models, asked in this order where those before give no answer.
        provider: Requests to language models.
        max_rivals: Largest number of confused classes that a question names; k of the paper.
        padded_rivals: Whether every question names ``max_rivals`` classes, as in the released code,
            if need be classes that were never confused, or the class itself.
        rival_share: Smallest share of the clips of a class, from 0 to 1, that must be mistaken for
            another class to make that class a rival.
        verify: Treatment of joints and claims that the training clips speak against.
        control: Control of whether the content of the guidance matters: ``none``, ``shuffled`` or
            ``random``.
        text_encoder: Text encoder of the sentences: a name in the table of text encoders,
            ``NAME:PATH`` for files of one's own, or the path of a transformers folder.
        concurrency: Number of classes that are asked about at the same time where a language model
            answers.
        wait: Whether the training waits for a round, so that it can be repeated exactly. If not
            set, it waits for answers given offline, and continues beside a language model.
        round_timeout: Time limit of a round of a language model, in seconds; a class without an
            answer by then keeps its guidance.
        cache: Whether answers of language models are kept on disk, so that none is paid for twice.
        max_requests: Largest number of requests of a run; guidance stays as it is once a limit is
            reached. Unlimited if not set.
        max_tokens: Largest number of tokens of a run, read and written. Unlimited if not set.
        max_dollars: Highest price of a run's tokens, in US dollars. Unlimited if not set.
    """

    chat: str = "analyst"
    must_answer: bool = True
    fallback: tuple[str, ...] = ()
    provider: ProviderSettings = field(default_factory=ProviderSettings)
    max_rivals: Annotated[int, Ge(1)] = 10
    padded_rivals: bool = False
    rival_share: Annotated[float, Interval(ge=0, lt=1)] = 0.01
    verify: Annotated[VerifyMode, BeforeValidator(_unquoted)] = VerifyMode.FLAG
    control: GuidanceControl = GuidanceControl.NONE
    text_encoder: str = "wordllama"
    concurrency: Annotated[int, Ge(1)] = 8
    wait: bool | None = None
    round_timeout: Annotated[float, Gt(0)] = 600.0
    cache: bool = True
    max_requests: Annotated[int, Ge(1)] | None = None
    max_tokens: Annotated[int, Ge(1)] | None = None
    max_dollars: Annotated[float, Gt(0)] | None = None

    def __post_init__(self) -> None:
        """Check the name of the chat.

        Raises:
            ValueError: If it names none.
        """
        named = self.chat in OFFLINE or ":" in self.chat
        if not named and self.provider.base_url is None:
            raise ValueError(
                f"chat {self.chat!r} is not known; {did_you_mean(self.chat, OFFLINE)}give analyst, "
                "none, bundled, recorded:PATH or provider:model such as openai:gpt-4o"
            )
