"""Ensembles: weighted means of several streams' class probabilities (paper 4.2 and 4.3)."""

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
"""Streams of each ensemble in the paper's table 1, by its name."""


@dataclass(frozen=True)
class EnsembleMember:
    """Tested run that can be part of an ensemble.

    Args:
        name: Name of the run in tables and messages.
        data: Name of the data set.
        split: Name of the split.
        stream: Input stream of its recognizer.
        class_names: Class names in label order.
        predictions: Class probabilities of the test set.
        evaluation_parts: Sample ids of each part of the test set, by its name.
        validation_predictions: Class probabilities of the validation set, if it has one that was
            held out of training to the end.
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
    """Several runs with their weights."""

    name: str
    members: tuple[EnsembleMember, ...]
    weights: tuple[float, ...]

    @cached_property
    def predictions(self) -> ClassProbabilities:
        """Fused class probabilities of the test set."""
        return fuse([member.predictions for member in self.members], self.weights)


def fuse(predictions: Sequence[ClassProbabilities], weights: Sequence[float]) -> ClassProbabilities:
    """Return the weighted mean of several recognizers' class probabilities.

    It ranks the classes as the weighted sum does, and each row still sums to one. Entropies of
    networks beside which something stood are averaged alike.

    Args:
        predictions: Predictions of each recognizer for the same samples, in any order.
        weights: Weight of each recognizer, on any scale.

    Raises:
        ConfigError: If there is not one weight for each, or one is negative or not finite, or all
            are zero.
        DataError: If the predictions are not of the same samples and classes.
    """
    shares = np.asarray(weights, dtype=np.float64)
    usable = len(shares) == len(predictions) and np.isfinite(shares).all() and (shares >= 0).all()
    if not usable or not shares.any():
        raise ConfigError(
            f"{len(predictions)} runs need as many weights, none negative and not all zero; "
            f"got {', '.join(f'{weight:g}' for weight in weights) or 'none'}"
        )
    aligned = align_samples(predictions)
    shares /= shares.sum()
    stacked = np.stack([member.probs.astype(np.float64) for member in aligned])
    entropies = None
    if any(member.network_entropies is not None for member in aligned):
        entropies = np.tensordot(shares, np.stack([m.entropies for m in aligned]), axes=1)
    return replace(
        aligned[0], probs=np.tensordot(shares, stacked, axes=1), network_entropies=entropies
    )


def align_samples(predictions: Sequence[ClassProbabilities]) -> list[ClassProbabilities]:
    """Return predictions for the same samples, all in the order of the first.

    Raises:
        DataError: If samples, their labels or the number of classes differ, or a sample repeats.
    """
    first, *others = predictions
    if len(set(first.sample_ids)) < len(first.sample_ids):
        repeated = Counter(first.sample_ids).most_common(1)[0][0]
        raise DataError("is predicted twice; each sample must have one row", sample=repeated)
    return [first, *(_in_order_of(first, other) for other in others)]


def _in_order_of(first: ClassProbabilities, other: ClassProbabilities) -> ClassProbabilities:
    row = {sample: index for index, sample in enumerate(other.sample_ids)}
    differing = set(first.sample_ids) ^ row.keys()
    if differing or len(other.sample_ids) != len(first.sample_ids):
        example = f", such as {min(differing)!r}" if differing else ""
        raise DataError(
            f"predictions of {len(first.sample_ids)} and of {len(other.sample_ids)} samples do not "
            f"match: {len(differing)} sample(s) are in only one of them{example}; take runs tested "
            "on the same samples"
        )
    classes = first.probs.shape[1], other.probs.shape[1]
    if classes[0] != classes[1]:
        raise DataError(
            f"predictions are of {classes[0]} and of {classes[1]} classes; they must agree"
        )
    order = np.array([row[sample] for sample in first.sample_ids], dtype=np.int64)
    for sample, one, another in zip(
        first.sample_ids, first.labels, other.labels[order], strict=True
    ):
        if one != another:
            raise DataError(f"has label {one} in one run and {another} in another", sample=sample)
    entropies = other.network_entropies
    return ClassProbabilities(
        first.sample_ids,
        first.labels,
        other.probs[order],
        None if entropies is None else entropies[order],
    )


def paper_weights(streams: Sequence[Stream]) -> tuple[float, ...]:
    """Return the weight of each run: 2 for a static stream, 1 for a motion stream.

    Runs of the same stream share its weight, so that another seed does not add to it.
    Source: weights of the released six-stream ensemble, spec 2.2; section 4.2 cites the strategy.
    """
    runs = Counter(streams)
    return tuple((1.0 if stream.is_motion else 2.0) / runs[stream] for stream in streams)


def fit_weights(
    validation: Sequence[ClassProbabilities], *, tolerance: float = 1e-6, max_steps: int = 10_000
) -> Float[np.ndarray, " s"]:
    """Return the weights, summing to one, that maximise the likelihood of the true classes.

    Expectation-maximisation of mixture weights, in steps that grow as long as the likelihood does:
    of recognizers that hardly differ, its own steps would be too short. The likelihood never falls,
    and as it is concave, the gradient bounds its distance to the maximum, which is the criterion to
    stop.

    Args:
        validation: Predictions of each recognizer for samples that none was trained on, and that
            are not in the test set of the ensemble.
        tolerance: Largest distance to the maximum mean log-likelihood, in nats per sample.
        max_steps: Largest number of steps.

    Raises:
        DataError: If the predictions are not of the same samples and classes.
    """
    aligned = align_samples(validation)
    of_labels = np.stack([p.probs[np.arange(len(p.labels)), p.labels] for p in aligned])
    likelihood = np.maximum(of_labels.astype(np.float64), np.finfo(np.float32).tiny)  # S N
    weights = np.full(len(aligned), 1 / len(aligned))
    reached, power = float(np.log(weights @ likelihood).mean()), 1.0
    for _ in range(max_steps):
        gradient = (likelihood / (weights @ likelihood)).mean(axis=1)
        if gradient.max() - 1 <= tolerance:
            break
        longer = weights * (gradient / gradient.max()) ** power
        longer /= longer.sum()
        value = float(np.log(longer @ likelihood).mean())
        if power > 1 and value < reached:
            power = 1.0  # the step of expectation-maximisation itself, which never falls
            continue
        weights, reached, power = longer, value, 2 * power
    return weights


def require_one_task(members: Sequence[EnsembleMember]) -> None:
    """Check that runs were trained on the same classes and split of the same data set.

    Raises:
        DataError: Naming the first run that differs from the first of all, and the difference.
    """
    first = members[0]
    for member in members[1:]:
        for noun in ("data", "split", "class_names"):
            expected, got = getattr(first, noun), getattr(member, noun)
            if got != expected:
                values = "" if noun == "class_names" else f": {expected!r} and {got!r}"
                raise DataError(
                    f"{first.name} and {member.name} differ in their {noun.replace('_', ' ')}"
                    f"{values}; only runs of one data set and split can be fused"
                )


def paper_ensembles(members: Sequence[EnsembleMember]) -> list[Ensemble]:
    """Return the ensembles of the paper whose streams all have a run, the smallest first."""
    present = {member.stream for member in members}
    ensembles = []
    for name, streams in PAPER_ENSEMBLES.items():
        if streams <= present:
            chosen = tuple(member for member in members if member.stream in streams)
            weights = paper_weights([member.stream for member in chosen])
            ensembles.append(Ensemble(name, chosen, weights))
    return ensembles


def fitted_ensemble(members: Sequence[EnsembleMember]) -> Ensemble:
    """Return the ensemble of all runs with weights fitted on their validation set.

    Raises:
        DataError: If a run has no validation predictions, the runs have different validation sets,
            or a validation sample is in the test set.
    """
    for member in members:
        if member.validation_predictions is None:
            raise DataError(
                f"{member.name} has no validation predictions, so no weights can be fitted; train "
                "with training.validation_share above 0 and training.validation_until=1, or name "
                "the weights"
            )
        leaked = set(member.validation_predictions.sample_ids) & set(member.predictions.sample_ids)
        if leaked:
            raise DataError(
                f"{member.name} has it in its validation set and in its test set; weights fitted "
                "on test samples would give too high an accuracy",
                sample=min(leaked),
            )
    weights = fit_weights(
        [m.validation_predictions for m in members if m.validation_predictions is not None]
    )
    return Ensemble("fitted weights", tuple(members), tuple(weights.tolist()))
