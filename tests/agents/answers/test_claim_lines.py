"""Claims in a line of text, and in the answers that have one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.answers.claim_lines import read_claims
from skeletonagent.agents.answers.content import check_answer
from skeletonagent.agents.answers.repair import validated
from skeletonagent.core.claim_results import MAX_CLAIMS, claim_line
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import AnswerContent, Exchange, Outcome, Step
from skeletonagent.core.layout import COCO_17
from skeletonagent.llm.answer_schemas import DistinctionAnswer, NamedJoint, claim_fields

RIVALS = ("brush_hair", "draw x; twice", "walk (fast)")
QUESTION = prompts.question(Step.DISTINGUISH, "wave", COCO_17, RIVALS)
JOINTS = "Joints: 10-left wrist, 11-right wrist"
SENTENCE = "Difference: A hand swings beside the head."
HIGHER = Claim.parse("right hand height more")


def read(line: str) -> tuple[list[str], list[str]]:
    claims, left_out = read_claims(line, QUESTION, COCO_17)
    return list(map(claim_line, claims)), list(left_out)


@pytest.mark.parametrize(
    ("line", "claims"),
    [
        ("right hand height more", ["right hand height more"]),
        ("Right Hand HEIGHT more; both feet speed less.",
         ["right hand height more", "both feet speed less"]),
        ("head speed more than brush hair", ["head speed more than brush_hair"]),
        ("head speed more than all others", ["head speed more"]),
        ("head speed more than Draw X; twice; head speed less",
         ["head speed more than draw x; twice", "head speed less"]),
        ("- head speed more; head speed more", ["head speed more"]),
        ("none", []), ("-", []), ("", []),
    ],
)  # fmt: skip
def test_lines_of_claims(line: str, claims: list[str]) -> None:
    # A name with a semicolon is read where it is written as in the question.
    written = line.replace("Draw X; twice", "draw x; twice")
    assert read(written) == (claims, [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("tail speed more", "no body part 'tail'"),
        ("left head speed more", "no side 'left'"),
        ("hand warmth more", "is no claim"),
        ("the hand is higher", "does not say 'more' or 'less'"),
        ("hand speed more than yoga", "'yoga' is none of the actions"),
        ("neck speed more", "the skeleton has no neck"),
    ],
)
def test_what_cannot_be_read_is_left_out_with_a_remark(line: str, reason: str) -> None:
    claims, (remark,) = read(f"{line}; right hand height more")
    assert claims == ["right hand height more"]
    assert remark.startswith("claim left out: ") and reason in remark


def test_claims_are_at_most_so_many() -> None:
    parts = ("head", "left hand", "right hand", "left knee", "right knee")
    lines = [f"{part} {word}" for word in ("speed more", "height less") for part in parts]
    claims, left_out = read("; ".join(lines))
    assert claims == lines[:MAX_CLAIMS] and left_out == ["claims after the first 8 left out"]


@given(st.text(max_size=80))
def test_any_line_can_be_read(line: str) -> None:
    claims, left_out = read(line)
    assert len(claims) <= MAX_CLAIMS and all(isinstance(remark, str) for remark in left_out)


def answer(*lines: str) -> Exchange:
    return Exchange(QUESTION, "\n".join((JOINTS, SENTENCE, *lines)))


def test_an_answer_may_have_claims_and_need_not() -> None:
    assert check_answer(answer(), COCO_17).claims == ()
    content = check_answer(answer("Claims: right hand height more; tail speed more"), COCO_17)
    assert content.claims == (HIGHER,) and len(content.left_out) == 1
    assert content.joints == (9, 10) and content.sentence.startswith("A hand")


def test_typed_claims_are_those_of_the_text() -> None:
    claims = (HIGHER, Claim.parse("head speed less", "draw x; twice"))
    typed = DistinctionAnswer(
        joints=[NamedJoint(label=10, name="left wrist"), NamedJoint(label=11, name="right wrist")],
        difference="A hand swings beside the head.",
        claims=list(map(claim_fields, claims)),
    )
    contents = [
        check_answer(Exchange(QUESTION, typed.text()), COCO_17, parsed=parsed)
        for parsed in (typed, None)
    ]
    assert contents[0] == contents[1]
    assert contents[0] == AnswerContent((9, 10), contents[0].sentence, claims=claims)


@pytest.mark.parametrize(
    "lines",
    [
        (JOINTS, "Claims: right hand height more", SENTENCE),
        ("Claims: right hand height more", JOINTS, SENTENCE),
        (JOINTS, f"{SENTENCE} Claims: right hand height more"),
        (JOINTS, SENTENCE, "Claims:", "- right hand height more"),
        ("Sure:", JOINTS, SENTENCE, "Claims: right hand height more", "I hope this helps."),
    ],
)
def test_claims_survive_repairs(lines: tuple[str, ...]) -> None:
    repaired = validated(Exchange(QUESTION, "\n".join(lines)), COCO_17)
    assert repaired.outcome is Outcome.REPAIRED
    assert check_answer(repaired, COCO_17).claims == (HIGHER,)


def test_a_sentence_cut_short_keeps_its_claims() -> None:
    long = (
        f"Difference: A hand swings beside the head to and fro, {'while it goes on and on ' * 12}."
    )
    repaired = validated(
        Exchange(QUESTION, "\n".join((JOINTS, long, "Claims: right hand height more"))), COCO_17
    )
    assert repaired.outcome is Outcome.REPAIRED
    content = check_answer(repaired, COCO_17)
    assert content.claims == (HIGHER,) and len(content.sentence.split()) <= 60
