"""Unknown actions: are actions that training left out, and another data set, noticed?

A recognizer is trained without some classes, drawn at random. Its test clips of the other classes
are compared with the clips of the classes that were left out, and with the clips of other data sets
with the same joints, by how little they are what it knows (``Predictions.novelty``). One line of
JSON has the areas under the ROC curves, also of the largest probability alone, and the shares that
count as unknown.

Example:
  python -m benchmarks.unknown_actions utd_mhad --preset utd-mhad --left-out 5 --other nw_ucla
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from jaxtyping import Float
from scipy.stats import rankdata  # type: ignore[import-untyped]

from skeletonagent.api import train
from skeletonagent.cli.console import print_json, warnings_on_console
from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.core.errors import DataError
from skeletonagent.core.joint_matching import match_joints
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.inference.predictor import Predictor, load_predictor

KEPT = "kept"


def main(
    archive: Annotated[Path, typer.Argument(help="Skeleton archive.")],
    preset: Annotated[str, typer.Option(help="Preset or YAML file.")] = "default",
    left_out: Annotated[int, typer.Option(min=1, help="Classes that are left out.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the draw of classes.")] = 0,
    other: Annotated[list[Path] | None, typer.Option(help="Archive of another data set.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run; a finished one is not repeated.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="section.key=value")] = None,
) -> None:
    """Train without some classes, and print how well these and other data sets are noticed."""
    data = open_dataset(archive)
    unknown = draw_classes(data.store.num_classes, left_out, seed)
    kept = without_classes(data, unknown)
    settings = dict(item.split("=", 1) for item in ("agents.chat=none", *(set_ or [])))
    with tempfile.TemporaryDirectory() as folder, warnings_on_console():
        run = out or Path(folder) / "run"
        if not (run / "summary.json").exists():
            train(preset, data=kept, out=run, overrides=settings)
        print_json(figures(load_predictor(run, "cpu"), data, kept, unknown, other or []))


def draw_classes(classes: int, count: int, seed: int) -> tuple[int, ...]:
    """Return random classes, ascending."""
    return tuple(sorted(np.random.default_rng(seed).permutation(classes)[:count].tolist()))


def without_classes(data: SkeletonData, classes: Sequence[int]) -> SkeletonData:
    """Return a data set with its default split, without the clips of some classes."""
    store = data.store
    kept = [label for label in range(store.num_classes) if label not in classes]
    names = [
        sample
        for sample, label in zip(store.sample_ids, store.labels.tolist(), strict=True)
        if label in kept
    ]
    part = store.subset(store.indices(names))
    labels = part.labels.clone()
    for number, label in enumerate(kept):
        labels[part.labels == label] = number
    split, known = data.splits[data.default_split], set(names)
    parts = Split(*(tuple(n for n in ids if n in known) for ids in (split.train, split.test)))
    class_names = tuple(store.class_names[label] for label in kept)
    return replace(
        data,
        store=replace(part, labels=labels, class_names=class_names),
        splits={KEPT: parts},
        default_split=KEPT,
    )


def figures(
    model: Predictor,
    data: SkeletonData,
    kept: SkeletonData,
    unknown: Sequence[int],
    others: Sequence[Path],
) -> dict[str, Any]:
    """Return the figures of a recognizer that was trained without some classes."""
    store = data.store
    test = kept.splits[KEPT].test
    of_unknown = [
        sample
        for sample in data.splits[data.default_split].test
        if int(store.labels[store.index_of[sample]]) in unknown
    ]
    known, probs = novelties(model, store, test)
    new, new_probs = novelties(model, store, of_unknown)
    truth = [int(kept.store.labels[kept.store.index_of[sample]]) for sample in test]
    found: dict[str, Any] = {
        "left_out": [store.class_names[label] for label in unknown],
        "top1_of_the_others": float(np.mean(probs.argmax(axis=1) == truth)),
        "known_clips_called_unknown": float(np.mean(known > 1)),
        "auroc": area_under_roc(known, new),
        "auroc_of_the_probability_alone": area_under_roc(
            -probs.max(axis=1), -new_probs.max(axis=1)
        ),
        "called_unknown": float(np.mean(new > 1)),
        "other_sets": {},
    }
    for path in others:
        other = with_joints_of(open_dataset(path).store, store, path)
        strange, strange_probs = novelties(model, other, other.sample_ids)
        found["other_sets"][path.stem] = {
            "auroc": area_under_roc(known, strange),
            "auroc_of_the_probability_alone": area_under_roc(
                -probs.max(axis=1), -strange_probs.max(axis=1)
            ),
            "called_unknown": float(np.mean(strange > 1)),
        }
    return found


def with_joints_of(store: ClipStore, wanted: ClipStore, path: Path) -> ClipStore:
    """Return clips with the joints of another store in its order.

    Raises:
        DataError: If a joint is missing.
    """
    order = match_joints(store.layout, wanted.layout)
    joints = [joint for joint in order if joint is not None]
    if len(joints) < len(order):
        raise DataError(f"lacks joints of {wanted.layout.name}", path=path)
    return replace(store, frames=store.frames[:, joints], layout=wanted.layout)


def novelties(
    model: Predictor, store: ClipStore, names: Sequence[str]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n y"]]:
    """Return how little each clip is what a recognizer knows, and its class probabilities."""
    out = model.predict([store.sequence(store.index_of[name]).joints for name in names])
    return out.novelty, out.probs


def area_under_roc(known: Float[np.ndarray, " n"], unknown: Float[np.ndarray, " m"]) -> float:
    """Return the share of pairs in which the unknown clip has the higher value; ties count half."""
    ranks = rankdata(np.concatenate([known, unknown]))[len(known) :]
    m, n = len(unknown), len(known)
    return float((ranks.sum() - m * (m + 1) / 2) / (m * n))


if __name__ == "__main__":
    typer.run(main)
