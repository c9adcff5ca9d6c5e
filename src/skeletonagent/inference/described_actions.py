"""Actions that a trained recognizer knows by descriptions, beside its classes.

How well a sample bears out an action's claims becomes odds against the most probable class of the
training. Of an action without examples they also count how unsure the recognizer is, since it was
never taught the action; of one with examples, what these make of the sample. Odds are lowered until
few training clips of other classes are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.agents.evidence.claim_scores import DescribedClass
from skeletonagent.agents.evidence.motion_features import MotionFeatures, measure_motion
from skeletonagent.core.claims import Claim, parse_claims
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.json_files import JsonRecord
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.outside_text import printable_line
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.projection import as_clips_show

DESCRIBED_SHARE = 0.02
"""Largest share of the training clips that an action known by a description alone may take."""
CONFIDENCE_WEIGHT = 1.0
"""Weight of the logarithm of the best class's probability, where that of the claims is 1.

With 0, 1 and 2, held-out subjects of UTD-MHAD gave 51, 64 and 69 % of five classes that were left
out, and 85, 82 and 78 % of the others: the harmonic mean is best for 1 and 2.
"""
ODDS_SCALE = 3.0
"""Factor of the odds of an action known by a description alone, fitted to the same clips."""
ODDS_BESIDE_EXAMPLES = 1.0
"""Weight of the claims where the logit that examples give has 1."""

_LEAST = 1e-12


class RecordedActionDescription(JsonRecord):
    """Description of an action in ``actions.json``."""

    claims: list[str]
    subjects: list[str]
    means: list[float]
    spreads: list[float]
    place: list[float]
    center: float
    scale: float
    threshold: float


@dataclass(frozen=True)
class ActionDescription:
    """Description of an action, and how it counts.

    Args:
        claims: The claims in words.
        described: The action as they place it among the training clips.
        threshold: Odds that are taken off.
    """

    claims: tuple[str, ...]
    described: DescribedClass
    threshold: float = 0.0

    @classmethod
    def from_json(cls, name: str, plain: Mapping[str, Any]) -> ActionDescription:
        """Return the description of :meth:`to_json`.

        Raises:
            ValueError: If it is damaged.
        """
        subjects = parse_claims(plain["subjects"])
        means, spreads, place = (tuple(plain[key]) for key in ("means", "spreads", "place"))
        if not len(subjects) == len(means) == len(spreads) == len(place) > 0:
            raise ValueError(f"the description of {name!r} has lists of different lengths")
        if not min(plain["scale"], *spreads) > 0:
            raise ValueError(f"the description of {name!r} has a spread that is not positive")
        described = DescribedClass(
            name, subjects, means, spreads, place, plain["center"], plain["scale"]
        )
        claims = tuple(map(printable_line, plain["claims"]))
        return cls(claims, described, plain["threshold"])

    def to_json(self) -> dict[str, Any]:
        """Return the description as plain values."""
        of = self.described
        return {
            "claims": list(self.claims),
            "subjects": [str(subject) for subject in of.subjects],
            "means": list(of.means),
            "spreads": list(of.spreads),
            "place": list(of.place),
            "center": of.center,
            "scale": of.scale,
            "threshold": self.threshold,
        }

    def odds_alone(
        self, scores: Float[Tensor, " n"], best: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Return the logarithm of the odds against the best class, without examples.

        Args:
            scores: How well the samples bear out the claims.
            best: Share of the best class among the classes of the training.
        """
        unsure = -best.clamp(min=_LEAST).log()
        return ODDS_SCALE * (scores + CONFIDENCE_WEIGHT * unsure) - self.threshold

    def odds_beside(
        self, scores: Float[Tensor, " n"], by_examples: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Return the logarithm of the odds against the best class, where there are examples.

        Args:
            scores: How well the samples bear out the claims.
            by_examples: Logarithm of the odds that the examples give.
        """
        return by_examples + ODDS_BESIDE_EXAMPLES * scores - self.threshold


def claim_in_words(claim: Claim) -> str:
    """Return a claim with its rival, as it is typed."""
    return f"{claim} than {claim.rival}" if claim.rival else str(claim)


def join_descriptions(
    descriptions: Sequence[ActionDescription | None],
    network: ClassProbabilities,
    stores: Iterable[ClipStore],
    num_classes: int,
) -> ClassProbabilities:
    """Return the probabilities of classes and added actions, with what descriptions say.

    Args:
        descriptions: Description of each added action, None for one of examples alone; those with
            examples come first.
        network: Probabilities of the classes and of the actions with examples.
        stores: The same preprocessed samples in the same order, in parts.
        num_classes: Number of classes of the training.
    """
    probs = torch.from_numpy(np.array(network.probs))
    mass = probs[:, :num_classes].sum(dim=1).clamp(min=_LEAST)
    best = probs[:, :num_classes].amax(dim=1)
    measured = [(store.layout, _motion(store)) for store in stores]
    columns = []
    for place, description in enumerate(descriptions, start=num_classes):
        row = probs[:, place] if place < probs.shape[1] else None
        if description is None:
            assert row is not None
            columns.append(row)
            continue
        scores = _scores(description, measured)
        odds = (
            description.odds_alone(scores, best / mass)
            if row is None
            else description.odds_beside(
                scores, (row.clamp(min=_LEAST) / best.clamp(min=_LEAST)).log()
            )
        )
        columns.append(best * odds.clamp(max=30).exp())
    joined = torch.cat([probs[:, :num_classes], torch.stack(columns, dim=1)], dim=1)
    joined = joined / joined.sum(dim=1, keepdim=True)
    return ClassProbabilities(network.sample_ids, network.labels, joined.numpy())


def _motion(store: ClipStore) -> MotionFeatures:
    """Return the motion features of preprocessed samples, as their clips show them."""
    shown = as_clips_show(store)
    return measure_motion(shown, torch.arange(len(shown)))


def motion_of_samples(stores: Iterable[ClipStore]) -> MotionFeatures:
    """Return the motion features of preprocessed samples that come in parts."""
    parts = [_motion(store) for store in stores]
    return MotionFeatures(
        torch.cat([part.values for part in parts]), torch.cat([part.known for part in parts])
    )


def _scores(
    description: ActionDescription, measured: Sequence[tuple[SkeletonLayout, MotionFeatures]]
) -> Float[Tensor, " n"]:
    return torch.cat([description.described.score(*part) for part in measured])
