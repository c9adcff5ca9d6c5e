"""Plan of a learning curve: a training for each number of clips and each draw, in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.build import complete_config
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.learning_curve import ALL
from skeletonagent.experiments.planned_runs import require_free_folders
from skeletonagent.experiments.study import RunKey, is_finished, run_directory
from skeletonagent.training.distributed import pick_device

CURVE_FILE = "curve.json"
"""Name of the file that holds the curve, in the folder of its runs."""


@dataclass(frozen=True)
class CurvePlan:
    """Sizes of a learning curve, and the runs that it takes.

    Args:
        out: Folder of the runs.
        split: Name of the split.
        sizes: Mean number of training clips of a class, by size as text, ascending.
        runs: Configuration of each size and seed.
    """

    out: Path
    split: str
    sizes: Mapping[str, float]
    runs: Mapping[RunKey, Config]

    def directory(self, key: RunKey) -> Path:
        """Return the directory of a run."""
        return run_directory(self.out, _folder_key(key))

    def unfinished(self) -> dict[Path, Config]:
        """Return the runs that are not finished, by their directories.

        Raises:
            ConfigError: If one was trained with another configuration.
        """
        return {
            self.directory(key): config
            for key, config in self.runs.items()
            if not is_finished(self.out, _folder_key(key), config)
        }

    def runs_of(self, size: str) -> dict[RunKey, Config]:
        """Return the runs of a size, in the order of the draws."""
        return {key: config for key, config in self.runs.items() if key[0] == size}


def parse_clips(clips: Sequence[int | str]) -> list[int | None]:
    """Return numbers of clips of a class, ascending, None for all.

    Raises:
        ConfigError: If one is neither a number above 0 nor ``all``.
    """
    texts = [str(value).strip() for value in clips]
    wrong = [text for text in texts if text != ALL and not (text.isdecimal() and int(text) > 0)]
    if wrong or not texts:
        raise ConfigError(
            "a learning curve takes numbers of clips of a class above 0 and 'all', such as "
            f"1,5,20,all; got {', '.join(map(repr, wrong)) or 'none'}"
        )
    numbers = sorted({int(text) for text in texts if text != ALL})
    return [*numbers, *([None] if ALL in texts else [])]


def plan_curve(
    config: Config, data: SkeletonData, clips: Sequence[int | None], draws: int, out: Path
) -> CurvePlan:
    """Return the runs of a learning curve, small ones first within each draw.

    A number of clips that no class exceeds is the same as all. Draw and seed of the training
    change together, from those of the configuration on.

    Args:
        config: Configuration that the runs share.
        data: Data set, preprocessed.
        clips: Numbers of clips of a class, None for all.
        draws: Number of draws of each size, at least 1.
        out: Folder of the runs.

    Raises:
        ConfigError: If the configuration is wrong, or it says itself how many clips to train on,
            or the folder holds other files.
        DataError: If the split has no training or no test set.
    """
    if config.data.clips_per_class is not None:
        raise ConfigError("a learning curve sets data.clips_per_class itself; leave it out")
    name, split = choose_split(data, config.data.split)
    if not split.train or not split.test:
        raise DataError(f"{data.name} has no training or no test set in the split {name!r}")
    labels = data.store.labels[data.store.indices(split.train)].cpu().numpy()
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    limits = dict.fromkeys(None if n is not None and n >= counts.max() else n for n in clips)
    sizes = {
        ALL if limit is None else str(limit): float(
            np.minimum(counts, counts.max() if limit is None else limit).mean()
        )
        for limit in limits
    }
    runs: dict[RunKey, Config] = {}
    for draw in range(draws):
        for limit, size in zip(limits, sizes, strict=True):
            draw_seed = config.data.draw_seed + (draw if limit is not None else 0)
            part = replace(config.data, clips_per_class=limit, draw_seed=draw_seed)
            one = replace(config, data=part, seed=config.seed + draw)
            runs[size, one.seed] = complete_config(one, data)
    plan = CurvePlan(out, name, sizes, runs)
    require_free_folders({plan.directory(key): run for key, run in runs.items()}, out, CURVE_FILE)
    return plan


def curve_devices(config: Config, runs: int) -> list[str]:
    """Return the devices of a learning curve: the GPU, or as many workers as the CPU has cores."""
    device = pick_device(config.device)
    if device.type == "cuda":
        return [str(device)]
    return ["cpu"] * max(1, min(runs, os.cpu_count() or 1))


def _folder_key(key: RunKey) -> RunKey:
    """Return the key whose folder is that of a run, such as ``clips5/seed0``."""
    size, seed = key
    return (size if size == ALL else f"clips{size}"), seed
