from __future__ import annotations

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.llm.settings import ProviderSettings, is_local


@pytest.mark.parametrize(
    "url",
    ["http://me:geheim123@host/v1", "https://host/v1?key=geheim123", "http://geheim123@host/v1"],
)
def test_an_address_with_credentials_is_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ConfigError, match="SKELETONAGENT_API_KEY") as caught:
        ProviderSettings(base_url=url)
    assert "geheim123" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:11434/v1", "ftp://host/v1", ""])
def test_an_address_needs_a_scheme(url: str) -> None:
    with pytest.raises(ConfigError, match="http"):
        ProviderSettings(base_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:abc/v1", "http://[::1/v1", "http://host:99999/v1", "http://host:0/v1",
        "http://:80/v1", "http://me:geheim123@host:abc/v1", "http://ho st/v1", "http://host\x1b[0m/",
        "http://host:-1/v1",
    ],
)  # fmt: skip
def test_an_address_needs_a_server_and_a_port_that_exists(url: str) -> None:
    with pytest.raises(ConfigError, match="no address, or its port") as caught:
        ProviderSettings(base_url=url)
    assert "geheim123" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://192.168.1.7/v1", True),
        ("http://localhost:11434/v1", True),
        ("http://ollama:11434/v1", True),
        ("https://api.deepseek.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("", False),
    ],
)
def test_local_is_this_machine_and_its_private_network(url: str, local: bool) -> None:
    assert is_local(url) is local
