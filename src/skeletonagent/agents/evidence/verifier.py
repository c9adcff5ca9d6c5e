"""The Verifier: evidence of the training clips against what is proposed for a class."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from jaxtyping import Bool

from skeletonagent.agents.evidence import verbalize
from skeletonagent.agents.evidence.decisive_joints import DISTINGUISHING, decisive_joints
from skeletonagent.agents.evidence.effect_sizes import NEGLIGIBLE, EffectSizes, Evidence
from skeletonagent.agents.settings import VerifyMode
from skeletonagent.core.motion_feature import MotionFeature

LARGE = 0.8
"""A difference that clips must be able to show. Source: Cohen 1988, a large effect."""
KEPT = 2
"""Number of joints that stay where every one is doubted."""

_FEATURES = list(MotionFeature)
_MOTION = [
    _FEATURES.index(feature)
    for feature in (
        MotionFeature.VERTICAL_RANGE,
        MotionFeature.HORIZONTAL_RANGE,
        MotionFeature.SPEED,
    )
]
_NET_RISE = _FEATURES.index(MotionFeature.NET_RISE)

_PARTS = {
    "head": re.compile(r"head|face|nose|eye|ear(?!m)|neck"),
    "shoulder": re.compile(r"shoulder"),
    "arm": re.compile(r"arm|elbow|wrist|hand"),
    "elbow": re.compile(r"elbow"),
    "hand": re.compile(r"hand|wrist|finger|thumb"),
    "torso": re.compile(r"spine|torso|trunk|thorax|chest|belly|shoulder"),
    "leg": re.compile(r"leg|knee|ankle|foot"),
    "knee": re.compile(r"knee"),
    "foot": re.compile(r"foot|ankle|toe|heel"),
}
"""Body parts that a sentence may name, and the joints by whose motion they are seen to move.

