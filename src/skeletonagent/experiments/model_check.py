"""Check of language models: one question to each, outside of a training and of the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from skeletonagent.agents import prompts
from skeletonagent.agents.answers.content import check_answer
from skeletonagent.agents.settings import AgentSettings
from skeletonagent.core.dialogue import Exchange, Provenance, Step
from skeletonagent.core.errors import AnswerError, ChatError, ConfigError
from skeletonagent.core.layout import KINECT_25
from skeletonagent.experiments.build_agents import answers_offline
from skeletonagent.llm.budget import Budget, price
from skeletonagent.llm.chats.build import resolve_model
from skeletonagent.llm.chats.provider import ProviderChat
from skeletonagent.llm.settings import LanguageModel


@dataclass(frozen=True)
class CheckedModel:
    """Language model and its answer to one question.

    Args:
        model: Name of the model.
        address: Address of the server; None for the provider's.
        answer: The answer; empty without one.
        form: Form of the output that worked, such as ``tool``; empty without an answer.
        seconds: Seconds until the answer was there.
        requests: Requests sent, one for each form of output that was tried.
        tokens: Tokens read and written.
        priced: Whether a price per token is known; a server of one's own is free.
        problem: Why there is no answer, or none that can be used; empty if all is well.
    """

    model: str
    address: str | None
    answer: str = ""
    form: str = ""
    seconds: float = 0.0
    requests: int = 0
    tokens: int = 0
    priced: bool = True
    problem: str = ""


def check_models(settings: AgentSettings) -> Iterator[CheckedModel]:
    """Yield the outcome of one question to the language model and to each that stands in for it.

    Nothing is sent twice in the same form, so that one that hangs is known to hang after the time
    limit of a single request.

    Raises:
        ConfigError: If the chat is no language model, or a model cannot be asked.
    """
    if answers_offline(settings.chat):
        raise ConfigError(
            f"{settings.chat!r} asks no language model; name one, such as openai:gpt-4o or "
            "qwen3:8b@http://localhost:11434/v1"
        )
    budget = Budget(settings.max_requests, settings.max_tokens, settings.max_dollars)
    for name in (settings.chat, *settings.fallback):
        yield _check(replace(resolve_model(settings.provider, name), max_attempts=1), budget)


def _check(model: LanguageModel, budget: Budget) -> CheckedModel:
    question = prompts.question(Step.OVERVIEW, "wave with one hand", KINECT_25)
    priced = price(model.model, 1, 1, model.base_url) is not None
    checked = CheckedModel(model.model, model.base_url, priced=priced)
    try:
        answer = ProviderChat(model, budget).ask(question, ())
    except ChatError as error:
        return replace(checked, requests=error.attempts, problem=error.problem)
    source = answer.source or Provenance(model.model)
    checked = replace(
        checked,
        answer=answer.text,
        form=str(source.parameters["form"]),
        seconds=source.seconds,
        requests=source.requests,
        tokens=source.input_tokens + source.output_tokens,
    )
    try:
        check_answer(Exchange(question, answer.text), KINECT_25, parsed=answer.parsed)
    except AnswerError as error:
        return replace(checked, problem=f"the answer cannot be used: {error.problem}")
    return checked
