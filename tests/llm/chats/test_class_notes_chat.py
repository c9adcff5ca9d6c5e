from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.answers import parsers
from skeletonagent.agents.answers.content import check_answer
from skeletonagent.core.dialogue import AnswerContent, Exchange, Question, Step
from skeletonagent.core.errors import ChatClosedError
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_20, KINECT_25, UAV_17, SkeletonLayout
from skeletonagent.llm.chats.class_notes_chat import NOTES_SENTENCE_WORDS, ClassNotesChat, places
from skeletonagent.llm.class_notes import (
    BodyPartNotes,
    ClassNotes,
    ClassNotesFile,
    RivalNotes,
    bundled_class_notes,
    bundled_names,
    normalized_name,
)

SETS = {name: bundled_class_notes(name) for name in bundled_names()}
PARTS = BodyPartNotes(*(f"{part} keeps still." for part in ("a", "b", "c", "d", "e", "f")))


def notes(action: str, joints: Sequence[str], *against: RivalNotes) -> ClassNotes:
    return ClassNotes(
        action=action,
        gist=f"the body does {action}",
        overview=f"A person does {action}.",
        parts=PARTS,
        joints=dict.fromkeys(joints, f"does its part of {action}."),
        features=f"What a body does in {action}.",
        against=against,
    )


HANDS = ("left hand", "right hand")
TINY = ClassNotesFile(
    "Tiny",
    KINECT_20,
    (
        notes(
            "wave",
            HANDS,
            RivalNotes(("clap",), ("left hand", "right hand"), "one hand is up"),
            RivalNotes(("kick", "jump"), ("left wrist", "right wrist"), "the legs are still"),
        ),
        notes(
            "clap", HANDS, RivalNotes(("wave",), ("left elbow", "right elbow"), "both hands meet")
        ),
        notes("kick", ("left foot", "right foot", "left knee", "right knee")),
        notes("jump", ("head", *HANDS)),
    ),
)


def question(
    action: str, rivals: Sequence[str] = (), layout: SkeletonLayout = KINECT_20, number: int = 1
) -> Question:
    step = Step.DISTINGUISH if rivals else Step.CRITICAL_JOINTS
    return prompts.question(step, action, layout, rivals, round_number=number)


def distinction(
    chat: ClassNotesChat, asked: Question, layout: SkeletonLayout, *before: Exchange
) -> AnswerContent:
    """Return a targeted answer read as strictly as any other."""
    return parsers.parse_distinction(Exchange(asked, chat.ask(asked, before).text), layout)


def tiny() -> ClassNotesChat:
    return ClassNotesChat({"tiny": TINY}, [c.action for c in TINY.classes])


@pytest.mark.parametrize(
    ("rivals", "joints", "sentence"),
    [
        (("clap",), HANDS, "One hand is up."),
        (("jump", "clap"), ("left wrist", "right wrist", *HANDS), None),
        (("kick", "jump"), ("left wrist", "right wrist"), "The legs are still."),
    ],
)
def test_differences_are_put_together_worst_rival_first(
    rivals: tuple[str, ...], joints: Sequence[str], sentence: str | None
) -> None:
    told = distinction(tiny(), question("wave", rivals), KINECT_20)
    assert {KINECT_20.joints[joint] for joint in told.joints} == set(joints)
    assert told.sentence == (sentence or "The legs are still; and one hand is up.")


def test_of_a_pair_nobody_wrote_about_both_are_told_in_general() -> None:
    told = distinction(tiny(), question("jump", ("wave", "kick")), KINECT_20)
    assert told.sentence == "The body does jump, whereas in wave the body does wave."
    assert {KINECT_20.joints[joint] for joint in told.joints} == {"head", *HANDS}


def test_the_description_is_that_of_the_class(ask_about: Callable[..., Question]) -> None:
    said = {step: tiny().ask(ask_about(step, "wave"), ()).text for step in Step if step != "x"}
    assert said[Step.OVERVIEW] == "A person does wave."
    assert said[Step.KEY_FEATURES] == "What a body does in wave."
    assert said[Step.BODY_PARTS].startswith("Head: a keeps still.\nHand: b keeps still.\nArm: c")
    # A skeleton without hands is told of the wrists, both hands' words each once.
    assert said[Step.CRITICAL_JOINTS] == "10, 11"
    assert said[Step.JOINT_DETAILS].splitlines() == [
        "10-left wrist: does its part of wave.",
        "11-right wrist: does its part of wave.",
    ]


