"""Functions that take the place of a training in the workers of a pool."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch

from skeletonagent.core.errors import DataError
from skeletonagent.experiments.config import Config
from skeletonagent.training.interrupts import interrupt_on_signals


def train(config: Config, out: Path) -> None:
    """Do what the name of the run says, and leave a note about it."""
    what = out.name.split("-")[0]
    sys.stdout.write(f"{what} on {config.device}\n")
    note = {"pid": os.getpid(), "device": config.device, "threads": torch.get_num_threads()}
    out.mkdir(parents=True, exist_ok=True)
    (out / "began").write_text(json.dumps(note))
    if what == "refuse":
        raise DataError("cannot be read")
    if what == "crash":
        raise RuntimeError("out of something")
    if what == "exit":
        sys.exit(7)
    if what == "killed":
        (out / "config.yaml").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "wait":
        wait_for_interrupt(out)
    (out / "done").write_text(json.dumps(note))


def wait_for_interrupt(out: Path) -> None:
    """Wait until a signal asks to end, note it, and end as a training does."""
    with interrupt_on_signals() as interrupt:
        (out / "waits").touch()
        while not interrupt.is_set:
            time.sleep(0.01)
        time.sleep(0.2)  # a second signal would kill it here
        (out / "saved").touch()
        interrupt.raise_if_set()


def train_three(folder: Path) -> None:
    """Train two runs that wait and one after them, as a script of its own does."""
    from skeletonagent.experiments.workers import train_on_devices

    runs = {folder / f"wait-{n}": Config() for n in range(3)}
    train_on_devices(runs, ["cpu", "cpu"], train, logs=True)
