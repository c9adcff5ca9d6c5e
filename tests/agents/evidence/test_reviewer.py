from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.evidence.claim_test import ClaimTester
from skeletonagent.agents.evidence.effect_sizes import EffectSizes, Evidence
from skeletonagent.agents.evidence.feature_moments import FeatureMoments
from skeletonagent.agents.evidence.measured_clips import MeasuredClips
from skeletonagent.agents.evidence.motion_features import MotionFeatures
from skeletonagent.agents.evidence.reviewer import Reviewer, missing_sides
from skeletonagent.agents.evidence.verifier import Verifier
from skeletonagent.agents.orchestrator import GuidanceOrchestrator
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.agents.settings import VerifyMode
from skeletonagent.core.claim_results import Verdict
from skeletonagent.core.claims import Claim
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.dialogue import (
    DESCRIPTION,
    Dialogue,
    Exchange,
    Outcome,
    Question,
    Step,
)
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature
from skeletonagent.llm.chat import ScriptedChat

NOSE, ELBOWS, WRISTS, LEFT_KNEE, KNEES = 0, (7, 8), (9, 10), 13, (13, 14)
SENTENCE = "A hand is held up."
UNSURE = Reviewer(COCO_17)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """Wrists three deviations up: in ``hold`` that of either side, in ``lift`` the right one."""
    shape = (3, COCO_17.num_joints, len(MotionFeature))
    plain, ordered = torch.zeros(shape, dtype=torch.double), torch.zeros(shape, dtype=torch.double)
    variance = torch.ones(shape, dtype=torch.double)
    mixed = variance.clone()
    plain[0, WRISTS, 0], mixed[0, WRISTS, 0] = 1.5, 1 + 1.5**2
    plain[1, WRISTS[1], 0] = 3.0
    ordered[:2, WRISTS[0], 0] = 3.0  # the higher of the two comes first
    names, counts, clips = ("hold", "lift", "stand"), torch.full((3,), 50), torch.full(shape, 50)
    moments = FeatureMoments(plain, mixed, clips), FeatureMoments(ordered, variance, clips)
    return Evidence(COCO_17, names, counts, *moments)


def reviewer(evidence: Evidence, verify: VerifyMode) -> Reviewer:
    return Reviewer(COCO_17, Verifier(evidence, verify))


def chosen(
    joints: tuple[int, ...], action: str = "hold", rivals: tuple[str, ...] = ("stand",)
) -> ClassGuidance:
    """Return guidance drawn from an answer, after which nobody answered the same question."""
    labels = ", ".join(map(COCO_17.label, joints))
    question = prompts.question(Step.DISTINGUISH, action, COCO_17, rivals)
    told = Exchange(question, f"Joints: {labels}\nDifference: {SENTENCE}", remarks=("old",))
    dialogue = Dialogue(action, (told, Exchange(question, "", Outcome.UNANSWERED)))
    return ClassGuidance(action, joints, SENTENCE, rivals, dialogue, ("so far",))


def test_half_a_pair_is_objected_to_and_completed() -> None:
    guidance = chosen((NOSE, WRISTS[0]))
    objection = UNSURE.objection(guidance)
    assert "11-right wrist is left out" in objection and "\n" not in objection
    amended = UNSURE.amended(guidance, Step.DISTINGUISH)
    assert amended.joints == (NOSE, *WRISTS)
    assert amended.notes == ("so far", "added, for either side may act: right wrist")


def test_whole_pairs_are_left_alone() -> None:
    guidance = chosen((NOSE, *WRISTS))
    assert UNSURE.objection(guidance) == ""
    amended = UNSURE.amended(guidance, Step.DISTINGUISH)
    assert (amended.joints, amended.notes) == (guidance.joints, ("so far",))
    assert (
        UNSURE.objection(chosen(())) == ""
        and UNSURE.amended(chosen(()), Step.OVERVIEW).joints == ()
    )


