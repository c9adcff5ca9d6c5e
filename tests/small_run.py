"""A small archive and runs of seconds on it, for tests of what is done with a trained run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skeletonagent.api import Run, train
from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.layout import COCO_17
from skeletonagent.experiments.datasets import write_dataset

CLASSES = ("wave", "jump", "squat")
SETTINGS = {
    "clips.frames": 8, "clips.test_clips": 2, "model.backbone": "stgcn++", "model.width": 8,
    "training.epochs": 2, "training.batch_size": 4, "device": "cpu", "kernel_ridge.weight": 0,
}  # fmt: skip


def swinging(
    label: int, seed: int, frames: int = 20, bodies: int = 1, joints: int = 17, channels: int = 2
) -> np.ndarray:
    """Return bodies of which every third joint swings, which ones by the class."""
    rng = np.random.default_rng(seed)
    rest = np.random.default_rng(7).normal(0, 1, (joints, channels))
    time, joint = np.arange(frames)[:, None], np.arange(joints)[None]
    swing = np.sin(time * (0.3 + 0.2 * label)) * (joint % 3 == label)
    moved = rest + 0.6 * swing[..., None] + rng.normal(0, 0.02, (bodies, frames, joints, channels))
    return (moved + 3 + 2 * np.arange(bodies)[:, None, None, None]).astype(np.float32)


def samples(count: int = 12, **shape: int) -> list[SkeletonSequence]:
    """Return samples of lengths that differ, of each class in turn, every fourth of two bodies."""
    return [
        SkeletonSequence(
            swinging(n % 3, n, frames=14 + n, bodies=1 + (n % 4 == 3), **shape), n % 3, f"clip{n}"
        )
        for n in range(count)
    ]


def small_archive(path: Path, sequences: Sequence[SkeletonSequence] | None = None) -> Path:
    """Write the samples, the first half to learn from, the second to test on."""
    sequences = samples() if sequences is None else sequences
    ids = [sequence.sample_id for sequence in sequences]
    half = len(ids) // 2
    return write_dataset(
        sequences,
        layout=COCO_17,
        class_names=CLASSES,
        splits={"halves": (ids[:half], ids[half:])},
        path=path,
    )


def small_run(archive: Path, out: Path, **settings: object) -> Run:
    """Train two epochs; settings are named with two underscores in place of the dot."""
    changes = {name.replace("__", "."): value for name, value in settings.items()}
    return train("default", data=archive, out=out, overrides={**SETTINGS, **changes})
