"""Construction of the chat that agents ask, from names of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from skeletonagent.core.errors import ConfigError
from skeletonagent.llm.budget import Budget
from skeletonagent.llm.chat import Chat
from skeletonagent.llm.chats.cached import CachedChat
from skeletonagent.llm.chats.fallback import FallbackChat
from skeletonagent.llm.settings import LanguageModel, ProviderSettings


def build_chat(
    models: Sequence[str],
    settings: ProviderSettings,
    budget: Budget | None = None,
    cache_path: Path | None = None,
) -> Chat:
    """Return a chat with language models, each asked where those before it give no answer.

    Args:
        models: ``provider:model``, or ``model@address`` for a model at a server with an address,
            such as ``qwen3:8b@http://localhost:11434/v1``; others use the settings' ``base_url``.
        settings: Settings of the requests to each of them.
        budget: Limits of what all of them may spend together.
        cache_path: File in which answers are kept for later; None keeps none.

    Raises:
        ConfigError: If a model cannot be asked.
    """
    if not models:
        raise ConfigError("no language model is named; one such as 'openai:gpt-4o' is needed")
    # The library behind it takes seconds to load, which runs without a language model are spared.
    from skeletonagent.llm.chats.provider import ProviderChat

    budget = budget or Budget()
    chats: list[Chat] = []
    for model in models:
        chat = ProviderChat(resolve_model(settings, model), budget)
        chats.append(chat if cache_path is None else CachedChat(chat, cache_path))
    return chats[0] if len(chats) == 1 else FallbackChat(tuple(chats))


def resolve_model(settings: ProviderSettings, model: str) -> LanguageModel:
    """Return one of the models that :func:`build_chat` takes, with the settings of its requests."""
    fields = asdict(settings)
    name, at, address = model.rpartition("@")
    if at and address.startswith(("http://", "https://")):
        return LanguageModel(**{**fields, "model": name, "base_url": address})
    return LanguageModel(**{**fields, "model": model})
