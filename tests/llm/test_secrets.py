from __future__ import annotations

import html
import json
import string
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skeletonagent.llm.secrets import without_secrets

KEY = "sk-Planted/0+1=23~456789"


def escaped(text: str, slashes: str = "\\") -> str:
    return "".join(f"{slashes}u{ord(c):04x}" for c in text)


def test_values_under_a_secrets_name_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    monkeypatch.setenv("HF_TOKEN", "sk-planted-longer")
    monkeypatch.setenv("PLAIN_WORD", "innocent")
    text = "Bearer sk-planted, sk-planted-longer and innocent"
    assert without_secrets(text) == "Bearer ***, *** and innocent"


def test_placeholders_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELETONAGENT_API_KEY", "none")
    assert without_secrets("none of the joints") == "none of the joints"


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        KEY.upper(),
        KEY.lower(),
        escaped(KEY),
        escaped(KEY).upper().replace("U", "u"),
        escaped(KEY, "\\\\"),
        "".join(f"\\x{ord(c):02x}" for c in KEY),
        quote(KEY, safe=""),
        quote(quote(KEY, safe=""), safe=""),
        "".join(f"%{ord(c):02x}" for c in KEY),
        "".join(f"&#{ord(c)};" for c in KEY),
        "".join(f"&#x{ord(c):X};" for c in KEY),
        KEY.replace("/", "\\/"),
        KEY.encode().hex(),
        KEY.encode().hex().upper(),
    ],
)
def test_every_form_of_a_secret_is_masked(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("SKELETONAGENT_API_KEY", f"{KEY}\n")
    assert without_secrets(f"A person walks {form} on.") == "A person walks *** on."


@pytest.mark.parametrize("before", ["", "Bearer ", "user:", "x"])
@pytest.mark.parametrize("after", ["", ":", " and more"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_secret_within_base64_is_masked(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str, encode: object
) -> None:
    monkeypatch.setenv("SKELETONAGENT_API_KEY", KEY)
    digits = encode(f"{before}{KEY}{after}".encode()).decode()
    masked = without_secrets(f"It is {digits}.")
    left = masked.removeprefix("It is ").removesuffix(".").replace("***", "")
    assert "***" in masked
    # Of the secret itself at most a part of a character stands in the digits beside it.
    assert len(left.rstrip("=")) <= 2 + -(-8 * len(before + after) // 6)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(string.ascii_letters + string.digits + "-_.~/+=", min_size=8, max_size=60),
    st.sampled_from([str, escaped, json.dumps, html.escape, quote, str.swapcase]),
)
def test_any_key_in_any_form_is_masked(
    monkeypatch: pytest.MonkeyPatch, key: str, form: object
) -> None:
    monkeypatch.setenv("SKELETONAGENT_API_KEY", key)
    assert "***" in without_secrets(form(key))


def test_a_text_made_to_slow_the_search_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELETONAGENT_API_KEY", KEY)
    for text in ("\\" * 20_000, "%25" * 7_000, "\\u" + "0" * 20_000, KEY[:-1] * 1_000):
        assert without_secrets(text) == text
