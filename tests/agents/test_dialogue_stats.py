from __future__ import annotations

from skeletonagent.agents import prompts
from skeletonagent.agents.answers.repair import validated
from skeletonagent.agents.dialogue_stats import (
    ODDITIES,
    Distribution,
    compute_dialogue_stats,
    oddities,
)
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.layout import KINECT_25

GOOD = {
    Step.OVERVIEW: "Both hands rise.",
    Step.BODY_PARTS: "\n".join(f"{part}: still." for part in prompts.BODY_PARTS),
    Step.CRITICAL_JOINTS: "8, 12",
    Step.JOINT_DETAILS: "8-left hand: rises.\n12-right hand: rises.",
    Step.KEY_FEATURES: "Both hands rise above the head.",
}


def dialogue(action: str = "wave", **said: str) -> Dialogue:
    answers = {**GOOD, **{Step(step): answer for step, answer in said.items()}}
    told = Dialogue(action)
    for step, answer in answers.items():
        question = prompts.question(step, action, KINECT_25, ("clap",))
        told = told.with_exchange(validated(Exchange(question, answer), KINECT_25))
    return told


def details(*joints: int) -> str:
    return "\n".join(f"{KINECT_25.label(joint)}: moves." for joint in joints)


def upto(last: int) -> str:
    return ", ".join(map(str, range(1, last + 1)))


def test_each_oddity_is_found_alone() -> None:
    pair = details(7, 11)
    cases = {
        "dropped": {"critical_joints": "8, 9, 12"},
        "unsorted": {"joint_details": details(11, 7)},
        "duplicate": {"joint_details": f"{pair}\n{details(11)}"},
        "note": {"joint_details": f"{pair}\nNo more."},
        "one_line": {"body_parts": GOOD[Step.BODY_PARTS].replace("\n", " ")},
        "dash": {"key_features": "Both hands rise—high."},
        "indirect": {"key_features": "The hand raising action shows both hands."},
        "named": {"key_features": "Both hands Wave."},
        "one_sided": {"critical_joints": "8", "joint_details": details(7)},
    }
    assert oddities(dialogue(), KINECT_25) == frozenset()
    for oddity, said in cases.items():
        assert oddities(dialogue(**said), KINECT_25) == {oddity}, oddity
    assert oddities(Dialogue("wave"), KINECT_25) == frozenset()


def test_many_critical_joints_are_counted_by_their_share() -> None:
    found = [oddities(dialogue(critical_joints=upto(n)), KINECT_25) for n in (11, 19, 20, 25)]
    many, near, whole = {"critical_many", "count_rule"}, {"critical_near_all"}, {"critical_all"}
    assert found == [many, many, many | near, many | near | whole]
    four = dialogue(critical_joints=upto(12), joint_details=details(6, 7, 10, 11))
    assert oddities(four, KINECT_25) == {"critical_many"}


def test_a_question_about_itself_or_a_rival_twice_is_odd() -> None:
    for rivals, odd in ((("clap", "wave"), True), (("a", "a"), True), (("a", "b"), False)):
        question = prompts.question(Step.DISTINGUISH, "wave", KINECT_25, rivals)
        told = dialogue().with_exchange(Exchange(question, "?", Outcome.REJECTED, "no"))
        assert ("odd_rivals" in oddities(told, KINECT_25)) is odd


def test_what_was_given_is_counted_and_what_became_of_it() -> None:
    reversed_ = dialogue("clap", joint_details=details(11, 7))
    other = dialogue("nod", critical_joints="3, 4, 5", joint_details=details(2, 3, 4))
    spoilt = dialogue("sit", critical_joints=upto(25), joint_details="no")
    silent = Dialogue("run").with_exchange(
        Exchange(
            prompts.question(Step.OVERVIEW, "run", KINECT_25), "", Outcome.UNANSWERED, "timeout"
        )
    )
    found = compute_dialogue_stats(
        DialogueCollection(KINECT_25, (reversed_, other, spoilt, silent))
    )
    assert found.classes == 4 and found.exchanges == Distribution(1, 5.0, 4.0, 5)
    assert found.critical == Distribution(2, 3.0, 10.0, 25) and found.details == Distribution(
        2, 2.5, 2.5, 3
    )
    assert (found.distinct_sets, found.largest_group) == (2, 1)
    assert set(found.oddities) == set(ODDITIES) and found.oddities["unsorted"] == 1
    assert found.outcomes[Step.OVERVIEW] == {
        Outcome.ACCEPTED: 3, Outcome.DOUBTED: 0, Outcome.REPAIRED: 0, Outcome.REJECTED: 0,
        Outcome.UNANSWERED: 1,
    }  # fmt: skip
    told = [(f.label, f.step, f.outcome) for f in found.findings]
    assert told == [
        (0, Step.JOINT_DETAILS, Outcome.REPAIRED),
        (2, Step.CRITICAL_JOINTS, Outcome.REJECTED),
        (2, Step.JOINT_DETAILS, Outcome.REJECTED),
        (3, Step.OVERVIEW, Outcome.UNANSWERED),
    ]
    assert found.findings[0].problem == "the joints are not in ascending order"


def test_an_answer_once_accepted_must_pass_todays_checks() -> None:
    question = prompts.question(Step.CRITICAL_JOINTS, "wave", KINECT_25)
    old = Dialogue("wave", (Exchange(question, "99"),))
    (finding,) = compute_dialogue_stats(DialogueCollection(KINECT_25, (old,))).findings
    assert finding.outcome is Outcome.REJECTED and "outside" in finding.problem


def test_nothing_to_count() -> None:
    found = compute_dialogue_stats(DialogueCollection(KINECT_25, ()))
    assert (found.classes, found.largest_group, found.critical.mean) == (0, 0, 0.0)
