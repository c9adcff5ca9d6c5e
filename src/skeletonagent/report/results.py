"""Results of runs as plain values: accuracies, curves, confusions, differences to a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.class_difficulty import class_difficulty, subset_accuracy
from skeletonagent.evaluation.ensemble import EnsembleMember, paper_ensembles
from skeletonagent.evaluation.metrics import mean_class_accuracy
from skeletonagent.evaluation.significance import (
    Estimate,
    accuracy_interval,
    mcnemar,
    mean_interval,
    paired_difference,
)
from skeletonagent.report.class_scores import mean_class_scores
from skeletonagent.report.runs import RecipeRuns, ReportedRun
from skeletonagent.report.serialize import pack_json, round_floats
from skeletonagent.training.checkpoint import Checkpoint

CURVE_METRICS = (
    "epoch", "round", "loss", "cls", "con", "align", "train_top1", "validation_top1",
    "learning_rate", "seconds",
)  # fmt: skip
"""Metrics of an epoch that are drawn."""


def accuracy_rows(groups: Sequence[RecipeRuns]) -> list[dict[str, Any]]:
    """Return a row for each tested run, and one for the mean of each recipe after its runs."""
    rows: list[dict[str, Any]] = []
    for group in groups:
        tested = [run for run in group.runs if run.predictions is not None]
        rows += [_run_row(run, group.name) for run in tested]
        if len(tested) > 1:
            rows.append(_mean_row(tested, group.name))
    return rows


def _run_row(run: ReportedRun, recipe: str) -> dict[str, Any]:
    assert run.predictions is not None
    parts = {name: _accuracies(part) for name, part in run.test_sets.items()}
    return _accuracy_row(run.predictions, run.name, recipe) | {"parts": parts}


def _accuracy_row(predictions: ClassProbabilities, name: str, recipe: str) -> dict[str, Any]:
    return {"name": name, "recipe": recipe, "mean": False, "parts": {}} | _accuracies(predictions)


def _accuracies(predictions: ClassProbabilities) -> dict[str, Any]:
    return {
        "top1": _estimate(accuracy_interval(predictions)),
        "top5": predictions.topk_accuracy(5),
        "mean_class": mean_class_accuracy(predictions),
    }


def _mean_row(runs: Sequence[ReportedRun], recipe: str) -> dict[str, Any]:
    tested = [run.predictions for run in runs if run.predictions is not None]
    names = [name for name in runs[0].test_sets if all(name in run.test_sets for run in runs)]
    parts = {name: _mean_accuracies([run.test_sets[name] for run in runs]) for name in names}
    row = {"name": f"mean of {len(tested)}", "recipe": recipe, "mean": True, "parts": parts}
    return row | _mean_accuracies(tested)


def _mean_accuracies(tested: Sequence[ClassProbabilities]) -> dict[str, Any]:
    return {
        "top1": _clip_interval(_estimate(mean_interval([p.topk_accuracy(1) for p in tested]))),
        "top5": float(np.mean([p.topk_accuracy(5) for p in tested])),
        "mean_class": float(np.mean([mean_class_accuracy(p) for p in tested])),
    }


def simple_baseline_row(runs: Sequence[ReportedRun]) -> dict[str, Any] | None:
    """Return a row for the method without deep learning that results are shown beside.

    It is that of the first run that has one, on the test set of the run's split.

    Raises:
        DataError: If the file is damaged.
    """
    run = next((run for run in runs if run.simple_baseline), None)
    if run is None or run.simple_baseline is None:
        return None
    try:
        method = run.simple_baseline["methods"][0]
        figures = method["test"][run.simple_baseline["split"]]
        names = [name for name in run.test_sets if name in method["test"]]
        parts = {name: _recorded_accuracies(method["test"][name]) for name in names}
        row = {"name": method["name"], "recipe": "without deep learning", "mean": False}
        return row | {"parts": parts} | _recorded_accuracies(figures)
    except (KeyError, TypeError, IndexError) as error:
        raise DataError(f"is damaged: {error!r}", path=run.directory.baseline) from error


def _recorded_accuracies(figures: dict[str, Any]) -> dict[str, Any]:
    ends = figures["top1"], figures["low"], figures["high"]
    return {
        "top1": _estimate(Estimate(*ends, figures["samples"])),
        "top5": figures["top5"],
        "mean_class": figures["mean_class"],
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
    }


def ensemble_rows(first: ReportedRun, runs: Sequence[ReportedRun]) -> list[dict[str, Any]]:
    """Return a row for each of the paper's ensembles that can be formed of the runs.

    Members are runs that are guided, or unguided, like the first one. All must have been tested on
    the same samples.
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
            predictions = fusion.predictions
        except DataError:
            return []
        names = ", ".join(member.stream.short for member in fusion.members)
        rows.append(_accuracy_row(predictions, f"{fusion.name} fused", names))
    return rows


