"""Claims about the classes of a data set, and how well they hold of its samples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.agents.evidence.claim_prior import ClaimPrior, ClassClaims
from skeletonagent.agents.evidence.motion_features import measure_motion
from skeletonagent.core.claims import Claim, parse_claims
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.llm.class_notes import bundled_notes


def claims_of_classes(class_names: Sequence[str], guidance: Guidance | None = None) -> ClassClaims:
    """Return what is claimed about each class against all others; nothing of unknown ones.

    Where nobody was asked, it is what the bundled class notes claim. Of several data sets with an
    action of that name, the one with most of the classes counts.

    Args:
        class_names: Names of the classes, in label order.
        guidance: Guidance by whoever was asked about the classes, whose claims come first.
    """
    asked = () if guidance is None else map(_against_all, guidance.classes)
    notes = bundled_notes(class_names)
    noted = [parse_claims(notes[name].claims) if name in notes else () for name in class_names]
    return tuple(own or known for own, known in zip_longest(asked, noted, fillvalue=()))


def _against_all(guidance: ClassGuidance) -> tuple[Claim, ...]:
    """Return the claims against no single rival."""
    return tuple(claim for claim in guidance.claims if not claim.rival)


def fit_claim_prior(
    claims: ClassClaims, train: ClipStore
) -> tuple[ClaimPrior, Float[Tensor, "n y"]]:
    """Return the prior in units of training samples, and the scores of these.

    Args:
        claims: Claims about each class, at least one in all.
        train: The training samples.
    """
    features = measure_motion(train, torch.arange(len(train)))
    prior = ClaimPrior.fit(claims, train.layout, features)
    return prior, prior.scores(train.layout, features)


def scores_by_claims(prior: ClaimPrior, store: ClipStore) -> Float[Tensor, "n y"]:
    """Return the scores of all samples of a store."""
    return prior.scores(store.layout, measure_motion(store, torch.arange(len(store))))