def test_clips_tell_whether_either_side_acts(evidence: Evidence) -> None:
    review = reviewer(evidence, VerifyMode.FLAG)
    assert "10-left wrist" in review.objection(chosen((WRISTS[1],)))
    assert review.objection(chosen((WRISTS[1],), "lift")) == ""
    unknown = chosen((WRISTS[1],), "lift", ("yoga",))
    assert "10-left wrist" in review.objection(unknown)


@pytest.mark.parametrize("verify", VerifyMode)
def test_doubts_are_told_dropped_or_only_remarked(evidence: Evidence, verify: VerifyMode) -> None:
    review, guidance = reviewer(evidence, verify), chosen((*WRISTS, *KNEES))
    objection, amended = review.objection(guidance), review.amended(guidance, Step.DISTINGUISH)
    assert ("left knee" in objection) == (verify is VerifyMode.REPAIR)
    assert ('"stand"' in objection) == (verify is VerifyMode.REPAIR)
    drops = verify in (VerifyMode.FILTER, VerifyMode.REPAIR)
    assert amended.joints == (WRISTS if drops else guidance.joints)
    left_out = "left out, for the clips do not bear it out: left knee, right knee"
    assert amended.notes == (("so far", left_out) if drops else ("so far",))
    remarks = amended.dialogue.exchanges[0].remarks
    assert [remark.split(" differs")[0] for remark in remarks] == (
        [] if verify is VerifyMode.OFF else ["the left knee", "the right knee"]
    )


def test_what_is_dropped_is_not_added_again(evidence: Evidence) -> None:
    amended = reviewer(evidence, VerifyMode.FILTER).amended(
        chosen((WRISTS[0], LEFT_KNEE)), Step.DISTINGUISH
    )
    assert amended.joints == WRISTS
    assert amended.notes[1:] == (
        "left out, for the clips do not bear it out: left knee",
        "added, for either side may act: right wrist",
    )


def test_remarks_stand_beside_the_latest_usable_answer_alone(evidence: Evidence) -> None:
    guidance = chosen((*WRISTS, *KNEES))
    review = reviewer(evidence, VerifyMode.FLAG)
    amended = review.amended(guidance, Step.DISTINGUISH)
    before, after = guidance.dialogue.exchanges, amended.dialogue.exchanges
    assert (after[0].answer, after[1:]) == (before[0].answer, before[1:])
    assert "old" not in after[0].remarks and len(after[0].remarks) == 2
    assert review.amended(guidance, Step.OVERVIEW).dialogue == guidance.dialogue


def test_amending_twice_changes_nothing_more(evidence: Evidence) -> None:
    for verify in VerifyMode:
        review = reviewer(evidence, verify)
        once = review.amended(chosen((NOSE, ELBOWS[0], *WRISTS, LEFT_KNEE)), Step.DISTINGUISH)
        twice = review.amended(once, Step.DISTINGUISH)
        assert (twice.joints, twice.notes, twice.sentence) == (once.joints, once.notes, SENTENCE)


LEFT_ELBOW, RIGHT_ELBOW, LEFT_WRIST, RIGHT_WRIST = *ELBOWS, *WRISTS


def effects(*either: int, layout: SkeletonLayout = COCO_17) -> EffectSizes:
    """Return effects whose largest, of each joint, is that of either side where so said."""
    size = np.full((layout.num_joints, len(MotionFeature)), 0.5)
    size[:, 2] = -2.0
    marked = np.zeros(size.shape, dtype=bool)
    marked[:, 0] = True  # a smaller effect, which decides nothing
    marked[list(either), 2] = True
    moves = np.ones(layout.num_joints, dtype=bool)
    return EffectSizes(size, marked, np.ones_like(marked), moves)


