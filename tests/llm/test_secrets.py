from __future__ import annotations

import pytest

from skeletonagent.llm.client import without_secrets


def test_values_under_a_secrets_name_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    monkeypatch.setenv("HF_TOKEN", "sk-planted-longer")
    monkeypatch.setenv("PLAIN_WORD", "innocent")
    text = "Bearer sk-planted, sk-planted-longer and innocent"
    assert without_secrets(text) == "Bearer ***, *** and innocent"


def test_a_placeholder_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELETONAGENT_API_KEY", "none")
    assert without_secrets("none of the joints") == "none of the joints"
