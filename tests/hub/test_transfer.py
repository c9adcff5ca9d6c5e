"""Recognizers on the Hub: what is sent, what comes back, and what is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.invocation import invoke
from tests.hub.stand_in import KEY, StandIn, stand_in
from tests.small_run import samples, small_archive, small_run

import skeletonagent as sa
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.hub.contents import CARD, LISTING, MODEL, WEIGHTS, HubContents
from skeletonagent.hub.transfer import pull_model, push_model
from skeletonagent.inference.loading import open_predictor


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secret_folder")
    archive = small_archive(folder / "mine")
    settings = {"model__backbone": "tiny-gcn", "model__width": 4, "model__readout": "mean"}
    return small_run(archive, folder / "one", agents__chat="analyst", **settings).path


@pytest.fixture(scope="module")
def pushed(run: Path) -> Iterator[StandIn]:
    """Provide a Hub to which the run was uploaded."""
    with stand_in() as hub, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", KEY)
        push_model(run, "me/actions", license="CC BY 4.0", endpoint=hub.endpoint)
        yield hub


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", KEY)


def test_exported_file_weights_and_card_are_sent_and_nothing_else(
    pushed: StandIn, run: Path
) -> None:
    files = pushed.files["me/actions"]
    assert set(files) == {MODEL, WEIGHTS, CARD, LISTING} and pushed.private["me/actions"]
    assert "Picture a person" in "".join(map(Path.read_text, run.rglob("dialogues*.jsonl")))
    for name, content in files.items():
        assert b"secret_folder" not in content and b"Picture a person" not in content, name
        assert KEY.encode() not in content, name
    from safetensors.numpy import load

    tensors = load(files[WEIGHTS])
    assert tensors and not [n for n in tensors if re.match(r"momentum|exp_avg|ema|loss", n)]
    card = files[CARD].decode()
    assert card.startswith('---\nlicense: other\nlicense_name: "CC BY 4.0"\n')
    assert "# Recognizer of 3 actions" in card and "| mine |" not in card.split("---")[1]
    listing = json.loads(files[LISTING])
    assert set(listing["files"]) == {MODEL, WEIGHTS, CARD}


@pytest.mark.usefixtures("key")
def test_what_comes_back_predicts_as_what_was_sent(
    pushed: StandIn, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pushed.files["me/actions"], "notes.pkl", b"never fetched")
    pulled = sa.pull("me/actions", str(tmp_path / "got"), endpoint=pushed.endpoint)
    assert pulled.left_out == ("notes.pkl",) and pulled.model == tmp_path / "got" / MODEL
    assert {path.name for path in (tmp_path / "got").iterdir()} == set(pulled.sizes)
    assert not [path for _, path in pushed.requests if path.endswith("notes.pkl")]
    joints = [sample.joints for sample in samples(4)]
    found = sa.load(pulled.model).predict(joints)
    wanted = open_predictor(run, "cpu", engine="torch").predict(joints)
    np.testing.assert_allclose(found.probs, wanted.probs, atol=1e-4)
    with pytest.raises(ConfigError, match="exists already"):
        pull_model("me/actions", tmp_path / "got", endpoint=pushed.endpoint)


@pytest.mark.usefixtures("key")
def test_an_exported_file_is_sent_as_it_is(pushed: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "mine.onnx"
    file.write_bytes(pushed.files["me/actions"][MODEL])
    trial = sa.push(str(file), "me/other", dry_run=True, endpoint=pushed.endpoint)
    assert trial.url is None and set(trial.sizes) == {MODEL, CARD, LISTING}
    assert "me/other" not in pushed.files
    sent = push_model(file, "me/other", public=True, endpoint=pushed.endpoint)
    assert sent.sizes == trial.sizes and not pushed.private["me/other"]
    assert pushed.files["me/other"][MODEL] == file.read_bytes()
    assert "PyTorch by nan" not in pushed.files["me/other"][CARD].decode()
    with pytest.raises(ConfigError, match="carries its licence"):
        push_model(file, "me/other", license="MIT", endpoint=pushed.endpoint)


def test_without_a_key_and_without_a_repository_it_is_said_what_to_do(
    pushed: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    file = tmp_path / "mine.onnx"
    file.write_bytes(pushed.files["me/actions"][MODEL])
    with pytest.raises(ConfigError, match=r"status 401.*hf auth login") as refused:
        push_model(file, "me/actions", endpoint=pushed.endpoint)
    assert "hf_wrong" not in str(refused.value)
    with pytest.raises(ConfigError, match="nobody read me/actions"):
        pull_model("me/actions", tmp_path / "got", endpoint=pushed.endpoint)
    monkeypatch.setenv("HF_TOKEN", KEY)
    with pytest.raises(DataError, match="has no me/nothing"):
        pull_model("me/nothing", tmp_path / "got", endpoint=pushed.endpoint)
    with pytest.raises(DataError, match="transfer of me/actions failed"):
        pull_model("me/actions", tmp_path / "got", endpoint="http://127.0.0.1:1")
    for name in ("actions", "a/b/c", "../x", "me/..", "me/a b", "me/-x"):
        with pytest.raises(ConfigError, match="OWNER/NAME"):
            pull_model(name, tmp_path / "got", endpoint=pushed.endpoint)
    assert not (tmp_path / "got").exists()


@pytest.mark.usefixtures("key")
def test_an_interrupted_download_is_continued(pushed: StandIn, tmp_path: Path) -> None:
    pushed.cut = 1
    pull_model("me/actions", tmp_path / "got", endpoint=pushed.endpoint)
    assert pushed.cut == 0
    content = (tmp_path / "got" / MODEL).read_bytes()
    assert content == pushed.files["me/actions"][MODEL]


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (MODEL, b"another model", "checksum is another"),
        (WEIGHTS, None, "cannot be read"),
        (LISTING, b'{"form": "skeletonagent.hub/9", "program": "", "files": {}}', "of the form"),
        (LISTING, b"{", "skeletonagent.json"),
        (CARD, None, "lacks README.md"),
    ],
)
def test_what_is_not_as_listed_is_not_kept(
    name: str, content: bytes | None, problem: str, pushed: StandIn, tmp_path: Path
) -> None:
    files = dict(pushed.files["me/actions"])
    if content is None:
        del files[name]
    else:
        files[name] = content
    pushed.files["me/bad"] = files
    with pytest.raises(DataError, match=problem):
        pull_model("me/bad", tmp_path / "got", endpoint=pushed.endpoint)
    assert not list(tmp_path.iterdir())


def test_the_commands_list_what_goes_and_what_came(pushed: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "mine.onnx"
    file.write_bytes(pushed.files["me/actions"][MODEL])
    trial = invoke("push", file, "me/third", "--dry-run")
    assert "nothing was sent" in trial.out and MODEL in trial.out
    environment = {
        **os.environ, "HF_ENDPOINT": pushed.endpoint, "HF_TOKEN": KEY, "HF_HUB_DISABLE_XET": "1"
    }  # fmt: skip

    def typed(*words: object) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "skeletonagent", *map(str, words), "--json"],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    sent = typed("push", file, "me/third")
    assert sent["url"].startswith(pushed.endpoint) and set(sent["files"]) == {MODEL, CARD, LISTING}
    got = typed("pull", "me/third", "--out", tmp_path / "got")
    assert got["files"] == sent["files"] and got["left_out"] == []


def test_files_that_are_listed_but_not_known_are_refused(pushed: StandIn, tmp_path: Path) -> None:
    for name, content in pushed.files["me/actions"].items():
        (tmp_path / name).write_bytes(content)
    HubContents(tmp_path).check()
    listing = json.loads((tmp_path / LISTING).read_text())
    listing["files"]["../x.pkl"] = {"bytes": 1, "sha256": "0"}
    (tmp_path / LISTING).write_text(json.dumps(listing))
    with pytest.raises(DataError, match="which is not read"):
        HubContents(tmp_path).check()
    shutil.rmtree(tmp_path)
