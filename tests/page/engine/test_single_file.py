"""The page in one file, opened from a disk."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.invocation import invoke

from skeletonagent.core.errors import ConfigError
from skeletonagent.inference.exported_model import ExportedModel
from skeletonagent.inference.loading import open_predictor
from skeletonagent.page.browser_model import BrowserModel
from skeletonagent.page.fetch import WebRuntime
from skeletonagent.page.single_file import single_file

from .conftest import FETCHED
from .models import recording

EVIL = "</script><img src=x onerror='document.title=1'><b>&amp;"


@pytest.fixture(scope="module")
def page_file(
    flat_file: Path, runtime: WebRuntime, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the page of a recognizer whose class names, sentences and name are hostile."""
    model = BrowserModel.of(ExportedModel.open(flat_file))
    names = [f"{name} {EVIL}" for name in model.description["class_names"]]
    guidance = [{"sentence": f"moves {EVIL}", "joints": ["nose"]} for _ in names]
    hostile = model.description | {"class_names": names, "guidance": guidance, "name": EVIL}
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(single_file(replace(model, description=hostile), runtime), encoding="utf-8")
    return path


def test_a_file_is_recognized_without_a_request(
    browser: Any, page_file: Path, flat_file: Path, tmp_path: Path
) -> None:
    joints = recording(5, 17, 2)
    np.save(tmp_path / "day.npy", joints)
    page, asked, problems = browser.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-ready]")
    assert "NumPy (.npy) and JSON" in page.inner_text("#intake")
    page.set_input_files("#file", str(tmp_path / "day.npy"))
    page.wait_for_selector("#workbench:not([hidden])")
    wanted = open_predictor(flat_file).segment(tmp_path / "day.npy")
    text = page.inner_text("#workbench")
    for segment in wanted.segments:
        assert segment.label in text
    assert EVIL in text and page.locator("img[src=x]").count() == 0
    assert asked == [page_file.as_uri()] and problems == []
    page.set_input_files(
        "#file", {"name": "a.bvh", "mimeType": "text/plain", "buffer": b"HIERARCHY"}
    )
    page.wait_for_selector("#problem:not(:empty)")
    assert "bvh is not read without a server" in page.inner_text("#problem")
    page.close()


def test_the_file_lets_nothing_in_but_itself(page_file: Path, flat_file: Path) -> None:
    html = page_file.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    allowed = dict(part.split(" ", 1) for part in policy[1].split("; "))
    assert allowed["default-src"] == "'none'" and "unsafe-inline" not in policy[1]
    assert "connect-src" not in allowed and "http" not in policy[1]
    assert EVIL not in html and "Copyright (c) Microsoft Corporation" in html
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)


def test_the_command_writes_the_same_file_each_time(
    deep_file: Path, runtime: WebRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(FETCHED.parents[2]))
    for name in ("one.html", "two.html"):
        assert "written" in invoke("page", deep_file, "--out", tmp_path / name).err
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert str(runtime.module.parent) in invoke("page", "fetch").out
    with pytest.raises(ConfigError, match="exists already"):
        invoke("page", deep_file, "--out", tmp_path / "one.html")


def test_without_pose_models_the_page_takes_keypoints_alone(
    flat_file: Path, runtime: WebRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "skeletonagent").mkdir()
    (tmp_path / "skeletonagent" / "page").symlink_to(FETCHED.parent)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = " ".join(invoke("page", flat_file, "--out", tmp_path / "a.html").err.split())
    assert "neither videos nor the camera" in said and "'skeletonagent pose fetch'" in said
    assert "embedded-pose" not in (tmp_path / "a.html").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="pose fetch"):
        invoke("page", flat_file, "--out", tmp_path / "b.html", "--pose")
    invoke("page", flat_file, "--out", tmp_path / "c.html", "--no-pose")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "c.html").read_bytes()


def test_what_cannot_be_written_is_said(
    deep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for arguments, problem in (
        ([deep_file], "--out FILE.html"),
        ([deep_file, "--out", tmp_path / "a.txt"], "ends in .html"),
        ([deep_file, "--out", tmp_path / "a.html"], "page fetch"),
        (["fetch", "--out", tmp_path / "a.html"], "leave out --out"),
    ):
        with pytest.raises(ConfigError, match=problem):
            invoke("page", *arguments)
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == "[]"
