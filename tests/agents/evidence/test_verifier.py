from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skeletonagent.agents import prompts
from skeletonagent.agents.answers.parsers import parse_distinction
from skeletonagent.agents.evidence.analyst import Analyst
from skeletonagent.agents.evidence.effect_sizes import Evidence, measure_evidence
from skeletonagent.agents.evidence.feature_moments import FeatureMoments
from skeletonagent.agents.evidence.verifier import Doubt, Verifier, claims
from skeletonagent.core.dialogue import Exchange, Step
from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature
from skeletonagent.data.archive import read_archive

WRIST = COCO_17.joints.index("right wrist")


@pytest.fixture
def verifier(bodies: ModuleType, layout: SkeletonLayout) -> Verifier:
    """What is known of right forearms held up, and swung, by bodies that else stand still."""

    def widely(n: int, time: np.ndarray) -> tuple[str, np.ndarray]:
        return "right", 1.5 + 1.3 * np.sin(0.3 * time)

    angles, names = [bodies.raised("right"), widely, widely], ["hold_up", "wave", "swing"]
    store = bodies.people(layout, angles, clips=16, names=names)
    return Verifier(measure_evidence(store, torch.arange(48)))


def table(
    heights: list[float], counts: list[int], names: tuple[str, ...] = ("a", "b", "c")
) -> Evidence:
    """Return evidence in which the first joint's height, of variance 1, is all that differs."""
    shape = (len(heights), COCO_17.num_joints, len(MotionFeature))
    mean: Tensor = torch.zeros(shape, dtype=torch.double)
    mean[:, 0, 0] = torch.tensor(heights, dtype=torch.double)
    clips = torch.tensor(counts)[:, None, None].expand(shape)
    moments = FeatureMoments(mean, torch.ones(shape, dtype=torch.double), clips)
    return Evidence(COCO_17, names[: len(heights)], torch.tensor(counts), moments, moments)


def test_only_joints_that_do_nothing_are_doubted(
    verifier: Verifier, layout: SkeletonLayout, bodies: ModuleType
) -> None:
    hand, idle = bodies.hand_of(layout, "right"), 0
    assert verifier.doubts("wave", ["hold_up"], hand, "") == ()
    (doubt,) = verifier.doubts("wave", ["hold_up"], sorted({idle, *hand}), "")
    assert doubt.joint == idle and f"the {layout.display_name(idle)} differs" in doubt.text
    assert f"largest effect {doubt.effect:.2f}" in doubt.text


@pytest.mark.parametrize("layout", [KINECT_25], ids=["kinect-25"])
def test_a_part_that_keeps_still_is_not_said_to_move(verifier: Verifier) -> None:
    def remarks(sentence: str) -> list[str]:
        return [doubt.text for doubt in verifier.doubts("wave", ["hold_up"], (), sentence)]

    (remark,) = remarks("The head tilts back while the right hand waves.")
    assert remark == "the head, said to move, keeps as still as in other actions"
    assert remarks("The right hand swings, unlike in hold up, where the head tilts.") == []
    assert "left leg" in remarks("Lifting the left leg.")[0]
    assert remarks("Trunk and tail wag.") == []


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("The head tilts back.", [("", "head")]),
        ("THE LEFT HAND quickly waves, and the feet move.", [("left", "hand"), ("", "foot")]),
        ("Raising both arms and bending the right knee", [("", "arm"), ("right", "knee")]),
        ("The arm swings past the head.", [("", "arm")]),
        ("The head does not move.", []),
        ("The hand moves more slowly, the head less.", []),
        ("One arm is held beside the head.", []),
        ("In lift leg, the hand waves.", [("", "hand")]),
        ("It differs from lift leg and lift leg high.", []),
        ("The forehead tilts.", []),
    ],
)
def test_claims_of_motion_in_plain_words(sentence: str, said: list[tuple[str, str]]) -> None:
    assert claims(sentence, ["lift_leg", "lift_leg high"]) == said


@given(st.text(max_size=60), st.lists(st.text(max_size=8), max_size=3))
def test_any_words_whatever_can_be_searched_for_claims(sentence: str, names: list[str]) -> None:
    claims(sentence, names)


@given(
    own=st.integers(1, 200),
    other=st.integers(1, 200),
    apart=st.floats(0.0, 3.0),
    threshold=st.floats(0.5, 4.0),
)
def test_an_effect_is_chance_up_to_its_standard_errors(
    own: int, other: int, apart: float, threshold: float
) -> None:
    verifier = Verifier(table([apart, 0.0], [own, other]), threshold=threshold)
    error = math.sqrt(1 / own + 1 / other)
    effects, doubts = verifier.effects("a", ["b"]), verifier.doubts("a", ["b"], (0, 1), "")
    if 2 * error > 0.8:
        assert effects is None and doubts == ()
        return
    assert effects is not None
    chance = max(0.2, threshold * error)
    doubted = [joint for joint in (0, 1) if np.abs(effects.size[joint]).max() < chance]
    assert [doubt.joint for doubt in doubts] == doubted and 1 in doubted


