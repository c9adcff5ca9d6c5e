"""Mutated files are read or refused in one line: no traceback, no signal, no hang, bounded memory.

``python -m tests.fuzz --count 5000`` reads more of them.
"""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.child import READERS
from tests.fuzz.run import Child, fuzz

SEED = 18
COUNT = 250


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    result = fuzz(tmp_path, SEED, range(COUNT))
    problems = [f"seed {SEED}, case {number}: {line}" for number, line in result.problems.items()]
    assert not problems, "\n".join(problems)
    refused = {kind for kind, outcome in result.outcomes if outcome == "refused"}
    assert refused == READERS.keys()  # or mutations do not reach what is read


def test_a_reader_that_crashes_is_noticed(tmp_path: Path) -> None:
    with Child() as child:
        assert child.ask("no such kind", tmp_path).startswith("traceback KeyError")