def every_case() -> list[tuple[str, ClassNotes]]:
    return [(name, notes) for name, label_set in SETS.items() for notes in label_set.classes]


def literal_joints(one: ClassNotes, rivals: Sequence[ClassNotes]) -> set[str]:
    """Unite the joints of one rival after the other, as long as there are no more than six."""
    chosen: set[str] = set()
    for rival in rivals:
        own = {normalized_name(joint) for joint in one.joints} - {
            normalized_name(joint) for joint in rival.joints
        }
        names = own or {normalized_name(joint) for joint in one.joints}
        for contrast in one.against:
            if normalized_name(rival.action) in [normalized_name(name) for name in contrast.rivals]:
                names = {normalized_name(joint) for joint in contrast.joints}
        if len(chosen | names) <= 6:
            chosen |= names
    return chosen if len(chosen) > 1 else chosen | {normalized_name(joint) for joint in one.joints}


@given(case=st.sampled_from(every_case()), data=st.data())
def test_every_class_is_told_from_any_rivals(
    case: tuple[str, ClassNotes], data: st.DataObject
) -> None:
    name, one = case
    label_set = SETS[name]
    others = [other for other in label_set.classes if other is not one]
    rivals = data.draw(st.lists(st.sampled_from(others), min_size=1, max_size=10, unique_by=id))
    layout = label_set.layout
    asked = question(one.action, [rival.action for rival in rivals], layout)
    said = ClassNotesChat(SETS, [c.action for c in label_set.classes]).ask(asked, ())
    check_answer(Exchange(asked, said.text), layout)
    told = parsers.parse_distinction(Exchange(asked, said.text), layout)
    assert {normalized_name(layout.joints[joint]) for joint in told.joints} == literal_joints(
        one, rivals
    )
    worst = one.contrast(rivals[0].action)
    assert (worst.difference if worst else one.gist) in told.sentence[:1].lower() + told.sentence[
        1:
    ]
    assert len(told.sentence.split()) <= NOTES_SENTENCE_WORDS
    assert said.source is not None and said.source.parameters == {"set": name}


@given(
    case=st.sampled_from(every_case()),
    layout=st.sampled_from([None, KINECT_25, COCO_17, COCO_20, UAV_17]),
)
@settings(max_examples=60)
def test_every_answer_passes_its_check_on_any_skeleton(
    case: tuple[str, ClassNotes], layout: SkeletonLayout | None
) -> None:
    name, one = case
    skeleton = layout or SETS[name].layout
    chat = ClassNotesChat({name: SETS[name]}, [c.action for c in SETS[name].classes])
    told: tuple[Exchange, ...] = ()
    for step in Step:
        rivals = one.against[0].rivals if step is Step.DISTINGUISH else ()
        asked = prompts.question(step, one.action, skeleton, rivals)
        said = Exchange(asked, chat.ask(asked, told).text)
        check_answer(said, skeleton, before=told)
        told = (*told, said)


def mutual_pairs() -> list[tuple[str, str, str]]:
    return [
        (name, one.action, rival.action)
        for name, label_set in SETS.items()
        for one in label_set.classes
        for rival in label_set.classes
        if one.contrast(rival.action) and rival.contrast(one.action)
    ]


@given(pair=st.sampled_from(mutual_pairs()))
@settings(max_examples=50)
def test_two_classes_told_apart_both_ways_are_told_by_different_joints(
    pair: tuple[str, str, str],
) -> None:
    name, one, other = pair
    layout = SETS[name].layout
    chat = ClassNotesChat({name: SETS[name]}, [one, other])
    there = distinction(chat, question(one, [other], layout), layout)
    back = distinction(chat, question(other, [one], layout), layout)
    assert there.joints != back.joints
    assert there.sentence != back.sentence


def told_apart(one: ClassNotes) -> list[str]:
    return sorted({rival for contrast in one.against for rival in contrast.rivals})


def asked_again(name: str, one: ClassNotes, rivals: Sequence[str]) -> None:
    layout = SETS[name].layout
    chat = ClassNotesChat(SETS, [c.action for c in SETS[name].classes])
    asked = question(one.action, rivals, layout)
    first = Exchange(asked, chat.ask(asked, ()).text)
    same = replace(asked, text=f"{asked.text}\n\nChoose both joints of a pair or neither.")
    assert chat.ask(same, (first,)).text == first.answer
    again = replace(asked, text=f'{asked.text}\n\nFor "{rivals[-1]}" the same joints were chosen.')
    second = distinction(chat, again, layout, first)
    assert second.joints != parsers.parse_distinction(first, layout).joints, (one.action, rivals)


