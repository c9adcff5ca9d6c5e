"""Fuse the scores of several streams (paper sections 4.2 and 4.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream

PAPER_ENSEMBLES: Mapping[str, frozenset[Stream]] = {
    "2 streams": frozenset({Stream.JOINT, Stream.BONE}),
    "4 streams": frozenset(
        {Stream.JOINT, Stream.BONE, Stream.JOINT_MOTION, Stream.BONE_MOTION},
    ),
    "6 streams": frozenset(Stream),
}
"""The ensembles of the paper's table 1."""


@dataclass(frozen=True)
class EnsembleMember:
    """One tested run, as an ensemble needs it.

    Args:
        name: What it is called in tables and messages.
        data: Name of the data set.
        split: Name of the split.
        stream: What its recognizer sees.
        class_names: Names in label order.
        predictions: Of the test part.
        evaluation_parts: Splits the test part is reported for, with their sample ids.
        validation_predictions: Scores of samples held out of training to its end, if there are any.
    """

    name: str
    data: str
    split: str
    stream: Stream
    class_names: tuple[str, ...]
    predictions: ClassProbabilities
    evaluation_parts: Mapping[str, Set[str]]
    validation_predictions: ClassProbabilities | None = None


@dataclass(frozen=True)
class Ensemble:
    """Some runs, and how much each counts."""

    name: str
    members: tuple[EnsembleMember, ...]
    weights: tuple[float, ...]

    @cached_property
    def predictions(self) -> ClassProbabilities:
        """The fused scores of the test part."""
        return fuse([member.predictions for member in self.members], self.weights)


def fuse(scores: Sequence[ClassProbabilities], weights: Sequence[float]) -> ClassProbabilities:
    """Return the weighted mean of several recognizers' probabilities of the same samples.

    It ranks the classes as the weighted sum does, and rows stay probabilities.

    Args:
        scores: Of each recognizer; the samples may come in any order.
        weights: One for each, on any scale.

    Raises:
        ConfigError: If the weights are not as many, not all finite and positive or zero, or all
            zero.
        DataError: If the scores are not of the same samples and classes.
    """
    shares = np.asarray(weights, dtype=np.float64)
    usable = len(shares) == len(scores) and np.isfinite(shares).all() and (shares >= 0).all()
    if not usable or not shares.any():
        raise ConfigError(
            f"{len(scores)} runs need as many weights, none negative and not all zero; "
            f"got {', '.join(f'{weight:g}' for weight in weights) or 'none'}"
        )
    same = align_samples(scores)
    stacked = np.stack([each.probs.astype(np.float64) for each in same])
    return replace(same[0], probs=np.tensordot(shares / shares.sum(), stacked, axes=1))


def align_samples(scores: Sequence[ClassProbabilities]) -> list[ClassProbabilities]:
    """Return scores of the same samples, all in the order of the first.

    Raises:
        DataError: If samples, their labels or the number of classes differ, or a sample repeats.
    """
    first, *others = scores
    if len(set(first.sample_ids)) < len(first.sample_ids):
        twice = Counter(first.sample_ids).most_common(1)[0][0]
        raise DataError("is scored twice; each sample must have one row", sample=twice)
    return [first, *(_in_order_of(first, other) for other in others)]


def _in_order_of(first: ClassProbabilities, other: ClassProbabilities) -> ClassProbabilities:
    row = {sample: index for index, sample in enumerate(other.sample_ids)}
    differing = set(first.sample_ids) ^ row.keys()
    if differing or len(other.sample_ids) != len(first.sample_ids):
        example = f", such as {min(differing)!r}" if differing else ""
        raise DataError(
            f"scores of {len(first.sample_ids)} and of {len(other.sample_ids)} samples do not "
            f"belong together: {len(differing)} sample(s) are in one alone{example}; take runs "
            "scored on the same samples"
        )
    classes = first.probs.shape[1], other.probs.shape[1]
    if classes[0] != classes[1]:
        raise DataError(f"scores are of {classes[0]} and of {classes[1]} classes; they must agree")
    order = np.array([row[sample] for sample in first.sample_ids], dtype=np.int64)
    for sample, one, another in zip(
        first.sample_ids, first.labels, other.labels[order], strict=True
    ):
        if one != another:
            raise DataError(f"has label {one} in one run and {another} in another", sample=sample)
    return ClassProbabilities(first.sample_ids, first.labels, other.probs[order])


