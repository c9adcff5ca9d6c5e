"""Which samples are learned from, which are held out, and which are tested on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.core.errors import ConfigError

_FOLD = re.compile(r"subjects-([1-9][0-9]*)-of-([1-9][0-9]*)")


def choose_split(data: SkeletonData, name: str | None) -> tuple[str, Split]:
    """Return a split by name, or the data set's default.

    Beside its own splits a data set whose subjects are known has ``subjects-1-of-K`` to
    ``subjects-K-of-K``: of the subjects in order the i-th is tested by the fold ``i`` modulo K and
    learned from in all others, so that K trainings together test every clip once.

    Raises:
        ConfigError: If there is none of that name, or no such fold.
    """
    chosen = name or data.default_split
    if chosen in data.splits:
        return chosen, data.splits[chosen]
    if fold := _FOLD.fullmatch(chosen):
        return chosen, subject_fold(data, int(fold[1]), int(fold[2]))
    known = ", ".join(data.splits)
    raise ConfigError(
        f"{data.name} has no split {chosen!r}; it has {known}, and subjects-1-of-2 and its like "
        "where subjects are known"
    )


def subject_fold(data: SkeletonData, number: int, of: int) -> Split:
    """Return the split that tests every ``of``-th subject, beginning with the ``number``-th.

    Raises:
        ConfigError: If subjects are not known or fewer than the folds, or there is no such fold.
    """
    groups = data.store.subjects
    subjects = sorted(set(groups or ()))
    if groups is None or not 2 <= of <= len(subjects) or number > of:
        raise ConfigError(
            f"{data.name} has no fold {number} of {of} by subjects; it has "
            f"{len(subjects) or 'no known'} subjects"
        )
    tested = set(subjects[number - 1 :: of])
    pairs = list(zip(data.store.sample_ids, groups, strict=True))
    return Split(
        tuple(sample for sample, group in pairs if group not in tested),
        tuple(sample for sample, group in pairs if group in tested),
    )


def reported_splits(data: SkeletonData, name: str) -> list[str]:
    """Return the split and all others that differ from it in the test part alone.

    One training serves them all: a benchmark whose test part is in doubt has a cleaned one
    beside it, and both are reported. A fold of subjects stands alone.
    """
    if name not in data.splits:
        return [name]
    train = set(data.splits[name].train)
    others = [other for other, split in data.splits.items() if set(split.train) == train]
    return [name, *(other for other in others if other != name)]


def evaluation_parts(data: SkeletonData, name: str) -> dict[str, frozenset[str]]:
    """Return the test part of a split and of those it is reported with, as sample ids."""
    return {
        other: frozenset(choose_split(data, other)[1].test) for other in reported_splits(data, name)
    }


def evaluation_samples(store: ClipStore, parts: Mapping[str, Set[str]]) -> Int[Tensor, " n"]:
    """Return the positions of all samples in some test parts, each once, in the store's order."""
    ids = frozenset[str]().union(*parts.values())
    return store.indices([sample for sample in store.sample_ids if sample in ids])


def split_validation(
    store: ClipStore, train: Int[Tensor, " n"], share: float, seed: int
) -> tuple[Int[Tensor, " a"], Int[Tensor, " b"]]:
    """Divide a training part into what is learned from and what is kept for validation.

    Where subjects are known, whole subjects are held out, so that validation meets people never
    seen; otherwise samples are drawn within each class.

    Args:
        store: The samples.
        train: The training part.
        share: Wanted share of validation; 0 holds out nothing. At least one subject stays.
        seed: Of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    kept = torch.ones(len(train), dtype=torch.bool)
    if share > 0:
        groups = _subjects_of(store, train)
        if len(groups.unique()) > 1:
            kept = _hold_out_subjects(groups, share, generator)
        else:
            kept = _hold_out_stratified(store.labels[train].cpu(), share, generator)
    kept = kept.to(train.device)
    return train[kept], train[~kept]


def _subjects_of(store: ClipStore, train: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    known = store.subjects or (0,) * len(store)
    return torch.tensor(known)[train.cpu()]


def _hold_out_subjects(
    groups: Int[Tensor, " n"], share: float, generator: torch.Generator
) -> Tensor:
    """Keep all groups but as many as come nearest to the share, at least one of either."""
    values, counts = groups.unique(return_counts=True)
    order = torch.randperm(len(values), generator=generator)
    reached = counts[order].cumsum(0) / counts.sum()
    number = int((reached - share).abs().argmin()) + 1
    held = values[order[: min(number, len(values) - 1)]]
    return ~torch.isin(groups, held)


def _hold_out_stratified(
    labels: Int[Tensor, " n"], share: float, generator: torch.Generator
) -> Tensor:
    kept = torch.ones(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        number = min(round(share * len(members)), len(members) - 1)
        kept[members[torch.randperm(len(members), generator=generator)[:number]]] = False
    return kept
