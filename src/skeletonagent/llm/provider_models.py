"""Models of the providers' library, from the names of settings, with keys of the environment."""

from __future__ import annotations

import inspect
import os
import re
from typing import Any

from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers import Provider, infer_provider, infer_provider_class
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from skeletonagent.core.suggestions import nearest_name
from skeletonagent.llm.settings import LanguageModel
from skeletonagent.llm.transport import bounded_client

LOCAL_KEY = "SKELETONAGENT_API_KEY"
"""Environment variable with the key of a server that is given by its address."""

_KEYS = {
    "openai-chat": "OPENAI_API_KEY",
    "openai-responses": "OPENAI_API_KEY",
    "azure": "AZURE_OPENAI_API_KEY",
    "bedrock": "AWS_BEARER_TOKEN_BEDROCK",
    "cohere": "CO_API_KEY",
    "huggingface": "HF_TOKEN",
}
"""Environment variables with providers' keys that are not called by name and ``_API_KEY``."""
_PROVIDERS = (
    "anthropic", "azure", "bedrock", "cohere", "deepseek", "google", "groq", "huggingface",
    "mistral", "moonshotai", "ollama", "openai", "openrouter", "recorded", "together", "xai",
)  # fmt: skip
"""Names before a colon that are looked through for one that was misspelt."""
_KEY = re.compile(r"[\x21-\x7e]+")
_CLIENT = re.compile(r"httpx2\b|HTTPClient\b")


def key_variable(settings: LanguageModel) -> str:
    """Return the environment variable with the key that a model needs."""
    if settings.base_url is not None:
        return LOCAL_KEY
    provider = _provider_of(settings.model)[0]
    return _KEYS.get(provider, f"{provider.upper().replace('-', '_')}_API_KEY")


def build_model(settings: LanguageModel, key: str | None) -> Model[Any]:
    """Return the model of a provider, or of a server given by its address.

    Raises:
        UserError: If the model or its provider is unknown, or a key is missing.
        ImportError: If the provider's library is not installed.
        ValueError: If the provider needs more than a key.
    """
    if settings.base_url is None:
        return _model_of(settings.model, key)
    provider, is_provider = _provider_of(settings.model)
    name = settings.model.removeprefix(f"{provider}:") if is_provider else settings.model
    return _model_at_address(settings, name, key)


def _provider_of(model: str) -> tuple[str, bool]:
    """Return the part before the colon, and whether it names a provider."""
    provider, colon, _ = model.partition(":")
    try:
        infer_provider_class(provider)
    except ValueError:
        return provider, False
    except ImportError:
        return provider, bool(colon)
    return provider, bool(colon)


def read_key(variable: str) -> str | None:
    """Return the key in an environment variable, None if there is none.

    Raises:
        ValueError: If it cannot be one.
    """
    given = os.environ.get(variable, "")
    key = given.strip()
    if given and not _KEY.fullmatch(key):
        raise ValueError(
            f"the value of {variable} is no key: it is blank, or has spaces, line ends or letters "
            "that no key has; set it again"
        )
    return key or None


def _model_of(model: str, key: str | None) -> Model[Any]:
    # Chat completions are what OpenAI and all who speak like it have in common.
    model = re.sub(r"^openai:", "openai-chat:", model)
    provider, is_provider = _provider_of(model)
    if not is_provider:
        if ":" in model and (near := nearest_name(provider, _PROVIDERS)):
            raise ValueError(f"no provider {provider!r}; did you mean {near!r}?")
        return infer_model(model)  # it says what is meant, if it can
    return infer_model(model, lambda provider: _provider(provider, key))


def _provider(name: str, key: str | None) -> Provider[Any]:
    """Return a provider with the client and the key that are used here, as far as it takes them."""
    if name.startswith("gateway/"):
        return infer_provider(name)
    kind = infer_provider_class(name)
    takes = inspect.signature(kind).parameters
    given: dict[str, Any] = {"api_key": key} if key and "api_key" in takes else {}
    # A few providers are bound to another HTTP library.
    if "http_client" in takes and _CLIENT.search(str(takes["http_client"].annotation)):
        given["http_client"] = bounded_client()
    return kind(**given)


def _model_at_address(settings: LanguageModel, name: str, key: str | None) -> Model[Any]:
    provider = OpenAICompatibleProvider(
        "local", base_url=str(settings.base_url), api_key=key, http_client=bounded_client()
    )
    # What the strictest of these servers take, all of them do.
    strict = OpenAIModelProfile(
        openai_chat_supports_multiple_system_messages=False,
        openai_chat_supports_max_completion_tokens=False,
    )
    return OpenAIChatModel(name, provider=provider, profile=strict)
