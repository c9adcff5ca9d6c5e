"""Archives as a user may have them, and the command line to use on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skeletonagent.cli import main
from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.data.archive import write_archive
from skeletonagent.data.synthetic.generate import synthetic_dataset

QUICK = [
    "clips.frames=8", "clips.test_clips=2", "model.backbone=stgcn++", "model.width=8",
    "training.epochs=2", "training.guidance_period=1", "training.batch_size=4",
    "training.validation_share=0.3",
    "device=cpu",
]  # fmt: skip

Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output; anything else there fails."""
        value: dict[str, Any] = json.loads(self.out)
        assert isinstance(value, dict) and self.out.count("\n") == 1
        return value


Command = Callable[..., Result]


def flags(*assignments: str) -> list[str]:
    """Return the options of a quick training."""
    return [part for text in (*QUICK, *assignments) for part in ("--set", text)]


def data_set(name: str, change: Change = lambda joints: joints) -> SkeletonData:
    """Return four classes of four subjects with two splits, joints changed at will."""
    whole = synthetic_dataset(clips_per_class=4, subjects=4)
    store = whole.store
    kept = [store.sequence(n) for n in range(len(store)) if store.labels[n] < 4]
    changed = [replace(sequence, joints=change(sequence.joints)) for sequence in kept]
    return SkeletonData(
        name=name,
        title=name,
        store=ClipStore.from_sequences(changed, store.layout, store.class_names[:4]),
        splits={"first": tested_on(kept, 1), "second": tested_on(kept, 2)},
        default_split="first",
    )


def tested_on(sequences: list[SkeletonSequence], subject: int) -> Split:
    """Return the split that leaves one subject out."""
    return Split(
        train=tuple(s.sample_id for s in sequences if s.subject != subject),
        test=tuple(s.sample_id for s in sequences if s.subject == subject),
    )


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a sound archive of one person in space."""
    return write_archive(data_set("actions"), tmp_path_factory.mktemp("actions"))


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of an archive of two persons, of whom the second now and then is absent."""

    def together(joints: np.ndarray) -> np.ndarray:
        second = joints * np.array([-1.0, 1.0, 1.0], dtype=np.float32) + np.float32(0.5)
        second[:, : len(joints[0]) % 7] = 0
        return np.concatenate([joints, second])

    return write_archive(data_set("pairs", together), tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of an archive in the plane."""
    plane = data_set("flat", lambda joints: joints[..., :2])
    return write_archive(plane, tmp_path_factory.mktemp("flat"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line in this process, as if the arguments had been typed."""

    def typed(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["skeletonagent", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            sys.exit(main.execute())
        captured = capsys.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return typed


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "skeletonagent", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
    )


@pytest.fixture(scope="session")
def process() -> Callable[..., subprocess.Popen[str]]:
    """Start the command line in a process of its own."""
    return start


@pytest.fixture(scope="session")
def finished() -> Command:
    """Run the command line in a process of its own, to its end."""

    def run(*arguments: str | Path) -> Result:
        begun = start(*arguments)
        out, err = begun.communicate()
        return Result(begun.returncode, out, err)

    return run


@pytest.fixture(scope="session")
def quick() -> Callable[..., list[str]]:
    """Options of a quick training."""
    return flags
