"""Ending on request: the first signal is remembered, the second acts as it always did."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skeletonagent.core.errors import SkeletonAgentError, TrainingInterrupted
from skeletonagent.training import interrupts
from skeletonagent.training.interrupts import (
    HANDLED_SIGNALS,
    InterruptFlag,
    interrupt_on_signals,
    interrupt_without_parent,
)


class Usual(Exception):
    """What a signal usually does in these tests, lest the tests themselves end."""


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    def act(number: int, _: object) -> None:
        raise Usual(number)

    before = {number: signal.signal(number, act) for number in HANDLED_SIGNALS}
    yield
    for number, old in before.items():
        signal.signal(number, old)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def test_nothing_is_asked_without_a_signal() -> None:
    with interrupt_on_signals() as stop:
        assert not stop.is_set and stop.signal is None
        stop.raise_if_set()


@pytest.mark.parametrize("number", HANDLED_SIGNALS)
def test_a_signal_is_remembered_and_obeyed_later(number: signal.Signals) -> None:
    with interrupt_on_signals() as stop:
        send(number)
        assert stop.is_set and stop.signal == number
        with pytest.raises(TrainingInterrupted, match=f"{number.name}.*saved") as caught:
            stop.raise_if_set()
    assert caught.value.signal == number
    assert isinstance(caught.value, SkeletonAgentError)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_one_acts_as_usual(number: signal.Signals) -> None:
    with interrupt_on_signals() as stop:
        send(number)
        with pytest.raises(Usual, match=str(int(number))):
            send(number)
        assert stop.is_set


def test_a_scheduler_may_warn_twice_and_then_end() -> None:
    with interrupt_on_signals() as stop:
        for number in (signal.SIGUSR1, signal.SIGUSR1, signal.SIGTERM):
            send(number)
        assert stop.signal == signal.SIGUSR1
        with pytest.raises(Usual):
            send(signal.SIGTERM)


@pytest.mark.parametrize("number", HANDLED_SIGNALS)
def test_all_is_as_before_afterwards(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in HANDLED_SIGNALS}

    def fail() -> None:
        with interrupt_on_signals():
            send(number)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert {each: signal.getsignal(each) for each in HANDLED_SIGNALS} == before
    with pytest.raises(Usual):
        send(number)


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupt_on_signals() as stop:
        send(signal.SIGINT)
        assert not stop.is_set
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_thread_than_the_main_one_handles_nothing() -> None:
    before = {each: signal.getsignal(each) for each in HANDLED_SIGNALS}
    seen = []

    def work() -> None:
        with interrupt_on_signals() as stop:
            seen.append({each: signal.getsignal(each) for each in HANDLED_SIGNALS} == before)
            stop.raise_if_set()
            seen.append(stop.is_set)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True, False]


def test_one_within_another_is_asked_alone() -> None:
    with interrupt_on_signals() as outer:
        with interrupt_on_signals() as inner:
            send(signal.SIGTERM)
        assert inner.is_set and not outer.is_set
        send(signal.SIGTERM)
        assert outer.is_set


def test_what_is_waited_for_is_returned_or_raised() -> None:
    def fail() -> None:
        raise RuntimeError("no answer")

    with interrupt_on_signals() as stop:
        assert stop.wait_for(lambda: 3) == 3
        with pytest.raises(RuntimeError, match="no answer"):
            stop.wait_for(fail)


def test_nothing_is_waited_for_after_a_signal() -> None:
    ended = threading.Event()
    with interrupt_on_signals() as stop:
        threading.Timer(0.2, send, [signal.SIGHUP]).start()
        with pytest.raises(TrainingInterrupted, match="SIGHUP"):
            stop.wait_for(ended.wait)
    ended.set()


PATIENT = """
import time
from skeletonagent.training.interrupts import interrupt_on_signals
with interrupt_on_signals() as flag:
    print("ready", flush=True)
    while not flag.is_set:
        time.sleep(0.005)
    print("set", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_at_once_at_the_second(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PATIENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        for line in (b"ready\n", b"set\n"):
            assert process.stdout.readline() == line
            process.send_signal(number)
        assert process.wait() == -number


def test_a_process_whose_parent_ended_is_asked_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_PARENT_SECONDS", 0.01)
    parents = [os.getppid()] * 3
    monkeypatch.setattr(os, "getppid", lambda: parents.pop() if parents else 1)
    flag = InterruptFlag()
    with interrupt_without_parent(flag):
        while not flag.is_set:
            time.sleep(0.01)
    assert flag.signal == signal.SIGHUP and not parents


def test_with_its_parent_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_PARENT_SECONDS", 0.01)
    asked: list[int] = []
    monkeypatch.setattr(os, "getppid", lambda: asked.append(0) or 7)
    flag = InterruptFlag()
    with interrupt_without_parent(flag):
        while len(asked) < 4:
            time.sleep(0.01)
    number = len(asked)
    time.sleep(0.05)
    assert not flag.is_set and len(asked) == number  # nobody watches any more
