"""The Reviewer: checks of a class's guidance against the training clips, before it is used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from skeletonagent.agents.evidence.claim_test import ClaimTester
from skeletonagent.agents.evidence.effect_sizes import SHARE, EffectSizes
from skeletonagent.agents.evidence.verifier import Doubt, Verifier
from skeletonagent.agents.settings import VerifyMode
from skeletonagent.core.claim_results import ClaimResult, Verdict, claim_line
from skeletonagent.core.dialogue import Step
from skeletonagent.core.guidance import ClassGuidance
from skeletonagent.core.layout import SkeletonLayout

_SIDE = re.compile(r"(?<![a-z])(?:left|right)(?:ward|wards|ed)?(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Reviewer:
    """Object to joints and claims that the clips speak against, and amend the guidance.

    Args:
        layout: The skeleton of the joints.
        verifier: Evidence of the training clips; None where there are no clips.
        tester: Test of claims on the training clips; None where claims are not tested.
    """

    layout: SkeletonLayout
    verifier: Verifier | None = None
    tester: ClaimTester | None = None

    def objection(self, chosen: ClassGuidance) -> str:
        """Return the reason for asking the language model again; empty if there is none."""
        reasons = []
        if self.verifier and self.verifier.verify is VerifyMode.REPAIR:
            doubts = self._doubts(chosen)
            if doubts:
                reasons.append(self.verifier.objection(chosen.action, chosen.rivals, doubts))
            contradicted = _contradicted(self._tested(chosen))
            if contradicted:
                listed = "; ".join(map(contradiction_line, contradicted))
                reasons.append(f"Recordings of these actions contradict some claims: {listed}.")
        missing = self._missing(chosen)
        if missing:
            labels = ", ".join(self.layout.label(joint) for joint in missing)
            reasons.append(
                f"Either side of the body may do this action, yet {labels} is left out: choose "
                "both joints of a pair or neither."
            )
        return "\n".join(reasons)

    def amended(self, chosen: ClassGuidance, step: Step) -> ClassGuidance:
        """Return the guidance with remaining mistakes corrected and the evidence in its dialogue.

        Claims that the clips contradict are left out.

        Args:
            chosen: Guidance as the Selector took it from the answers.
            step: Step whose answer the joints were taken from.
        """
        doubts = self._doubts(chosen)
        joints, notes = chosen.joints, list(chosen.notes)
        if (
            self.verifier
            and doubts
            and self.verifier.verify in (VerifyMode.FILTER, VerifyMode.REPAIR)
        ):
            joints = self.verifier.filtered(joints, doubts)
            removed = ", ".join(
                self.layout.display_name(j) for j in chosen.joints if j not in joints
            )
            notes += [f"left out, for the clips do not bear it out: {removed}"] if removed else []
        missing = self._missing(replace(chosen, joints=joints))
        if missing:
            joints = tuple(sorted({*joints, *missing}))
            added = ", ".join(self.layout.display_name(joint) for joint in missing)
            notes.append(f"added, for either side may act: {added}")
        results = self._tested(chosen)
        contradicted = _contradicted(results)
        if contradicted:
            listed = ", ".join(claim_line(result.claim) for result in contradicted)
            notes.append(f"claims left out, for the clips contradict them: {listed}")
        dropped = {result.claim for result in contradicted}
        remarks = (*(doubt.text for doubt in doubts), *map(contradiction_line, contradicted))
        return replace(
            _with_evidence(chosen, step, remarks, results),
            joints=joints,
            notes=tuple(dict.fromkeys(notes)),
            claims=tuple(claim for claim in chosen.claims if claim not in dropped),
            claim_results=results,
        )

    def _doubts(self, chosen: ClassGuidance) -> tuple[Doubt, ...]:
        if self.verifier is None or self.verifier.verify is VerifyMode.OFF:
            return ()
        return self.verifier.doubts(chosen.action, chosen.rivals, chosen.joints, chosen.sentence)

    def _tested(self, chosen: ClassGuidance) -> tuple[ClaimResult, ...]:
        """Return what the clips say of all claims, those left out already among them."""
        if self.tester is None:
            return ()
        claims = (*(result.claim for result in chosen.claim_results), *chosen.claims)
        return self.tester.test(chosen.action, tuple(dict.fromkeys(claims)))

    def _missing(self, chosen: ClassGuidance) -> tuple[int, ...]:
        verifier = self.verifier
        effects = verifier.measured(chosen.action, chosen.rivals) if verifier else None
        return missing_sides(chosen.action, chosen.joints, self.layout, effects)


def contradiction_line(result: ClaimResult) -> str:
    """Return the evidence against a claim in words."""
    opposite = "less" if result.claim.more else "more"
    return (
        f"claimed was {claim_line(result.claim)}, the clips show {opposite} "
        f"(d {result.effect:+.2f}, 95 % interval {result.low:+.2f} to {result.high:+.2f})"
    )


def _contradicted(results: Sequence[ClaimResult]) -> list[ClaimResult]:
    return [result for result in results if result.verdict is Verdict.CONTRADICTED]


def _with_evidence(
    chosen: ClassGuidance,
    step: Step,
    remarks: tuple[str, ...],
    results: tuple[ClaimResult, ...],
) -> ClassGuidance:
    """Return the guidance with the evidence written beside the answer that it is about."""
    answer = chosen.dialogue.latest(step)
    if answer is None:
        return chosen
    remarked = replace(answer.with_remarks(remarks), claim_results=results)
    exchanges = tuple(remarked if e is answer else e for e in chosen.dialogue.exchanges)
    return replace(chosen, dialogue=replace(chosen.dialogue, exchanges=exchanges))


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
        score, either = effects.ranked.decisive
        least = SHARE * max(score)
        half = [joint for joint in half if either[joint] and score[joint] >= least]
    return tuple(sorted(layout.mirror[joint] for joint in half))
