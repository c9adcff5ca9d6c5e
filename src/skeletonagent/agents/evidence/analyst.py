"""The analyst: answers to every question from measurements of the training clips, offline."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from skeletonagent.agents.evidence import verbalize
from skeletonagent.agents.evidence.decisive_joints import (
    DETAILED,
    DISTINGUISHING,
    decisive_joints,
)
from skeletonagent.agents.evidence.effect_claims import effect_claims
from skeletonagent.agents.evidence.effect_sizes import EffectSizes, Evidence
from skeletonagent.agents.prompts import BODY_PARTS
from skeletonagent.core.claim_results import MAX_CLAIMS
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import Exchange, Question, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.llm.answer_schemas import (
    BodyPartsAnswer,
    CriticalJointsAnswer,
    DescribedJoint,
    DistinctionAnswer,
    JointDetailsAnswer,
    KeyFeaturesAnswer,
    NamedJoint,
    OverviewAnswer,
    claim_fields,
)
from skeletonagent.llm.chat import Answer

ANALYST_SENTENCE_WORDS = 50
"""Longest sentence, in words."""
CLAIMED_RIVALS = 3
"""Most rivals of which claims are made; each has the same share of them."""
NAME_WORDS = 12
"""Longer class names are cut, so that the difference itself finds room in the sentence."""

_NOTHING = "no joint differs by more than chance"

_PARTS = (
    ("Head", re.compile(r"\b(?:head|face|nose|eye|ear|neck)\b")),
    ("Hand", re.compile(r"hand|wrist|finger|thumb")),
    ("Arm", re.compile(r"arm|elbow|shoulder")),
    ("Leg", re.compile(r"knee|leg|thigh|shin")),
    ("Foot", re.compile(r"foot|ankle|toe|heel")),
)
"""Body parts by the joints' names, first match; all other joints, hips among them, are ``Hip``."""


