"""Trainings beside a language model's server that fails in every way a server can."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skeletonagent.agents.selector import default_sentence
from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.layout import KINECT_20
from skeletonagent.data.archive import write_archive

PROGRAM = Path(__file__).parents[1] / "llm" / "server.py"
_SPEC = importlib.util.spec_from_file_location("provider_server", PROGRAM)
assert _SPEC is not None and _SPEC.loader is not None
provider = importlib.util.module_from_spec(_SPEC)
sys.modules["provider_server"] = provider
_SPEC.loader.exec_module(provider)

CLASSES = 4
"""Of the archive that most trainings here are about."""
DESCRIPTION = 5 * CLASSES
"""Questions that describe them."""
SEEN_AS = {
    "rate_limit": "http 429",
    "server_error": "http 500",
    "reset": "connection",
    "stall": "timeout",
    "truncated": "malformed",
    "cut": "length",
    "malformed": "malformed",
    "wrong_schema": "schema",
    "refusal": "refusal",
    "refusal_field": "refusal",
    "filtered": "refusal",
    "empty": "empty",
}
"""How a run calls the server's faults; the others are answers, which are checked."""


@dataclass(frozen=True)
class Remote:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url, timeout=20) as reply:
            return dict(json.load(reply))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(*options: str) -> Iterator[Remote]:
    typed = [sys.executable, str(PROGRAM), *options]
    with subprocess.Popen(typed, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Remote(process, int(process.stdout.readline()))
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the caches of one test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def typed(archive: Path, quick: Any) -> Callable[..., list[str]]:
    """Arguments of a quick training that asks a server, one question at a time and waiting."""

    def arguments(url: str, *assignments: str, data: Path = archive) -> list[str]:
        asked = (
            "agents.chat=model",
            f"agents.provider.base_url={url}",
            "agents.provider.backoff=0.01",
            "agents.provider.timeout=20",
            "agents.concurrency=1",
            "agents.wait=true",
        )
        return ["train", "synthetic", "--data", str(data), *quick(*asked, *assignments)]

    return arguments


def agents_of(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "summary.json").read_text())["agents"])


def rounds_of(run: Path) -> list[dict[str, Any]]:
    return list(json.loads((run / "guidance.json").read_text())["rounds"])


def require_guided(run: Path) -> None:
    """Require joints and a sentence of its own of every class."""
    for known in rounds_of(run)[-1]["classes"]:
        assert known["joints"], known
        assert known["sentence"] not in ("", known["action"], default_sentence(known["action"]))


def require_same_books(run: Path, stats: dict[str, Any]) -> None:
    """Require that a run has counted what its server has."""
    agents = agents_of(run)
    assert agents["requests"] == stats["requests"]
    expected = Counter[str]()
    for fault, number in stats["faults"].items():
        if fault in SEEN_AS:
            expected[SEEN_AS[fault]] += number
    found = {fault: sum(what.values()) for fault, what in agents["faults"].items()}
    assert found == dict(expected)
    assert sum(agents["outcomes"].values()) == sum(agents["questions"].values())


def test_a_run_survives_every_fault(command: Any, typed: Any, tmp_path: Path) -> None:
    faults = [kind for fault in provider.RANDOM for kind in (None, None, fault)]
    script = provider.Script(faults=3 * faults, retry_after=0.05, latency=0.005)
    with provider.Server(script) as server:
        result = command(*typed(server.url, "training.epochs=8"), "--out", tmp_path / "run")
        stats = server.stats()
    assert result.status == 0, result.err
    assert set(stats["faults"]) == {"answered", *provider.RANDOM}
    require_guided(tmp_path / "run")
    require_same_books(tmp_path / "run", stats)
    problems = agents_of(tmp_path / "run")["problems"]
    assert problems
    assert all("unanswered" not in became for became in problems.values())


