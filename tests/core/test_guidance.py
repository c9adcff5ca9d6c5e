"""Guidance: the matrix K as a mask, and the plain form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.claim_results import ClaimResult, Verdict
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import Dialogue, Exchange, Question, Step
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import KINECT_25, LAYOUTS, UAV_17, SkeletonLayout
from skeletonagent.core.streams import Stream

RESULT = ClaimResult(
    Claim.parse("both hands height more", "clap"), Verdict.BORNE_OUT, 1.25, 0.5, 2.0
)


def make_guidance(layout: SkeletonLayout, *joints: tuple[int, ...]) -> Guidance:
    return Guidance(
        layout,
        tuple(ClassGuidance(f"class {y}", j, f"sentence {y}") for y, j in enumerate(joints)),
    )


def slow_salient(guidance: Guidance, stream: Stream) -> list[list[bool]]:
    layout = guidance.layout
    rows = []
    for one in guidance.classes:
        chosen = set(one.joints or range(layout.num_joints))
        row = []
        for joint in range(layout.num_joints):
            inner = {
                "joint": joint,
                "bone": layout.parents[joint],
                "kbone": layout.grandparents[joint],
            }[stream.value.removesuffix("_motion")]
            row.append(joint in chosen or inner in chosen)
        rows.append(row)
    return rows


@given(
    layout=st.sampled_from(list(LAYOUTS.values())),
    stream=st.sampled_from(Stream),
    chosen=st.lists(st.sets(st.integers(0, 14)), min_size=1, max_size=4),
)
def test_salient_equals_a_loop_over_bones(
    layout: SkeletonLayout, stream: Stream, chosen: list[set[int]]
) -> None:
    guidance = make_guidance(layout, *(tuple(sorted(joints)) for joints in chosen))
    assert guidance.salient(stream).tolist() == slow_salient(guidance, stream)


def test_salient_by_hand() -> None:
    guidance = make_guidance(UAV_17, (2,))
    found = {
        stream: guidance.salient(stream)[0].nonzero().flatten().tolist()
        for stream in (Stream.JOINT, Stream.BONE, Stream.KBONE)
    }
    assert found == {Stream.JOINT: [2], Stream.BONE: [2, 3], Stream.KBONE: [2]}


@pytest.mark.parametrize("stream", Stream)
def test_a_class_without_joints_counts_them_all(stream: Stream) -> None:
    salient = make_guidance(KINECT_25, (), (3,)).salient(stream)
    assert salient[0].all()
    assert not salient[1].all()


def test_sentences_in_label_order() -> None:
    assert make_guidance(UAV_17, (), ()).sentences == ("sentence 0", "sentence 1")


def test_json_keeps_everything() -> None:
    question = Question("wave", Step.DISTINGUISH, KINECT_25.joints, ("clap",), "What differs?")
    known = ClassGuidance(
        action="wave",
        joints=(0, 7, 24),
        sentence="One hand – the other rests.",
        rivals=("clap", "point"),
        dialogue=Dialogue(
            "wave",
            (Exchange(question, "One hand.", caveats=("a guess",), claim_results=(RESULT,)),),
        ),
        notes=("the answer was cut",),
        claims=(RESULT.claim,),
        claim_results=(RESULT, ClaimResult(Claim.parse("head speed less"))),
    )
    unknown = ClassGuidance("clap", (), "", dialogue=Dialogue("clap"))
    guidance = Guidance(KINECT_25, (known, unknown), round=3)
    value = json.loads(json.dumps(guidance.to_json()))
    assert value["classes"][0]["joints"] == ["1-base of spine", "8-left hand", "25-right thumb"]
    assert Guidance.from_json(value, KINECT_25) == guidance


def test_guidance_of_an_earlier_version_has_no_claims() -> None:
    guidance = make_guidance(KINECT_25, (0, 1))
    value = guidance.to_json()
    for name in ("claims", "claim_results"):
        assert value["classes"][0].pop(name) == []
    assert Guidance.from_json(value, KINECT_25) == guidance