def test_without_evidence_a_pair_belongs_together() -> None:
    assert missing_sides("wave", (NOSE, LEFT_WRIST), COCO_17) == (RIGHT_WRIST,)
    assert missing_sides("wave", (RIGHT_ELBOW, LEFT_WRIST), COCO_17) == (LEFT_ELBOW, RIGHT_WRIST)
    assert missing_sides("wave", (NOSE, LEFT_WRIST, RIGHT_WRIST), COCO_17) == ()
    assert missing_sides("wave", (), COCO_17) == ()


def test_evidence_decides_by_a_joints_largest_effect() -> None:
    joints = (LEFT_ELBOW, LEFT_WRIST)
    assert missing_sides("wave", joints, COCO_17, effects()) == ()
    measured = effects(LEFT_WRIST, RIGHT_WRIST)
    assert missing_sides("wave", joints, COCO_17, measured) == (RIGHT_WRIST,)


@pytest.mark.parametrize(("size", "expected"), [(1.0, (RIGHT_WRIST,)), (0.99, ())])
def test_missing_sides_counts_effects_of_half_the_largest(
    size: float, expected: tuple[int, ...]
) -> None:
    measured = effects(LEFT_WRIST, RIGHT_WRIST)
    measured.size[[LEFT_WRIST, RIGHT_WRIST], 2] = -size
    assert missing_sides("wave", (LEFT_WRIST,), COCO_17, measured) == expected


@pytest.mark.parametrize(
    ("action", "sided"),
    [
        ("right hand wave", True),
        ("bowling (right hand)", True),
        ("swipe_LEFT", True),
        ("step leftward", True),
        ("turn rightwards", True),
        ("left-handed throw", True),
        ("bright lights", False),
        ("upright row", False),
        ("righteous cleft", False),
        ("wave", False),
    ],
)
def test_a_class_named_after_a_side_is_done_by_that_side(action: str, sided: bool) -> None:
    missing = missing_sides(action, (LEFT_WRIST,), COCO_17)
    assert missing == (() if sided else (RIGHT_WRIST,))


@given(
    joints=st.sets(st.integers(0, 24)).map(lambda chosen: tuple(sorted(chosen))),
    either=st.sets(st.integers(0, 24)),
)
def test_with_the_missing_sides_nothing_is_missing(
    joints: tuple[int, ...], either: set[int]
) -> None:
    both = either | {KINECT_25.mirror[joint] for joint in either}
    for measured in (None, effects(*both, layout=KINECT_25)):
        missing = missing_sides("wave", joints, KINECT_25, measured)
        assert not set(missing) & set(joints)
        assert set(missing) <= {KINECT_25.mirror[joint] for joint in joints}
        completed = tuple(sorted({*joints, *missing}))
        assert missing_sides("wave", completed, KINECT_25, measured) == ()
        mirrored = tuple(sorted(KINECT_25.mirror[joint] for joint in joints))
        expected = sorted(KINECT_25.mirror[joint] for joint in missing)
        assert list(missing_sides("wave", mirrored, KINECT_25, measured)) == expected


def tester() -> ClaimTester:
    """Twenty clips each of ``hold`` with the right wrist high, and of ``stand`` with it low."""
    generator = torch.Generator().manual_seed(0)
    shape = (40, COCO_17.num_joints, len(MotionFeature))
    values = torch.randn(shape, generator=generator)
    values[:20, RIGHT_WRIST, 0] += 4.0
    labels = torch.arange(40) // 20
    features = MotionFeatures(values, torch.ones(shape, dtype=torch.bool))
    return ClaimTester(MeasuredClips(COCO_17, ("hold", "stand"), labels, features))


HIGHER, LOWER, SLOWER = (
    Claim.parse(line, "stand")
    for line in ("right wrist height more", "right hand height less", "right knee speed less")
)


