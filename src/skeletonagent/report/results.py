"""Results of runs as plain values: accuracies, curves, confusions, and what a baseline changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.class_difficulty import class_difficulty, subset_accuracy
from skeletonagent.evaluation.ensemble import EnsembleMember, paper_ensembles
from skeletonagent.evaluation.significance import (
    Estimate,
    accuracy_interval,
    mcnemar,
    mean_interval,
    paired_difference,
)
from skeletonagent.report.runs import RecipeRuns, ReportedRun
from skeletonagent.report.serialize import pack_json, round_floats
from skeletonagent.training.checkpoint import Checkpoint

CURVES = (
    "epoch", "round", "loss", "cls", "con", "align", "train_top1", "validation_top1",
    "learning_rate", "seconds",
)  # fmt: skip
"""What of an epoch is drawn."""


def accuracies(groups: Sequence[RecipeRuns]) -> list[dict[str, Any]]:
    """Return a row for each tested run, and after those of a recipe one for its mean."""
    rows: list[dict[str, Any]] = []
    for group in groups:
        tested = [run for run in group.runs if run.predictions is not None]
        rows += [_run_row(run, group.name) for run in tested]
        if len(tested) > 1:
            rows.append(_mean_row(tested, group.name))
    return rows


def _run_row(run: ReportedRun, recipe: str) -> dict[str, Any]:
    assert run.predictions is not None
    return _scored(run.predictions, run.name, recipe) | {"parts": _parts(run)}


def _scored(scores: ClassProbabilities, name: str, recipe: str) -> dict[str, Any]:
    return {
        "name": name,
        "recipe": recipe,
        "mean": False,
        "top1": _estimate(accuracy_interval(scores)),
        "top5": scores.topk_accuracy(5),
        "mean_class": float(np.nanmean(scores.per_class_accuracy())),
        "parts": {},
    }


def _parts(run: ReportedRun) -> dict[str, float]:
    """Return the accuracy of each part the run was tested on, where there are several."""
    tested = (run.summary or {}).get("test", {})
    return {name: part["top1"] for name, part in tested.items()} if len(tested) > 1 else {}


def _mean_row(runs: Sequence[ReportedRun], recipe: str) -> dict[str, Any]:
    scores = [run.predictions for run in runs if run.predictions is not None]
    return {
        "name": f"mean of {len(scores)}",
        "recipe": recipe,
        "mean": True,
        "top1": _cut(_estimate(mean_interval([each.topk_accuracy(1) for each in scores]))),
        "top5": float(np.mean([each.topk_accuracy(5) for each in scores])),
        "mean_class": float(np.mean([np.nanmean(each.per_class_accuracy()) for each in scores])),
        "parts": {},
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
    }


def fusions(first: ReportedRun, runs: Sequence[ReportedRun]) -> list[dict[str, Any]]:
    """Return a row for each of the paper's ensembles that the runs' streams allow.

    Only runs take part that are guided as the first one is, and tested on the same samples.
    """
    members = [
        EnsembleMember(
            run.name, "", "", run.config.clips.stream, run.class_names, run.predictions, {}
        )
        for run in runs
        if run.predictions is not None and run.guided == first.guided
    ]
    rows = []
    for fusion in paper_ensembles(members):
        try:
            scores = fusion.predictions
        except DataError:
            return []
        names = ", ".join(member.stream.short for member in fusion.members)
        rows.append(_scored(scores, f"{fusion.name} fused", names))
    return rows


def _cut(estimate: dict[str, Any]) -> dict[str, Any]:
    """Return the interval of a share, which is of few runs wider than a share can be."""
    ends = {key: estimate[key] for key in ("low", "high") if estimate[key] is not None}
    return estimate | {key: min(max(end, 0.0), 1.0) for key, end in ends.items()}


def curves(runs: Sequence[ReportedRun]) -> list[dict[str, Any]]:
    """Return each run's figures over the epochs, as columns."""
    return [
        {
            "run": run.name,
            "epochs": run.config.training.epochs,
            **{key: round_floats([record.get(key) for record in run.metrics]) for key in CURVES},
        }
        for run in runs
        if run.metrics
    ]