def test_the_error_counts_rivals_by_their_rank() -> None:
    verifier = Verifier(table([0.0, 0.0, 0.0], [50, 20, 80]))
    shares = (2 / 3) ** 2 / 20 + (1 / 3) ** 2 / 80
    assert verifier._error("a", ["b", "c"]) == pytest.approx(math.sqrt(1 / 50 + shares))
    shares = (1 / 2) ** 2 / 20 + (1 / 2) ** 2 / 80
    assert verifier._error("a", []) == pytest.approx(math.sqrt(1 / 50 + shares))


def test_of_what_the_clips_cannot_tell_nothing_is_doubted() -> None:
    known = table([0.0, 0.0, 0.0], [50, 50, 0], ("a", "b", "c"))
    twins = table([0.0, 0.0, 0.0], [50, 50, 50], ("a", "b", "b"))
    alone = table([0.0], [50], ("a",))
    for evidence, action, rivals in (
        (known, "yoga", ()), (known, "a", ("yoga",)), (known, "c", ()), (known, "a", ("c",)),
        (known, "a", ("a",)), (twins, "b", ()), (twins, "a", ("b",)), (alone, "a", ()),
    ):  # fmt: skip
        verifier = Verifier(evidence)
        assert verifier.effects(action, rivals) is None
        assert verifier.doubts(action, rivals, (0, 1), "The head tilts.") == ()
        assert verifier.objection(action, rivals, (Doubt("this"),)).endswith("answer out: this.")
    assert len(Verifier(known).doubts("a", ("b",), (0, 1), "The head tilts.")) == 3


def test_effects_are_those_of_the_evidence_and_are_not_collected(verifier: Verifier) -> None:
    first = verifier.effects("wave", ["hold_up"])
    assert first is not None
    np.testing.assert_array_equal(first.size, verifier.evidence.against("wave", ["hold_up"]).size)
    alone = verifier.effects("wave", [])
    assert alone is not None
    np.testing.assert_array_equal(alone.size, verifier.evidence.against_all("wave").size)
    # Small tensors that stay, made between large ones that go, leave memory in pieces.
    kept = dict(vars(verifier))
    verifier.effects("hold_up", ["wave"])
    assert vars(verifier) == kept


@pytest.mark.parametrize(
    ("joints", "doubted", "kept"),
    [
        ((1, 2, 3), {}, (1, 2, 3)),
        ((1, 2, 3), {2: 0.1}, (1, 3)),
        ((1, 2, 3), {1: 0.1, 3: 0.3}, (2,)),
        ((1, 2, 3), {1: 0.2, 2: 0.1, 3: 0.3}, (1, 3)),
        ((1,), {1: 0.2}, (1,)),
        ((), {}, ()),
    ],
)
def test_doubted_joints_go_but_never_all(
    joints: tuple[int, ...], doubted: dict[int, float], kept: tuple[int, ...]
) -> None:
    doubts = [Doubt("", joint, effect) for joint, effect in doubted.items()]
    verifier = Verifier(table([0.0, 0.0], [50, 50]))
    assert verifier.filtered(joints, [*doubts, Doubt("the head, said to move")]) == kept


def test_what_is_told_names_the_doubts_and_the_joints_that_differ(
    verifier: Verifier, layout: SkeletonLayout, bodies: ModuleType
) -> None:
    doubts = verifier.doubts("wave", ["hold_up"], (0,), "")
    told = verifier.objection("wave", ["hold_up"], doubts)
    assert doubts[0].text in told and 'from "hold_up"' in told
    labels = {layout.label(joint) for joint in bodies.hand_of(layout, "right")}
    assert any(label in told for label in labels)
    assert "the right" in told and layout.label(0) not in told
    assert "other actions" in verifier.objection("wave", (), doubts)


def test_real_clips_doubt_random_joints_but_not_the_analysts(shared: Path) -> None:
    data = read_archive(shared / "data" / "utd_mhad")
    store, train = data.store, data.splits[data.default_split].train
    evidence = measure_evidence(store, store.indices(train))
    verifier, analyst = Verifier(evidence), Analyst(evidence)
    names, generator = store.class_names, torch.Generator().manual_seed(0)
    chosen = doubted = doubted_at_random = 0
    for action in names:
        rival = min(
            (name for name in names if name != action),
            key=lambda name: float(np.abs(evidence.against(action, [name]).size).mean()),
        )
        question = prompts.question(Step.DISTINGUISH, action, store.layout, (rival,))
        told = parse_distinction(Exchange(question, analyst.ask(question, ()).text), store.layout)
        guess = torch.randperm(store.layout.num_joints, generator=generator)[: len(told.joints)]
        chosen += len(told.joints)
        doubted += len(verifier.doubts(action, (rival,), told.joints, told.sentence))
        doubted_at_random += len(verifier.doubts(action, (rival,), guess.tolist(), ""))
    assert doubted <= 0.02 * chosen
    assert doubted_at_random >= 0.15 * chosen
