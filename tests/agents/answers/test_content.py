"""Typed answers have the outcome of the same answers in plain text, and their text is not read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.answers import parsers
from skeletonagent.agents.answers.content import answer_content, check_answer
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.core.dialogue import DESCRIPTION, AnswerContent, Dialogue, Exchange, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import COCO_17, KINECT_25, LAYOUTS, SkeletonLayout
from skeletonagent.llm.answer_schemas import ANSWER_SCHEMAS, AnswerSchema
from skeletonagent.llm.chat import ScriptedChat

TEXTS = st.one_of(
    st.sampled_from(
        [
            "The hand swings above the head.",
            "  The hand\n swings **high**. ",
            "the left hand rises, then the 8-left hand falls",
            "12-right hand: falls: then rests.",
            "A hand rises – slowly.",
            '"A hand rises."',
            "- A hand rises.",
            "Summary: a hand rises.",
            "Head: still. Hand: rises.",
            "I'm sorry, but I can’t say.",
            "Please note that I guess.",
            "very " * 70,
            "*",
            "",
            "...",
        ]
    ),
    st.text(max_size=30),
    st.text("ab -–:*\n.\"'", max_size=12),
)


@st.composite
def labels(draw: st.DrawFn, layout: SkeletonLayout) -> list[dict[str, Any]]:
    """Return joints, often right ones in order."""
    joints = draw(st.lists(st.integers(0, layout.num_joints - 1), max_size=11))
    joints = sorted(set(joints)) if draw(st.booleans()) else joints
    named: list[dict[str, Any]] = [
        {"label": joint + 1, "name": layout.display_name(joint)} for joint in joints
    ]
    if named and draw(st.booleans()):
        wrong = draw(st.integers(0, len(named) - 1))
        change: dict[str, Any] = draw(
            st.sampled_from(
                [
                    {"label": 0},
                    {"label": 99},
                    {"label": 4711},
                    {"name": "tail"},
                    {"name": ""},
                    {"name": "*"},
                    {"name": f"{named[wrong]['label']}-{named[wrong]['name']}"},
                    {"name": f" *{named[wrong]['name'].upper()}*\n"},
                ]
            )
        )
        named[wrong] = {**named[wrong], **change}
    return named


@st.composite
def typed_answers(draw: st.DrawFn, step: Step, layout: SkeletonLayout) -> AnswerSchema:
    """Return an answer to a step in its fields."""
    fields: dict[str, Any]
    if step is Step.BODY_PARTS:
        fields = {name: draw(TEXTS) for name in ANSWER_SCHEMAS[step].model_fields}
        if draw(st.booleans()):
            fields = dict.fromkeys(fields, "keeps still.")
    elif step is Step.CRITICAL_JOINTS:
        fields = {"joints": [joint["label"] for joint in draw(labels(layout))]}
    elif step is Step.JOINT_DETAILS:
        fields = {"joints": [{**joint, "text": draw(TEXTS)} for joint in draw(labels(layout))]}
    elif step is Step.DISTINGUISH:
        fields = {"joints": draw(labels(layout)), "difference": draw(TEXTS)}
    else:
        fields = {"sentence": draw(TEXTS)}
    return ANSWER_SCHEMAS[step].model_validate(fields)


def outcome(
    exchange: Exchange,
    layout: SkeletonLayout,
    before: tuple[Exchange, ...],
    parsed: AnswerSchema | None,
) -> AnswerContent | str:
    def fits(sentence: str) -> bool:
        return "slowly" not in sentence

    try:
        return check_answer(exchange, layout, fits, before=before, parsed=parsed)
    except AnswerError as error:
        return error.problem


@settings(max_examples=100)
@given(data=st.data(), step=st.sampled_from(Step), layout=st.sampled_from(list(LAYOUTS.values())))
def test_typed_answers_have_the_outcome_of_their_text(
    data: st.DataObject, step: Step, layout: SkeletonLayout
) -> None:
    answer = data.draw(typed_answers(step, layout))
    critical = data.draw(st.sampled_from(["2, 3", "8, 9, 10, 11, 12", "all of them"]))
    asked = prompts.question(Step.CRITICAL_JOINTS, "wave", layout)
    before = (Exchange(asked, critical),)
    exchange = Exchange(prompts.question(step, "wave", layout, ("clap",)), answer.text())
    from_text = outcome(exchange.with_answer(answer.text()), layout, before, None)
    assert outcome(exchange, layout, before, answer) == from_text


@pytest.mark.parametrize("step", [Step.CRITICAL_JOINTS, Step.JOINT_DETAILS, Step.DISTINGUISH])
def test_negative_numbers_are_no_labels(step: Step) -> None:
    joint = {"label": -3, "name": "tail", "text": "It moves."}
    fields = {"joints": [-3] if step is Step.CRITICAL_JOINTS else [joint], "difference": "It moves"}
    answer = ANSWER_SCHEMAS[step].model_validate(fields)
    exchange = Exchange(prompts.question(step, "wave", COCO_17), answer.text())
    for parsed in (answer, None):
        with pytest.raises(AnswerError, match="is not"):
            check_answer(exchange, COCO_17, parsed=parsed)


FIELDS: dict[Step, dict[str, Any]] = {
    Step.OVERVIEW: {"sentence": "A hand swings."},
    Step.BODY_PARTS: dict.fromkeys(("head", "hand", "arm", "hip", "leg", "foot"), "keeps still."),
    Step.CRITICAL_JOINTS: {"joints": [8, 12]},
    Step.JOINT_DETAILS: {
        "joints": [
            {"label": 8, "name": "left hand", "text": "it rises."},
            {"label": 12, "name": "right hand", "text": "it falls."},
        ]
    },
    Step.KEY_FEATURES: {"sentence": "One hand swings."},
    Step.DISTINGUISH: {
        "joints": [{"label": 12, "name": "right hand"}],
        "difference": "It swings higher.",
    },
}


def test_the_text_of_a_typed_answer_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse_answer(exchange: Exchange, layout: SkeletonLayout) -> AnswerContent:
        raise AssertionError(f"the text of {exchange.question.step} was read")

    monkeypatch.setattr(parsers, "parse_answer", parse_answer)
    chat = ScriptedChat(
        lambda question, history: ANSWER_SCHEMAS[question.step].model_validate(
            FIELDS[question.step]
        )
    )
    questioner = Questioner(chat, KINECT_25)
    dialogue = questioner.describe(Dialogue("wave"))
    selector = Selector(KINECT_25)
    described = selector.select(dialogue, None, ())
    assert (described.joints, described.sentence) == ((7, 11), "One hand swings.")
    dialogue = questioner.distinguish(dialogue, ("clap",))
    targeted = selector.select(dialogue, described, ("clap",))
    assert (targeted.joints, targeted.sentence, targeted.notes) == ((11,), "It swings higher.", ())
    answers = [exchange.answer for exchange in dialogue.exchanges]
    schemas = [ANSWER_SCHEMAS[step].model_validate(FIELDS[step]) for step in Step]
    assert answers == [schema.text() for schema in schemas]


def test_text_from_a_file_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Step] = []
    parse_answer = parsers.parse_answer

    def counted(exchange: Exchange, layout: SkeletonLayout) -> AnswerContent:
        read.append(exchange.question.step)
        return parse_answer(exchange, layout)

    exchanges = tuple(
        Exchange(
            prompts.question(step, "wave", KINECT_25),
            ANSWER_SCHEMAS[step].model_validate(FIELDS[step]).text(),
        )
        for step in DESCRIPTION
    )
    written = Dialogue("wave", exchanges)
    dialogue = Dialogue.from_json(written.to_json(), KINECT_25.joints)
    monkeypatch.setattr(parsers, "parse_answer", counted)
    selector = Selector(KINECT_25)
    first = selector.select(dialogue, None, ())
    assert selector.select(dialogue, first, ()) == first
    for exchange in dialogue.exchanges:
        answer_content(exchange, KINECT_25)
    assert sorted(read) == sorted(DESCRIPTION)


def test_content_follows_from_the_answer_and_is_not_part_of_the_value() -> None:
    exchange = Exchange(prompts.question(Step.CRITICAL_JOINTS, "wave", KINECT_25), "8, 12")
    untouched = Exchange(exchange.question, exchange.answer)
    assert answer_content(exchange, KINECT_25) is exchange.content
    assert (exchange, exchange.to_json()) == (untouched, untouched.to_json())
    assert answer_content(exchange.with_answer("9"), KINECT_25).joints == (8,)
