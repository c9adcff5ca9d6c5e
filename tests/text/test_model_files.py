"""Files of text encoders: their digests, tokenizers, folders, and the hub's cache and downloads."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.text.model_files import (
    HUB_TIMEOUT,
    digest_files,
    download_model_files,
    find_model_files,
    read_tokenizer,
)

huggingface_hub = pytest.importorskip("huggingface_hub")
FORMS = ["clip-vit-b-32", "clip-rn101", "bert"]
FILES = (("config.json",), ("model.safetensors", "pytorch_model.bin"))


def _write(folder: Path, contents: list[bytes]) -> list[Path]:
    paths = [folder / f"{index}" for index in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def test_one_file_has_the_digest_of_its_content(tmp_path: Path) -> None:
    assert (
        digest_files(_write(tmp_path, [b"abc"]), "") == "ba7816bf8f01"
    )  # FIPS 180-2, appendix B.1


def test_several_files_have_the_digest_of_their_digests(tmp_path: Path) -> None:
    contents = [b"abc", b""]
    expected = sha256(b"".join(sha256(content).digest() for content in contents)).hexdigest()[:12]
    assert digest_files(_write(tmp_path, contents), "") == expected


_CONTENTS = st.lists(st.binary(max_size=3), min_size=1, max_size=3)


@given(one=_CONTENTS, other=_CONTENTS)
def test_digests_are_equal_where_contents_are(
    one: list[bytes], other: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    digests = [digest_files(_write(tmp_path_factory.mktemp("f"), c), "") for c in (one, other)]
    assert (digests[0] == digests[1]) == (one == other)


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: cannot be read: No such file.*; sing"):
        digest_files([tmp_path / "gone"], "sing")
    with pytest.raises(DataError, match=r"gone: cannot be read as a tokenizer.*; sing"):
        read_tokenizer(tmp_path / "gone", "sing")


def test_a_tokenizer_neither_pads_nor_cuts(folders: dict[str, Path]) -> None:
    path = folders["minilm"] / "tokenizer.json"
    assert '"truncation":null' not in path.read_text().replace(" ", "")
    tokenizer = read_tokenizer(path, "")
    assert tokenizer.encode("arm").tokens == ["[CLS]", "arm", "[SEP]"]
    assert len(tokenizer.encode("arm " * 20).ids) == 22


@pytest.mark.parametrize("folder", FORMS, indirect=True)
@pytest.mark.parametrize("part", ["tokenizer.json", "weights"])
def test_missing_files_are_named_with_what_to_do(folder: Path, part: str) -> None:
    weights = find_model_files(folder).weights.name
    (folder / (weights if part == "weights" else part)).unlink()
    said = rf"no .*{weights}" if part == "weights" else r"tokenizer\.json is missing.*put there"
    with pytest.raises(DataError, match=said):
        find_model_files(folder)


@pytest.mark.parametrize("config", [None, "", "[]", "{", '{"model_type": "t5"}'])
@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_models_of_another_kind_are_refused(folder: Path, config: str | None) -> None:
    (folder / "config.json").unlink()
    if config is not None:
        (folder / "config.json").write_text(config)
    with pytest.raises(DataError, match=r"config\.json of a CLIP or BERT model"):
        find_model_files(folder)


def test_files_are_what_the_vectors_depend_on(folders: dict[str, Path]) -> None:
    names = [path.name for path in find_model_files(folders["bert"]).all]
    assert names == ["model.safetensors", "tokenizer.json", "config.json"]
    names = [path.name for path in find_model_files(folders["clip-rn101"]).all]
    assert names == ["open_clip_model.safetensors", "tokenizer.json"]


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
        assert timeout == HUB_TIMEOUT
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
    assert download_model_files("some/model", FILES) == cache


def test_what_is_missing_is_downloaded_under_the_name_it_has(hub: Hub) -> None:
    (hub.cache / "config.json").touch()
    assert download_model_files("some/model", FILES) == hub.cache
    assert hub.asked == ["config.json", "model.safetensors", "pytorch_model.bin"]
    assert (hub.cache / "pytorch_model.bin").read_bytes() == b"downloaded"
    assert not (hub.cache / "model.safetensors").exists()
    hub.asked.clear()
    assert download_model_files("some/model", FILES) == hub.cache
    assert hub.asked == []


def test_the_best_name_is_taken(hub: Hub) -> None:
    hub.offered.add("model.safetensors")
    download_model_files("some/model", FILES)
    assert sorted(path.name for path in hub.cache.iterdir()) == ["config.json", "model.safetensors"]


def test_what_the_hub_has_not_is_named(hub: Hub) -> None:
    hub.offered.discard("pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"some/model .*no model\.safetensors or pytorch_model"):
        download_model_files("some/model", FILES)


def test_a_hub_that_does_not_answer_is_given_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def head(url: str, timeout: float) -> None:
        raise TimeoutError

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", head)
    with pytest.raises(ConfigError, match=r"config\.json of some/model cannot .*\(TimeoutError\)"):
        download_model_files("some/model", FILES)


def test_an_unreachable_hub_is_named(cache: Path) -> None:
    """With the real library; tests reach nothing beyond this machine."""
    with pytest.raises(ConfigError, match=r"config\.json of some/model cannot be downloaded"):
        download_model_files("some/model", FILES)


def test_offline_mode_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"cannot be downloaded .*offline"):
        download_model_files("some/model", FILES)
