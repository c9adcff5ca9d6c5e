"""Claims of a set of dialogues, and what the training clips say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skeletonagent.agents.answers.content import answer_content
from skeletonagent.core.claim_results import ClaimResult, Verdict
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import Exchange, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import SkeletonLayout


@dataclass(frozen=True)
class ClaimCounts:
    """Claims of the latest targeted answer of each class.

    Args:
        classes: Number of classes.
        tested: Class and result of each claim that was tested.
        untested: Class and claim of each that was not.
    """

    classes: int
    tested: tuple[tuple[str, ClaimResult], ...]
    untested: tuple[tuple[str, Claim], ...]

    @property
    def verdicts(self) -> Mapping[Verdict, int]:
        """Number of claims by verdict."""
        counts = Counter(result.verdict for _, result in self.tested)
        return {verdict: counts[verdict] for verdict in Verdict}

    @property
    def by_feature(self) -> Mapping[str, Mapping[Verdict, int]]:
        """Number of claims by feature and verdict, the most claimed feature first."""
        features = Counter(result.claim.feature.value for _, result in self.tested)
        counts = Counter((r.claim.feature.value, r.verdict) for _, r in self.tested)
        return {
            feature: {verdict: counts[feature, verdict] for verdict in Verdict}
            for feature, _ in features.most_common()
        }

    def to_json(self) -> dict[str, Any]:
        """Return counts and results as plain values."""
        claiming = {action for action, _ in (*self.tested, *self.untested)}
        return {
            "classes": self.classes,
            "classes_with_claims": len(claiming),
            "claims": len(self.tested) + len(self.untested),
            "untested": len(self.untested),
            "verdicts": self.verdicts,
            "by_feature": self.by_feature,
            "results": [{"action": action, **result.to_json()} for action, result in self.tested],
        }


def count_claims(collection: DialogueCollection) -> ClaimCounts:
    """Return the claims of a set of dialogues."""
    tested: list[tuple[str, ClaimResult]] = []
    untested: list[tuple[str, Claim]] = []
    for dialogue in collection.dialogues:
        answer = dialogue.latest(Step.DISTINGUISH)
        if answer is None:
            continue
        tested += [(dialogue.action, result) for result in answer.claim_results]
        untested += [
            (dialogue.action, claim) for claim in untested_claims(answer, collection.layout)
        ]
    return ClaimCounts(len(collection.dialogues), tuple(tested), tuple(untested))


def untested_claims(exchange: Exchange, layout: SkeletonLayout) -> tuple[Claim, ...]:
    """Return the claims of an answer that were not tested; none if it cannot be used."""
    if exchange.question.step is not Step.DISTINGUISH or not exchange.usable:
        return ()
    try:
        claims = answer_content(exchange, layout).claims
    except AnswerError:
        return ()
    tested = {result.claim for result in exchange.claim_results}
    return tuple(claim for claim in claims if claim not in tested)
