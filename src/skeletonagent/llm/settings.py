"""How a language model behind a provider is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from annotated_types import Ge, Gt

from skeletonagent.core.errors import ConfigError


@dataclass(frozen=True)
class ProviderSettings:
    """How a language model is asked; keys are never settings, they come from the environment.

    Args:
        base_url: Address of a server that speaks OpenAI's chat completions, such as
            ``http://localhost:11434/v1``; its key, if it needs one, is ``SKELETONAGENT_API_KEY``.
            None asks the provider itself.
        temperature: Randomness of the answers.
        max_tokens: Longest answer, in tokens; None leaves it to the provider.
        timeout: Seconds a request may take, the reading of its answer included.
        max_attempts: How many times a question is sent that fails for a passing reason.
        backoff: Seconds before the second attempt; they double with each further one.
        max_wait: Most seconds between two attempts, whatever the server asks for.
        breaker_failures: Questions that fail in a row before the chat is taken for dead.
        breaker_seconds: Seconds after which a dead chat is tried again.
    """

    base_url: str | None = None
    temperature: Annotated[float, Ge(0)] = 0.0
    max_tokens: Annotated[int, Ge(1)] | None = None
    timeout: Annotated[float, Gt(0)] = 60.0
    max_attempts: Annotated[int, Ge(1)] = 4
    backoff: Annotated[float, Ge(0)] = 1.0
    max_wait: Annotated[float, Ge(0)] = 60.0
    breaker_failures: Annotated[int, Ge(1)] = 5
    breaker_seconds: Annotated[float, Ge(0)] = 60.0

    def __post_init__(self) -> None:
        if self.base_url is None:
            return
        if not re.match(r"https?://[^/]", self.base_url):
            raise ConfigError("base_url must begin with http:// or https:// and name a server")
        parts = urlsplit(self.base_url)
        if parts.username or parts.password or parts.query:
            raise ConfigError(
                "base_url must hold no user, password or query: put the server's key into the "
                "environment variable SKELETONAGENT_API_KEY"
            )


@dataclass(frozen=True)
class LanguageModel(ProviderSettings):
    """A language model, and how it is asked.

    Args:
        model: ``provider:model``, such as ``openai:gpt-4o``; the model's bare name will do where
            there is a ``base_url``.
    """

    model: str = "openai:gpt-4o"


def is_local(base_url: str) -> bool:
    """Return whether a server runs on this machine or in its private network."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ip_address(host).is_private
    except ValueError:
        # A name without a dot is known only to the machine or its network.
        return bool(host) and ("." not in host or host.endswith((".local", ".internal")))
