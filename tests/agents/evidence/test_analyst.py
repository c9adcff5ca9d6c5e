from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.answers import parsers
from skeletonagent.agents.answers.content import check_answer
from skeletonagent.agents.evidence.analyst import ANALYST_SENTENCE_WORDS, Analyst
from skeletonagent.agents.evidence.decisive_joints import decisive_joints
from skeletonagent.agents.evidence.effect_sizes import EffectSizes, Evidence, measure_evidence
from skeletonagent.agents.evidence.feature_moments import FeatureMoments
from skeletonagent.agents.evidence.reviewer import Reviewer
from skeletonagent.agents.evidence.verifier import Verifier
from skeletonagent.agents.orchestrator import GuidanceOrchestrator
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.dialogue import AnswerContent, Exchange, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature
from skeletonagent.llm.chat import Chat


def analyst(store: ClipStore) -> Analyst:
    return Analyst(measure_evidence(store, torch.arange(len(store))))


def ask(chat: Analyst, step: Step, action: str, *rivals: str) -> str:
    layout = chat.evidence.layout
    return chat.ask(prompts.question(step, action, layout, rivals), ()).text


def distinction(chat: Analyst, action: str, *rivals: str) -> AnswerContent:
    layout = chat.evidence.layout
    asked = prompts.question(Step.DISTINGUISH, action, layout, rivals)
    return parsers.parse_distinction(Exchange(asked, chat.ask(asked, ()).text), layout)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("channels", [2, 3])
def test_a_raised_hand_is_the_joints_named(
    bodies: ModuleType, layout: SkeletonLayout, side: str, channels: int
) -> None:
    angles = [bodies.raised(side), lambda n, time: (side, 0 * time)]
    chat = analyst(bodies.people(layout, angles, channels=channels))
    found = distinction(chat, "class 0", "class 1")
    hand = bodies.hand_of(layout, side)
    # A hand of one joint comes with the joint it hangs on, for at least two are asked for.
    assert found.joints == (hand if len(hand) > 1 else (layout.parents[hand[0]], *hand))
    assert "higher" in found.sentence and f"the {side} " in found.sentence
    assert "lower" in distinction(chat, "class 1", "class 0").sentence


def test_a_faster_hand_is_the_joints_named(bodies: ModuleType, layout: SkeletonLayout) -> None:
    pace = [2 * np.pi / 8, 2 * np.pi / 16]
    chat = analyst(bodies.people(layout, [bodies.swung("right", p) for p in pace]))
    effects = chat.evidence.against("class 0", ["class 1"])
    found = decisive_joints(layout, effects, 1, 6)
    assert found and set(found) <= set(bodies.hand_of(layout, "right"))
    assert "faster" in distinction(chat, "class 0", "class 1").sentence


def test_a_hand_raised_on_either_side_is_both_hands(
    bodies: ModuleType, layout: SkeletonLayout
) -> None:
    angles = [
        lambda n, time: bodies.raised(["left", "right"][n % 2])(n, time),
        lambda n, time: ("left", 0 * time),
    ]
    found = distinction(analyst(bodies.people(layout, angles)), "class 0", "class 1")
    hands = {*bodies.hand_of(layout, "left"), *bodies.hand_of(layout, "right")}
    assert set(found.joints) <= hands
    assert {layout.mirror[joint] for joint in found.joints} == set(found.joints)
    assert "of one side" in found.sentence


def test_images_with_y_downward_give_the_same_answers(
    bodies: ModuleType, layout: SkeletonLayout
) -> None:
    store = bodies.people(layout, [bodies.raised("left"), bodies.swung("right", 0.5)])
    down = replace(store, frames=store.frames * torch.tensor([640.0, -640.0, 640.0]) + 700.0)
    for step in Step:
        said = [ask(analyst(s), step, "class 0", "class 1") for s in (store, down)]
        assert said[0] == said[1]


