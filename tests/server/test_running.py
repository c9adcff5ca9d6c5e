"""The command: its address, its end, and what it needs."""

from __future__ import annotations

import builtins
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.cli.invocation import invoke

from skeletonagent.core.errors import ConfigError
from skeletonagent.server.settings import ServeSettings


def started(file: Path, folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "skeletonagent", "serve", str(file), "--port", "0"],
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://\S+/", line):
            return process, found[0]
    raise AssertionError("the server did not start")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_without_a_trace(
    file: Path, number: signal.Signals, tmp_path: Path
) -> None:
    process, address = started(file, tmp_path)
    with urllib.request.urlopen(f"{address}model", timeout=20) as answer:
        assert json.load(answer)["name"] == "mine"
    process.send_signal(number)
    assert process.wait(20) == 0
    assert process.stderr is not None
    assert process.stderr.read() == "stopped\n"
    assert not list(tmp_path.glob("skeletonagent-*"))


WITHOUT_TORCH = """
import json, sys
from importlib import abc
class Refused(abc.MetaPathFinder):
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in ("torch", "jinja2", "tokenizers", "pydantic_ai"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Refused())
from skeletonagent.inference.loading import open_predictor
from skeletonagent.server.running import build_server
from skeletonagent.server.service import RecognitionOptions, RecognitionService
from skeletonagent.server.settings import ServeSettings
model = open_predictor(sys.argv[1])
build_server(model, "mine", ServeSettings())
service = RecognitionService(model, ServeSettings(), "mine")
body = json.dumps({"keypoints": [[[n % 5, joint] for joint in range(17)] for n in range(30)]})
for options in (RecognitionOptions(clips=True), RecognitionOptions(keypoints=True)):
    print(service.answer_json(body.encode(), options)["schema"])
"""


def test_a_file_is_served_without_torch(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(file)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["skeletonagent.prediction/1"] * 2


def test_what_is_not_installed_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def lacking(name: str, *rest: Any) -> Any:
        if name == "skeletonagent.server.running":
            raise ModuleNotFoundError("No module named 'fastapi'", name="fastapi")
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(ConfigError, match=r"pip install 'skeletonagent\[serve\]'"):
        invoke("serve", file)


def test_other_machines_need_a_token(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKELETONAGENT_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="--token-file"):
        invoke("serve", file, "--host", "0.0.0.0")


def test_limits_out_of_range_are_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match="max_queue is -1"):
        invoke("serve", file, "--max-queue", -1)


def test_options_have_the_names_and_defaults_of_the_settings() -> None:
    shown = " ".join(invoke("serve", "--help").out.split())
    for name in ServeSettings.__dataclass_fields__:
        assert f"--{name.replace('_', '-')}" in shown
