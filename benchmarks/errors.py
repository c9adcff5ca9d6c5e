"""Errors of finished runs over seeds: which clips, classes and groups, and who else errs alike.

Clips that every seed gets wrong, and every simpler method too, bound what a better recognizer of
the same kind could gain; where all of them say the same wrong class, the clip looks like it. It
trains nothing: see ``benchmarks.small_sets`` for the folders.

Example:
  python -m benchmarks.errors runs/nw --baseline runs/nw-baseline --by 's[0-9]+' --pairs 8
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from jaxtyping import Bool, Float, Int

from benchmarks.small_sets import BASELINES, pooled, runs_by_seed
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.ensemble import align_samples
from skeletonagent.training.run_directory import RunDirectory


@dataclass(frozen=True)
class SeedErrors:
    """Predictions of several seeds, and of simpler methods, on the same N samples.

    Args:
        sample_ids: Names of the samples.
        labels: True classes.
        probs: Class probabilities of each of S seeds.
        others: Class probabilities of the simpler methods, by name.
    """

    sample_ids: tuple[str, ...]
    labels: Int[np.ndarray, " n"]
    probs: Float[np.ndarray, "s n y"]
    others: Mapping[str, Float[np.ndarray, "n y"]]

    @property
    def wrong(self) -> Bool[np.ndarray, "s n"]:
        """Whether each seed errs."""
        wrong: Bool[np.ndarray, "s n"] = self.probs.argmax(axis=2) != self.labels
        return wrong

    def counts(self) -> dict[str, float]:
        """Return shares of the samples in percent, by what is said of them."""
        wrong, said = self.wrong, self.probs.argmax(axis=2)
        guesses = [said, *(probs.argmax(axis=1)[None] for probs in self.others.values())]
        everyone = np.concatenate(guesses)
        everyone_wrong = (everyone != self.labels).all(axis=0)
        one_mind = (everyone == everyone[0]).all(axis=0)
        mean = self.probs.mean(axis=0)
        blend = np.stack([mean, *self.others.values()]).mean(axis=0)
        shares = {
            "wrong, mean over seeds": wrong.mean(),
            "wrong for the mean of all seeds' probabilities": _error(mean, self.labels),
            "wrong for that and the simpler methods, averaged": _error(blend, self.labels),
            "wrong for every seed": wrong.all(axis=0).mean(),
            "wrong for every seed and every simpler method": everyone_wrong.mean(),
            "the same wrong class for all of them": (everyone_wrong & one_mind).mean(),
        }
        return {name: 100 * float(share) for name, share in shares.items()}

    def pairs(self, class_names: Sequence[str]) -> list[tuple[str, str, float]]:
        """Return true and predicted class of confusions, by percent of the true class's clips."""
        said = self.probs.argmax(axis=2)
        counts: Counter[tuple[int, int]] = Counter()
        for row in said:
            counts.update((int(a), int(b)) for a, b in zip(self.labels, row, strict=True) if a != b)
        total = Counter(self.labels.tolist())
        shares = {p: 100 * count / len(said) / total[p[0]] for p, count in counts.items()}
        order = sorted(shares, key=lambda pair: -shares[pair])
        return [(class_names[a], class_names[b], shares[a, b]) for a, b in order]

    def groups(self, pattern: str) -> dict[str, float]:
        """Return the percentage of errors of the samples whose names match alike."""
        places = defaultdict(list)
        for place, name in enumerate(self.sample_ids):
            found = re.search(pattern, name)
            places[found[0] if found else "no match"].append(place)
        wrong = self.wrong
        return {name: 100 * float(wrong[:, places[name]].mean()) for name in sorted(places)}


def _error(probs: Float[np.ndarray, "n y"], labels: Int[np.ndarray, " n"]) -> float:
    return float((probs.argmax(axis=1) != labels).mean())


def read_errors(runs: Path, baseline: Path | None) -> tuple[SeedErrors, tuple[str, ...]]:
    """Return the predictions of the runs in a folder over all splits, and the class names."""
    by_seed = runs_by_seed(runs)
    splits = sorted(next(iter(by_seed.values())))
    seeds = [_of_splits({s: r[s].predictions for s in splits}) for r in by_seed.values()]
    others = {} if baseline is None else _baselines(baseline, splits)
    aligned = align_samples([*seeds, *others.values()])
    first = aligned[0]
    errors = SeedErrors(
        sample_ids=first.sample_ids,
        labels=first.labels,
        probs=np.stack([part.probs for part in aligned[: len(seeds)]]),
        others={n: p.probs for n, p in zip(others, aligned[len(seeds) :], strict=True)},
    )
    return errors, _class_names(next(iter(by_seed.values()))[splits[0]])


def _baselines(folder: Path, splits: Sequence[str]) -> dict[str, ClassProbabilities]:
    folders = {s: folder / s if (folder / s).is_dir() else folder for s in splits}
    return {
        name: _of_splits({s: place / f"{name}.npz" for s, place in folders.items()})
        for name in BASELINES
    }


def _of_splits(paths: Mapping[str, Path]) -> ClassProbabilities:
    return pooled([ClassProbabilities.load(path) for path in paths.values()])


def _class_names(run: RunDirectory) -> tuple[str, ...]:
    with np.load(run.confusions, allow_pickle=False) as file:
        return tuple(file["class_names"].tolist())


def main(
    runs: Annotated[Path, typer.Argument(help="Folder of the runs.")],
    baseline: Annotated[Path | None, typer.Option(help="Folder of the baselines.")] = None,
    by: Annotated[
        str | None, typer.Option(help="Errors by what matches alike in the samples' names.")
    ] = None,
    pairs: Annotated[int, typer.Option(help="Number of confused pairs.")] = 10,
) -> None:
    """Print tables in Markdown: shares of the samples, pairs of classes, groups."""
    errors, class_names = read_errors(runs, baseline)
    _table("samples", errors.counts())
    _table(
        "true class, predicted",
        {f"{a}, {b}": share for a, b, share in errors.pairs(class_names)[:pairs]},
    )
    if by:
        _table(f"samples by `{by}`", errors.groups(by))


def _table(title: str, shares: Mapping[str, float]) -> None:
    lines = [f"| {title} | percent |", "|---|---:|"]
    lines += [f"| {name} | {share:.1f} |" for name, share in shares.items()]
    print("\n".join(lines) + "\n")  # noqa: T201


if __name__ == "__main__":
    typer.run(main)