@pytest.mark.slow
def test_a_run_on_real_data_survives_a_third_of_faults(
    finished: Any, typed: Any, shared: Path, tmp_path: Path
) -> None:
    settings = ("training.epochs=3", "training.batch_size=32", "agents.concurrency=8")
    data = shared / "data" / "utd_mhad"
    with serving("--faults", "0.3", "--latency", "0.02") as server:
        result = finished(*typed(server.url, *settings, data=data), "--out", tmp_path / "run")
        stats = server.stats()
    assert result.status == 0, result.err
    assert len(set(stats["faults"])) > 10
    require_guided(tmp_path / "run")
    require_same_books(tmp_path / "run", stats)
    assert len(rounds_of(tmp_path / "run")[-1]["classes"]) == 27


def test_a_body_that_never_ends_costs_its_timeout(command: Any, typed: Any, tmp_path: Path) -> None:
    settings = ("agents.provider.timeout=0.3", "agents.provider.max_attempts=2")
    with serving("--always", "stall") as server:
        result = command(*typed(server.url, *settings), "--out", tmp_path / "run")
        stats = server.stats()
    assert result.status == 0, result.err
    assert set(stats["faults"]) == {"stall"}
    require_same_books(tmp_path / "run", stats)
    assert "! model: no answer within 0.3 seconds (timeout), try 1 of 2" in result.err
    assert "! model did not answer the first question" in result.err
    # After five questions in a row the server is left alone.
    assert stats["requests"] == 5 * 2


def test_a_second_run_asks_nothing(command: Any, typed: Any, tmp_path: Path, cache: Path) -> None:
    with serving() as server:
        arguments = typed(server.url, "training.epochs=4")
        first = command(*arguments, "--out", tmp_path / "first")
        asked = server.stats()["requests"]
        second = command(*arguments, "--out", tmp_path / "second")
        recorded = ("--set", f"agents.chat=recorded:{tmp_path / 'first'}")
        third = command(*arguments, *recorded, "--out", tmp_path / "third")
        assert server.stats()["requests"] == asked > DESCRIPTION
    assert (first.status, second.status, third.status) == (0, 0, 0)
    assert f"guided: {CLASSES} of {CLASSES} classes, {CLASSES} by model" in first.err
    rounds = [rounds_of(tmp_path / run) for run in ("first", "second", "third")]
    assert rounds == [rounds[0]] * 3
    latest = rounds[0][-1]["classes"]
    results = [result for one in latest if one["rivals"] for result in one["claim_results"]]
    assert {result["claim"] for result in results} == {"right hand speed more"}
    agents = agents_of(tmp_path / "second")
    assert agents["requests"] == 0
    assert agents["models"]["model"]["known_already"] == asked
    assert (cache / "skeletonagent" / "answers.sqlite").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("form", "which"), [("JointDetailsAnswer", 2), ("DistinctionAnswer", 2)])
def test_a_killed_run_asks_no_answered_question_again(
    process: Any, command: Any, typed: Any, tmp_path: Path, cache: Path, form: str, which: int
) -> None:
    """Kill while a description or a round is under way; each question is told by its words."""
    with provider.Server(provider.Script(latency=0.1)) as server:
        arguments = [*typed(server.url, "training.epochs=3"), "--out", tmp_path / "run"]
        begun = process(*arguments)
        wait_until(lambda: forms_of(server).count(form) >= which, begun)
        begun.send_signal(signal.SIGKILL)
        begun.communicate()
        answered = rows_of(cache / "skeletonagent" / "answers.sqlite")
        before = len(server.requests)
        assert answered < DESCRIPTION if form != "DistinctionAnswer" else answered > DESCRIPTION
        result = command(*arguments, "--resume")
    assert result.status == 0, result.err
    asked = Counter(json.dumps(request["messages"]) for request in server.requests)
    # Whatever was under way at the kill is asked again, and nothing else but the first question
    # of a run that goes on to a round, which shows that the model still answers.
    probes = int(form == "DistinctionAnswer")
    assert sum(asked.values()) - len(asked) - probes <= before - answered <= 1
    require_guided(tmp_path / "run")
    agents = agents_of(tmp_path / "run")
    assert {name.split()[0] for name in agents["outcomes"]} <= {"accepted", "doubted"}
    known = sum(model["known_already"] for model in agents["models"].values())
    assert agents["requests"] + known == len(asked)


def forms_of(server: Any) -> list[str]:
    with server.lock:
        return [request["tools"][0]["function"]["name"] for request in server.requests]


