"""Fresh weights against a base, with few clips of a class: docs/results/base.md.

Each pair of trainings has the same clips, seed and steps, without agents and without the kernel
ridge classifier, which no weights are taken by. `--held-out` tests on
subjects of the training set whose clips are not trained on, for choices that the test set must not
see. Finished trainings in the folder are not repeated.

Example:
  python -m benchmarks.base skeletons/utd_mhad --base runs/base --seeds 3 --out runs/few_utd
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from skeletonagent.cli.console import print_json
from skeletonagent.core.clips import SkeletonData, Split
from skeletonagent.data.splits import choose_split, leave_subjects_out
from skeletonagent.evaluation.significance import mean_interval, paired_difference
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.from_base import base_assignments
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import resolve_config
from skeletonagent.experiments.run import no_display, run_experiment, shared_dataset
from skeletonagent.training.run_directory import RunDirectory

FRESH = "fresh"
"""Name of the trainings that begin with fresh weights."""

FOLDS = 3
"""Parts of the training set's subjects that `--held-out` tests on in turn, by the seed."""


def main(
    archive: Annotated[Path, typer.Argument(help="Skeleton archive.")],
    base: Annotated[Path, typer.Option(help="Run of a pre-training.")] = Path("runs/base"),
    clips: Annotated[str, typer.Option(help="Numbers of clips of a class with commas.")] = "1,5",
    seeds: Annotated[int, typer.Option(min=1, help="Draws of the clips, each with a seed.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each training.")] = 400,
    split: Annotated[str | None, typer.Option(help="Split of the archive.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the trainings.")] = Path("runs/base_few"),
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Test on subjects of the training set.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the trainings that begin with it.")] = "base",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of those, as section.key=value.")
    ] = None,
) -> None:
    """Train pairs and print a line of JSON for each number of clips."""
    common = ["agents.chat=none", "kernel_ridge.weight=0", f"training.steps={steps}"]
    common += [f"data.split={split}"] if split else []
    begun = [*base_assignments(base, archive), *common, *(set_ or [])]
    configs = {
        kind: resolve_config("default", PresetSize.SMALL, None, archive, assignments)
        for kind, assignments in ((FRESH, common), (name, begun))
    }
    for count in map(int, clips.split(",")):
        top1: dict[str, list[float]] = {kind: [] for kind in configs}
        for seed in range(seeds):
            for kind, config in configs.items():
                folder = out / kind / f"clips{count}" / f"seed{seed}"
                top1[kind].append(100 * _trained(config, count, seed, folder, held_out))
        gain = paired_difference(top1[name], top1[FRESH])
        print_json(
            {
                "archive": archive.name,
                "clips": count,
                **{kind: round(mean_interval(values).mean, 2) for kind, values in top1.items()},
                "gain": round(gain.mean, 2),
                "interval": [None if x is None else round(x, 2) for x in (gain.low, gain.high)],
                "seeds": {kind: [round(v, 2) for v in values] for kind, values in top1.items()},
            }
        )


def _trained(config: Config, clips: int, seed: int, folder: Path, held_out: bool) -> float:
    """Return the accuracy of a training, which is made if it is not there."""
    summary = RunDirectory(folder).read_summary()
    if summary is None:
        data = shared_dataset(config.data)
        if held_out:
            data = _without_test_set(data, config, seed)
        drawn = replace(
            config.data, clips_per_class=clips, draw_seed=seed, split=data.default_split
            if held_out else config.data.split,
        )  # fmt: skip
        one = replace(config, data=drawn, seed=seed)
        summary = run_experiment(one, data, folder, resume=True, watch=no_display)
    return float(summary["top1"])


def _without_test_set(data: SkeletonData, config: Config, seed: int) -> SkeletonData:
    """Return the data set with the subjects of a fold of its training set as test set."""
    _, split = choose_split(data, config.data.split)
    train = data.store.indices(split.train)
    folds = list(leave_subjects_out(data.store, train, FOLDS, seed=0))
    parts = folds[seed % FOLDS]
    names = [tuple(data.store.sample_ids[i] for i in part.tolist()) for part in parts]
    return replace(data, splits={"held-out": Split(*names)}, default_split="held-out")


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