def confusion_matrices(
    runs: Sequence[ReportedRun], checkpoint: Checkpoint | None
) -> list[dict[str, Any]]:
    """Return the confusions of each tested run, and those of the first run's last epoch.

    Args:
        runs: The runs.
        checkpoint: Where the first run stands; it has counted its training clips.
    """
    matrices = [
        {
            "title": f"test part, {run.name}",
            "run": run.name,
            **_sparse(run.predictions.confusions()),
        }
        for run in runs
        if run.predictions is not None
    ]
    if checkpoint is not None and "confusions" in checkpoint.tensors:
        title = f"training clips, as last counted, {runs[0].name}"
        counts = checkpoint.tensors["confusions"].numpy()
        matrices.append({"title": title, "run": "", **_sparse(counts)})
    return matrices


def _sparse(counts: Int[np.ndarray, "y y"]) -> dict[str, Any]:
    place = np.flatnonzero(counts)
    return {
        "place": pack_json(place.astype(np.uint32)),
        "count": pack_json(counts.reshape(-1)[place].astype(np.uint32)),
    }


def class_figures(
    runs: Sequence[ReportedRun], baseline: Sequence[ReportedRun]
) -> dict[str, Any] | None:
    """Return the accuracy of each class, with the baseline's where there is one.

    None if nothing is tested yet. Of several runs the mean is taken.
    """
    own = _mean_class_accuracy(runs)
    if own is None:
        return None
    other = _mean_class_accuracy(baseline)
    tested = next(run.predictions for run in runs if run.predictions is not None)
    samples = np.bincount(tested.labels, minlength=len(own))
    return {
        "samples": samples.tolist(),
        "accuracy": round_floats(own.tolist()),
        "baseline": None if other is None else round_floats(other.tolist()),
        "subsets": _subsets(runs, baseline),
        "comparison": None if other is None else _comparison(runs, baseline),
    }


def _mean_class_accuracy(runs: Sequence[ReportedRun]) -> Float[np.ndarray, " y"] | None:
    each = [run.predictions.per_class_accuracy() for run in runs if run.predictions is not None]
    if not each:
        return None
    mean: Float[np.ndarray, " y"] = np.mean(each, axis=0)
    return mean


def _subsets(runs: Sequence[ReportedRun], baseline: Sequence[ReportedRun]) -> list[dict[str, Any]]:
    """Return how the runs do on the hard, medium and easy classes (paper table 6)."""
    own = [run.predictions for run in runs if run.predictions is not None]
    other = [run.predictions for run in baseline if run.predictions is not None]
    subsets = class_difficulty(*(other or own))
    tables = {
        "accuracy": [subset_accuracy(each, subsets) for each in own],
        "baseline": [subset_accuracy(each, subsets) for each in other],
    }
    return [
        {"name": name, "classes": list(classes)}
        | {
            key: float(np.mean([table[name] for table in rows])) if rows and classes else None
            for key, rows in tables.items()
        }
        for name, classes in subsets.items()
    ]


def _comparison(runs: Sequence[ReportedRun], baseline: Sequence[ReportedRun]) -> dict[str, Any]:
    """Return what the difference to the baseline may be trusted for."""
    own = {run.config.seed: run.predictions for run in runs if run.predictions is not None}
    other = {run.config.seed: run.predictions for run in baseline if run.predictions is not None}
    seeds = sorted(own.keys() & other.keys())
    first, second = next(iter(own.values())), next(iter(other.values()))
    if seeds:
        first, second = own[seeds[0]], other[seeds[0]]
    means = [float(np.mean([s.topk_accuracy(1) for s in side.values()])) for side in (own, other)]
    pairs = [own[s].topk_accuracy(1) for s in seeds], [other[s].topk_accuracy(1) for s in seeds]
    paired = paired_difference(*pairs) if len(seeds) > 1 else None
    try:
        test = mcnemar(first, second)
    except DataError:  # of other samples, which can be compared by class alone
        test = None
    return {
        "difference": means[0] - means[1],
        "seeds": len(seeds),
        "paired": _estimate(paired) if paired else None,
        "only_first": test.only_first if test else None,
        "only_second": test.only_second if test else None,
        "p": test.p if test else None,
        "names": [runs[0].name, baseline[0].name],
    }
