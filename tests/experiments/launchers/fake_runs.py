"""Functions that take the place of a training in the jobs of a scheduler."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.experiments import fake_training

from skeletonagent.experiments.config import Config


def train(config: Config, out: Path) -> None:
    """Do what the name of the run says; what is killed once goes on where it was."""
    what = out.name.split("-")[0]
    out.mkdir(parents=True, exist_ok=True)
    with (out / "attempts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    attempts = (out / "attempts").read_text().count("\n")
    if what == "once" and attempts == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    fake_training.train(config, out)