@dataclass(frozen=True)
class Analyst:
    """Chat that answers from evidence, in typed fields.

    Its joints are those of the largest effects beyond chance: against the rivals for a targeted
    question, and against all other classes for the others. Where these are fewer than are needed,
    others fill them up, of which its sentence says nothing and a caveat tells. It needs no history.

    Args:
        evidence: Measurements of the training clips.
    """

    evidence: Evidence

    @property
    def name(self) -> str:
        """Name of the chat."""
        return "analyst"

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the answer to a question; the same question always gets the same answer.

        Raises:
            ChatError: If a class is unknown or has no training clips, or the question is about
                other joints than the clips have.
        """
        if question.joints != self.evidence.layout.joints:
            raise self._error(question, "the clips have other joints than the question")
        rivals = question.rivals if question.step is Step.DISTINGUISH else ()
        claimed = [name for name in rivals if name != question.action][:CLAIMED_RIVALS]
        try:
            together, *single = (
                self.evidence.against_and_each(question.action, rivals, claimed)
                if rivals
                else [self.evidence.against_all(question.action)]
            )
        except KeyError as error:
            raise self._error(question, f"there are no training clips of {error}") from None
        return self._answer(question, together.ranked, dict(zip(claimed, single, strict=True)))

    def _answer(
        self, question: Question, effects: EffectSizes, against: Mapping[str, EffectSizes]
    ) -> Answer:
        layout, action = self.evidence.layout, _spoken(question.action)
        targeted = question.step is Step.DISTINGUISH
        joints = decisive_joints(layout, effects, *(DISTINGUISHING if targeted else DETAILED))
        clauses = verbalize.effect_clauses(layout, effects, joints)
        named = [NamedJoint(label=v + 1, name=layout.display_name(v)) for v in joints]
        caveats = _caveats(layout, effects, joints)
        match question.step:
            case Step.OVERVIEW:
                return Answer.typed(_overview(layout, effects, action))
            case Step.BODY_PARTS:
                return Answer.typed(_body_parts(layout, effects))
            case Step.CRITICAL_JOINTS:
                critical = CriticalJointsAnswer(joints=[joint + 1 for joint in joints])
                return Answer.typed(critical, caveats=caveats)
            case Step.JOINT_DETAILS:
                details = [
                    DescribedJoint(
                        **one.model_dump(),
                        text=f"{_detail(effects, one.label - 1)} in other actions.",
                    )
                    for one in named
                ]
                return Answer.typed(JointDetailsAnswer(joints=details), caveats=caveats)
            case Step.KEY_FEATURES:
                return Answer.typed(KeyFeaturesAnswer(sentence=_sentence(action, (), clauses)))
        rivals = [_spoken(rival) for rival in question.rivals]
        distinction = DistinctionAnswer(
            joints=named,
            difference=_sentence(action, rivals, clauses),
            claims=list(map(claim_fields, self._claims(question.action, against))),
        )
        return Answer.typed(distinction, caveats=caveats)

    def _claims(self, action: str, against: Mapping[str, EffectSizes]) -> list[Claim]:
        """Return what differs from the most frequent rivals one by one, or from all classes."""
        layout = self.evidence.layout
        most = MAX_CLAIMS // max(1, len(against))
        claims: list[Claim] = []
        for rival, effects in (against or {"": self.evidence.against_all(action)}).items():
            joints = decisive_joints(layout, effects.ranked, 1, DISTINGUISHING[1])
            claims += effect_claims(layout, effects.ranked, joints, rival, most)
        return claims

    def _error(self, question: Question, problem: str) -> ChatError:
        return ChatError(self.name, question.action, question.step, 1, problem)


def _overview(layout: SkeletonLayout, effects: EffectSizes, action: str) -> OverviewAnswer:
    score, _ = effects.proven
    leading = [joint for joint in decisive_joints(layout, effects, 1, 3) if score[joint]]
    known_by = (
        f"best recognised by {verbalize.subject_phrase(layout, leading)}"
        if leading
        else f"in which {_NOTHING}"
    )
    return OverviewAnswer(sentence=f"A person performs {action}, {known_by}.")


def _caveats(
    layout: SkeletonLayout, effects: EffectSizes, joints: Sequence[int]
) -> tuple[str, ...]:
    """Return what is to be said of joints that only fill up the number."""
    score, _ = effects.proven
    filling = [layout.display_name(joint) for joint in joints if not score[joint]]
    if not filling:
        return ()
    one = len(filling) == 1
    only = f"{verbalize.join_list(filling)} {'differs' if one else 'differ'} by no more than chance"
    number = f"{'makes' if one else 'make'} up the number"
    return (f"too few joints differ beyond chance: {only}, and only {number}",)


def _body_parts(layout: SkeletonLayout, effects: EffectSizes) -> BodyPartsAnswer:
    texts = {}
    for part, joints in _joints_of_parts(layout).items():
        clauses = verbalize.effect_clauses(layout, effects, joints, most=2)
        usual = "moves much as in other actions" if joints else "is not recorded"
        differences = f"{verbalize.join_list(clauses)} than in other actions"
        texts[part.lower()] = f"{differences if clauses else usual}."
    return BodyPartsAnswer(**texts)


def _detail(effects: EffectSizes, joint: int) -> str:
    details = verbalize.joint_details(effects, joint)
    return f"{details} than" if details else "moves much as"


@cache
def _joints_of_parts(layout: SkeletonLayout) -> dict[str, list[int]]:
    """Return the joints of each body part."""
    parts = [_part(layout.display_name(v)) for v in range(layout.num_joints)]
    return {name: [v for v, part in enumerate(parts) if part == name] for name in BODY_PARTS}


def _part(name: str) -> str:
    return next((part for part, pattern in _PARTS if pattern.search(name)), "Hip")


def _spoken(action: str) -> str:
    return " ".join(action.replace("_", " ").split()[:NAME_WORDS])


def _sentence(action: str, rivals: Sequence[str], clauses: Sequence[str]) -> str:
    """Return a sentence with as many differences, and after that rivals, as there is room for."""
    sentences = [
        f"In {action}, unlike in {_others(rivals, named)}, {_described(clauses[:number])}."
        for number in range(max(1, len(clauses)), 0, -1)
        for named in range(min(3, len(rivals)), -1, -1)
    ]
    fitting = [text for text in sentences if len(text.split()) <= ANALYST_SENTENCE_WORDS]
    return fitting[0] if fitting else sentences[-1]


def _others(rivals: Sequence[str], named: int) -> str:
    if not rivals:
        return "other actions"
    if not named:
        return "similar actions"
    return verbalize.join_list([*rivals[:named], *(["others"] if len(rivals) > named else [])])


def _described(clauses: Sequence[str]) -> str:
    if not clauses:
        return _NOTHING
    return ", while ".join([*clauses[:1], *filter(None, [", and ".join(clauses[1:])])])
