"""Ranks as torchrun and SLURM write them into the environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from skeletonagent.training.launch import DEFAULT_PORT, LaunchInfo, first_node, main_address

NAMES = ("SLURM_", "TORCHELASTIC_", "MASTER_", "WORLD_SIZE", "LOCAL_", "RANK")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what a launcher may have written."""
    for name in list(os.environ):
        if name.startswith(NAMES):
            monkeypatch.delenv(name)


SRUN = {
    "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NTASKS": "4", "SLURM_NNODES": "2",
    "SLURM_JOB_NAME": "train", "SLURM_STEP_ID": "0", "SLURM_JOB_ID": "1",
}  # fmt: skip
LAUNCHES = {
    "alone": ({}, LaunchInfo()),
    "torchrun": (
        {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "RANK": "5",
         "LOCAL_RANK": "1"},
        LaunchInfo(8, 2, 5, 1),
    ),
    "torchrun within a SLURM job": (
        {**SRUN, "TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
         "RANK": "1", "LOCAL_RANK": "1"},
        LaunchInfo(2, 1, 1, 1),
    ),
    "srun": (SRUN, LaunchInfo(4, 2, 3, 1)),
    "a batch script without srun": ({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train"}, LaunchInfo()),
    "a shell of srun": ({**SRUN, "SLURM_JOB_NAME": "bash"}, LaunchInfo()),
}  # fmt: skip


@pytest.mark.parametrize("how", LAUNCHES)
def test_launch_info_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    environment, expected = LAUNCHES[how]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert LaunchInfo.detect() == expected
    assert LaunchInfo.detect().is_distributed == (expected.world_size > 1)


def test_processes_are_shared_out_evenly_over_machines() -> None:
    assert LaunchInfo().local_world_size == 1
    assert LaunchInfo(8, 2).local_world_size == 4


ADDRESSES = {
    "nothing": ({}, ("127.0.0.1", DEFAULT_PORT)),
    "torchrun": ({"MASTER_ADDR": "host", "MASTER_PORT": "29500"}, ("host", 29500)),
    "srun": ({"SLURM_JOB_NODELIST": "n[07-09]", "SLURM_JOB_ID": "123456"}, ("n07", 18456)),
    "an older srun": ({"SLURM_NODELIST": "a,b", "SLURM_JOB_ID": "12"}, ("a", 15012)),
    "srun with a port": (
        {"SLURM_NODELIST": "a,b", "SLURM_JOB_ID": "12", "MASTER_PORT": "4000"}, ("a", 4000)
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", ADDRESSES)
def test_the_first_rank_is_reached_at(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    environment, expected = ADDRESSES[how]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main_address() == expected


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("host0 host1 host3", "host0"),
        ("host0,host1", "host0"),
        ("host[5-9]", "host5"),
        ("host[5,7-9],other", "host5"),
        ("rack1-node[003]", "rack1-node003"),
        ("gpu-7", "gpu-7"),
    ],
)
def test_the_first_node_of_a_list(nodes: str, first: str) -> None:
    assert first_node(nodes) == first


def test_no_torch_is_imported() -> None:
    code = "import sys, skeletonagent.training.launch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
