"""Speed and memory of making an archive of NTU RGB+D's raw files, or of tables of keypoints.

Example:
  python -m benchmarks.conversion --files 20000 --processes 2
  python -m benchmarks.conversion --files 5000 --processes 2 --tables
"""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from skeletonagent.cli.console import console, print_json
from skeletonagent.core.layout import COCO_17
from skeletonagent.data.benchmarks import missing_ntu
from skeletonagent.data.convert.pipeline import convert_dataset
from skeletonagent.data.importing.in_parts import ImportInParts
from skeletonagent.data.importing.pipeline import ImportOptions
from skeletonagent.data.part_folder import PartFolder
from skeletonagent.data.part_running import RunParts, parts_by_processes
from skeletonagent.data.readers.ntu import ntu_reader

DISTINCT = 300
"""Files that are written; the others are links to them, so that the disk plays no part."""
MEAN_FRAMES = 70
SECOND_BODY = 0.2
"""Share of files with two bodies."""
STRETCHES = 8
"""Parts of the run whose peak memory is told."""


def main(
    files: Annotated[int, typer.Option(min=10, help="Number of files to convert.")] = 20_000,
    processes: Annotated[int, typer.Option(min=1, help="Processes that read files.")] = 2,
    tables: Annotated[
        bool, typer.Option("--tables", help="Import tables (CSV) in place of converting raw files.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Generate files of realistic length, make an archive and tell files/s and memory."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        console.print(f"writing {min(files, DISTINCT)} files, linked to make {files}")
        size = write_tables(raw, files) if tables else write_files(raw, files)
        memory = Memory()
        began, worked = time.perf_counter(), cpu_seconds()
        with memory.watched():
            make = import_tables if tables else convert_files
            found = make(raw, Path(folder) / "made", parts_by_processes(processes), memory.note)
        seconds, worked = time.perf_counter() - began, cpu_seconds() - worked
    facts = {
        "files": files,
        "processes": processes,
        **found,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(worked, 2),
        "files_per_second": round(files / seconds, 1),
        "files_per_cpu_second": round(files / worked, 1),
        "megabytes_per_second": round(size / seconds / 1e6, 1),
        "peak_megabytes": memory.peaks(STRETCHES),
    }
    table = Table("what", "value", box=None)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), str(value))
    console.print(table)
    if as_json:
        print_json(facts)


Progress = Callable[[int, int], None]


def convert_files(raw: Path, out: Path, run: RunParts, progress: Progress) -> dict[str, int]:
    """Convert raw files, and return numbers of samples and frames."""
    done = convert_dataset(ntu_reader(raw), out, run=run, progress=progress)
    return {"samples": done.samples, "left_out": len(done.skipped), "frames": done.frames}


def import_tables(raw: Path, out: Path, run: RunParts, progress: Progress) -> dict[str, int]:
    """Import tables in parts, and return numbers of samples and frames."""
    options = ImportOptions(accept_layout=True, layout=COCO_17.name)
    parts = ImportInParts(raw, options, PartFolder.beside(out), progress, run)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # generated bodies have no layout that is plausible
        store = parts.write_archive(out.with_suffix(".npz"), raw).data.store
    return {"samples": len(store), "frames": int(store.lengths.sum())}


@dataclass
class Memory:
    """Memory of this process and those it started, watched while a conversion runs."""

    done: int = 0
    total: int = 1
    seen: list[tuple[float, int]] = field(default_factory=list)

    def note(self, done: int, total: int) -> None:
        """Note how far the conversion is."""
        self.done, self.total = done, total

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look every tenth of a second until the end of the block."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(0.1):
            self.seen.append((time.perf_counter(), resident(os.getpid())))

    def peaks(self, stretches: int) -> list[int]:
        """Return the peak of each of some equal stretches of time, in megabytes."""
        if not self.seen:
            return []
        times, sizes = np.array(self.seen).T
        which = np.linspace(0, stretches, len(times), endpoint=False).astype(int)
        return [round(sizes[which == n].max() / 1e6) for n in sorted(set(which.tolist()))]


def resident(process: int) -> int:
    """Return the bytes that a process and its children hold, without shared libraries."""
    try:
        sizes = Path(f"/proc/{process}/statm").read_text().split()
        tasks = Path(f"/proc/{process}/task").iterdir()
        children = [int(c) for task in tasks for c in (task / "children").read_text().split()]
    except (OSError, ValueError):
        return 0  # it is over, or this is no Linux
    own = (int(sizes[1]) - int(sizes[2])) * os.sysconf("SC_PAGE_SIZE")
    return own + sum(map(resident, children))


def cpu_seconds() -> float:
    """Return the processor time of this process and of those it started that are over.

    Unlike the clock, it does not depend on what else the machine does.
    """
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def write_files(folder: Path, number: int) -> int:
    """Write files with names and lengths as in NTU RGB+D; return the bytes of all together."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = (
        f"S{s:03d}C{c:03d}P{p:03d}R{r:03d}A{a:03d}"
        for r, s, c, p, a in itertools.product(
            (1, 2), range(1, 18), (1, 2, 3), range(1, 41), range(1, 61)
        )
    )
    paths = [
        folder / f"{name}.skeleton"
        for name in itertools.islice((n for n in names if n not in missing_ntu()), number)
    ]
    for path in paths[:DISTINCT]:
        path.write_text(recording(rng))
    for position, path in enumerate(paths[DISTINCT:]):
        path.hardlink_to(paths[position % DISTINCT])
    return sum(path.stat().st_size for path in paths)


def write_tables(folder: Path, number: int) -> int:
    """Write tables of the keypoints of one body, in two folders; return the bytes of all."""
    rng = np.random.default_rng(0)
    header = ",".join(f"{joint}_{axis}" for joint in COCO_17.joints for axis in "xy")
    paths = [folder / "ab"[n % 2] / f"clip{n:06d}.csv" for n in range(number)]
    for name in "ab":
        (folder / name).mkdir(parents=True)
    for path in paths[:DISTINCT]:
        rest = rng.uniform(200, 400, (17, 2))
        rows = rest + rng.normal(0, 2, (MEAN_FRAMES, 17, 2)).cumsum(0)
        np.savetxt(path, rows.reshape(len(rows), -1), "%.2f", ",", header=header, comments="")
    for position, path in enumerate(paths[DISTINCT:]):
        path.hardlink_to(paths[position % DISTINCT])
    return sum(path.stat().st_size for path in paths)


def recording(rng: np.random.Generator) -> str:
    """Return a file of one or two people who stand and sway, every number with its usual digits."""
    frames = int(rng.gamma(4, (MEAN_FRAMES - 20) / 4)) + 20
    bodies = 1 + int(rng.random() < SECOND_BODY)
    rest = np.stack([rng.uniform(-0.2, 0.2, 25), np.linspace(0.9, -0.9, 25), np.full(25, 3.0)], -1)
    joints = rest + rng.normal(0, 0.02, (frames, bodies, 25, 3)).cumsum(0) / 5
    lines = [str(frames)]
    for t in range(frames):
        lines.append(str(bodies))
        for m in range(bodies):
            lines += [f"{72057594037931101 + m} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
            others = rng.uniform(-1, 1, (25, 8)) * (500, 400, 1900, 1000, 1, 1, 1, 1)
            lines += [
                " ".join(f"{value:.7g}" for value in row) + " 2"
                for row in np.concatenate([joints[t, m], others], axis=1)
            ]
    return "\r\n".join(lines) + "\r\n"


if __name__ == "__main__":
    typer.run(main)
