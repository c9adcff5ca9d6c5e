"""Hold a class's guidance against the clips before the recognizer is told."""

from __future__ import annotations

from dataclasses import dataclass, replace

from skeletonagent.agents.sides import missing_sides
from skeletonagent.agents.verification import Doubt, Verifier, Verify
from skeletonagent.core.dialogue import Step
from skeletonagent.core.guidance import ClassGuidance
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
        if self.verifier and doubts and self.verifier.verify is Verify.REPAIR:
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
        if self.verifier and doubts and self.verifier.verify in (Verify.FILTER, Verify.REPAIR):
            joints = self.verifier.filtered(joints, doubts)
            gone = ", ".join(self.layout.spoken(j) for j in chosen.joints if j not in joints)
            notes += [f"left out, for the clips do not bear it out: {gone}"] if gone else []
        missing = self._missing(replace(chosen, joints=joints))
        if missing:
            joints = tuple(sorted({*joints, *missing}))
            added = ", ".join(self.layout.spoken(joint) for joint in missing)
            notes.append(f"added, for either side may act: {added}")
        return replace(
            _remarked(chosen, step, doubts), joints=joints, notes=tuple(dict.fromkeys(notes))
        )

    def _doubts(self, chosen: ClassGuidance) -> tuple[Doubt, ...]:
        if self.verifier is None or self.verifier.verify is Verify.OFF:
            return ()
        return self.verifier.doubts(chosen.action, chosen.rivals, chosen.joints, chosen.sentence)

    def _missing(self, chosen: ClassGuidance) -> tuple[int, ...]:
        known = self.verifier
        effects = known.measured(chosen.action, chosen.rivals) if known else None
        return missing_sides(chosen.action, chosen.joints, self.layout, effects)


def _remarked(chosen: ClassGuidance, step: Step, doubts: tuple[Doubt, ...]) -> ClassGuidance:
    """Return the guidance with the doubts written beside the answer they are about."""
    answer = chosen.dialogue.latest(step)
    if answer is None:
        return chosen
    remarked = replace(answer, remarks=tuple(doubt.text for doubt in doubts))
    exchanges = tuple(remarked if e is answer else e for e in chosen.dialogue.exchanges)
    return replace(chosen, dialogue=replace(chosen.dialogue, exchanges=exchanges))