def rows_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as file:
        return int(file.execute("SELECT count(*) FROM answers").fetchone()[0])


def wait_until(true: Callable[[], bool], begun: subprocess.Popen[str]) -> None:
    while not true():
        assert begun.poll() is None, begun.communicate()[1]
        time.sleep(0.01)


class UnderWay(threading.Event):
    """The server's wait before each answer, by which requests under way can be counted."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.since = 0.0
        self.until = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        if not timeout:
            return False
        with self.lock:
            self.since = self.since or time.monotonic()
            self.now += 1
            self.most = max(self.most, self.now)
        ended = super().wait(timeout)
        with self.lock:
            self.now -= 1
            self.until = time.monotonic()
        return ended


def many_classes(folder: Path, classes: int = 60) -> Path:
    """Return the path of an archive of classes that cannot be told apart.

    Their names say a side, so that nobody is asked again why the other one is left out.
    """
    random = np.random.default_rng(0)
    shape = (1, 8, KINECT_20.num_joints, 3)
    clips = [
        SkeletonSequence(random.normal(size=shape).astype(np.float32), label, f"{label}-{n}")
        for label in range(classes)
        for n in range(3)
    ]
    names = [f"left action number {label}" for label in range(classes)]
    ids = [clip.sample_id for clip in clips]
    split = Split(
        train=tuple(i for i in ids if not i.endswith("-2")),
        test=tuple(i for i in ids if i.endswith("-2")),
    )
    store = ClipStore.from_sequences(clips, KINECT_20, names)
    return write_archive(SkeletonData("many", "Many", store, {"whole": split}, "whole"), folder)


def by_class(listed: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    """Return a reader of listed joints that begins elsewhere for each of the numbered classes.

    Rivals that were given the same joints would be asked about again.
    """

    def turned(messages: Any) -> list[Any]:
        joints = listed(messages)
        number = re.search(r"action number (\d+)", messages[-1]["content"])
        start = int(number[1]) % len(joints) if number and joints else 0
        return [*joints[start:], *joints[:start]]

    return turned


@pytest.mark.slow
def test_a_round_of_many_classes_keeps_no_training_waiting(
    process: Any,
    typed: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    run, data = tmp_path / "run", many_classes(tmp_path / "many")
    settings = (
        "agents.concurrency=8", "agents.wait=null", "training.epochs=2000",
        "training.guidance_period=8",
        "training.batch_size=40", "training.validation_share=0", "clips.frames=4",
    )  # fmt: skip
    monkeypatch.setattr(provider, "_joints", by_class(provider._joints))
    server = provider.Server()
    server.stopped = waits = UnderWay()
    with server:
        begun = process(*typed(server.url, *settings, data=data), "--out", run)
        wait_until(lambda: bool(epochs_of(run)), begun)
        described = len(server.requests)
        server.script.latency = 0.5
        wait_until(lambda: any(epoch["round"] for epoch in epochs_of(run)), begun)
        begun.kill()
        begun.communicate()
        targeted = forms_of(server)[described:]
    asked = [known for known in rounds_of(run)[1]["classes"] if known["rivals"]]
    assert len(asked) >= 50
    assert targeted[: len(asked)] == ["DistinctionAnswer"] * len(asked)
    assert waits.most == 8
    # The round was begun after eight epochs; those that ended without it went on beside it.
    beside = [epoch for epoch in epochs_of(run) if epoch["epoch"] >= 8 and epoch["round"] == 0]
    assert len(beside) >= 2
    took = f"{len(targeted)} questions in {waits.until - waits.since:.1f} s"
    record_testsuite_property("round", f"{took}, {len(beside)} epochs beside them")


def epochs_of(run: Path) -> list[dict[str, Any]]:
    path = run / "metrics.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_where_the_server_dies_its_guidance_so_far_stays(
    process: Any, typed: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    settings = ("training.epochs=12", "agents.provider.max_attempts=2")
    with serving("--latency", "0.05") as server:
        begun = process(*typed(server.url, *settings), "--out", run)
        wait_until(lambda: bool(epochs_of(run)), begun)
        asked = server.stats()["requests"]
        server.kill()
    _, err = begun.communicate()
    assert begun.returncode == 0, err
    assert asked >= DESCRIPTION
    require_guided(run)
    assert len(epochs_of(run)) == 12
    agents = agents_of(run)
    assert set(agents["faults"]) == {"connection"}
    assert agents["classes_without_joints"] == 0


def test_a_server_that_never_was_leaves_the_classes_unconstrained(
    command: Any, typed: Any, tmp_path: Path
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1"
    settings = ("agents.provider.max_attempts=1", "training.epochs=3", "agents.verify=off")
    arguments = typed(url, *settings)
    result = command(*arguments, "--out", tmp_path / "run")
    assert result.status == 0, result.err
    agents = agents_of(tmp_path / "run")
    assert agents["classes_without_joints"] == CLASSES
    assert agents["outcomes"] == {"unanswered": sum(agents["questions"].values())}
    assert agents["requests"] == sum(agents["faults"]["connection"].values()) == 5


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("unauthorized", "401: incorrect API key; the key is taken from SKELETONAGENT_API_KEY"),
        ("forbidden", "403: this key may not do that"),
        ("no_model", "404: the model does not exist"),
    ],
)
def test_a_model_that_cannot_be_asked_ends_the_training_before_it_has_begun(
    command: Any, typed: Any, tmp_path: Path, fault: str, problem: str
) -> None:
    with serving("--always", fault) as server:
        arguments = [*typed(server.url), "--out", tmp_path / "run"]
        result = command(*arguments)
        assert server.stats()["requests"] == 1
        assert result.status == 1 and not (tmp_path / "run").exists()
        errors = [line for line in result.err.splitlines() if line.startswith("error:")]
        assert len(errors) == 1 and problem in errors[0]
        assert "agents.must_answer=false" in errors[0]
        told = command(*arguments, "--set", "agents.must_answer=false")
    assert told.status == 0, told.err
    assert f"guided: 0 of {CLASSES} classes; {CLASSES} WITHOUT GUIDANCE of model" in told.err
    agents = agents_of(tmp_path / "run")
    assert (agents["classes"], agents["guided"]) == (CLASSES, {})


@pytest.mark.parametrize("fault", ["surrogate", "half_thoughts", "arguments_as_object"])
def test_an_answer_never_ends_a_training(
    command: Any, typed: Any, tmp_path: Path, fault: str
) -> None:
    run = tmp_path / "run"
    with serving("--always", fault) as server:
        result = command(*typed(server.url, "training.epochs=3"), "--out", run)
        shown = command("dialogues", "show", run, "1")
    assert (result.status, shown.status) == (0, 0), result.err + shown.err
    assert "\x1b]" not in result.out + result.err + shown.out
    if fault != "surrogate":
        require_guided(run)
        assert agents_of(run)["guided"] == {"model": CLASSES}


@pytest.mark.parametrize(
    ("variable", "chat"),
    [("SKELETONAGENT_API_KEY", "model"), ("OPENAI_API_KEY", "openai:gpt-4o")],
)
@pytest.mark.parametrize("fault", ["rate_limit", "unauthorized", None])
def test_a_key_is_written_nowhere(
    command: Any,
    typed: Any,
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    chat: str,
    fault: str | None,
) -> None:
    key = "sk-planted-0123456789abcdef"
    monkeypatch.setenv(variable, key)
    faults = ("--always", fault) if fault else ("--faults", "0.3")
    with serving(*faults, "--echo") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        address = server.url if variable == "SKELETONAGENT_API_KEY" else "null"
        settings = (
            f"agents.chat={chat}", "agents.provider.max_attempts=2", "agents.must_answer=false",
        )  # fmt: skip
        arguments = [*typed(address, *settings), "--out", tmp_path / "run", "--json"]
        result = command(*arguments)
        assert server.stats()["requests"] > 0
    assert result.status == 0, result.err
    assert key not in result.out + result.err
    files = [path for folder in (tmp_path / "run", cache) for path in folder.rglob("*")]
    texts = [path.read_bytes() for path in files if path.is_file()]
    assert texts and not any(key.encode() in text for text in texts)
    if fault:
        assert any(b"your headers were" in text for text in texts)
