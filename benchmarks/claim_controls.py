r"""Whether what is claimed of the classes matters: claims in finished runs, against controls.

It trains no network. The runs are those of ``skeletonagent curve`` or ``train``, with the kernel
ridge classifier beside the network or without it. For each of them the classifier is fitted again
to the same training clips without claims, with the claims of the bundled class notes, with those of
another class, and with as many that are drawn at random; each joins the network's probabilities. A
line of JSON for each number of clips a class and each part of the test set has mean top-1
accuracies in percent and cross-entropies over the runs, and the differences, paired by run, with
95 % intervals.

Example:
  skeletonagent curve utd_mhad --preset utd-mhad --set agents.chat=none \
      --set kernel_ridge.base=none --out runs/curve
  python -m benchmarks.claim_controls runs/curve
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from skeletonagent.agents.guidance_control import controlled_claims
from skeletonagent.agents.settings import GuidanceControl
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.splits import choose_split
from skeletonagent.data.training_draw import draw_training_clips
from skeletonagent.evaluation.significance import mean_interval
from skeletonagent.experiments.config import read_config
from skeletonagent.experiments.described_classes import claims_of_classes
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.experiments.run import shared_dataset
from skeletonagent.training.run_directory import RunDirectory

NO_CLAIMS = "no claims"
CLAIMS = "claims"
CONTROLS = ("shuffled", "random")

Results = dict[str, tuple[float, float]]
"""Top-1 accuracy in percent and cross-entropy of each method."""


def main(
    runs: Annotated[Path, typer.Argument(help="Folder of finished runs.")],
) -> None:
    """Print a line of JSON for each number of clips a class and each part of the test set."""
    found: dict[tuple[int, str], list[Results]] = defaultdict(list)
    for path in sorted(runs.rglob("predictions.npz")):
        for size, part, results in measure_run(RunDirectory(path.parent)):
            found[size, part].append(results)
    if not found:
        raise typer.BadParameter(f"{runs}: no finished run; train some, or name another folder")
    for (size, part), rows in sorted(found.items()):
        clips = size or "all"
        print(json.dumps({"clips": clips, "part": part, **summary(rows)}))  # noqa: T201


def summary(rows: list[Results]) -> dict[str, object]:
    """Return the mean of each method, and how far the claims lie above each of the others."""
    value: dict[str, object] = {"runs": len(rows)}
    for place, (metric, digits) in enumerate((("top-1", 2), ("cross-entropy", 3))):
        of_metric: dict[str, object] = {}
        for method in rows[0]:
            of_metric[method] = round(float(np.mean([row[method][place] for row in rows])), digits)
        for other in (NO_CLAIMS, *CONTROLS):
            estimate = mean_interval([row[CLAIMS][place] - row[other][place] for row in rows])
            of_metric[f"{CLAIMS} over {other}"] = [
                None if number is None else round(number, digits)
                for number in (estimate.mean, estimate.low, estimate.high)
            ]
        value[metric] = of_metric
    return value


def measure_run(run: RunDirectory) -> Iterator[tuple[int, str, Results]]:
    """Yield clips a class, part of the test set and the results of a run."""
    config = read_config(run.config)
    store = shared_dataset(config.data).store.to(torch.device("cpu"), torch.float32)
    split = choose_split(shared_dataset(config.data), config.data.split)[1]
    drawn = draw_training_clips(
        store, store.indices(split.train), config.data.clips_per_class, config.data.draw_seed
    )
    joined = ClassProbabilities.load(run.predictions)
    test = store.subset(store.indices(joined.sample_ids))
    weight, network = config.kernel_ridge.weight or 1.0, joined
    if run.kernel_ridge.exists():
        beside = KernelRidge.load(run.kernel_ridge)
        if beside.base is not None:
            raise typer.BadParameter(f"{run.path} has a base; train with kernel_ridge.base=none")
        network = without_classifier(joined, beside, test, weight)
    claims = claims_of_classes(store.class_names)
    methods = {"network": network}
    for method, own in {
        NO_CLAIMS: (),
        CLAIMS: claims,
        **{
            control: controlled_claims(claims, GuidanceControl(control), config.seed)
            for control in CONTROLS
        },
    }.items():
        classifier = KernelRidge.fit(store, drawn, config.seed, own, weight)
        methods[method] = classifier.join(network, [test], weight)
    parts: Mapping[str, list[str]] = json.loads(run.evaluation_parts.read_text())
    for part, ids in parts.items():
        yield (
            config.data.clips_per_class or 0,
            part,
            {name: _results(found.subset(set(ids))) for name, found in methods.items()},
        )


def _results(predictions: ClassProbabilities) -> tuple[float, float]:
    losses = predictions.cross_entropies()
    return 100 * predictions.topk_accuracy(1), float(losses.mean())


def without_classifier(
    joined: ClassProbabilities, classifier: KernelRidge, test: ClipStore, weight: float
) -> ClassProbabilities:
    """Return the network's probabilities, from what they became with the classifier's."""
    own = classifier.log_probabilities(test).double().numpy()
    logs = (1 + weight) * np.log(np.maximum(joined.probs.astype(np.float64), 1e-30)) - weight * own
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return replace(joined, probs=(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32))


if __name__ == "__main__":
    typer.run(main)
