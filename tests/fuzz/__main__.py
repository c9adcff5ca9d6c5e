"""``python -m tests.fuzz``: read many mutated files, print what became of them."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.child import READERS
from tests.fuzz.run import FuzzResult, fuzz

PERIOD = 100
"""Files between two lines about the progress."""


def watch(number: int, result: FuzzResult) -> None:
    """Print how far it is."""
    done = sum(result.outcomes.values())
    if done % PERIOD == 0:
        sys.stderr.write(f"{done} files, the last is {number}; {len(result.problems)} wrong\n")


def main() -> int:
    """Run; return 1 if a file was neither read nor refused in a clear message."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="number of files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--kinds", nargs="*", default=[], choices=list(READERS))
    parser.add_argument("--keep", type=Path, help="folder for files that go wrong")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        numbers = range(options.first, options.first + options.count)
        result = fuzz(folder, options.seed, numbers, tuple(options.kinds), watch)
    last = options.first + options.count - 1
    lines = [f"seed {options.seed}, cases {options.first} to {last}", "| kind | outcome | files |",
             "|---|---|---:|"]  # fmt: skip
    outcomes = sorted(result.outcomes.items())
    lines += [f"| {kind} | {outcome} | {count} |" for (kind, outcome), count in outcomes]
    lines += [f"case {number}: {problem}" for number, problem in result.problems.items()]
    lines.append(f"{len(result.problems)} of {options.count} went wrong")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
