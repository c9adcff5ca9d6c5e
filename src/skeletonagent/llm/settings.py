"""Settings of requests to language models: section ``agents.provider`` of a configuration."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from annotated_types import Ge, Gt

from skeletonagent.core.errors import ConfigError


@dataclass(frozen=True)
class ProviderSettings:
    """Requests to language models; keys are no settings, they come from the environment.

    Args:
        base_url: Address of a server with OpenAI's chat completions, such as
            ``http://localhost:11434/v1``; its key, if it needs one, is taken from the environment
            variable ``SKELETONAGENT_API_KEY``. The provider itself is asked if not set.
        temperature: Sampling temperature of the answers; 0 for the most likely ones.
        max_tokens: Longest answer, in tokens. The provider's limit if not set.
        timeout: Time limit of a request, in seconds, including the time its answer takes to arrive.
        max_attempts: Largest number of requests for one question that fail for a passing reason.
        backoff: Pause before the second request, in seconds; it doubles with each further one.
        max_wait: Longest pause between two requests, in seconds, even if the server asks for more.
        breaker_failures: Number of questions in a row that must fail before the model is taken for
            unavailable.
        breaker_seconds: Time after which an unavailable model is tried again, in seconds.
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
        try:
            parts = urlsplit(self.base_url)
            usable = bool(parts.hostname) and parts.port != 0 and self.base_url.isprintable()
        except ValueError:  # a port that is no number, or half an IPv6 address
            usable = False
        if not usable or " " in self.base_url:
            raise ConfigError(
                "base_url is no address, or its port no number from 1 to 65535; one such as "
                "http://localhost:8000/v1 or http://[::1]:8000/v1 is needed"
            )
        if parts.username or parts.password or parts.query:
            raise ConfigError(
                "base_url must hold no user, password or query: put the server's key into the "
                "environment variable SKELETONAGENT_API_KEY"
            )


@dataclass(frozen=True)
class LanguageModel(ProviderSettings):
    """A language model and the settings of requests to it.

    Args:
        model: ``provider:model``, such as ``openai:gpt-4o``, or the name of a model alone where
            there is a ``base_url``.
    """

    model: str = "openai:gpt-4o"


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(_numeric(host))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified


def _numeric(host: str) -> str:
    """Return the address of a host in full where it is written short, such as ``127.1``."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host.strip("[]")


def is_local(base_url: str) -> bool:
    """Return whether a server runs on this machine or in its private network."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ip_address(host).is_private
    except ValueError:
        # A name without a dot is known only to the machine or its network.
        return bool(host) and ("." not in host or host.endswith((".local", ".internal")))
