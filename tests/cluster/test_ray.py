"""Workers of Ray on this machine: one is killed, nothing is lost, nobody else can connect."""

from __future__ import annotations

import json
import os
import signal
from collections import defaultdict
from pathlib import Path

import pytest

from skeletonagent.cluster.job import OpenedJob, PartReport
from skeletonagent.cluster.merging import merge_predictions
from skeletonagent.cluster.ray_workers import PartWorker, predict_on_ray
from skeletonagent.cluster.settings import PredictionJob
from skeletonagent.cluster.sharded import pending_parts, predict_here
from skeletonagent.core.errors import ConfigError
from skeletonagent.experiments.launchers import ray_session

pytestmark = pytest.mark.slow


def descendants(root: int) -> set[int]:
    children = defaultdict(set)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            continue
        children[parent].add(int(process.name))
    found, left = {root}, [root]
    while left:
        new = children[left.pop()] - found
        found |= new
        left += new
    return found


def addresses_of_listeners(processes: set[int]) -> set[str]:
    """Return the addresses, as the kernel writes them, at which processes wait for connections."""
    inodes = set()
    for process in processes:
        try:
            links = [os.readlink(fd) for fd in Path(f"/proc/{process}/fd").iterdir()]
        except OSError:
            continue
        inodes |= {link[8:-1] for link in links if link.startswith("socket:[")}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def test_a_killed_worker_costs_nothing_and_only_loopback_is_open(
    archive: Path, file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = PredictionJob(archive, file, part_size=2)
    predict_here(pending_parts(job, tmp_path / "here"), lambda _: None)
    merge_predictions([tmp_path / "here"], tmp_path / "here.parquet")
    reports: list[PartReport] = []
    listeners: set[str] = set()

    def show(report: PartReport) -> None:
        if not reports:
            listeners.update(addresses_of_listeners(descendants(os.getpid())))
            os.kill(report.process, signal.SIGKILL)
        reports.append(report)

    predict_on_ray(pending_parts(job, tmp_path / "out"), "local", 2, show)
    assert {report.part for report in reports} == set(range(10))
    assert len({report.process for report in reports}) >= 2
    assert reports[0].process != os.getpid()
    merge_predictions([tmp_path / "out"], tmp_path / "out.parquet")
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "here.parquet").read_bytes()
    assert listeners and listeners <= LOOPBACK
    assert "core_worker" not in capfd.readouterr().err
    nothing_left = pending_parts(job, tmp_path / "out", resume=True)
    predict_on_ray(nothing_left, "local", 2, show)
    assert len(reports) == 10


def test_a_worker_that_sees_something_else_says_so(
    archive: Path, file: Path, tmp_path: Path
) -> None:
    opened = OpenedJob.open(PredictionJob(archive, file, part_size=5))
    batch = {"item": [0]}
    other = PartWorker(opened.job, tmp_path, {**opened.properties, "program": "another"})
    assert "another source or recognizer" in json.loads(other(batch)["report"][0])["problem"]
    blind = PartWorker(PredictionJob(tmp_path / "none", file), tmp_path, opened.properties)
    assert "no such file" in json.loads(blind(batch)["report"][0])["problem"]
    same = PartWorker(opened.job, tmp_path, opened.properties)
    assert json.loads(same(batch)["report"][0])["recordings"] == 5


def test_an_address_without_a_cluster_is_one_line() -> None:
    with (
        pytest.raises(ConfigError, match=r"no Ray cluster at 127\.0\.0\.1:1"),
        ray_session.ray_session("127.0.0.1:1", 1),
    ):
        pass
