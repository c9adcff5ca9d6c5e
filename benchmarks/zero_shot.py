"""Classes recognized by their descriptions alone, and by a description and one example.

Classes are left out at random. The samples of the others give the scale of what claims are about;
test samples of the classes left out are told apart by the claims of the bundled notes
(`agents/evidence/claim_scores.py`), which were written before anything was measured. Controls have
the same form: the same descriptions under each other's names, and random claims. `--fits` also fits
the kernel ridge classifier of the classes seen in the first draws, for the generalised setting,
where test samples of all classes are told apart among all classes, and for MultiRocket's features.
`--base` compares examples by the features of a base, too, alone and beside the motion features; one
that has learned a class of the same name is refused.

Example:
  python -m benchmarks.zero_shot skeletons/utd_mhad --unseen 5
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from jaxtyping import Bool, Float, Int
from torch import Tensor

from benchmarks.described_features import (
    DescribedData,
    ExampleSpace,
    description_scores,
    features_of_base,
)
from skeletonagent.agents.evidence.claim_scores import ClaimScale
from skeletonagent.cli.console import print_json
from skeletonagent.data.splits import leave_subjects_out
from skeletonagent.evaluation.significance import mean_interval, paired_difference
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.inference.described_actions import CONFIDENCE_WEIGHT, DESCRIBED_SHARE

DESCRIBED = ", and description"
"""End of the name of an example beside which is a description."""

BESIDE_BASE = " and features of a base"
"""End of the name of motion features beside which are those of a base."""

EXAMPLE_WEIGHT = 0.2
"""Weight of a description's score where that of the cosine with an example is 1."""
FOLDS = 4
PERMUTATIONS = 10


def main(
    archive: Annotated[Path, typer.Argument(help="Skeleton archive whose classes have notes.")],
    unseen: Annotated[int, typer.Option(min=2, help="Classes that are left out.")] = 5,
    splits: Annotated[int, typer.Option(min=1, help="Draws of these classes.")] = 50,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of the examples for each.")] = 3,
    split: Annotated[str | None, typer.Option(help="Split of the archive.")] = None,
    fits: Annotated[
        int, typer.Option(min=0, help="Draws of classes for which a classifier is fitted.")
    ] = 0,
    base: Annotated[str, typer.Option(help="Run of a pre-training, or base; none if empty.")] = "",
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Test on subjects of the training set.")
    ] = False,
) -> None:
    """Print a line of JSON: means over the draws in percent, with their intervals."""
    data = DescribedData.of(open_dataset(archive), split)
    of_base = features_of_base(base, data.store) if base else None
    folds = list(leave_subjects_out(data.store, data.train, FOLDS, seed=0)) if held_out else []
    found: dict[str, list[float]] = defaultdict(list)
    for draw in range(splits):
        train, test = folds[draw % FOLDS] if folds else (data.train, data.test)
        part = replace(data, train=train, test=test)
        for name, value in accuracies(part, unseen, draw, seeds, draw < fits, of_base):
            found[name].append(100 * value)
    record = {"archive": archive.name, "unseen": unseen, "splits": splits, "held_out": held_out}
    print_json(record | ({"base": base} if base else {}) | summary(found))


