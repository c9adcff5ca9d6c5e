"""Pool of workers: all runs are trained, a failure costs one run, interrupts are passed on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.experiments import fake_training

from skeletonagent.core.errors import ConfigError, TrainingError
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.workers import RunStatus, RunUpdate, log_path, train_on_devices

pytestmark = pytest.mark.timeout(180)


def train(folder: Path, names: list[str], devices: list[str], **options: Any) -> list[RunUpdate]:
    """Train runs that do what their names say, and return all updates."""
    updates: list[RunUpdate] = []
    runs = {folder / name: Config() for name in names}
    try:
        train_on_devices(runs, devices, fake_training.train, on_update=updates.append, **options)
    except TrainingError:
        assert any(update.status is RunStatus.FAILED for update in updates)
    return updates


def ends(updates: list[RunUpdate]) -> dict[str, RunStatus]:
    return {u.out.name: u.status for u in updates if u.status is not RunStatus.STARTED}


def note(run: Path) -> dict[str, Any]:
    noted: dict[str, Any] = json.loads((run / "began").read_text())
    return noted


def test_one_worker_trains_one_run_after_another(tmp_path: Path) -> None:
    updates = train(tmp_path, ["a", "b", "c"], ["cpu"], threads=3)
    statuses = [(u.out.name, u.status.value) for u in updates]
    assert statuses == [(n, s) for n in "abc" for s in ("started", "finished")]
    assert len({note(tmp_path / name)["pid"] for name in "abc"}) == 1
    assert note(tmp_path / "a")["pid"] != os.getpid()
    assert not list(tmp_path.glob("*.log"))


def test_a_device_named_twice_has_two_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    names = [f"run-{n}" for n in range(6)]
    train(tmp_path, names, ["cpu", "cpu", "abacus"], threads=1)
    notes = [note(tmp_path / name) for name in names]
    assert len({n["pid"] for n in notes}) <= 3
    assert [n["device"] for n in notes[:3]] == ["cpu", "cpu", "abacus"]
    assert {n["threads"] for n in notes} == {1}
    assert len({n["pid"] for n in notes if n["device"] == "cpu"}) == 2


@pytest.mark.parametrize(
    ("name", "problem", "logs"),
    [
        ("refuse", "cannot be read", False),
        ("refuse", "cannot be read", True),
        ("crash", "RuntimeError: out of something", True),
        ("exit", "its process ended with status 7", True),
        ("killed", "its process was killed by SIGKILL", False),
        ("killed", "its process was killed by SIGKILL", True),
    ],
)
def test_a_failure_costs_no_other_run(name: str, problem: str, logs: bool, tmp_path: Path) -> None:
    runs = {tmp_path / n: Config() for n in ("a", name, "b")}
    updates: list[RunUpdate] = []
    with pytest.raises(TrainingError, match="1 of 3 runs failed") as raised:
        train_on_devices(runs, ["cpu"], fake_training.train, on_update=updates.append, logs=logs)
    failed = tmp_path / name
    assert f"{failed}: {problem}" in str(raised.value)
    assert (str(log_path(failed)) in str(raised.value)) is logs
    finished = RunStatus.FINISHED
    assert ends(updates) == {"a": finished, name: RunStatus.FAILED, "b": finished}
    (update,) = [u for u in updates if u.status is RunStatus.FAILED]
    assert update == RunUpdate(failed, "cpu", RunStatus.FAILED, problem)
    assert (tmp_path / "b" / "done").exists()
    if name == "killed":
        assert problem in (failed / "problems.log").read_text()
    same_worker = note(tmp_path / "a")["pid"] == note(tmp_path / "b")["pid"]
    assert same_worker is (name == "refuse")
    if logs:
        assert f"error: {problem}" in log_path(failed).read_text()
        assert "on cpu" not in log_path(failed).read_text().replace(f"{name} on cpu", "")


def test_each_run_has_its_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "runs", ["a", "b", "crash"], ["cpu"], logs=True)
    assert log_path(tmp_path / "runs" / "a").read_text() == "a on cpu\n"
    assert log_path(tmp_path / "runs" / "b").read_text() == "b on cpu\n"
    crashed = log_path(tmp_path / "runs" / "crash").read_text()
    assert "Traceback" in crashed and "out of something" in crashed
    assert capfd.readouterr() == ("", "")


def test_output_without_logs_is_kept_off_standard_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path, ["a"], ["cpu"])
    captured = capfd.readouterr()
    assert captured.out == "" and "a on cpu" in captured.err


def test_a_failing_callback_ends_the_workers(tmp_path: Path) -> None:
    def fail(update: RunUpdate) -> None:
        wait_until((tmp_path / "wait" / "waits").exists)
        raise RuntimeError("no room for the table")

    with pytest.raises(RuntimeError, match="no room"):
        train_on_devices(
            {tmp_path / "wait": Config()}, ["cpu"], fake_training.train, on_update=fail
        )
    assert (tmp_path / "wait" / "saved").exists()
    assert not is_running(note(tmp_path / "wait")["pid"])


def test_without_devices_or_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one device"):
        train_on_devices({tmp_path: Config()}, [], fake_training.train)
    train_on_devices({}, ["cpu"], fake_training.train)


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Return whether a process exists and is no zombie, which nobody may be there to reap."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def pool(tmp_path: Path) -> Any:
    """Start a process with a pool of two workers, whose runs wait; end it afterwards."""
    code = (
        f"import sys, pathlib; sys.path[:] = {sys.path!r}; "
        "from tests.experiments.fake_training import train_three; "
        f"train_three(pathlib.Path({str(tmp_path)!r}))"
    )
    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen([sys.executable, "-c", code], stderr=errors, process_group=0)
    for n in range(2):
        wait_until((tmp_path / f"wait-{n}" / "waits").exists)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupt_is_passed_on_once_and_waited_for(
    number: signal.Signals, pool: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    # Ctrl-C reaches the whole group at the terminal, of which the workers are no part.
    os.killpg(pool.pid, number) if number is signal.SIGINT else pool.send_signal(number)
    assert pool.wait() == 1
    errors = (tmp_path / "errors").read_text()
    assert "TrainingInterrupted" in errors and "everything is saved" in errors
    for n in range(2):
        assert (tmp_path / f"wait-{n}" / "saved").exists()
        assert not is_running(note(tmp_path / f"wait-{n}")["pid"])
    assert not (tmp_path / "wait-2").exists()


def test_workers_save_and_end_when_the_pool_is_killed(
    pool: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    pool.kill()
    pool.wait()
    for n in range(2):
        wait_until(lambda n=n: not is_running(note(tmp_path / f"wait-{n}")["pid"]))  # type: ignore[misc]
        assert (tmp_path / f"wait-{n}" / "saved").exists()


def test_a_worker_that_is_interrupted_alone_fails_and_the_pool_goes_on(
    pool: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    os.kill(note(tmp_path / "wait-0")["pid"], signal.SIGTERM)
    wait_until((tmp_path / "wait-2" / "waits").exists)
    assert "error: stopped by SIGTERM" in log_path(tmp_path / "wait-0").read_text()
    pool.terminate()
    assert pool.wait() == 1
    assert "1 of 3 runs failed" in (tmp_path / "errors").read_text()
