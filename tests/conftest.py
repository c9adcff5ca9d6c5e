"""Test session: checked shapes, seeds from names, one thread, private caches, shared data."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import register_random, settings
from jaxtyping import install_import_hook

if any(name.partition(".")[0] == "skeletonagent" for name in sys.modules):
    raise RuntimeError("skeletonagent was imported before its shapes could be checked")
# An int where a float is declared is right by PEP 484.
install_import_hook(
    ["skeletonagent", "benchmarks", "tests.reference"],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

torch.set_num_threads(1)


class TorchRandom:
    """Torch's random numbers as Hypothesis seeds and restores them for every example."""

    def seed(self, number: int) -> None:
        torch.manual_seed(number)

    def getstate(self) -> torch.Tensor:
        return torch.get_rng_state()

    def setstate(self, state: torch.Tensor) -> None:
        torch.set_rng_state(state)


TORCH_RANDOM = TorchRandom()  # Hypothesis holds no reference of its own
register_random(TORCH_RANDOM)  # type: ignore[arg-type]

settings.register_profile("local", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SKELETONAGENT_SHARED", ROOT.parent / "shared"))

REMEDIES = {
    "needs a GPU": "run the tests on a machine with an NVIDIA GPU",
    "needs a machine without a GPU": "hide it with CUDA_VISIBLE_DEVICES=",
    "needs shared data": "set SKELETONAGENT_SHARED to the folder of real data and references",
    "needs pose models": "run 'skeletonagent pose fetch'",
    "needs ONNX Runtime Web": "run 'skeletonagent page fetch'",
    "needs Triton": "install the package's extra triton, on Linux",
    "needs a browser": "install Chromium, for example 'apt-get install chromium'",
}
"""Why a test may be skipped, as the beginning of the reason, and how to have it run."""


def seed_from(name: str) -> None:
    """Seed torch, NumPy and random from a name, so that a test's draws depend on nothing else."""
    number = zlib.crc32(name.encode())
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: Any) -> None:
    """Seed before every fixture: a wider one is made in whichever test comes first."""
    seed_from(f"{fixturedef.baseid}::{fixturedef.argname}[{request.param_index}]")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Seed from the test's name, whatever its fixtures have drawn."""
    seed_from(item.nodeid)


def skip_reasons(reporter: Any) -> Counter[str]:
    """Return how many tests were skipped for each reason."""
    reports = reporter.stats.get("skipped", [])
    return Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)


def can_be_run_here(reason: str) -> bool:
    """Return whether a test should not have been skipped on this machine, by its reason."""
    if reason.startswith("needs a GPU"):
        return torch.cuda.is_available()
    if reason.startswith("needs a machine without a GPU"):
        return not torch.cuda.is_available()
    return not reason.startswith("needs shared data") or SHARED.is_dir()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in the last lines how to repeat the order, what was skipped and how to have it run."""
    seed = terminalreporter.config.getoption("randomly_seed", None)
    if isinstance(seed, int):
        terminalreporter.line(f"order of the tests: repeat it with --randomly-seed={seed}")
    for reason, count in sorted(skip_reasons(terminalreporter).items()):
        remedy = next((r for start, r in REMEDIES.items() if reason.startswith(start)), "")
        terminalreporter.line(f"skipped {count}: {reason}{f'; {remedy}' if remedy else ''}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail on CI where a test was skipped that can be run there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None or hasattr(session.config, "workerinput"):
        return
    needless = [reason for reason in skip_reasons(reporter) if can_be_run_here(reason)]
    if needless:
        reporter.line(f"tests skipped without need: {'; '.join(needless)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def private_caches() -> Iterator[Path]:
    """Keep caches out of the home folder, for this process and for those that tests start."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", folder)
        yield Path(folder)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real data and reference results, which are no part of the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"needs shared data: nothing at {SHARED}")
    return SHARED
