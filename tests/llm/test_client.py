from __future__ import annotations

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.llm.client import Connection, Output
from skeletonagent.llm.settings import LanguageModel


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DEEPSEEK_API_KEY", "SKELETONAGENT_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("openai:gpt-4o", "OPENAI_API_KEY"),
        ("deepseek:deepseek-chat", "DEEPSEEK_API_KEY"),
        ("nobody:model", "Unknown model"),
        ("gpt-4o", "Unknown model"),
        ("opnai:gpt-4o", "no provider 'opnai'; did you mean 'openai'"),
        ("record:answers", "did you mean 'recorded'"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_asked(model: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Connection(LanguageModel(model=model))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("qwen3:8b", "qwen3:8b"),
        ("ollama:qwen3:8b", "qwen3:8b"),
        ("openai:gpt-4o", "gpt-4o"),
        ("vendor/model", "vendor/model"),
    ],
)
def test_behind_an_address_the_models_name_is_enough(model: str, name: str) -> None:
    connection = Connection(LanguageModel(model=model, base_url="http://127.0.0.1:9/v1"))
    assert connection.model == name
    assert connection.key_variable == "SKELETONAGENT_API_KEY"


def test_the_form_the_model_does_best_comes_first_and_text_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-planted")
    assert Connection(LanguageModel()).outputs() == tuple(Output)
    deepseek = Connection(LanguageModel(model="deepseek:deepseek-chat")).outputs()
    assert deepseek[0] is Output.TOOL
    assert deepseek[-1] is Output.TEXT


@pytest.mark.parametrize(
    ("variable", "settings"),
    [
        ("OPENAI_API_KEY", LanguageModel()),
        ("SKELETONAGENT_API_KEY", LanguageModel(model="m", base_url="http://127.0.0.1:9/v1")),
    ],
)
def test_a_line_end_after_a_key_is_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, settings: LanguageModel
) -> None:
    monkeypatch.setenv(variable, " sk-planted-12345\r\n")
    assert Connection(settings)._model.client.api_key == "sk-planted-12345"
    for value in ("sk-planted\n12345", "sk-planted 12345", "sk-plantéd", "\n"):
        monkeypatch.setenv(variable, value)
        with pytest.raises(ConfigError, match=f"the value of {variable} is no key") as caught:
            Connection(settings)
        assert "planted" not in str(caught.value)
