"""Accuracy of finished runs over seeds and splits, beside a baseline's: docs/results/small_sets.md.

It trains nothing: the runs are those of ``skeletonagent train ... --seeds N --split ...``, the
baselines those of ``skeletonagent baseline ... --out FOLDER`` with the same splits. Accuracies of
several splits of one seed are averaged first; intervals are over seeds. McNemar's test compares
the top-1 predictions of each seed with the baseline's, over the test sets of all splits.

Example:
  python -m benchmarks.small_sets runs/utd --baseline runs/utd-baseline
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.significance import mcnemar, mean_interval
from skeletonagent.training.run_directory import RunDirectory

BASELINES = ("multirocket_ridge", "motion_features_extra_trees", "motion_features_lda")
"""Files of the baselines' predictions, without their ending."""


def main(
    runs: Annotated[Path, typer.Argument(help="Folder of the runs.")],
    baseline: Annotated[Path | None, typer.Option(help="Folder of the baselines.")] = None,
) -> None:
    """Print a line of JSON for each part of the test sets."""
    by_seed = runs_by_seed(runs)
    splits = sorted(next(iter(by_seed.values())))
    for offset in range(_parts(by_seed)):
        row = _row(by_seed, splits, offset)
        print(json.dumps(row | _against(by_seed, splits, baseline, row, offset)))  # noqa: T201


def runs_by_seed(folder: Path) -> dict[int, dict[str, RunDirectory]]:
    """Return the finished runs in a folder, by seed and by split.

    Raises:
        typer.BadParameter: If there are none, or seeds have different splits.
    """
    by_seed: dict[int, dict[str, RunDirectory]] = defaultdict(dict)
    for path in sorted(folder.rglob("summary.json")):
        run = RunDirectory(path.parent)
        summary = run.read_summary()
        if summary and run.predictions.exists():
            by_seed[summary["seed"]][summary["split"]] = run
    if not by_seed:
        raise typer.BadParameter(f"{folder}: no finished run; train some, or name another folder")
    if len({tuple(sorted(seed_runs)) for seed_runs in by_seed.values()}) > 1:
        raise typer.BadParameter(f"{folder}: seeds have different splits; train what is missing")
    return dict(by_seed)


def _parts(by_seed: Mapping[int, Mapping[str, RunDirectory]]) -> int:
    """Return the number of test sets that each run is tested on."""
    run = next(iter(next(iter(by_seed.values())).values()))
    return len((run.read_summary() or {})["test"])


def _row(
    by_seed: Mapping[int, Mapping[str, RunDirectory]], splits: Sequence[str], offset: int
) -> dict[str, Any]:
    """Return mean and interval over the seeds on one test set of each split."""
    values, seconds = [], []
    for seed_runs in by_seed.values():
        summaries = [seed_runs[split].read_summary() or {} for split in splits]
        tests = [list(summary["test"].values())[offset]["top1"] for summary in summaries]
        values.append(100 * statistics.mean(tests))
        seconds += [summary["seconds"] for summary in summaries]
    estimate = mean_interval(values)
    names = [list((by_seed[min(by_seed)][s].read_summary() or {})["test"])[offset] for s in splits]
    return {
        "test": names,
        "seeds": [round(value, 2) for value in values],
        "top1": round(estimate.mean, 2),
        "interval": [None if x is None else round(x, 2) for x in (estimate.low, estimate.high)],
        "training_seconds": round(statistics.mean(seconds), 1),
    }


def _against(
    by_seed: Mapping[int, Mapping[str, RunDirectory]],
    splits: Sequence[str],
    folder: Path | None,
    row: Mapping[str, Any],
    offset: int,
) -> dict[str, Any]:
    """Return accuracy of each baseline on the same samples, and McNemar's p for each seed."""
    if folder is None:
        return {}
    result = {}
    for name in BASELINES:
        parts = []
        for split in splits:
            place = folder / split if (folder / split).is_dir() else folder
            parts.append(ClassProbabilities.load(place / f"{name}.npz"))
        chosen = _chosen(by_seed[min(by_seed)], splits, offset)
        theirs = [part.subset(set(ids)) for part, ids in zip(parts, chosen, strict=True)]
        accuracies = [100 * part.topk_accuracy(1) for part in theirs]
        p_values = []
        for seed_runs in by_seed.values():
            ours = [
                ClassProbabilities.load(seed_runs[split].predictions).subset(set(ids))
                for split, ids in zip(splits, chosen, strict=True)
            ]
            p_values.append(round(mcnemar(pooled(ours), pooled(theirs)).p, 4))
        result[name] = {"top1": round(statistics.mean(accuracies), 2), "mcnemar_p": p_values}
    return {"baselines": result}


def _chosen(
    seed_runs: Mapping[str, RunDirectory], splits: Sequence[str], offset: int
) -> list[list[str]]:
    """Return the sample ids of a test set of each split."""
    return [
        list(json.loads(seed_runs[split].evaluation_parts.read_text()).values())[offset]
        for split in splits
    ]


def pooled(parts: Sequence[ClassProbabilities]) -> ClassProbabilities:
    """Return the predictions of several splits as one; a sample of several counts in each."""
    return ClassProbabilities(
        tuple(f"{number}/{sample}" for number, p in enumerate(parts) for sample in p.sample_ids),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.probs for part in parts]),
    )


if __name__ == "__main__":
    typer.run(main)
