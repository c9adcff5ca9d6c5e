from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.evidence.effect_sizes import EffectSizes, Evidence
from skeletonagent.agents.evidence.feature_moments import FeatureMoments
from skeletonagent.agents.evidence.reviewer import Reviewer, missing_sides
from skeletonagent.agents.evidence.verifier import Verifier
from skeletonagent.agents.settings import VerifyMode
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Step
from skeletonagent.core.guidance import ClassGuidance
from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature

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
    size = torch.full((layout.num_joints, len(MotionFeature)), 0.5)
    size[:, 2] = -2.0
    marked = torch.zeros(size.shape, dtype=torch.bool)
    marked[:, 0] = True  # a smaller effect, which decides nothing
    marked[list(either), 2] = True
    moves = torch.ones(layout.num_joints, dtype=torch.bool)
    return EffectSizes(size, marked, torch.ones_like(marked), moves)


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
