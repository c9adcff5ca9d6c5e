from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from chat_server import Script, Server

from skeletonagent.core.dialogue import Question
from skeletonagent.core.errors import ConfigError
from skeletonagent.llm.budget import Budget
from skeletonagent.llm.chats.build import build_chat
from skeletonagent.llm.settings import ProviderSettings

SETTINGS = ProviderSettings(max_attempts=1, backoff=0.0)


def test_models_stand_in_for_each_other_and_are_cached(
    server: Server, ask_about: Callable[..., Question], tmp_path: Path
) -> None:
    with Server(Script(always="refusal")) as refusing:
        models = (f"first@{refusing.url}", f"second@{server.url}")
        budget = Budget()
        chat = build_chat(models, SETTINGS, budget, tmp_path / "answers.sqlite")
        asked = chat.ask(ask_about(), ())
        again = chat.ask(ask_about(), ())
    assert asked.text == again.text
    assert (asked.source.model, asked.source.faults) == ("second", ("refusal",))
    # A refusal is not kept: the first model is asked again, the second is not.
    assert (refusing.stats()["requests"], server.stats()["requests"]) == (2, 1)
    assert {model: spent.requests for model, spent in budget.by_model.items()} == {
        "first": 2,
        "second": 1,
    }


def test_one_model_alone_needs_no_cache(server: Server, ask_about: Callable[..., Question]) -> None:
    chat = build_chat(["qwen3:8b"], ProviderSettings(base_url=server.url))
    chat.ask(ask_about(), ())
    chat.ask(ask_about(), ())
    assert [request["model"] for request in server.requests] == ["qwen3:8b"] * 2


def test_no_model_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="no language model"):
        build_chat([], SETTINGS)