NAMES = st.lists(
    st.sampled_from(["wave", "brush_hair", "(UB) giant circle " * 8, "a: b", "draw x (two hands)"]),
    min_size=4,
    max_size=4,
    unique=True,
)


@given(
    layout=st.sampled_from(["coco", "kinect", "puppet"]),
    names=NAMES,
    scale=st.sampled_from([0.0, 1e-3, 1.0]),
    seed=st.integers(0, 999),
)
def test_every_answer_passes_its_check(
    bodies: ModuleType, layout: str, names: list[str], scale: float, seed: int
) -> None:
    skeleton = {"coco": COCO_17, "kinect": KINECT_25, "puppet": bodies.PUPPET_15}[layout]
    generator = torch.Generator().manual_seed(seed)
    shape = (4, skeleton.num_joints, len(MotionFeature))
    both = [
        FeatureMoments(
            scale * torch.randn(shape, generator=generator, dtype=torch.double).pow(3),
            torch.rand(shape, generator=generator, dtype=torch.double),
            torch.tensor([3, 1, 2, 5])[:, None, None].expand(shape),
        )
        for _ in range(2)
    ]
    chat = Analyst(Evidence(skeleton, tuple(names), torch.tensor([3, 1, 2, 5]), *both))
    for step in Step:
        for rivals in ((), tuple(names[1:2]), tuple(names[1:])):
            question = prompts.question(step, names[0], skeleton, rivals)
            answer = chat.ask(question, ()).text
            check_answer(Exchange(question, answer), skeleton)
            assert answer == chat.ask(question, ()).text
    found = distinction(chat, *names)
    assert 2 <= len(found.joints) <= 6
    assert len(found.sentence.split()) <= ANALYST_SENTENCE_WORDS
    details = ask(chat, Step.JOINT_DETAILS, names[0])
    assert 4 <= len(details.splitlines()) <= 8


def table(*cells: tuple[str, MotionFeature, float], clips: int = 90) -> Analyst:
    """Return an analyst of two classes of which the first has some effects, all else being equal.

    Joints of an effect move, and all others hardly do.
    """
    shape = (2, 17, len(MotionFeature))
    mean, columns = torch.zeros(shape, dtype=torch.double), list(MotionFeature)
    for name, feature, size in cells:
        joint = COCO_17.joints.index(name)
        mean[0, joint, columns.index(feature)] = 1.12 * size  # with the floor, Cohen's d
        if feature is not MotionFeature.HEIGHT or size > 0:
            mean[:, joint, columns.index(MotionFeature.HORIZONTAL_RANGE)] = 9.0
    moments = FeatureMoments(mean, torch.ones(shape).double(), torch.full(shape, clips))
    counts = torch.tensor([clips, clips])
    return Analyst(Evidence(COCO_17, ("a", "b"), counts, moments, moments))


def test_a_joint_keeping_still_tells_less_than_one_that_moves() -> None:
    slow, fast = (
        ("left wrist", MotionFeature.SPEED, -1.9),
        ("right wrist", MotionFeature.SPEED, 1.0),
    )
    assert "the right wrist moves faster" in distinction(table(slow, fast), "a", "b").sentence


def test_a_limb_at_rest_is_named_only_where_none_that_moves_tells_as_much() -> None:
    rests, moves = ("left wrist", MotionFeature.HEIGHT, -1.9), ("nose", MotionFeature.HEIGHT, 1.0)
    left, nose = COCO_17.joints.index("left wrist"), COCO_17.joints.index("nose")
    found = distinction(table(rests, moves), "a", "b")
    assert nose in found.joints and left not in found.joints
    assert "nose" in found.sentence and "left" not in found.sentence
    for chat in (table(rests), table(("left wrist", MotionFeature.HEIGHT, -2.2), moves)):
        found = distinction(chat, "a", "b")
        assert left in found.joints and "the left wrist stays lower" in found.sentence


