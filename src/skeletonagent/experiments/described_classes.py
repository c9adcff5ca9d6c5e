"""Claims about the classes of a data set, and how well they hold of its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import torch
from jaxtyping import Float
from torch import Tensor

from skeletonagent.agents.evidence.claim_prior import ClaimPrior, ClassClaims
from skeletonagent.agents.evidence.motion_features import measure_motion
from skeletonagent.core.claims import Claim, parse_claims
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.llm.class_notes import (
    bundled_class_notes,
    bundled_names,
    normalized_name,
)


def claims_of_classes(class_names: Sequence[str], told: Guidance | None = None) -> ClassClaims:
    """Return what is claimed about each class against all others; nothing of unknown ones.

    Where nobody was asked, it is what the bundled class notes claim. Of several data sets with an
    action of that name, the one with most of the classes counts.

    Args:
        class_names: Names of the classes, in label order.
        told: Guidance of whoever was asked about the classes, whose claims come first.
    """
    asked = [] if told is None else [_against_all(one) for one in told.classes]
    noted = _claims_of_notes(class_names)
    return tuple(own or known for own, known in zip_longest(asked, noted, fillvalue=()))


def _against_all(guidance: ClassGuidance) -> tuple[Claim, ...]:
    """Return the claims against no single rival."""
    return tuple(claim for claim in guidance.claims if not claim.rival)


def _claims_of_notes(class_names: Sequence[str]) -> ClassClaims:
    """Return what the bundled class notes claim about each class."""
    names = [normalized_name(name) for name in class_names]
    tables = sorted(
        map(_claims_by_name, bundled_names()), key=lambda table: -len(set(names) & table.keys())
    )
    return tuple(next((table[name] for table in tables if name in table), ()) for name in names)


def _claims_by_name(notes: str) -> Mapping[str, tuple[Claim, ...]]:
    """Return the claims of the classes of one of the bundled notes that have some."""
    return {
        normalized_name(one.action): parse_claims(one.claims)
        for one in bundled_class_notes(notes).classes
        if one.claims
    }


def fit_claim_prior(claims: ClassClaims, train: ClipStore) -> ClaimPrior | None:
    """Return the prior scores in units of training samples; None without any claim.

    Args:
        claims: Claims about each class.
        train: The training samples.
    """
    if not any(claims):
        return None
    features = measure_motion(train, torch.arange(len(train)))
    return ClaimPrior.fit(claims, train.layout, features)


def scores_by_claims(prior: ClaimPrior, store: ClipStore) -> Float[Tensor, "n y"]:
    """Return the scores of all samples of a store."""
    return prior.scores(store.layout, measure_motion(store, torch.arange(len(store))))