def summary(found: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return means with intervals, and the gains of a description and of a base's features."""
    rows: dict[str, Any] = {}
    for name, values in found.items():
        mean = mean_interval(values)
        rows[name] = [_rounded(mean.mean), _rounded(mean.low), _rounded(mean.high)]
        for gain, more in (("gain", DESCRIBED), ("gain by a base", BESIDE_BASE)):
            if more in name:
                difference = paired_difference(values, found[name.replace(more, "")])
                parts = (difference.mean, difference.low, difference.high)
                rows[f"{gain}: {name}"] = [_rounded(part) for part in parts]
    return rows


def accuracies(
    data: DescribedData,
    count: int,
    draw: int,
    seeds: int,
    fitted: bool,
    of_base: Float[Tensor, "s d"] | None = None,
) -> Iterator[tuple[str, float]]:
    """Yield the accuracies of one draw of classes, by name."""
    generator = torch.Generator().manual_seed(draw)
    order = torch.randperm(data.store.num_classes, generator=generator).tolist()
    unseen, seen = sorted(order[:count]), sorted(order[count:])
    known, test = data.of_classes(data.train, seen), data.of_classes(data.test, unseen)
    scale = data.scale(seen, known)
    descriptions = data.descriptions(unseen, seen)
    scores = description_scores(data, scale, descriptions, test)
    truth = data.positions(test, unseen)
    yield "description", _share(scores.argmax(dim=1) == truth)
    yield "descriptions under each other's names", _permuted(scores, truth, generator)
    nonsense = [data.random_claims(one, seen, generator) for one in descriptions]
    drawn = description_scores(data, scale, nonsense, test)
    yield "random claims", _share(drawn.argmax(dim=1) == truth)
    spaces = dict(_motion_spaces(data, known, of_base))
    if fitted:
        classifier = KernelRidge.fit(_of_seen(data, known, seen), torch.arange(len(known)), draw)
        yield from _generalised(data, scale, classifier, unseen, seen, known)
        spaces["MultiRocket"] = _rocket_space(data, classifier, known, seen)
    for seed in range(seeds):
        examples = _examples(data, unseen, seed)
        for name, (space, features) in spaces.items():
            alone = space.cosines(features[test], features[examples])
            yield f"one example: {name}", _share(alone.argmax(dim=1) == truth)
            both = alone + EXAMPLE_WEIGHT * scores
            yield (
                f"one example: {name}{DESCRIBED}",
                _share(both.argmax(dim=1) == truth),
            )


def _permuted(
    scores: Float[Tensor, "n u"], truth: Int[Tensor, " n"], generator: torch.Generator
) -> float:
    """Return the mean accuracy with descriptions under random names of the same classes."""
    predicted = scores.argmax(dim=1)
    found = []
    for _ in range(PERMUTATIONS):
        names = torch.randperm(scores.shape[1], generator=generator)
        found.append(_share(names[predicted] == truth))
    return sum(found) / len(found)


def _motion_spaces(
    data: DescribedData, known: Int[Tensor, " n"], of_base: Float[Tensor, "s d"] | None
) -> Iterator[tuple[str, tuple[ExampleSpace, Float[Tensor, "s f"]]]]:
    """Yield spaces of motion features and of a base's, with the features of all samples."""
    motion, labels = data.motion.values.flatten(1), data.store.labels[known]
    spaces = {"motion features": motion}
    if of_base is not None:
        spaces["features of a base"] = of_base
        spaces[f"motion features{BESIDE_BASE}"] = torch.cat([motion, of_base], dim=1)
    for name, features in spaces.items():
        yield name, (ExampleSpace.fit(features[known], labels, whitened=False), features)
        yield (
            f"whitened {name}",
            (ExampleSpace.fit(features[known], labels, whitened=True), features),
        )


def _rocket_space(
    data: DescribedData, classifier: KernelRidge, known: Int[Tensor, " n"], seen: Sequence[int]
) -> tuple[ExampleSpace, Float[Tensor, "s f"]]:
    """Return the space of MultiRocket's features, with the features of all samples."""
    features = torch.zeros(len(data.store), len(classifier.of_rocket.mean))
    wanted = torch.cat([data.train, data.test])
    features[wanted], _ = classifier.features(data.store.subset(wanted))
    space = ExampleSpace.fit(features[known], data.positions(known, seen), whitened=False)
    return space, features


def _examples(data: DescribedData, classes: Sequence[int], seed: int) -> Int[Tensor, " u"]:
    """Return a random training sample of each class."""
    generator = torch.Generator().manual_seed(1000 + seed)
    chosen = []
    for label in classes:
        own = data.of_classes(data.train, [label])
        chosen.append(own[torch.randint(len(own), (1,), generator=generator)])
    return torch.cat(chosen)


def _of_seen(data: DescribedData, samples: Int[Tensor, " n"], seen: Sequence[int]) -> Any:
    """Return samples of the classes seen alone, labelled by their positions."""
    part = data.store.subset(samples)
    labels = data.positions(samples, seen)
    return replace(part, labels=labels, class_names=data.names(seen))


def _generalised(
    data: DescribedData,
    scale: ClaimScale,
    classifier: KernelRidge,
    unseen: Sequence[int],
    seen: Sequence[int],
    known: Int[Tensor, " n"],
) -> Iterator[tuple[str, float]]:
    """Yield accuracies among all classes, of samples of classes seen and of those left out."""
    descriptions = data.descriptions(unseen, seen)

    def odds(samples: Int[Tensor, " n"]) -> tuple[Float[Tensor, "n u"], Int[Tensor, " n"]]:
        logs = classifier.log_probabilities(data.store.subset(samples))
        best, label = logs.max(dim=1)
        own = description_scores(data, scale, descriptions, samples)
        return own - CONFIDENCE_WEIGHT * best[:, None].float(), label

    threshold = odds(known)[0].quantile(1 - DESCRIBED_SHARE, dim=0)
    right: dict[str, Bool[Tensor, " n"]] = {}
    for name, classes in (("seen", seen), ("unseen", unseen)):
        samples = data.of_classes(data.test, classes)
        own, label = odds(samples)
        over = own - threshold
        taken = over.amax(dim=1) > 0
        new = data.positions(samples, unseen) == over.argmax(dim=1)
        old = data.positions(samples, seen) == label
        right[name] = torch.where(taken, new, old)
        if name == "seen":
            yield "generalised: seen without descriptions", _share(old)
            yield "generalised: seen taken by descriptions", _share(taken)
    old_share, new_share = _share(right["seen"]), _share(right["unseen"])
    yield "generalised: seen", old_share
    yield "generalised: unseen", new_share
    yield "generalised: harmonic mean", 2 * old_share * new_share / max(old_share + new_share, 1e-9)


def _share(right: Bool[Tensor, " n"]) -> float:
    return float(right.float().mean())


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
