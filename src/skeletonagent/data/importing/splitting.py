"""Split of imported clips: by subject, by recording or by clip, each class in both sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from skeletonagent.core.sequences import Split

_TRIALS = 400
"""Random divisions of groups among which the best is taken."""


@dataclass(frozen=True)
class ChosenSplit:
    """Split, and how it was made.

    Args:
        name: Name of the split.
        split: Training and test set.
        reason: How it was made, in words.
        missing: Names of classes that are not in both sets.
    """

    name: str
    split: Split
    reason: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class SplitClip:
    """What a split looks at in a clip.

    Args:
        sample_id: Name of the clip.
        label: Name of its class.
        subject: Name of its person; empty where unknown.
        recording: Name of the recording it was cut from.
    """

    sample_id: str
    label: str
    subject: str
    recording: str


def split_clips(clips: Sequence[SplitClip], test_share: float, seed: int) -> ChosenSplit:
    """Return a split of clips by subject; by recording or by clip where that is not possible.

    Complete subjects are in one of the sets, so that people are tested who were not trained on,
    and every class is in both. Where no choice of subjects does that, complete recordings are,
    if several clips were cut from one, or else clips are drawn within each class.

    Args:
        clips: Clips.
        test_share: Wanted share of the test set, between 0 and 1.
        seed: Seed of the choice.
    """
    rng = np.random.default_rng(seed)
    labels = np.unique([clip.label for clip in clips], return_inverse=True)[1].reshape(-1)
    subjects = [clip.subject for clip in clips]
    why = "subjects are not known"
    if all(subjects) and len(set(subjects)) > 1:
        tested, lacking = _best_groups(labels, subjects, test_share, rng)
        if not lacking:
            who = sorted({clip.subject for clip, test in zip(clips, tested, strict=True) if test})
            reason = f"by subject: {_named(who)} tested, {len(set(subjects)) - len(who)} trained on"
            return _split("subjects", clips, tested, f"{reason} (seed {seed})")
        why = "no choice of subjects has every class in both sets"
    elif all(subjects):
        why = "there is one subject"
    recordings = [clip.recording for clip in clips]
    if len(set(recordings)) < len(clips):
        tested, lacking = _best_groups(labels, recordings, test_share, rng)
        if not lacking:
            reason = f"by recording, for {why} (seed {seed})"
            return _split("recordings", clips, tested, reason)
        why += ", and no choice of recordings has either"
    tested = _stratified(labels, test_share, rng)
    reason = f"by clip, within each class, for {why} (seed {seed})"
    return _split("clips", clips, tested, reason)


def _named(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 6 else f"{len(names)} subjects"


def _split(
    name: str, clips: Sequence[SplitClip], tested: Bool[np.ndarray, " n"], reason: str
) -> ChosenSplit:
    parts = {
        test: [clip for clip, of_test in zip(clips, tested, strict=True) if of_test == test]
        for test in (False, True)
    }
    classes = [{clip.label for clip in part} for part in parts.values()]
    split = Split(*(tuple(clip.sample_id for clip in part) for part in parts.values()))
    return ChosenSplit(name, split, reason, tuple(sorted(classes[0] ^ classes[1])))


def _best_groups(
    labels: Int[np.ndarray, " n"], names: Sequence[str], share: float, rng: np.random.Generator
) -> tuple[Bool[np.ndarray, " n"], int]:
    """Return which clips are tested, complete groups of them, and how many classes lack a set.

    Of random choices that leave the fewest classes without a set, the one is taken whose shares
    of the test set and of each class in it are nearest to the wanted one.
    """
    group = np.unique(np.array(names), return_inverse=True)[1].reshape(-1)
    counts = np.zeros((group.max() + 1, labels.max() + 1))
    np.add.at(counts, (group, labels), 1)
    total = counts.sum(axis=0)
    single = int((total == 1).sum())  # classes of one clip are in one set whatever is chosen
    best, cost, lacking = np.zeros(len(counts), dtype=bool), np.inf, len(total)
    for _ in range(_TRIALS if len(counts) > 1 else 0):
        order = rng.permutation(len(counts))
        sums = counts[order].cumsum(axis=0)[:-1]
        missing = ((sums == 0) | (sums == total)).sum(axis=1)
        apart = np.abs(sums.sum(axis=1) / total.sum() - share)
        costs = 10 * missing + apart + 0.1 * np.abs(sums / total - share).mean(axis=1)
        number = int(costs.argmin())
        if costs[number] < cost:
            cost, lacking = costs[number], int(missing[number]) - single
            best = np.isin(np.arange(len(counts)), order[: number + 1])
    return best[group], lacking


def _stratified(
    labels: Int[np.ndarray, " n"], share: float, rng: np.random.Generator
) -> Bool[np.ndarray, " n"]:
    """Return which clips are tested: a share of each class, at least one where there are two."""
    tested = np.zeros(len(labels), dtype=bool)
    for label in range(labels.max() + 1):
        members = rng.permutation(np.flatnonzero(labels == label))
        number = min(max(round(share * len(members)), 1), len(members) - 1)
        tested[members[:number]] = True
    if not tested.any() and len(labels) > 1:  # one clip of each class
        tested[rng.permutation(len(labels))[: max(1, round(share * len(labels)))]] = True
    return tested


def split_by_parts(
    clips: Sequence[SplitClip], parts: Sequence[str | None], reason: str
) -> ChosenSplit:
    """Return the split that the source says.

    Args:
        clips: Clips.
        parts: Set of each clip, ``train`` or ``test``; a clip without one is in neither.
        reason: What says it, in words.
    """
    kept = [n for n, part in enumerate(parts) if part]
    tested = np.array([parts[n] == "test" for n in kept], dtype=bool)
    return _split("given", [clips[n] for n in kept], tested, reason)
