"""Ctrl-C: no traceback at whatever moment, and status 130."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from skeletonagent.cli.interrupts import InterruptGuard

PRELUDE = """
import os, signal, sys, threading
sys.argv = ["skeletonagent", "data", "check", "synthetic"]
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
from skeletonagent.cli import main
"""

MOMENTS = {
    "while the application is imported": """
class Finder:
    def find_spec(self, name, *_):
        if name == "skeletonagent.cli.app":
            interrupt()
sys.meta_path.insert(0, Finder())
""",
    "while a command's library is imported": """
class Finder:
    def find_spec(self, name, *_):
        if name == "torch":
            interrupt()
sys.meta_path.insert(0, Finder())
""",
    "while an import turns it into another error": """
class Finder:
    def find_spec(self, name, *_):
        if name == "torch":
            try:
                interrupt()
            except KeyboardInterrupt as error:
                raise ImportError("initialisation failed") from error
sys.meta_path.insert(0, Finder())
""",
    "while the command works": """
from skeletonagent.data import summary
summary.summarize_dataset = lambda *_: interrupt()
""",
    "while the command works and hides it": """
from skeletonagent.data import summary
def hide(*_):
    try:
        interrupt()
    except KeyboardInterrupt as error:
        raise RuntimeError("lost") from error
summary.summarize_dataset = hide
""",
    "in a destructor": """
from skeletonagent.data import summary
class Loud:
    def __del__(self):
        raise RuntimeError("half made")
def work(*_):
    loud = Loud()
    interrupt()
summary.summarize_dataset = work
""",
    "beside a thread that fails of it": """
from skeletonagent.data import summary
def work(*_):
    interrupted = threading.Event()
    def fail():
        interrupted.wait()
        raise RuntimeError("the loop is closed")
    thread = threading.Thread(target=fail)
    thread.start()
    try:
        interrupt()
    finally:
        interrupted.set()
        thread.join()
summary.summarize_dataset = work
""",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupt_is_one_line(moment: str) -> None:
    code = f"{PRELUDE}{MOMENTS[moment]}main.run()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr in ("interrupted\n", "")


def test_errors_of_the_program_are_still_shown() -> None:
    code = f"""{PRELUDE}
from skeletonagent.data import summary
summary.summarize_dataset = lambda *_: 1 / 0
main.run()"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr


def test_an_ignored_interrupt_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        guard = InterruptGuard()
        guard.install()
        guard.end()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
