"""Predictions of large archives: memory, workers of Ray, a killed worker.

Generated clips of one body, in the joints of the recognizer, are predicted by the command itself
with few and with many clips, for the memory of its process, and by Ray with one worker, with two,
and with two of which one is killed. Rates are of the clips after the first part, so that the start
of Ray is not among them. Each process has one thread.

Example:
  python -m benchmarks.cluster mine.onnx --few 1000 --many 50000 --clips 8000 --json cluster.json
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.lib.format import open_memmap

from benchmarks.measuring import print_rows, write_facts
from skeletonagent.cluster.job import PartReport
from skeletonagent.cluster.merging import merge_predictions
from skeletonagent.cluster.ray_workers import predict_on_ray
from skeletonagent.cluster.settings import PredictionJob
from skeletonagent.cluster.sharded import pending_parts, predict_here
from skeletonagent.core.input_format import InputFormat
from skeletonagent.inference.loading import open_predictor

FRAMES = 60
"""Frames of a generated clip."""

POLL_SECONDS = 0.2
"""Time between two looks at the memory of a process."""

DISTINCT = 500
"""Clips that are generated; the others repeat them."""


def main(
    run: Annotated[Path, typer.Argument(help="A file that 'export' wrote.")],
    few: Annotated[int, typer.Option(min=1, help="Clips of the small archive.")] = 1000,
    many: Annotated[int, typer.Option(min=1, help="Clips of the large archive.")] = 50_000,
    clips: Annotated[int, typer.Option(min=1, help="Clips that workers predict.")] = 8000,
    part_size: Annotated[int, typer.Option(min=1, help="Clips of a part.")] = 256,
    ray: Annotated[bool, typer.Option("--ray/--no-ray", help="Whether to start Ray.")] = True,
    json_: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
) -> None:
    """Predict generated archives, and print memory, rates and whether rows are equal."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    given = open_predictor(run).input_format
    facts: dict[str, Any] = {"processor_cores": os.cpu_count(), "part_size": part_size}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        facts["memory"] = [
            memory(run, write_clips(folder / f"{count}", given, count), folder, part_size)
            for count in (few, many)
        ]
        if ray:
            facts["workers"] = compare_workers(
                PredictionJob(write_clips(folder / "w", given, clips), run, part_size=part_size),
                folder,
            )
    print_rows("memory of one process", facts["memory"])
    if ray:
        print_rows("workers", facts["workers"])
    write_facts(facts, json_)


def write_clips(base: Path, given: InputFormat, count: int) -> Path:
    """Write an archive of so many clips as a folder of npy files, and return its path."""
    rng = np.random.default_rng(0)
    joints, coordinates = given.layout.num_joints, given.coordinates
    steps = rng.normal(0, 0.02, (DISTINCT, FRAMES, joints, coordinates)).cumsum(axis=1)
    distinct = (rng.normal(0, 1, (joints, coordinates)) + steps).astype(np.float16)
    arrays = base / "clips"
    arrays.mkdir(parents=True)
    keypoint = open_memmap(
        arrays / "keypoint.npy", "w+", np.float16, (count * FRAMES, joints, coordinates)
    )
    for number in range(count):
        keypoint[number * FRAMES : (number + 1) * FRAMES] = distinct[number % DISTINCT]
    if given.has_confidence:
        np.save(arrays / "keypoint_score.npy", np.ones(keypoint.shape[:2], np.float16))
    small: dict[str, np.ndarray] = {
        "offset": np.arange(count + 1) * FRAMES,
        "num_person": np.ones(count, np.int16),
        "total_frames": np.full(count, FRAMES, np.int32),
        "frame_dir": np.array([f"clip{number:07d}" for number in range(count)]),
        "image_size": np.tile(np.array([640, 480], np.float32), (count, 1)),
    }
    for name, array in small.items():
        np.save(arrays / f"{name}.npy", array)
    layout = given.layout
    meta = {
        "layout": layout.name,
        "joint_names": list(layout.joints),
        "bones": [list(bone) for bone in layout.bones],
        "root_joint": layout.center,
    }
    (base / "clips.json").write_text(json.dumps(meta))
    return base / "clips"


def memory(run: Path, archive: Path, folder: Path, part_size: int) -> dict[str, Any]:
    """Return the largest memory of the command that predicts an archive, and its rate."""
    out = folder / f"labels_{archive.parent.name}"
    command = [
        sys.executable, "-m", "skeletonagent", "--quiet", "predict", str(archive), "--run",
        str(run), "--out", str(out), "--part-size", str(part_size), "--json",
    ]  # fmt: skip
    began, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            # Not of its resource usage, which begins with the memory of this process.
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            peak = max(peak, int(lines.get("VmHWM", "0 kB").split()[0]))
            time.sleep(POLL_SECONDS)
        found = json.loads(process.stdout.read() if process.stdout else "")
    return {
        "clips": found["recordings"],
        "peak_megabytes": round(peak / 1024, 1),
        "seconds": round(time.perf_counter() - began, 1),
    }


@dataclass
class Watch:
    """Times of parts, and the worker that is to be killed.

    Args:
        kills: Whether the worker of the first part is killed.
    """

    kills: bool = False
    times: list[float] = field(default_factory=list)
    clips: list[int] = field(default_factory=list)
    processes: set[int] = field(default_factory=set)

    def __call__(self, report: PartReport) -> None:
        """Note a part."""
        self.times.append(time.perf_counter())
        self.clips.append(report.recordings)
        self.processes.add(report.process)
        if self.kills and len(self.times) == 1:
            os.kill(report.process, signal.SIGKILL)

    @property
    def rate(self) -> float:
        """Clips a second after the first part."""
        return sum(self.clips[1:]) / max(self.times[-1] - self.times[0], 1e-9)


def compare_workers(job: PredictionJob, folder: Path) -> list[dict[str, Any]]:
    """Return rates of one process and of workers, and the checksums of what they predicted."""
    rows: list[dict[str, Any]] = []
    for name, workers, kills in (
        ("one process", 0, False), ("Ray, 1 worker", 1, False), ("Ray, 2 workers", 2, False),
        ("Ray, 2 workers, one killed", 2, True),
    ):  # fmt: skip
        watch, out = Watch(kills), folder / f"by_{len(rows)}"
        pending = pending_parts(job, out)
        if workers:
            predict_on_ray(pending, "local", workers, watch)
        else:
            predict_here(pending, watch)
        merged = out.with_suffix(".parquet")
        merge_predictions([out], merged)
        rows.append(
            {
                "how": name,
                "clips_a_second": round(watch.rate, 1),
                "processes": len(watch.processes),
                "sha256": hashlib.sha256(merged.read_bytes()).hexdigest()[:16],
            }
        )
    return rows


if __name__ == "__main__":
    typer.run(main)
