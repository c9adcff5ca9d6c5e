"""The analyst: answer every question from the training clips themselves, offline."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from skeletonagent.agents.answers.parsers import NEAR_ALL
from skeletonagent.agents.evidence import verbalize
from skeletonagent.agents.evidence.effect_sizes import EffectSizes, Evidence
from skeletonagent.agents.evidence.motion_features import MotionFeature
from skeletonagent.agents.prompts import BODY_PARTS
from skeletonagent.core.dialogue import Exchange, Question, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.llm.chat import Answer

DETAILED = (4, 8)
"""Fewest and most joints of a description."""
DISTINGUISHING = (2, 6)
"""Fewest and most joints that set a class apart from its rivals."""
SENTENCE_WORDS = 50
NAME_WORDS = 12
"""Longer class names are cut, so that the difference itself finds room in the sentence."""

MOTIONS = (MotionFeature.SPEED, MotionFeature.RISE, MotionFeature.SWEEP, MotionFeature.TOGETHER)
STILLNESS = 0.5
"""Weight of moving less than others do: most joints keep still in most actions."""

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
    """A chat that answers from evidence, in the forms the questions ask for.

    Its joints are those of the largest effects: against the rivals for a targeted question, and
    against all other classes for the others. It needs no history.

    Args:
        evidence: Measurements of the training clips.
    """

    evidence: Evidence

    @property
    def name(self) -> str:
        """Who answers."""
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
        try:
            effects = (
                self.evidence.against(question.action, rivals)
                if rivals
                else self.evidence.against_all(question.action)
            )
        except KeyError as error:
            raise self._error(question, f"there are no training clips of {error}") from None
        return Answer(self._answer(question, rank_effects(effects)))

    def _answer(self, question: Question, effects: EffectSizes) -> str:
        layout, action = self.evidence.layout, _spoken(question.action)
        if question.step is Step.BODY_PARTS:
            return _body_parts(layout, effects)
        targeted = question.step is Step.DISTINGUISH
        joints = decisive_joints(layout, effects, *(DISTINGUISHING if targeted else DETAILED))
        match question.step:
            case Step.OVERVIEW:
                leading = verbalize.subject_phrase(layout, decisive_joints(layout, effects, 1, 3))
                return f"A person performs {action}, best recognised by {leading}."
            case Step.CRITICAL_JOINTS:
                return ", ".join(str(joint + 1) for joint in joints)
            case Step.JOINT_DETAILS:
                return "\n".join(
                    f"{layout.label(joint)}: {_detail(effects, joint)} in other actions."
                    for joint in joints
                )
            case Step.KEY_FEATURES:
                return _sentence(action, (), verbalize.effect_clauses(layout, effects, joints))
        labels = ", ".join(layout.label(joint) for joint in joints)
        rivals = [_spoken(rival) for rival in question.rivals]
        difference = _sentence(action, rivals, verbalize.effect_clauses(layout, effects, joints))
        return f"Joints: {labels}\nDifference: {difference}"

    def _error(self, question: Question, problem: str) -> ChatError:
        return ChatError(self.name, question.action, question.step, 1, problem)


def rank_effects(effects: EffectSizes) -> EffectSizes:
    """Return effects in which what a joint does tells more than what it does not do."""
    size = effects.size.clone()
    columns = [list(MotionFeature).index(quantity) for quantity in MOTIONS]
    size[:, columns] = torch.where(size[:, columns] < 0, STILLNESS, 1.0) * size[:, columns]
    return replace(effects, size=size)


def decisive_effects(effects: EffectSizes) -> tuple[list[float], list[bool]]:
    """Return each joint's largest effect, and whether it is that of whichever side acts."""
    single = [
        n for n, quantity in enumerate(MotionFeature) if quantity not in verbalize.PAIR_QUANTITIES
    ]
    best = effects.size[:, single].abs().max(dim=1)
    either = effects.either[:, single].gather(1, best.indices[:, None]).flatten()
    return best.values.tolist(), either.tolist()


def decisive_joints(
    layout: SkeletonLayout, effects: EffectSizes, least: int, most: int
) -> tuple[int, ...]:
    """Return the joints with the largest effects, ascending.

    Joints are taken until the effect drops below half of the largest, both sides of a pair
    together where either is meant. If these are too few, joints next to them follow.
    """
    most = max(1, min(most, math.ceil(NEAR_ALL * layout.num_joints) - 1))
    least = min(least, most)
    score, sided = decisive_effects(effects)
    chosen: list[int] = []
    for joint in sorted(range(len(score)), key=lambda v: -score[v]):
        unit = {joint, layout.mirror[joint]} if sided[joint] else {joint}
        new = sorted(unit - set(chosen))
        if score[joint] >= verbalize.SHARE * max(score) and len(chosen) + len(new) <= most:
            chosen += new
    while len(chosen) < least:
        joined = {end for bone in layout.bones for end in bone if set(bone) & set(chosen)}
        rest = [joint for joint in range(layout.num_joints) if joint not in chosen]
        chosen.append(max(rest, key=lambda v: (v in joined, score[v])))
    return tuple(sorted(chosen))


def _body_parts(layout: SkeletonLayout, effects: EffectSizes) -> str:
    lines = []
    for part in BODY_PARTS:
        joints = [v for v in range(layout.num_joints) if _part(layout.display_name(v)) == part]
        told = verbalize.effect_clauses(layout, effects, joints, most=2)
        usual = "moves as in other actions" if joints else "is not recorded"
        lines.append(
            f"{part}: {verbalize.join_list(told) + ' than in other actions' if told else usual}."
        )
    return "\n".join(lines)


def _detail(effects: EffectSizes, joint: int) -> str:
    told = verbalize.joint_details(effects, joint)
    return f"{told} than" if told else "moves much as"


def _part(name: str) -> str:
    return next((part for part, pattern in _PARTS if pattern.search(name)), "Hip")


def _spoken(action: str) -> str:
    return " ".join(action.replace("_", " ").split()[:NAME_WORDS])


def _sentence(action: str, rivals: Sequence[str], clauses: Sequence[str]) -> str:
    """Return a sentence with as many differences, and after that rivals, as there is room for."""
    sentences = [
        f"In {action}, unlike in {_others(rivals, named)}, {_described(clauses[:told])}."
        for told in range(max(1, len(clauses)), 0, -1)
        for named in range(min(3, len(rivals)), -1, -1)
    ]
    fitting = [text for text in sentences if len(text.split()) <= SENTENCE_WORDS]
    return fitting[0] if fitting else sentences[-1]


def _others(rivals: Sequence[str], named: int) -> str:
    if not rivals:
        return "other actions"
    if not named:
        return "similar actions"
    return verbalize.join_list([*rivals[:named], *(["others"] if len(rivals) > named else [])])


def _described(clauses: Sequence[str]) -> str:
    if not clauses:
        return "no joint stands out"
    return ", while ".join([*clauses[:1], *filter(None, [", and ".join(clauses[1:])])])