def test_joints_that_may_be_chance_fill_up_the_number_and_the_analyst_says_so() -> None:
    known, unknown = ("nose", MotionFeature.HEIGHT, 1.5), ("left wrist", MotionFeature.HEIGHT, 0.3)
    chat = table(known, unknown)
    answer = chat.ask(prompts.question(Step.DISTINGUISH, "a", COCO_17, ("b",)), ())
    (caveat,) = answer.caveats
    assert "left wrist differs by no more than chance" in caveat and "nose" not in caveat
    assert "Difference: In a, unlike in b, the nose stays higher." in answer.text
    assert (
        table(known, (*unknown[:2], 1.4))
        .ask(prompts.question(Step.DISTINGUISH, "a", COCO_17, ("b",)), ())
        .caveats
        == ()
    )


def test_where_all_may_be_chance_nothing_is_said_of_any_joint() -> None:
    chat = table(("nose", MotionFeature.HEIGHT, 1.0), clips=6)
    assert distinction(chat, "a", "b").sentence == (
        "In a, unlike in b, no joint differs by more than chance."
    )
    assert ask(chat, Step.OVERVIEW, "a") == (
        "A person performs a, in which no joint differs by more than chance."
    )
    assert "nose" not in ask(chat, Step.BODY_PARTS, "a").lower()
    details = chat.ask(prompts.question(Step.JOINT_DETAILS, "a", COCO_17), ())
    assert "higher" not in details.text and len(details.caveats) == 1
    assert chat.ask(prompts.question(Step.KEY_FEATURES, "a", COCO_17), ()).caveats == ()


def test_joints_stop_where_the_effect_drops() -> None:
    size = np.zeros((17, len(MotionFeature)))
    size[[3, 5, 7], 0] = [4.0, -2.1, 1.9]
    never, moves = np.zeros_like(size, dtype=bool), np.ones(17, dtype=bool)
    effects = EffectSizes(size, never, size != 0, moves)
    assert decisive_joints(COCO_17, effects, 2, 6) == (3, 5)
    assert decisive_joints(COCO_17, effects, 1, 1) == (3,)
    assert decisive_joints(COCO_17, effects, 4, 6)[:3] != (0, 1, 2)


@pytest.mark.parametrize("question", [("yoga", "class 1"), ("class 0", "yoga")])
def test_unknown_actions_are_chat_errors(bodies: ModuleType, question: tuple[str, str]) -> None:
    chat = analyst(bodies.people(COCO_17, [bodies.raised("left"), bodies.raised("right")]))
    assert isinstance(chat, Chat) and chat.name == "analyst"
    with pytest.raises(ChatError, match="no training clips of 'yoga'"):
        ask(chat, Step.DISTINGUISH, *question)


def test_a_question_about_another_skeleton_is_a_chat_error(bodies: ModuleType) -> None:
    chat = analyst(bodies.people(COCO_17, [bodies.raised("left")]))
    with pytest.raises(ChatError, match="other joints"):
        chat.ask(prompts.question(Step.OVERVIEW, "class 0", KINECT_25), ())


def test_the_analyst_guides_a_whole_round(bodies: ModuleType) -> None:
    angles = [bodies.raised("left"), bodies.raised("right"), bodies.swung("right", 0.5)]
    store = bodies.people(COCO_17, angles)
    chat = analyst(store)
    agent = GuidanceOrchestrator(
        Questioner(chat, COCO_17),
        Selector(COCO_17),
        Reviewer(COCO_17, Verifier(chat.evidence)),
        store.class_names,
    )
    start = agent.start()
    after = agent.refresh(Confusions(torch.tensor([[9, 0, 0], [0, 5, 4], [0, 0, 9]])), start)
    revised = after.classes[1]
    notes = [note for known in (*start.classes, revised) for note in known.notes]
    assert all(note.startswith("too few joints differ beyond chance") for note in notes)
    assert revised.rivals == ("class 2",)
    assert COCO_17.joints.index("right wrist") in revised.joints
    assert (after.classes[0], after.classes[2]) == (start.classes[0], start.classes[2])