def _clip_interval(estimate: dict[str, Any]) -> dict[str, Any]:
    """Return an estimate with its interval within 0 and 1, which that of few runs may exceed."""
    ends = {key: estimate[key] for key in ("low", "high") if estimate[key] is not None}
    return estimate | {key: min(max(end, 0.0), 1.0) for key, end in ends.items()}


def training_curves(recipes: Sequence[RecipeRuns]) -> list[dict[str, Any]]:
    """Return each run's metrics over the epochs, a list for each metric."""
    return [
        {
            "run": run.name,
            "recipe": recipe.name,
            "seed": run.config.seed,
            "epochs": run.config.training.epochs,
            **{
                key: round_floats([record.get(key) for record in run.metrics])
                for key in CURVE_METRICS
            },
        }
        for recipe in recipes
        for run in recipe.runs
        if run.metrics
    ]


def confusion_matrices(
    runs: Sequence[ReportedRun], checkpoint: Checkpoint | None
) -> list[dict[str, Any]]:
    """Return the confusions of each tested run, and those of the first run's last epoch.

    Args:
        runs: Runs.
        checkpoint: Newest checkpoint of the first run, with the counts of its training clips.
    """
    matrices = [
        {"title": f"{title}, {run.name}", "run": run.name, **_sparse(predictions.confusions())}
        for run in runs
        if run.predictions is not None
        for title, predictions in _titled_test_sets(run, run.predictions)
    ]
    if checkpoint is not None and "confusions" in checkpoint.tensors:
        title = f"training clips of the last epoch, {runs[0].name}"
        counts = checkpoint.tensors["confusions"].numpy()
        matrices.append({"title": title, "run": "", **_sparse(counts)})
    return matrices


def _titled_test_sets(
    run: ReportedRun, predictions: ClassProbabilities
) -> list[tuple[str, ClassProbabilities]]:
    parts = [(f"test set {name}", part) for name, part in run.test_sets.items()]
    return parts or [("test set", predictions)]


def _sparse(counts: Int[np.ndarray, "y y"]) -> dict[str, Any]:
    indices = np.flatnonzero(counts)
    return {
        "index": pack_json(indices.astype(np.uint32)),
        "count": pack_json(counts.reshape(-1)[indices].astype(np.uint32)),
    }


def class_results(
    runs: Sequence[ReportedRun], baseline: Sequence[ReportedRun]
) -> dict[str, Any] | None:
    """Return the per-class accuracy, a mean over the runs, and that of the baseline.

    None if no run is tested yet.
    """
    accuracy = _mean_class_accuracy(runs)
    if accuracy is None:
        return None
    baseline_accuracy = _mean_class_accuracy(baseline)
    samples = np.bincount(_tested(runs)[0].labels, minlength=len(accuracy))
    return {
        "samples": samples.tolist(),
        "accuracy": round_floats(accuracy.tolist()),
        "baseline": None if baseline_accuracy is None else round_floats(baseline_accuracy.tolist()),
        "scores": mean_class_scores([p.confusions() for p in _tested(runs)]),
        "runs": len(_tested(runs)),
        "subsets": _subsets(runs, baseline),
        "comparison": None if baseline_accuracy is None else _comparison(runs, baseline),
    }


def _tested(runs: Sequence[ReportedRun]) -> list[ClassProbabilities]:
    return [run.predictions for run in runs if run.predictions is not None]


def _mean_class_accuracy(runs: Sequence[ReportedRun]) -> Float[np.ndarray, " y"] | None:
    rows = [predictions.per_class_accuracy() for predictions in _tested(runs)]
    if not rows:
        return None
    mean: Float[np.ndarray, " y"] = np.mean(rows, axis=0)
    return mean


def _subsets(runs: Sequence[ReportedRun], baseline: Sequence[ReportedRun]) -> list[dict[str, Any]]:
    """Return the accuracy on the hard, medium and easy classes (paper table 6)."""
    ours, theirs = _tested(runs), _tested(baseline)
    subsets = class_difficulty(*(theirs or ours))
    tables = {
        "accuracy": [subset_accuracy(predictions, subsets) for predictions in ours],
        "baseline": [subset_accuracy(predictions, subsets) for predictions in theirs],
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
    """Return the difference to the baseline, with its interval and a test of significance."""
    ours = {run.config.seed: run.predictions for run in runs if run.predictions is not None}
    theirs = {run.config.seed: run.predictions for run in baseline if run.predictions is not None}
    seeds = sorted(ours.keys() & theirs.keys())
    first, second = next(iter(ours.values())), next(iter(theirs.values()))
    if seeds:
        first, second = ours[seeds[0]], theirs[seeds[0]]
    means = [
        float(np.mean([predictions.topk_accuracy(1) for predictions in side.values()]))
        for side in (ours, theirs)
    ]
    pairs = (
        [ours[seed].topk_accuracy(1) for seed in seeds],
        [theirs[seed].topk_accuracy(1) for seed in seeds],
    )
    paired = paired_difference(*pairs) if len(seeds) > 1 else None
    try:
        test = mcnemar(first, second)
    except DataError:  # other test samples, which can be compared by class alone
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