def paper_weights(streams: Sequence[Stream]) -> tuple[float, ...]:
    """Return how much each run counts: 2 for a static stream, 1 for one of motion.

    Runs of the same stream share its weight, so that another seed does not add to it.
    Source: weights of the released six-stream ensemble, spec 2.2; section 4.2 cites the strategy.
    """
    runs = Counter(streams)
    return tuple((1.0 if stream.is_motion else 2.0) / runs[stream] for stream in streams)


def fit_weights(
    validation: Sequence[ClassProbabilities], *, tolerance: float = 1e-6, max_steps: int = 10_000
) -> Float[np.ndarray, " s"]:
    """Return the weights, summing to one, under which the true classes are likeliest.

    Expectation-maximisation of mixture weights: the likelihood never falls, and as it is concave,
    its lead over the best can be told from the gradient at any time, which is when to stop.

    Args:
        validation: Scores of each recognizer on samples none of them has learned from, and which
            are not those the fused recognizer will be tested on.
        tolerance: Mean log-likelihood, in nats a sample, that may be missing from the best.
        max_steps: After so many steps the weights are good enough in any case.

    Raises:
        DataError: If the scores are not of the same samples and classes.
    """
    same = align_samples(validation)
    own = np.stack([each.probs[np.arange(len(each.labels)), each.labels] for each in same])
    likelihood = np.maximum(own.astype(np.float64), np.finfo(np.float32).tiny)  # S N
    weights = np.full(len(same), 1 / len(same))
    for _ in range(max_steps):
        gradient = (likelihood / (weights @ likelihood)).mean(axis=1)
        if gradient.max() - 1 <= tolerance:
            break
        weights = weights * gradient
        weights /= weights.sum()
    return weights


def require_one_task(members: Sequence[EnsembleMember]) -> None:
    """Refuse runs that did not learn the same classes from the same split of the same data.

    Raises:
        DataError: Naming the first run that differs from the first of all, and in what.
    """
    first = members[0]
    for member in members[1:]:
        for noun in ("data", "split", "class_names"):
            mine, other = getattr(first, noun), getattr(member, noun)
            if mine != other:
                told = "" if noun == "class_names" else f": {mine!r} and {other!r}"
                raise DataError(
                    f"{first.name} and {member.name} differ in their {noun.replace('_', ' ')}"
                    f"{told}; only runs of one data set and split can be fused"
                )


def paper_ensembles(members: Sequence[EnsembleMember]) -> list[Ensemble]:
    """Return the ensembles of the paper that the runs' streams allow, the smallest first."""
    present = {member.stream for member in members}
    fusions = []
    for name, streams in PAPER_ENSEMBLES.items():
        if streams <= present:
            chosen = tuple(member for member in members if member.stream in streams)
            weights = paper_weights([member.stream for member in chosen])
            fusions.append(Ensemble(name, chosen, weights))
    return fusions


def fitted_ensemble(members: Sequence[EnsembleMember]) -> Ensemble:
    """Return all runs fused with weights fitted on their validation samples.

    Raises:
        DataError: If a run has no validation scores, the runs were validated on different
            samples, or a validation sample is tested on.
    """
    for member in members:
        if member.validation_predictions is None:
            raise DataError(
                f"{member.name} has no validation scores, so no weights can be fitted; train with "
                "training.validation_share above 0 and training.validation_until=1, or name the weights"
            )
        leaked = set(member.validation_predictions.sample_ids) & set(member.predictions.sample_ids)
        if leaked:
            raise DataError(
                f"{member.name} is validated on it and tested on it; weights fitted on the test "
                "part would flatter the result",
                sample=min(leaked),
            )
    weights = fit_weights(
        [m.validation_predictions for m in members if m.validation_predictions is not None]
    )
    return Ensemble("fitted weights", tuple(members), tuple(weights.tolist()))
