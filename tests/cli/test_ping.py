"""``dialogues ping``: one question to a language model, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cli.invocation import invoke, invoke_twice
from tests.llm.server import Server

from skeletonagent.core.errors import ConfigError, SkeletonAgentError


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SKELETONAGENT_API_KEY", "sk-planted-12345")
    with Server() as running:
        yield running


def test_a_model_that_answers(server: Server) -> None:
    server.script.outputs = ("json_schema",)
    address = server.url
    printed, shown = invoke_twice("dialogues", "ping", f"some-model@{address}")
    (model,) = printed["models"]
    assert model["answer"].startswith("One hand rises")
    assert (model["form"], model["requests"], model["problem"]) == ("json_schema", 2, "")
    assert f"some-model at {address} answers in" in shown and model["answer"] in shown
    # Two requests each time: nothing comes from the cache.
    assert server.stats()["requests"] == 4


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("unauthorized", "401: incorrect API key; the key is taken from SKELETONAGENT_API_KEY"),
        ("forbidden", "403: this key may not do that"),
        ("no_model", "404: the model does not exist"),
        ("rate_limit", "429: slow down"),
        ("refusal", "it refuses to answer"),
        ("reset", "the connection failed"),
        ("stall", r"no answer within 0.3 seconds \(timeout\)"),
        ("endless", "more than 1,048,576 bytes"),
        ("long_sentence", "the answer cannot be used: the sentence has 200 words"),
    ],
)
def test_a_model_that_does_not_is_one_clear_error(server: Server, fault: str, problem: str) -> None:
    server.script.always = fault
    asked = ("dialogues", "ping", "m", "--set", f"agents.provider.base_url={server.url}")
    with pytest.raises(SkeletonAgentError, match=f"^m: .*{problem}") as caught:
        invoke(*asked, "--set", f"agents.provider.timeout={0.3 if fault == 'stall' else 20}")
    assert "\n" not in str(caught.value) and "planted" not in str(caught.value)
    assert server.stats()["requests"] == (8 if fault == "endless" else 1)


def test_those_that_stand_in_are_asked_as_well(server: Server) -> None:
    server.script.faults = ["unauthorized"]
    fallback = f"agents.fallback=[second@{server.url}]"
    with pytest.raises(SkeletonAgentError, match=r"^first: the server answered 401"):
        invoke("dialogues", "ping", f"first@{server.url}", "--set", fallback)
    assert server.requests[-1]["model"] == "second"


def test_an_offline_chat_is_no_model() -> None:
    with pytest.raises(ConfigError, match="'analyst' asks no language model"):
        invoke("dialogues", "ping")