@pytest.mark.parametrize("verify", [VerifyMode.FLAG, VerifyMode.FILTER, VerifyMode.REPAIR])
def test_contradicted_claims_are_objected_to_where_asked_for_and_left_out(
    evidence: Evidence, verify: VerifyMode
) -> None:
    review = replace(reviewer(evidence, verify), tester=tester())
    guidance = replace(chosen(WRISTS), claims=(HIGHER, LOWER, SLOWER))
    objection = review.objection(guidance)
    assert ("right hand height less than stand, the clips show more" in objection) == (
        verify is VerifyMode.REPAIR
    )
    assert '"stand"' not in objection  # quoted, it would be asked about alone
    amended = review.amended(guidance, Step.DISTINGUISH)
    assert amended.claims == (HIGHER, SLOWER)
    assert amended.notes[1:] == (
        "claims left out, for the clips contradict them: right hand height less than stand",
    )
    verdicts = [result.verdict for result in amended.claim_results]
    assert verdicts == [Verdict.BORNE_OUT, Verdict.CONTRADICTED, Verdict.UNDECIDED]
    answer = amended.dialogue.exchanges[0]
    assert answer.claim_results == amended.claim_results
    (remark,) = answer.remarks
    assert remark.startswith("claimed was right hand height less") and "95 % interval" in remark
    assert answer.outcome is Outcome.DOUBTED
    twice = review.amended(amended, Step.DISTINGUISH)
    assert (twice.claims, twice.claim_results) == (amended.claims, amended.claim_results)
    assert twice.notes == amended.notes


def test_claims_borne_out_leave_the_answer_accepted(evidence: Evidence) -> None:
    review = replace(reviewer(evidence, VerifyMode.REPAIR), tester=tester())
    guidance = replace(chosen(WRISTS), claims=(HIGHER,))
    assert review.objection(guidance) == ""
    amended = review.amended(guidance, Step.DISTINGUISH)
    assert amended.claims == (HIGHER,) and amended.notes == ("so far",)
    assert amended.dialogue.exchanges[0].outcome is Outcome.ACCEPTED


def test_without_a_test_claims_stay_untested(evidence: Evidence) -> None:
    guidance = replace(chosen(WRISTS), claims=(HIGHER, LOWER))
    amended = reviewer(evidence, VerifyMode.FLAG).amended(guidance, Step.DISTINGUISH)
    assert amended.claims == (HIGHER, LOWER) and amended.claim_results == ()


def test_the_language_model_is_asked_about_a_contradicted_claim_once(evidence: Evidence) -> None:
    """The second answer replaces the first; if it is contradicted as well, the claim goes."""
    asked: list[str] = []

    def answer(question: Question, history: Sequence[Exchange]) -> str:
        asked.append(question.text)
        claims = "right hand height less than stand; right wrist height more than stand"
        return f"Joints: 10-left wrist, 11-right wrist\nDifference: {SENTENCE}\nClaims: {claims}"

    review = replace(reviewer(evidence, VerifyMode.REPAIR), tester=tester())
    agent = GuidanceOrchestrator(
        Questioner(ScriptedChat(answer), COCO_17), Selector(COCO_17), review, ("hold", "stand")
    )
    start = Guidance(COCO_17, tuple(ClassGuidance(name, (), name) for name in agent.class_names))
    described = replace(
        start,
        classes=tuple(
            replace(one, dialogue=Dialogue(one.action, _described(one.action)))
            for one in start.classes
        ),
    )
    after = agent.refresh(Confusions(torch.tensor([[9, 5], [0, 9]])), described)
    hold = after.classes[0]
    assert len(asked) == 2 and "contradict some claims" in asked[1]
    assert hold.claims == (HIGHER,)
    assert [result.verdict for result in hold.claim_results] == [
        Verdict.CONTRADICTED,
        Verdict.BORNE_OUT,
    ]


def _described(action: str) -> tuple[Exchange, ...]:
    answers = {Step.CRITICAL_JOINTS: "10, 11", Step.JOINT_DETAILS: "10-left wrist: rises."}
    return tuple(
        Exchange(prompts.question(step, action, COCO_17), answers.get(step, SENTENCE))
        for step in DESCRIPTION
    )
