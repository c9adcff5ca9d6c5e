"""Fusion of finished runs that were trained on different streams of the same data."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import DataError
from skeletonagent.core.npz_files import read_npz
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.evaluation.ensemble import (
    Ensemble,
    EnsembleMember,
    fitted_ensemble,
    paper_ensembles,
    paper_weights,
    require_one_task,
)
from skeletonagent.evaluation.metrics import evaluate_parts
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.split_protocols import is_one_protocol
from skeletonagent.training.run_directory import RunDirectory


def fuse_runs(runs: Sequence[Path]) -> dict[str, Any]:
    """Return accuracies of runs and of the paper's fusions of them, as plain values.

    Raises:
        DataError: If a directory has no finished run, or the runs are of different tasks.
    """
    members = tuple(read_member(path) for path in runs)
    return fusion_report(members, choose_fusions(members, None, fit=False))


def fusion_report(members: Sequence[EnsembleMember], fusions: Sequence[Ensemble]) -> dict[str, Any]:
    """Return accuracies of runs and of their fusions, as plain values."""
    parts = members[0].evaluation_parts
    return {
        "data": members[0].data,
        "split": members[0].split,
        "runs": [
            {"name": m.name, "stream": m.stream.value, "test": evaluate_parts(m.predictions, parts)}
            for m in members
        ],
        "fusions": [
            {
                "name": fusion.name,
                "runs": [member.name for member in fusion.members],
                "weights": list(fusion.weights),
                "test": evaluate_parts(fusion.predictions, parts),
            }
            for fusion in fusions
        ],
    }


def choose_fusions(
    members: Sequence[EnsembleMember], weights: Sequence[float] | None, *, fit: bool
) -> list[Ensemble]:
    """Return the fusions to report; the last is of all runs, and one run has none.

    Raises:
        DataError: If the runs are of different tasks.
    """
    require_one_task(members)
    fusions = paper_ensembles(members)
    runs = tuple(members)
    if weights is not None:
        fusions.append(Ensemble("given weights", runs, tuple(weights)))
    elif fit:
        fusions.append(fitted_ensemble(members))
    elif len(runs) > 1 and not (fusions and fusions[-1].members == runs):
        streams = [member.stream for member in runs]
        fusions.append(Ensemble("all runs", runs, paper_weights(streams)))
    return fusions


def read_member(path: Path) -> EnsembleMember:
    """Return a run as a member of an ensemble.

    Raises:
        DataError: If the directory has no finished run, or the parts of its test set are missing.
    """
    run = RunDirectory(path)
    summary = run.read_summary()
    if summary is None or not run.predictions.exists():
        raise DataError(
            "holds no finished run; name directories with a predictions.npz, which 'train' writes",
            path=path,
        )
    validation = run.validation_predictions
    predictions = ClassProbabilities.load(run.predictions)
    try:
        class_names = tuple(map(str, read_npz(run.confusions)["class_names"].tolist()))
        return EnsembleMember(
            name=str(path),
            data=summary["data"],
            split=summary["split"],
            stream=Stream(summary["stream"]),
            class_names=class_names,
            predictions=predictions,
            evaluation_parts=_evaluation_parts(path, summary, predictions),
            validation_predictions=ClassProbabilities.load(validation)
            if validation.exists()
            else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"is damaged or no run of 'train': {error!r}", path=path) from error


def _evaluation_parts(
    path: Path, summary: dict[str, Any], predictions: ClassProbabilities
) -> dict[str, frozenset[str]]:
    """Return the sample ids of each part of the test set."""
    run = RunDirectory(path)
    all_ids, recorded = frozenset(predictions.sample_ids), run.read_evaluation_parts()
    if recorded is not None:
        parts = {name: frozenset(ids) for name, ids in recorded.items()}
        for name, ids in parts.items():
            if not ids or ids - all_ids:
                raise DataError(
                    f"names samples of {name} that predictions.npz has not",
                    path=run.evaluation_parts,
                )
        return parts
    missing = [name for name, part in summary["test"].items() if part["samples"] != len(all_ids)]
    if missing:
        raise DataError(
            f"has no evaluation_parts.json that says which samples are {', '.join(missing)}; "
            "'train --resume' of the same run writes it, without training again",
            path=path,
        )
    return dict.fromkeys(summary["test"], all_ids)


def combine_summaries(
    runs: Mapping[Path, Config], summaries: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the result of all runs of a command as plain values.

    That of one run is its summary. Runs on several streams are fused, for each split and seed. Of
    others it is mean and standard deviation of their accuracies, of each split by itself if they
    are different protocols.
    """
    if len(summaries) == 1:
        return dict(summaries[0])
    if len({config.clips.stream for config in runs.values()}) > 1:
        groups: dict[Path, list[Path]] = {}
        for run in runs:
            groups.setdefault(run.parent, []).append(run)
        return {
            "runs": list(summaries),
            "ensembles": [fuse_runs(group) for group in groups.values()],
        }
    splits = {str(config.data.split): path for path, config in runs.items()}
    tested = {name: _test_set(path, name) for name, path in splits.items()}
    if is_one_protocol(tested):
        return {**_mean(summaries), "runs": list(summaries)}
    by_split = {name: [s for s in summaries if s["split"] == name] for name in splits}
    return {
        "protocols": {name: _mean(group) for name, group in by_split.items()},
        "runs": list(summaries),
    }


def _mean(summaries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return mean and, of several runs, standard deviation of their accuracies."""
    values = [float(summary["top1"]) for summary in summaries]
    spread = {"top1_sd": statistics.stdev(values)} if len(values) > 1 else {}
    return {"top1": statistics.mean(values), **spread}


def _test_set(path: Path, split: str) -> frozenset[str]:
    parts = RunDirectory(path).read_evaluation_parts() or {}
    return frozenset(parts.get(split, ()))
