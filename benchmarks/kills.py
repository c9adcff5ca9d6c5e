"""Kills of a small training at random moments and before writes: is it resumed to the same run?

A resumed run must have the same weights, records, answers and results as one that was not killed,
bit for bit, and no other file. Each trial is a process that shares this one's imports.

    python -m benchmarks.kills --random 300 --writes 200
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.experiments.run import no_display, run_experiment
from skeletonagent.training.checkpoint import load_checkpoint
from skeletonagent.training.run_directory import RunDirectory

CONFIG = with_overrides(
    Config(),
    [
        "clips.frames=8", "clips.test_clips=1", "model.backbone=stgcn++", "model.width=8",
        "training.epochs=2", "training.guidance_period=1", "training.batch_size=4",
        "training.validation_share=0.25", "training.ema_decay=0.8", "device=cpu",
        "training.feature_snapshots=2",
    ],
)  # fmt: skip
WRITES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate")
"""Audit events of operations that change a directory, besides files that are opened for writing."""
TIMES = ("seconds", "clips_per_second", "finished")
"""Keys whose values are times."""


def small_data() -> SkeletonData:
    """Return four generated classes of four subjects, one of them tested."""
    generated = synthetic_dataset(clips_per_class=4, subjects=4)
    store, split = generated.store, generated.splits["xsub"]
    kept = [store.sequence(n) for n in range(len(store)) if store.labels[n] < 4]
    ids = {sequence.sample_id for sequence in kept}
    parts = [tuple(s for s in part if s in ids) for part in (split.train, split.test)]
    few = ClipStore.from_sequences(kept, store.layout, store.class_names[:4])
    return replace(generated, name="few", store=few, splits={"xsub": Split(*parts)})


def train(data: SkeletonData, out: Path) -> None:
    """Train or resume the run."""
    run_experiment(CONFIG, data, out, resume=True, watch=no_display)


def in_process(work: Callable[[], object], kill_after: float | None = None) -> int:
    """Run a function in a forked process, and return its status, negative for a signal.

    Args:
        work: Function.
        kill_after: Seconds until it is killed, if it is.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a function takes in a process of its own."""
    start = time.perf_counter()
    in_process(work)
    return time.perf_counter() - start


def on_write(out: Path, act: Callable[[], object]) -> None:
    """Call a function before every operation that changes the directory, for the whole process."""
    place = str(out)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            is_write = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        else:
            is_write = event in WRITES
        # Operations of shutil.rmtree name a file in an open directory.
        if is_write and (str(arguments[0]).startswith(place) or "/" not in str(arguments[0])):
            act()

    sys.addaudithook(hook)


def kill_before_write(data: SkeletonData, out: Path, number: int) -> None:
    """Train, and be killed before a write, counted from 1."""
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    on_write(out, count)
    train(data, out)


def count_writes(data: SkeletonData, out: Path) -> int:
    """Return the number of writes of a training."""
    counted = out.with_name("writes")

    def work() -> None:
        numbers: list[int] = []
        on_write(out, lambda: numbers.append(1))
        train(data, out)
        total = len(numbers)
        counted.write_text(str(total))

    if in_process(work):
        raise RuntimeError("the training that is not killed fails")
    return int(counted.read_text())


def contents(out: Path) -> dict[str, str]:
    """Return a digest of each file of a run by its path, times and processes left out."""
    return {
        path.relative_to(out).as_posix(): _digest(path)
        for path in sorted(out.rglob("*"))
        if path.is_file() and path != RunDirectory(out).provenance
    }


def _digest(path: Path) -> str:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return _sum(*(file[name].tobytes() for name in file.files))
    if path.name == "state.json":
        checkpoint = load_checkpoint(path.parent)
        return _sum(json.dumps(checkpoint.metadata, sort_keys=True).encode())
    if path.name in ("metrics.jsonl", "summary.json"):
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        return _sum(*(json.dumps(_timeless(json.loads(line))).encode() for line in lines))
    return _sum(path.read_bytes())


def _timeless(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in TIMES}


def _sum(*parts: bytes) -> str:
    digest = sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Return what a resumed run has in excess, lacks, or has otherwise."""
    return [
        f"{'left over' if name not in expected else 'missing' if name not in found else 'other'}: "
        f"{name}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]


def main(
    random_kills: Annotated[int, typer.Option("--random", help="Kills at random moments.")] = 10,
    writes: Annotated[int, typer.Option(help="Kills before a write, spread over all.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the random moments.")] = 0,
) -> None:
    """Kill trainings and resume them; ends with status 1 if one is not as it was to be."""
    torch.set_num_threads(1)
    data = small_data()
    folder = Path(tempfile.mkdtemp(prefix="kills_"))
    out = folder / "run"  # the same for all, since a run keeps its path
    total = count_writes(data, out)
    expected = contents(out)
    shutil.rmtree(out)
    longest = timed(lambda: train(data, out)) if random_kills else 0.0
    generator = random.Random(seed)
    numbers = sorted({1 + n * total // writes for n in range(writes)}) if writes else []
    moments = [generator.uniform(0, longest) for _ in range(random_kills)]
    typer.echo(f"seed {seed}; a training has {total} writes")
    wrong = 0
    trials = [(f"before write {n}", n, 0.0) for n in numbers]
    trials += [(f"after {moment:.3f} s", 0, moment) for moment in moments]
    for done, (name, number, moment) in enumerate(trials, start=1):
        shutil.rmtree(out, ignore_errors=True)
        if number:
            in_process(lambda n=number: kill_before_write(data, out, n))  # type: ignore[misc]
        else:
            in_process(lambda: train(data, out), kill_after=moment)
        status = in_process(lambda: train(data, out))
        problems = [f"status {status}"] if status else differences(expected, contents(out))
        wrong += bool(problems)
        if problems:
            typer.echo(f"killed {name}: {'; '.join(problems[:5])}")
        if done % 50 == 0 or done == len(trials):
            typer.echo(f"{done} of {len(trials)} killed, {wrong} not resumed to the same run")
    shutil.rmtree(folder)
    raise typer.Exit(int(wrong > 0))


if __name__ == "__main__":
    typer.run(main)
