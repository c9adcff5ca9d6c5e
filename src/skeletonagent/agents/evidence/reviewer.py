"""Hold a class's guidance against the clips before the recognizer is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from skeletonagent.agents.evidence import verbalize
from skeletonagent.agents.evidence.analyst import decisive_effects, rank_effects
from skeletonagent.agents.evidence.effect_sizes import EffectSizes
from skeletonagent.agents.evidence.verifier import Doubt, Verifier
from skeletonagent.agents.settings import VerifyMode
from skeletonagent.core.dialogue import Step
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import SkeletonLayout


@dataclass(frozen=True)
class Reviewer:
    """Object to joints the clips speak against, and amend what is left of them.

    Args:
        layout: The skeleton.
        verifier: What the training clips show; None where there are no clips to look at.
    """

    layout: SkeletonLayout
    verifier: Verifier | None = None

    def objection(self, chosen: ClassGuidance) -> str:
        """Return what to tell the language model before it is asked again; empty if nothing."""
        reasons = []
        doubts = self._doubts(chosen)
        if self.verifier and doubts and self.verifier.verify is VerifyMode.REPAIR:
            reasons.append(self.verifier.told(chosen.action, chosen.rivals, doubts))
        missing = self._missing(chosen)
        if missing:
            labels = ", ".join(self.layout.label(joint) for joint in missing)
            reasons.append(
                f"Either side of the body may do this action, yet {labels} is left out: choose "
                "both joints of a pair or neither."
            )
        return "\n".join(reasons)

    def amended(self, chosen: ClassGuidance, step: Step) -> ClassGuidance:
        """Return the guidance with what is still wrong put right, and the doubts in its dialogue.

        Args:
            chosen: What the Selector drew out of the answers.
            step: Whose answer the joints were taken from.
        """
        doubts = self._doubts(chosen)
        joints, notes = chosen.joints, list(chosen.notes)
        if (
            self.verifier
            and doubts
            and self.verifier.verify in (VerifyMode.FILTER, VerifyMode.REPAIR)
        ):
            joints = self.verifier.filtered(joints, doubts)
            gone = ", ".join(self.layout.display_name(j) for j in chosen.joints if j not in joints)
            notes += [f"left out, for the clips do not bear it out: {gone}"] if gone else []
        missing = self._missing(replace(chosen, joints=joints))
        if missing:
            joints = tuple(sorted({*joints, *missing}))
            added = ", ".join(self.layout.display_name(joint) for joint in missing)
            notes.append(f"added, for either side may act: {added}")
        return replace(
            _with_remarks(chosen, step, doubts), joints=joints, notes=tuple(dict.fromkeys(notes))
        )

    def _doubts(self, chosen: ClassGuidance) -> tuple[Doubt, ...]:
        if self.verifier is None or self.verifier.verify is VerifyMode.OFF:
            return ()
        return self.verifier.doubts(chosen.action, chosen.rivals, chosen.joints, chosen.sentence)

    def _missing(self, chosen: ClassGuidance) -> tuple[int, ...]:
        known = self.verifier
        effects = known.measured(chosen.action, chosen.rivals) if known else None
        return missing_sides(chosen.action, chosen.joints, self.layout, effects)


def _with_remarks(chosen: ClassGuidance, step: Step, doubts: tuple[Doubt, ...]) -> ClassGuidance:
    """Return the guidance with the doubts written beside the answer they are about."""
    answer = chosen.dialogue.latest(step)
    if answer is None:
        return chosen
    remarked = replace(answer, remarks=tuple(doubt.text for doubt in doubts))
    exchanges = tuple(remarked if e is answer else e for e in chosen.dialogue.exchanges)
    return replace(chosen, dialogue=replace(chosen.dialogue, exchanges=exchanges))


_SIDE = re.compile(r"(?<![a-z])(?:left|right)(?:ward|wards|ed)?(?![a-z])", re.IGNORECASE)


def missing_sides(
    action: str, joints: Sequence[int], layout: SkeletonLayout, effects: EffectSizes | None = None
) -> tuple[int, ...]:
    """Return the mirror joints a set lacks though either side of the body may do the action.

    A class whose name says a side is done by that side. Of any other, the evidence decides where
    there is some, for the joints that stand out: the largest effect is that of whichever side
    acts, or it is not. Without evidence both sides belong together.

    Args:
        action: Name of the class.
        joints: The set.
        layout: The skeleton.
        effects: How the class differs from its rivals, or from all classes.
    """
    if _SIDE.search(action.replace("_", " ")):
        return ()
    half = [joint for joint in joints if layout.mirror[joint] not in joints]
    if effects is not None:
        score, either = decisive_effects(rank_effects(effects))
        least = verbalize.SHARE * max(score)
        half = [joint for joint in half if either[joint] and score[joint] >= least]
    return tuple(sorted(layout.mirror[joint] for joint in half))


def identical_sets(guidance: Guidance) -> tuple[tuple[int, int], ...]:
    """Return the pairs of classes that are rivals of each other and have the same joints.

    L_con scores a class by its joints alone, so such a pair is one class to it.
    """
    classes = guidance.classes
    return tuple(
        (first, second)
        for first, one in enumerate(classes)
        for second, other in enumerate(classes[first + 1 :], start=first + 1)
        if one.joints
        and one.joints == other.joints
        and one.action in other.rivals
        and other.action in one.rivals
    )
