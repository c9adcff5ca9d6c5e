"""What is written about NTU RGB+D 60: complete, fair to both sides, and apart where it matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from itertools import permutations

import pytest

from skeletonagent.agents.answers.parsers import parse_distinction
from skeletonagent.agents.evidence.reviewer import missing_sides
from skeletonagent.agents.prompts import question
from skeletonagent.core.dialogue import Exchange, Step
from skeletonagent.core.layout import KINECT_25
from skeletonagent.data.benchmarks import find_benchmark
from skeletonagent.llm.chats.class_notes_chat import ClassNotesChat
from skeletonagent.llm.class_notes import ClassNotes, normalized_name, read_class_notes

NOTES = read_class_notes("nturgbd_60")
BY_NAME = {notes.action: notes for notes in NOTES.classes}
MUTUAL = [notes.action for notes in NOTES.classes[49:]]
HARD = [
    ["reading", "writing", "playing with phone/tablet", "typing on a keyboard"],
    ["eat meal/snack", "drink water", "brushing teeth"],
    ["brushing teeth", "brushing hair", "wipe face"],
    ["clapping", "rub two hands together", "put the palms together"],
    ["wear a shoe", "take off a shoe"],
    ["wear on glasses", "take off glasses", "put on a hat/cap", "take off a hat/cap"],
    ["wear jacket", "take off jacket"],
    ["sneeze/cough", "touch head (headache)", "touch neck (neckache)"],
    ["sneeze/cough", "touch head (headache)", "nausea or vomiting condition"],
    ["pointing to something with finger", "salute", "taking a selfie", "check time (from watch)"],
    ["drop", "pickup", "throw"],
    ["sitting down", "standing up (from sitting position)"],
    ["kicking something", "kicking other person", "hopping (one foot jumping)", "jump up"],
    [
        "touch chest (stomachache/heart pain)",
        "touch back (backache)",
        "touch neck (neckache)",
    ],
    ["falling", "staggering"],
    MUTUAL,
]


def indices(names: Iterable[str]) -> tuple[int, ...]:
    """Return the joints of the names, ascending; an unknown name is an error."""
    by_name = {normalized_name(joint): number for number, joint in enumerate(KINECT_25.joints)}
    return tuple(sorted(by_name[normalized_name(name)] for name in names))


def test_all_classes_are_written_about_in_the_order_of_the_labels() -> None:
    benchmark = find_benchmark("ntu60")
    assert benchmark is not None
    assert tuple(notes.action for notes in NOTES.classes) == benchmark.class_names
    assert NOTES.layout == KINECT_25


@pytest.mark.parametrize("group", HARD, ids=lambda group: group[0])
def test_members_of_a_hard_group_are_told_apart_both_ways(group: list[str]) -> None:
    pairs = list(permutations(group, 2))
    assert pairs
    missing = [pair for pair in pairs if BY_NAME[pair[0]].contrast(pair[1]) is None]
    assert missing == []


@pytest.mark.parametrize("group", HARD, ids=lambda group: group[0])
def test_members_of_a_hard_group_get_joints_of_their_own(group: list[str]) -> None:
    chat = ClassNotesChat({"nturgbd_60": NOTES}, list(BY_NAME))
    chosen = {}
    for action in group:
        rivals = [name for name in group if name != action]
        asked = question(Step.DISTINGUISH, action, KINECT_25, rivals)
        exchange = Exchange(asked, chat.ask(asked, ()).text)
        chosen[action] = parse_distinction(exchange, KINECT_25).joints
    assert len(set(chosen.values())) == len(group), chosen


@pytest.mark.parametrize("notes", NOTES.classes, ids=lambda notes: notes.action)
def test_a_class_has_four_rivals_and_favours_no_side(notes: ClassNotes) -> None:
    rivals = [rival for contrast in notes.against for rival in contrast.rivals]
    assert len(rivals) >= 4
    for names in (notes.joints, *(contrast.joints for contrast in notes.against)):
        assert missing_sides(notes.action, indices(names), KINECT_25) == ()


def test_no_two_classes_have_the_same_critical_joints_or_the_same_words() -> None:
    joints = [indices(notes.joints) for notes in NOTES.classes]
    assert len(set(joints)) == len(joints)
    for words in (
        [text for notes in NOTES.classes for text in notes.joints.values()],
        [contrast.difference for notes in NOTES.classes for contrast in notes.against],
        [text for notes in NOTES.classes for text in asdict(notes.parts).values()],
        [notes.features for notes in NOTES.classes],
        [notes.gist for notes in NOTES.classes],
    ):
        assert len(set(words)) == len(words)