@pytest.mark.parametrize("name", SETS)
def test_asked_again_about_its_only_rival_it_answers_with_other_joints(name: str) -> None:
    for one in SETS[name].classes:
        for rival in told_apart(one):
            asked_again(name, one, [rival])


@given(case=st.sampled_from(every_case()), data=st.data())
def test_asked_again_about_a_rival_it_answers_with_other_joints(
    case: tuple[str, ClassNotes], data: st.DataObject
) -> None:
    name, one = case
    names = st.sampled_from(told_apart(one))
    asked_again(name, one, data.draw(st.lists(names, min_size=1, max_size=5, unique=True)))


def test_a_class_is_looked_up_first_where_most_classes_are_known() -> None:
    for name in ("nw_ucla", "jhmdb"):
        chat = ClassNotesChat(SETS, [c.action for c in SETS[name].classes])
        said = chat.ask(question("throw"), ())
        assert said.source is not None and said.source.parameters == {"set": name}
    # Names are compared by their words alone, and other sets help out.
    said = ClassNotesChat(SETS, ["Drop_Trash", "throw"]).ask(question("Right-Hand Wave"), ())
    assert said.source is not None and said.source.parameters == {"set": "utd_mhad"}


def test_what_nothing_is_written_about_stays_unanswered() -> None:
    with pytest.raises(ChatClosedError, match="nothing is written about this class") as caught:
        tiny().ask(question("fly"), ())
    assert caught.value.attempts == 0
    with pytest.raises(ChatClosedError, match="the worst of its rivals"):
        tiny().ask(question("wave", ("fly", "clap")), ())
    told = distinction(tiny(), question("wave", ("clap", "fly")), KINECT_20)
    assert told.sentence == "One hand is up."
    legs = SkeletonLayout("legs", ("left knee", "right knee", "x", "y", "z"), ((1, 0),))
    with pytest.raises(ChatClosedError, match="none of the joints"):
        tiny().ask(question("wave", layout=legs), ())


def test_a_class_among_its_own_rivals_is_passed_over() -> None:
    alone = distinction(tiny(), question("wave", ("wave",)), KINECT_20)
    assert alone.sentence == "The body does wave."
    both = distinction(tiny(), question("wave", ("wave", "clap")), KINECT_20)
    assert both.sentence == "One hand is up."


@pytest.mark.parametrize(
    ("name", "layout", "meant"),
    [
        ("Left_Hand", KINECT_25, ("left hand",)),
        ("left hand tip", KINECT_20, ("left hand",)),
        ("right hand", COCO_17, ("right wrist",)),
        ("right wrist", KINECT_20, ("right wrist",)),
        ("head", COCO_17, ("nose",)),
        ("hip center", COCO_17, ("left hip", "right hip")),
        ("hip center", COCO_20, ("middle of hips",)),
        ("neck", COCO_17, ("left shoulder", "right shoulder")),
        ("spine", COCO_17, ()),
        ("tail", COCO_17, ()),
    ],
)
def test_joints_stand_in_for_each_other(
    name: str, layout: SkeletonLayout, meant: tuple[str, ...]
) -> None:
    assert tuple(layout.joints[joint] for joint in places(name, layout.joints)) == meant


def test_claims_are_those_of_the_rivals_in_turn_and_then_of_the_class() -> None:
    waving = replace(
        TINY.classes[0],
        claims=("head speed less", "right hand height more"),
        against=(
            replace(TINY.classes[0].against[0], claims=("both hands gap more", "head reach less")),
            replace(TINY.classes[0].against[1], claims=("both feet speed less",)),
        ),
    )
    chat = ClassNotesChat({"tiny": replace(TINY, classes=(waving, *TINY.classes[1:]))}, ["wave"])

    def claims(*rivals: str) -> list[str]:
        asked = question("wave", rivals)
        return chat.ask(asked, ()).text.splitlines()[-1].removeprefix("Claims: ").split("; ")

    assert claims("KICK", "clap") == [
        "both feet speed less than KICK", "both hands gap more than clap",
        "head reach less than clap", "head speed less", "right hand height more",
    ]  # fmt: skip