Hips are left out: motion is measured apart from the body's own, and they are its middle.
"""
_OTHER_WORDS = {"feet": "foot", "trunk": "torso", "wrist": "hand"}
_PART = rf"(?P<side>left |right )?(?P<part>{'|'.join((*_PARTS, *_OTHER_WORDS))})s?"
_MOVES = r"(?:mov|ris|rais|lift|tilt|nod|swing|sweep|wav|bend|kick)(?:e|s|es|ing|ding)?"
"""Verbs of motion; a part that turns in place may leave its joint where it is."""
_CLAIMS = (
    re.compile(rf"\b{_PART} (?:[a-z]+ly )?{_MOVES}\b"),
    re.compile(rf"\b{_MOVES} (?:(?:the|his|her|their|both|one|a) )?{_PART}\b"),
)
_CLAUSE = re.compile(r"[,;:.()]|\b(?:while|but|and)\b")
_UNCLAIMED = re.compile(
    r"\b(?:unlike|where|whereas|than|instead|not|no|without|never|less|slow\w*|slight\w*)\b"
)
"""Words of a clause about a rival, or about moving less."""


@dataclass(frozen=True)
class Doubt:
    """A claim that the clips do not support.

    Args:
        text: The evidence against it, in words.
        joint: The joint that was proposed; None if the sentence is doubted.
        effect: Largest effect of that joint.
    """

    text: str
    joint: int | None = None
    effect: float = 0.0


@dataclass(frozen=True)
class Verifier:
    """Measured evidence against what a language model proposes.

    A joint is doubted if its largest effect is no larger than clips of classes that do not differ
    show by chance. A sentence is doubted where it says that a body part moves of which no joint
    moves apart from the body. Only plain wordings are understood ("the head tilts", "raises both
    hands"); how or where a part moves, turning in place and all else that is said is not looked
    into. Classes of so few clips that chance alone can look like a large effect are never doubted.

    Args:
        evidence: Measurements of the training clips.
        verify: Treatment of doubts.
        threshold: Largest effect that is put down to chance, in its standard errors. Two, for with
            shuffled labels nine in ten joints of UTD-MHAD stay below in every quantity, and next
            to none of the joints the analyst chooses do.
    """

    evidence: Evidence
    verify: VerifyMode = VerifyMode.FLAG
    threshold: float = 2.0

    def effects(self, action: str, rivals: Sequence[str]) -> EffectSizes | None:
        """Return how a class differs from its rivals, or without rivals from all other classes.

        None if the clips cannot tell: a class is unknown, two have its name, or there are too few
        clips to set differences apart from chance.
        """
        return None if self._error(action, rivals) is None else self.measured(action, rivals)

    def measured(self, action: str, rivals: Sequence[str]) -> EffectSizes | None:
        """Return :meth:`effects`, however few the clips are; None if a class has none."""
        if action in rivals or not {action, *rivals} <= self._clips.keys():
            return None
        evidence = self.evidence
        return evidence.against(action, rivals) if rivals else evidence.against_all(action)

    def doubts(
        self, action: str, rivals: Sequence[str], joints: Sequence[int], sentence: str
    ) -> tuple[Doubt, ...]:
        """Return the claims about a class that the clips do not support.

        Args:
            action: Name of the class.
            rivals: Names of the classes it is compared with, the most frequent first; none for all
                other classes.
            joints: The joints proposed.
            sentence: The sentence proposed.
        """
        effects, error = self.effects(action, rivals), self._error(action, rivals)
        if effects is None or error is None:
            return ()
        chance = self._chance(error)
        largest = effects.largest
        doubted = [
            self._doubt(joint, largest[joint]) for joint in joints if largest[joint] < chance
        ]
        return (*doubted, *self._unmoved(action, rivals, sentence))

    def filtered(self, joints: Sequence[int], doubts: Sequence[Doubt]) -> tuple[int, ...]:
        """Return the joints that are not doubted; where all are, those that differ most."""
        effect = {doubt.joint: doubt.effect for doubt in doubts}
        kept = [joint for joint in joints if joint not in effect]
        kept = kept or sorted(joints, key=lambda joint: -effect[joint])[:KEPT]
        return tuple(sorted(kept))

    def objection(self, action: str, rivals: Sequence[str], doubts: Sequence[Doubt]) -> str:
        """Return the doubts in words, and the joints that differ most instead."""
        listed = "; ".join(doubt.text for doubt in doubts)
        text = f"Recordings of these actions do not bear your answer out: {listed}."
        effects = self.effects(action, rivals)
        if effects is None:
            return text
        layout, effects = self.evidence.layout, effects.ranked
        joints = decisive_joints(layout, effects, *DISTINGUISHING)
        labels = ", ".join(layout.label(joint) for joint in joints)
        others = verbalize.join_list([f'"{rival}"' for rival in rivals]) or "other actions"
        differences = "; ".join(verbalize.effect_clauses(layout, effects, joints))
        text = f"{text} What differs most from {others} in them: {labels}"
        return f"{text} ({differences})." if differences else f"{text}."

    def _doubt(self, joint: int, effect: float) -> Doubt:
        name = self.evidence.layout.display_name(joint)
        measured = f"in nothing that is measured (largest effect {effect:.2f})"
        return Doubt(f"the {name} differs by more than chance {measured}", joint, effect)

    def _chance(self, error: float) -> float:
        """Return the largest effect that is put down to chance."""
        return max(NEGLIGIBLE, self.threshold * error)

    def _error(self, action: str, rivals: Sequence[str]) -> float | None:
        """Return the standard error of an effect; None if the clips cannot tell."""
        clips, others = self._clips, len(self._clips) - 1
        if action in rivals or not {action, *rivals} <= clips.keys() or not others:
            return None
        if rivals:
            weights = [1 / rank for rank in range(1, len(rivals) + 1)]
            total = sum(weights)
            variance = sum(
                (w / total) ** 2 / clips[r] for w, r in zip(weights, rivals, strict=True)
            )
        else:
            variance = (self._inverse_clips - 1 / clips[action]) / others**2
        error = math.sqrt(1 / clips[action] + variance)
        return error if 2 * error <= LARGE else None

    def _unmoved(self, action: str, rivals: Sequence[str], sentence: str) -> Iterator[Doubt]:
        """Yield a doubt for each body part that moves in the sentence and keeps still in clips."""
        claimed = claims(sentence, (action, *rivals))
        if not claimed:
            return
        still = self._still(action, rivals)
        layout = self.evidence.layout
        lefts, rights = {left for left, _ in layout.pairs}, {right for _, right in layout.pairs}
        of_side = {"": set(range(layout.num_joints)), "left": lefts, "right": rights}
        for side, part in claimed:
            joints = [v for v in of_side[side] if _PARTS[part].search(layout.display_name(v))]
            if joints and bool(still[joints].all()):
                name = " ".join(filter(None, [side, part]))
                yield Doubt(f"the {name}, said to move, keeps as still as in other actions")

    def _still(self, action: str, rivals: Sequence[str]) -> Bool[np.ndarray, " v"]:
        """Return which joints move neither far nor more than in a class they are compared with.

        Of a joint that is seen in no clip of the class it is not known.
        """
        moved = self.evidence.ranging[self.evidence.class_names.index(action)]
        for others in {(), tuple(rivals)}:
            effects, error = self.effects(action, others), self._error(action, others)
            if effects is not None and error is not None:
                more = (effects.size[:, _MOTION] > self._chance(error)).any(axis=1)
                moved = moved | more | (np.abs(effects.size[:, _NET_RISE]) > self._chance(error))
        return np.asarray(~moved)

    @cached_property
    def _clips(self) -> Mapping[str, int]:
        """The number of clips of each class that has some and shares its name with no other."""
        names = self.evidence.class_names
        bearers, counts = Counter(names), zip(names, self.evidence.counts.tolist(), strict=True)
        return {name: count for name, count in counts if count and bearers[name] == 1}

    @cached_property
    def _inverse_clips(self) -> float:
        """The sum, over these classes, of one by the number of clips."""
        return sum(1 / count for count in self._clips.values())


@cache
def _whole_words(words: str) -> re.Pattern[str]:
    """Return the pattern of a class's name, which is looked for in every round."""
    return re.compile(rf"(?<!\w){re.escape(words)}(?!\w)")


def claims(sentence: str, names: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return the body parts, each with its side or none, that move according to a sentence.

    Args:
        sentence: What is said of a class.
        names: Names of classes, which claim nothing.
    """
    text = " ".join(sentence.lower().split())
    for name in sorted(names, key=len, reverse=True):
        words = " ".join(name.replace("_", " ").lower().split())
        if words in text:
            text = _whole_words(words).sub("it", text)
    claimed = [
        ((match["side"] or "").strip(), _OTHER_WORDS.get(match["part"], match["part"]))
        for clause in _CLAUSE.split(text)
        if not _UNCLAIMED.search(clause)
        for pattern in _CLAIMS
        for match in pattern.finditer(clause)
    ]
    return list(dict.fromkeys(claimed))
