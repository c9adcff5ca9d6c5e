"""Files of the hub: its cache first, the network only where it must be, and never for long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.text.hub import PATIENCE, fetch

huggingface_hub = pytest.importorskip("huggingface_hub")
FILES = (("config.json",), ("model.safetensors", "pytorch_model.bin"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, in which a revision of one repository has a place but no files."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--some--model"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    return snapshot


class Hub:
    """A hub that has some files, and puts those asked for into the cache."""

    def __init__(self, cache: Path, offered: set[str]) -> None:
        self.cache = cache
        self.offered = offered
        self.asked: list[str] = []

    def head(self, url: str, timeout: float) -> None:
        assert timeout == PATIENCE
        self.asked.append(url.rpartition("/")[2])
        if self.asked[-1] not in self.offered:
            raise huggingface_hub.errors.EntryNotFoundError.__new__(
                huggingface_hub.errors.EntryNotFoundError
            )

    def get(self, repository: str, name: str, **options: Any) -> str:
        path = self.cache / name
        if not path.exists():
            if options.get("local_files_only"):
                raise huggingface_hub.errors.LocalEntryNotFoundError("not cached")
            path.write_bytes(b"downloaded")
        return str(path)


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub(cache, {"config.json", "pytorch_model.bin"})
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", made.head)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", made.get)
    return made


def test_what_is_cached_is_not_asked_for(cache: Path) -> None:
    """With the real library, which no test lets out of the machine."""
    (cache / "config.json").touch()
    (cache / "pytorch_model.bin").touch()
    assert fetch("some/model", FILES) == cache


def test_what_is_missing_is_downloaded_under_the_name_it_has(hub: Hub) -> None:
    (hub.cache / "config.json").touch()
    assert fetch("some/model", FILES) == hub.cache
    assert hub.asked == ["config.json", "model.safetensors", "pytorch_model.bin"]
    assert (hub.cache / "pytorch_model.bin").read_bytes() == b"downloaded"
    assert not (hub.cache / "model.safetensors").exists()
    hub.asked.clear()
    assert fetch("some/model", FILES) == hub.cache
    assert hub.asked == []


def test_the_best_name_is_taken(hub: Hub) -> None:
    hub.offered.add("model.safetensors")
    fetch("some/model", FILES)
    assert sorted(path.name for path in hub.cache.iterdir()) == ["config.json", "model.safetensors"]


def test_what_the_hub_has_not_is_named(hub: Hub) -> None:
    hub.offered.discard("pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"some/model .*no model\.safetensors or pytorch_model"):
        fetch("some/model", FILES)


def test_a_hub_that_does_not_answer_is_given_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def head(url: str, timeout: float) -> None:
        raise TimeoutError

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", head)
    with pytest.raises(ConfigError, match=r"config\.json of some/model cannot .*\(TimeoutError\)"):
        fetch("some/model", FILES)


def test_an_unreachable_hub_is_named(cache: Path) -> None:
    """With the real library; tests reach nothing beyond this machine."""
    with pytest.raises(ConfigError, match=r"config\.json of some/model cannot be had from the Hug"):
        fetch("some/model", FILES)


def test_offline_mode_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"cannot be had .*offline"):
        fetch("some/model", FILES)
