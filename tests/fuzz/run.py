"""Run over mutated files: each is read in a child process, with limits of memory and time."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.fuzz.examples import write_examples
from tests.fuzz.mutations import mutate

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 20.0
"""Time of the processor after which a reader hangs."""
MOST_WAITING = 300.0
"""Time after which it hangs without working; other work may leave it little."""
GOOD = ("read", "refused")


class Child:
    """Process that reads files, started anew after one that it did not survive."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def ask(self, kind: str, path: Path) -> str:
        """Return what reading a file came to."""
        process = self.process or self._start()
        assert process.stdin and process.stdout
        process.stdin.write(f"{kind} {path}\n")
        process.stdin.flush()
        line = self._line(process)
        if line:
            return line
        status = process.poll()
        self._end()
        if status is None:
            return f"hang of more than {MOST_SECONDS:.0f} s"
        return f"end by {signal.Signals(-status).name}" if status < 0 else f"end with {status}"

    def _start(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child"],
            cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if self._line(self.process) != "ready":
            raise RuntimeError("the reading process does not start; run python -m tests.fuzz.child")
        return self.process

    def _line(self, process: subprocess.Popen[str]) -> str:
        """Return what a process answers; nothing if it ends or hangs."""
        assert process.stdout
        begun, used = time.monotonic(), _processor_time(process)
        while not select.select([process.stdout], [], [], 1)[0]:
            worked = _processor_time(process) - used
            if worked > MOST_SECONDS or time.monotonic() - begun > MOST_WAITING:
                return ""
        line = process.stdout.readline().strip()
        if not line:
            process.wait()
        return line

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self.process = None


def _processor_time(process: subprocess.Popen[str]) -> float:
    """Return the seconds that a process has worked."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class FuzzResult:
    """Result of a run.

    Args:
        outcomes: Number of files by kind and outcome.
        problems: What went wrong, by the number of the case.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    problems: dict[int, str] = field(default_factory=dict)


def fuzz(
    folder: Path,
    seed: int,
    numbers: range,
    kinds: tuple[str, ...] = (),
    watch: Callable[[int, FuzzResult], object] = lambda number, result: None,
) -> FuzzResult:
    """Return what became of mutated files.

    Args:
        folder: Empty folder for them; files that went wrong are left there.
        seed: Seed; a case depends on it and on its number alone.
        numbers: Numbers of the cases.
        kinds: Kinds of files; all if empty.
        watch: Called after each case with its number and what became of all so far.
    """
    examples = write_examples(folder / "examples")
    chosen = {kind: paths for kind, paths in examples.items() if not kinds or kind in kinds}
    result = FuzzResult()
    with Child() as child:
        for kind, paths in chosen.items():
            for path in paths:
                if (outcome := child.ask(kind, path)) != "read":
                    raise RuntimeError(f"{path} is not mutated, and not read: {outcome}")
        for number, kind, path in _cases(folder, seed, numbers, chosen):
            outcome = child.ask(kind, path)
            result.outcomes[kind, outcome.split()[0]] += 1
            if outcome in GOOD:
                shutil.rmtree(path.parent)
            else:
                result.problems[number] = f"{path}: {outcome}"
            watch(number, result)
    return result


def _cases(
    folder: Path, seed: int, numbers: range, examples: dict[str, list[Path]]
) -> Iterator[tuple[int, str, Path]]:
    for number in numbers:
        rng = random.Random(f"{seed} {number}")
        kind = rng.choice(sorted(examples))
        example = rng.choice(examples[kind])
        place = folder / f"{seed}-{number}"
        place.mkdir()
        path = place / example.name
        files = [example]
        if kind == "archive":
            files.append(example.with_suffix(".json"))
        for file in files:
            (shutil.copytree if file.is_dir() else shutil.copy)(file, place / file.name)
        changed = rng.choice(files)
        mutate(place / changed.name, rng)
        yield number, kind, path
