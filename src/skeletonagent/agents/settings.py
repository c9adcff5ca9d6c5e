"""TODO."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Gt, Interval
from pydantic import BeforeValidator

from skeletonagent.llm.settings import ProviderSettings


class VerifyMode(StrEnum):
    """What is done about a joint the clips speak against."""

    OFF = "off"
    FLAG = "flag"
    FILTER = "filter"
    REPAIR = "repair"


def _unquoted(value: object) -> object:
    """Return the word that YAML takes for a truth value where it is not quoted."""
    return "off" if value is False else value


@dataclass(frozen=True)
class AgentSettings:
    """Who gives guidance, and what it may cost.

    Args:
        chat: ``analyst`` answers from the training clips, offline; ``bundled`` answers from what
            is written about the classes of well-known data sets, and the analyst for any other;
            ``none`` trains without guidance, on the class loss alone; ``recorded:PATH`` answers
            from the dialogues of a run or of ``dialogues import``; ``provider:model``, such as
            ``openai:gpt-4o``, asks a language model, whose key is taken from the environment.
        fallback: Further language models, asked in this order where those before give no answer.
        provider: How language models are asked.
        max_rivals: k, how many confused classes a question names at most.
        padded_rivals: Whether k rivals are named in any case, as the released code does, if need be
            classes that were never confused, or the class itself.
        rival_share: Smallest share of a class's clips mistaken for another that makes it a rival.
        verify: What is done about joints the training clips speak against: nothing (``off``), a
            remark in the dialogue (``flag``), leave them out (``filter``), or show the evidence,
            ask again and then leave out (``repair``).
        text_encoder: Name in the table of text encoders, ``NAME:PATH`` for files of one's own, or
            the path of a transformers folder.
        concurrency: How many classes are talked about at once.
        wait: Whether the training waits for a round, so that it can be repeated exactly; none
            waits for the analyst and for recorded answers, and goes on beside language models.
        round_timeout: Limit of a round; a class without an answer by then keeps its guidance.
        cache: Whether answers of language models are kept on disk, so that none is paid twice.
        max_requests: Most requests of a run; on reaching a limit guidance stays as it is.
        max_tokens: Most tokens of a run, read and written.
        max_dollars: Highest price of a run's tokens.
    """

    chat: str = "analyst"
    fallback: tuple[str, ...] = ()
    provider: ProviderSettings = field(default_factory=ProviderSettings)
    max_rivals: Annotated[int, Ge(1)] = 10
    padded_rivals: bool = False
    rival_share: Annotated[float, Interval(ge=0, lt=1)] = 0.01
    verify: Annotated[VerifyMode, BeforeValidator(_unquoted)] = VerifyMode.FLAG
    text_encoder: str = "wordllama"
    concurrency: Annotated[int, Ge(1)] = 8
    wait: bool | None = None
    round_timeout: Annotated[float, Gt(0)] = 600.0
    cache: bool = True
    max_requests: Annotated[int, Ge(1)] | None = None
    max_tokens: Annotated[int, Ge(1)] | None = None
    max_dollars: Annotated[float, Gt(0)] | None = None

    def __post_init__(self) -> None:
        """Refuse a chat that cannot be meant.

        Raises:
            ValueError: Saying what may be.
        """
        named = self.chat in ("analyst", "none", "bundled") or ":" in self.chat
        if not named and self.provider.base_url is None:
            raise ValueError(
                f"chat {self.chat!r} is not known; give analyst, none, bundled, recorded:PATH or "
                "provider:model such as openai:gpt-4o"
            )
