"""Options of runs that are jobs: what does not fit is one line, what fits reaches the launcher."""

from __future__ import annotations

import pytest

from skeletonagent.cli.ablate_jobs import LaunchOptions
from skeletonagent.core.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "devices", "problem"),
    [
        (LaunchOptions(jobs=2), None, "need --launcher"),
        (LaunchOptions(job=("a=b",)), None, "need --launcher"),
        (LaunchOptions("cloud"), None, "local, slurm or ray"),
        (LaunchOptions("local"), "cpu,cpu", "exclude each other"),
        (LaunchOptions("slurm", address="auto"), None, "--launcher ray"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    options: LaunchOptions, devices: str | None, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        options.require_fitting(devices)


def test_options_that_fit_pass() -> None:
    for options in (
        LaunchOptions(),
        LaunchOptions("local", 2),
        LaunchOptions("ray", None, (), "a"),
    ):
        options.require_fitting(None)
    LaunchOptions().require_fitting("cpu")
