"""Workers of Ray on this machine: one is killed, nothing is lost, nobody else can connect."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any

import pytest
from tests.data.miniature_raw import write_ntu

from skeletonagent.cluster import ray_parts, ray_workers
from skeletonagent.cluster.job import OpenedJob, PartReport
from skeletonagent.cluster.merging import merge_predictions
from skeletonagent.cluster.ray_parts import parts_by_ray
from skeletonagent.cluster.ray_workers import PartWorker, predict_on_ray
from skeletonagent.cluster.settings import PredictionJob
from skeletonagent.cluster.sharded import pending_parts, predict_here
from skeletonagent.core.errors import ConfigError
from skeletonagent.data.convert.pipeline import convert_dataset
from skeletonagent.data.part_running import WritablePart
from skeletonagent.data.readers.ntu import ntu_reader
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


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """Start one cluster for all tests, which takes most of their time."""
    with ray_session.ray_session("local", 2) as ray:
        yield ray


@pytest.fixture
def shared_session(session: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have commands take the cluster that is there, in place of one of their own."""
    for module in (ray_workers, ray_parts):
        monkeypatch.setattr(module, "ray_session", lambda *_: nullcontext(session))
    return session


def test_print_stays_pythons_own(session: Any) -> None:
    from ray.experimental import tqdm_ray

    tqdm_ray.instance()  # what Ray makes when a worker reports progress

    assert isinstance(print, BuiltinFunctionType)


def test_a_killed_worker_costs_nothing_and_only_loopback_is_open(
    archive: Path,
    file: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    shared_session: Any,
) -> None:
    del shared_session
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


@dataclass(frozen=True)
class EndingPart:
    """Part whose first worker is killed.

    Args:
        part: The part.
    """

    part: WritablePart

    def write(self) -> int:
        lost = Path("lost")  # in the folder of the command
        if not lost.exists():
            lost.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.part.write()


def test_archives_are_made_by_workers_of_whom_one_is_killed(
    tmp_path: Path, shared_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_session.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.chdir(tmp_path)
    write_ntu(Path("raw"))
    reader = ntu_reader(Path("raw"))
    progress = [(0, 0)]

    def note(*step: int) -> None:
        progress.append((step[0], step[1]))

    def run(parts: Iterator[WritablePart]) -> Iterator[int]:
        return parts_by_ray("local", 2)(EndingPart(part) for part in parts)

    convert_dataset(reader, Path("here"), progress=note, part_size=4)
    convert_dataset(reader, Path("ray"), progress=note, part_size=4, run=run)
    assert progress[-1] == (18, 18) and Path("lost").exists()
    files = sorted(path.name for path in Path("here").iterdir())
    assert [(Path("ray") / name).read_bytes() for name in files] == [
        (Path("here") / name).read_bytes() for name in files
    ]
    assert Path("ray.json").read_bytes() == Path("here.json").read_bytes()
    monkeypatch.setattr(ray_parts, "program_name", lambda: "another")
    with pytest.raises(ConfigError, match=r"a worker has skeletonagent .* the same version"):
        convert_dataset(reader, Path("again"), progress=note, part_size=4, run=run)


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
