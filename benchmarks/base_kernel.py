"""Features of a base in the kernel ridge classifier, with few clips: docs/results/base.md.

The classifier of the compact recipe alone, without the network, is fitted to so many clips of a
class with and without the features of a base, and tested on the same other clips: on held-out
subjects of the training set, which choices may rest on, or on the test set. Both are fitted to
the same draws. A line of JSON for each number of clips has mean top-1 accuracies in percent and
cross-entropies, and their paired differences with 95 % intervals.

Example:
  python -m benchmarks.base_kernel skeletons/utd_mhad --preset utd-mhad --draws 12
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from jaxtyping import Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.base import FOLDS
from skeletonagent.cli.console import print_json
from skeletonagent.data.loader import ClipLoader
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.splits import choose_split, leave_subjects_out
from skeletonagent.data.training_draw import draw_training_clips
from skeletonagent.evaluation.predict import sample_features
from skeletonagent.evaluation.significance import mean_interval, paired_difference
from skeletonagent.experiments.build import build_loader
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import open_dataset, preprocess_dataset
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.experiments.kernel_ridge_in_runs import fit_base_kernel
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import resolve_config


def main(
    archive: Annotated[Path, typer.Argument(help="Skeleton archive.")],
    preset: Annotated[str, typer.Option(help="Preset of its compact recipe.")] = "default",
    base: Annotated[str, typer.Option(help="Run of a pre-training, or base.")] = "base",
    clips: Annotated[str, typer.Option(help="Clips of a class, with commas.")] = "1,2,5,10",
    draws: Annotated[int, typer.Option(min=2, help="Draws of the clips.")] = 12,
    split: Annotated[str | None, typer.Option(help="Split of the archive.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Setting, such as data.dims=2.")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Test on the test set.")] = False,
) -> None:
    """Print a line of JSON for each number of clips of a class."""
    assignments = ["agents.chat=none", f"kernel_ridge.base={base}", *(set_ or ())]
    config = resolve_config(preset, PresetSize.SMALL, None, archive, assignments)
    data = preprocess_dataset(open_dataset(archive), Preprocessor.from_settings(config.data))
    loader = build_loader(config, data, torch.device("cpu"))
    _, parts = choose_split(data, split or config.data.split)
    train, unseen = data.store.indices(parts.train), data.store.indices(parts.test)
    folds = [(train, unseen)] if test else list(leave_subjects_out(data.store, train, FOLDS, 0))
    for count in map(int, clips.split(",")):
        rows = [
            compared(config, loader, draw_training_clips(loader.store, known, count, draw), others)
            for draw in range(draws)
            for known, others in [folds[draw % len(folds)]]
        ]
        without, beside = zip(*rows, strict=True)
        found: dict[str, object] = {"archive": archive.name, "clips": count, "draws": draws}
        for place, (measure, digits) in enumerate((("top1", 1), ("cross_entropy", 3))):
            ones, others = ([row[place] for row in part] for part in (without, beside))
            gain = paired_difference(others, ones)
            found[measure] = [round(mean_interval(part).mean, digits) for part in (ones, others)]
            found[f"{measure}_gain"] = [
                None if value is None else round(value, digits)
                for value in (gain.mean, gain.low, gain.high)
            ]
        print_json(found)


def compared(
    config: Config, loader: ClipLoader, chosen: Int[Tensor, " k"], unseen: Int[Tensor, " n"]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return accuracy in percent and cross-entropy without and with the features of a base."""
    store, base = loader.store, fit_base_kernel(config, loader, chosen)
    if base is None or base.encoder is None:
        raise typer.BadParameter("the base cannot be used on this archive")
    of_base = sample_features(base.encoder, loader, unseen)
    labels, tested, found = store.labels[unseen], store.subset(unseen), []
    for kernel, features in ((None, None), (base, of_base)):
        classifier = KernelRidge.fit(store, chosen, config.seed, base=kernel)
        logs = classifier.log_probabilities(tested, features)
        right = (logs.argmax(dim=1) == labels).double().mean()
        found.append((100 * float(right), float(cross_entropy(logs, labels))))
    return found[0], found[1]


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
