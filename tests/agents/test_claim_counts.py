"""Counts of claims by verdict and feature."""

from __future__ import annotations

from dataclasses import replace

from skeletonagent.agents import prompts
from skeletonagent.agents.claim_counts import count_claims, untested_claims
from skeletonagent.core.claim_results import ClaimResult, Verdict
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.layout import COCO_17

RIVALS = ("clap",)


def said(action: str, claims: str, *results: ClaimResult) -> Exchange:
    question = prompts.question(Step.DISTINGUISH, action, COCO_17, RIVALS)
    text = f"Joints: 10-left wrist, 11-right wrist\nDifference: It waves.\nClaims: {claims}"
    return Exchange(question, text, claim_results=results)


def result(line: str, verdict: Verdict) -> ClaimResult:
    return ClaimResult(Claim.parse(line, "clap"), verdict, 1.0, 0.5, 1.5)


HIGHER = result("right hand height more", Verdict.BORNE_OUT)
LOWER = result("left hand height less", Verdict.CONTRADICTED)
FASTER = result("head speed more", Verdict.UNDECIDED)
LINE = "; ".join(f"{one.claim} than clap" for one in (HIGHER, LOWER, FASTER))


def test_claims_of_the_latest_answers_are_counted() -> None:
    wave = Dialogue("wave", (said("wave", LINE), said("wave", LINE, HIGHER, LOWER, FASTER)))
    jump = Dialogue("jump", (said("jump", "head speed more; head reach less", HIGHER),))
    silent = Dialogue("sit", (replace(said("sit", LINE), outcome=Outcome.REJECTED),))
    counts = count_claims(DialogueCollection(COCO_17, (wave, jump, silent)))
    assert counts.classes == 3 and len(counts.tested) == 4 and len(counts.untested) == 2
    assert counts.verdicts == {
        Verdict.BORNE_OUT: 2, Verdict.CONTRADICTED: 1, Verdict.UNDECIDED: 1,
    }  # fmt: skip
    assert list(counts.by_feature) == ["height", "speed"]
    assert counts.by_feature["height"][Verdict.CONTRADICTED] == 1
    value = counts.to_json()
    assert (value["claims"], value["classes_with_claims"], value["untested"]) == (6, 2, 2)
    assert value["results"][0] == {"action": "wave", **HIGHER.to_json()}


def test_an_answer_without_a_claim_or_that_cannot_be_used_has_none() -> None:
    assert untested_claims(said("wave", "none"), COCO_17) == ()
    assert untested_claims(replace(said("wave", LINE), answer="No."), COCO_17) == ()
    overview = Exchange(prompts.question(Step.OVERVIEW, "wave", COCO_17), "It waves.")
    assert untested_claims(overview, COCO_17) == ()
    assert len(untested_claims(said("wave", LINE), COCO_17)) == 3
    assert untested_claims(said("wave", LINE, HIGHER, LOWER), COCO_17) == (FASTER.claim,)
    assert count_claims(DialogueCollection(COCO_17, (Dialogue("wave"),))).to_json()["claims"] == 0
