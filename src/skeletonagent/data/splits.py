"""Splits of a data set: training set, validation set and test set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.core.errors import ConfigError

_FOLD = re.compile(r"subjects-([1-9][0-9]*)-of-([1-9][0-9]*)")


def choose_split(data: SkeletonData, name: str | None) -> tuple[str, Split]:
    """Return the name and the samples of a split, by default the data set's default split.

    A data set with subjects also has the splits ``subjects-1-of-K`` to ``subjects-K-of-K`` of a
    K-fold cross-validation by subject: of the subjects in ascending order the i-th is in the test
    set of fold ``i`` modulo K and in the training set of all others, so that K trainings together
    test every sample once.

    Args:
        data: Data set.
        name: Name of the split, or None.

    Raises:
        ConfigError: If there is no split of that name, or no such fold.
    """
    chosen = name or data.default_split
    if chosen in data.splits:
        return chosen, data.splits[chosen]
    if fold := _FOLD.fullmatch(chosen):
        return chosen, subject_fold(data, int(fold[1]), int(fold[2]))
    raise ConfigError(
        f"{data.name} has no split {chosen!r}; it has {', '.join(data.splits)}, and "
        "subjects-1-of-2 and its like where subjects are known"
    )


def subject_fold(data: SkeletonData, fold: int, folds: int) -> Split:
    """Return a fold of a cross-validation by subject.

    Args:
        data: Data set.
        fold: Number of the fold, counted from 1.
        folds: Number of folds K; every K-th subject is in the test set.

    Raises:
        ConfigError: If subjects are not known or fewer than the folds, or there is no such fold.
    """
    sample_subjects = data.store.subjects
    subjects = sorted(set(sample_subjects or ()))
    if sample_subjects is None or not 2 <= folds <= len(subjects) or fold > folds:
        raise ConfigError(
            f"{data.name} has no fold {fold} of {folds} by subjects; it has "
            f"{len(subjects) or 'no known'} subjects"
        )
    test_subjects = set(subjects[fold - 1 :: folds])
    pairs = list(zip(data.store.sample_ids, sample_subjects, strict=True))
    return Split(
        tuple(sample for sample, subject in pairs if subject not in test_subjects),
        tuple(sample for sample, subject in pairs if subject in test_subjects),
    )


def reported_splits(data: SkeletonData, name: str) -> list[str]:
    """Return the names of a split and of all others with the same training set.

    One training serves them all: a benchmark whose test set has errors may also have a corrected
    one, and both are reported. A fold by subject is reported alone.
    """
    if name not in data.splits:
        return [name]
    train = set(data.splits[name].train)
    others = [other for other, split in data.splits.items() if set(split.train) == train]
    return [name, *(other for other in others if other != name)]


def evaluation_parts(data: SkeletonData, name: str) -> dict[str, frozenset[str]]:
    """Return the sample ids of the test sets that a split is reported with, by split."""
    return {
        other: frozenset(choose_split(data, other)[1].test) for other in reported_splits(data, name)
    }


def evaluation_samples(store: ClipStore, parts: Mapping[str, Set[str]]) -> Int[Tensor, " n"]:
    """Return the positions of all samples in the test sets, once each, in the store's order."""
    ids = frozenset[str]().union(*parts.values())
    return store.indices([sample for sample in store.sample_ids if sample in ids])


def split_validation(
    store: ClipStore, train: Int[Tensor, " n"], share: float, seed: int
) -> tuple[Int[Tensor, " a"], Int[Tensor, " b"]]:
    """Divide a training set into the samples to train on and the validation set.

    Where there are several subjects, all samples of a subject are on the same side, so that the
    validation set has unseen people; a subject without whom a class could not be learned stays in
    training. If that is each of them, or subjects are not known, the validation set is drawn within
    each class.

    Args:
        store: All samples.
        train: Positions of the training set in the store.
        share: Wanted share of the validation set, from 0 (no validation set) to below 1. At least
            one subject, or one sample of each class, is trained on.
        seed: Seed of the random choice.

    Returns:
        Positions of the samples to train on, and of the validation set.
    """
    generator = torch.Generator().manual_seed(seed)
    training = torch.ones(len(train), dtype=torch.bool)
    if share > 0:
        subjects, labels = _subjects_of(store, train), store.labels[train].cpu()
        if len(subjects.unique()) > 1:
            training = _hold_out_subjects(subjects, labels, share, generator)
        if bool(training.all()):
            training = _hold_out_stratified(labels, share, generator)
    training = training.to(train.device)
    return train[training], train[~training]


