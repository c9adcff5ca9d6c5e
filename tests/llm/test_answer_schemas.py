from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents.answers.content import check_answer
from skeletonagent.core.claims import CENTRAL_PARTS, CLAIMED_PARTS, Claim
from skeletonagent.core.dialogue import Exchange, Question, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.motion_feature import MotionFeature
from skeletonagent.llm.answer_schemas import (
    ANSWER_SCHEMAS,
    CLAIM_FEATURES,
    DistinctionAnswer,
    KeyFeaturesAnswer,
    claim_fields,
)

PARTS = ("head", "hand", "arm", "hip", "leg", "foot")
FILLED = {
    Step.OVERVIEW: ({"sentence": "A hand\n swings."}, "A hand swings."),
    Step.BODY_PARTS: (
        {part: f"the {part}\nmoves." for part in PARTS},
        "\n".join(f"{part.capitalize()}: the {part} moves." for part in PARTS),
    ),
    Step.CRITICAL_JOINTS: ({"joints": [6, 8, 10]}, "6, 8, 10"),
    Step.JOINT_DETAILS: (
        {
            "joints": [
                {"label": 8, "name": "left elbow", "text": "it\nbends."},
                {"label": 10, "name": "10-left wrist", "text": "it swings."},
            ]
        },
        "8-left elbow: it bends.\n10-left wrist: it swings.",
    ),
    Step.KEY_FEATURES: ({"sentence": "A hand swings."}, "A hand swings."),
    Step.DISTINGUISH: (
        {
            "joints": [{"label": 8, "name": "left elbow"}, {"label": "10", "name": "left wrist"}],
            "difference": "One hand swings  alone.",
        },
        "Joints: 8-left elbow, 10-left wrist\nDifference: One hand swings alone.",
    ),
}
CLAIM = {"side": "right", "part": "hand", "feature": "height", "direction": "more", "rival": ""}


def test_every_step_has_a_form() -> None:
    assert set(ANSWER_SCHEMAS) == set(Step) == set(FILLED)


@pytest.mark.parametrize("step", Step)
def test_a_filled_form_is_an_answer_as_the_question_wants_it(
    step: Step, ask_about: Callable[..., Question]
) -> None:
    fields, text = FILLED[step]
    answer = ANSWER_SCHEMAS[step].model_validate(fields).text()
    assert answer == text
    check_answer(Exchange(ask_about(step), answer), COCO_17)


@pytest.mark.parametrize("step", [Step.CRITICAL_JOINTS, Step.DISTINGUISH])
def test_impossible_joints_reach_the_validator(
    step: Step, ask_about: Callable[..., Question]
) -> None:
    fields = {
        Step.CRITICAL_JOINTS: {"joints": [0, 99]},
        Step.DISTINGUISH: {
            "joints": [{"label": 99, "name": "third elbow"}],
            "difference": "It is odd.",
        },
    }[step]
    answer = ANSWER_SCHEMAS[step].model_validate(fields).text()
    assert "99" in answer
    with pytest.raises(AnswerError, match="outside 1 to 17"):
        check_answer(Exchange(ask_about(step), answer), COCO_17)


@pytest.mark.parametrize("step", Step)
def test_every_field_tells_the_model_what_belongs_in_it(step: Step) -> None:
    schema = ANSWER_SCHEMAS[step].model_json_schema()
    assert schema["description"]
    assert all(field["description"] for field in schema["properties"].values())


def claiming(*claims: dict[str, str]) -> DistinctionAnswer:
    fields, _ = FILLED[Step.DISTINGUISH]
    return DistinctionAnswer.model_validate({**fields, "claims": claims})


def test_claims_are_a_line_of_their_own() -> None:
    two = claiming(CLAIM, {**CLAIM, "side": "both", "part": "foot", "rival": "a;\n b"})
    assert two.text().splitlines()[2:] == [
        "Claims: right hand height more; both feet height more than a b"
    ]
    assert "Claims" not in claiming().text()
    assert "Claims" not in claiming(dict.fromkeys(CLAIM, " ")).text()


def test_a_description_has_claims_against_all_others() -> None:
    fields, text = FILLED[Step.KEY_FEATURES]
    answer = KeyFeaturesAnswer.model_validate({**fields, "claims": [CLAIM]})
    assert answer.text() == f"{text}\nClaims: right hand height more"
    schema = KeyFeaturesAnswer.model_json_schema()
    assert "claims" in schema["required"] and "default" not in schema["properties"]["claims"]


def test_what_is_no_claim_stays_as_given() -> None:
    (line,) = claiming({**CLAIM, "part": "tail"}).text().splitlines()[2:]
    assert line == "Claims: right tail height more"


def test_claims_are_asked_for_with_all_parts_and_features_that_there_are() -> None:
    schema = DistinctionAnswer.model_json_schema()
    assert "claims" in schema["required"] and "default" not in schema["properties"]["claims"]
    fields = schema["$defs"]["ClaimFields"]["properties"]
    assert fields["part"]["enum"] == list(CLAIMED_PARTS)
    assert fields["feature"]["enum"] == list(MotionFeature) == list(CLAIM_FEATURES)
    assert all(field["description"] for field in fields.values())


@given(st.sampled_from(CLAIMED_PARTS), st.sampled_from(MotionFeature), st.booleans(), st.data())
def test_a_claim_and_its_fields_are_one(
    part: str, feature: MotionFeature, more: bool, data: st.DataObject
) -> None:
    sides = ("",) if part in CENTRAL_PARTS else ("", "left", "right", "both")
    claim = Claim(part, data.draw(st.sampled_from(sides)), feature, more, "walk")
    assert claim_fields(claim).line() == f"{claim} than walk"