def leave_subjects_out(
    store: ClipStore, train: Int[Tensor, " n"], folds: int, seed: int
) -> list[tuple[Int[Tensor, " a"], Int[Tensor, " b"]]]:
    """Return the folds of a cross-validation within a training set.

    Where there are several subjects, all samples of a subject are in the same fold, and with no
    more subjects than folds each is a fold of its own; otherwise each class is spread evenly.

    Args:
        store: All samples.
        train: Positions of the training set in the store.
        folds: Number of folds, at least two; fewer are returned if there are fewer subjects or
            samples.
        seed: Seed of the random choice.

    Returns:
        Positions of the samples to train on and of those to validate on, for each fold.
    """
    generator = torch.Generator().manual_seed(seed)
    subjects = _subjects_of(store, train)
    if len(subjects.unique()) > 1:
        fold = _subject_folds(subjects, folds, generator)
    else:
        fold = _stratified_folds(store.labels[train].cpu(), folds, generator)
    members = [(fold == number).to(train.device) for number in range(int(fold.max()) + 1)]
    return [(train[~held_out], train[held_out]) for held_out in members]


def describe_validation(
    store: ClipStore,
    train: Int[Tensor, " n"],
    validation: Int[Tensor, " m"],
    share: float,
    until: float,
) -> str | None:
    """Return a line on what is held out of the training; None if nothing is.

    Args:
        store: All samples.
        train: Positions of the samples to train on.
        validation: Positions of the validation set.
        share: Share of the validation set that was wanted.
        until: Share of the training after which the validation set is trained on as well.
    """
    if not len(validation):
        return None
    total = len(train) + len(validation)
    subjects = sorted(set(_subjects_of(store, validation).tolist()))
    whose = ""
    if len(_subjects_of(store, torch.cat([train, validation])).unique()) > 1:
        names = ", ".join(map(str, subjects))
        whose = f", all of subject{'s' if len(subjects) > 1 else ''} {names}"
    later = "never trained on" if until == 1 else f"trained on after {until:.0%} of the training"
    return (
        f"validation set: {len(validation)} of {total} training clips "
        f"({len(validation) / total:.0%}, wanted {share:.0%}){whose}; {later} "
        "(training.validation_share, training.validation_until)"
    )


def _subject_folds(
    subjects: Int[Tensor, " n"], folds: int, generator: torch.Generator
) -> Int[Tensor, " n"]:
    """Return the fold of each sample: subjects in random order, each to the smallest fold."""
    values, counts = subjects.unique(return_counts=True)
    sizes = [0] * min(folds, len(values))
    fold = torch.empty_like(subjects)
    for index in torch.randperm(len(values), generator=generator).tolist():
        smallest = sizes.index(min(sizes))
        sizes[smallest] += int(counts[index])
        fold[subjects == values[index]] = smallest
    return fold


def _stratified_folds(
    labels: Int[Tensor, " n"], folds: int, generator: torch.Generator
) -> Int[Tensor, " n"]:
    """Return the fold of each sample: class after class, in random order, to the folds in turn."""
    order = torch.randperm(len(labels), generator=generator)
    order = order[labels[order].argsort(stable=True)]
    fold = torch.empty(len(labels), dtype=torch.long)
    fold[order] = torch.arange(len(labels)) % min(folds, len(labels))
    return fold


def _subjects_of(store: ClipStore, train: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Return the subject of each training sample; the same for all where none are known."""
    subjects = store.subjects or (0,) * len(store)
    return torch.tensor(subjects)[train.cpu()]


def _hold_out_subjects(
    subjects: Int[Tensor, " n"],
    labels: Int[Tensor, " n"],
    share: float,
    generator: torch.Generator,
) -> Bool[Tensor, " n"]:
    """Return which samples to train on: all but those of random subjects closest to the share.

    No class is left without a sample to train on; if each subject has the last samples of a class,
    none is held out.
    """
    values, counts = subjects.unique(return_counts=True)
    classes, spared = len(labels.unique()), torch.zeros(0, dtype=torch.long)
    for index in torch.randperm(len(values), generator=generator).split(1):
        others = torch.cat([spared, index])
        if len(labels[~torch.isin(subjects, values[others])].unique()) == classes:
            spared = others
    if not len(spared):
        return torch.ones(len(subjects), dtype=torch.bool)
    shares = counts[spared].cumsum(0) / counts.sum()
    number = int((shares - share).abs().argmin()) + 1
    return ~torch.isin(subjects, values[spared[:number]])


def _hold_out_stratified(
    labels: Int[Tensor, " n"], share: float, generator: torch.Generator
) -> Bool[Tensor, " n"]:
    """Return which samples to train on: all but a random share of each class."""
    training = torch.ones(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        number = min(round(share * len(members)), len(members) - 1)
        training[members[torch.randperm(len(members), generator=generator)[:number]]] = False
    return training
