"""Questions counted beforehand are those that the agents then ask."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.agents import prompts
from skeletonagent.agents.cost_estimate import DryRun, EstimatedUsage, read_trace
from skeletonagent.agents.evidence.reviewer import Reviewer
from skeletonagent.agents.orchestrator import GuidanceOrchestrator
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.dialogue import DESCRIPTION, Question, Step
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, KINECT_25, LAYOUTS, SkeletonLayout
from skeletonagent.llm.answer_schemas import ANSWER_SCHEMAS
from skeletonagent.llm.chat import ScriptedChat
from skeletonagent.llm.messages import ROLE

NAMES = ("wave", "clap", "kick", "bow")


def confused(*pairs: tuple[int, int], clips: int = 100, mistakes: int = 10) -> torch.Tensor:
    counts = torch.eye(len(NAMES), dtype=torch.long) * clips
    for label, rival in pairs:
        counts[label, rival] += mistakes
        counts[label, label] -= mistakes
    return counts


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_a_description_takes_five_questions_a_class(layout: SkeletonLayout) -> None:
    assert DryRun(NAMES, layout).description().questions == 5 * len(NAMES)


def test_tokens_are_a_quarter_of_the_characters_sent() -> None:
    first = prompts.question(Step.OVERVIEW, "wave", COCO_17)
    schema = json.dumps(ANSWER_SCHEMAS[Step.OVERVIEW].model_json_schema())
    sent = len(ROLE) + len(first.text) + len(schema)
    known = DryRun(("wave",), COCO_17)
    asked: list[EstimatedUsage] = []
    answer = known._answer

    def noted(question: Question, history: object) -> str:
        before = known._usage
        text = answer(question, history)
        asked.append(EstimatedUsage(1, known._usage.input_tokens - before.input_tokens))
        return text

    known._answer = noted
    known.description()
    assert asked[0].input_tokens == math.ceil(sent / 4)
    assert [usage.input_tokens for usage in asked] == sorted(usage.input_tokens for usage in asked)


def test_only_classes_with_new_rivals_are_asked_about() -> None:
    trace = [
        confused((0, 1), (1, 0)),
        confused((0, 1), (1, 0)),
        confused((0, 2), (1, 0), (3, 2)),
        confused(),
    ]
    rounds = DryRun(NAMES, COCO_17, rival_share=0.01).rounds(trace)
    assert [usage.questions for usage in rounds] == [2, 0, 2, 0]


def test_padded_rivals_are_asked_about_where_nobody_is_confused() -> None:
    trace = [confused(), confused((0, 3))]
    padded = DryRun(NAMES, COCO_17, max_rivals=2, padded_rivals=True).rounds(trace)
    assert [usage.questions for usage in padded] == [4, 1]


def test_a_share_below_the_threshold_is_not_asked_about() -> None:
    trace = [confused((0, 1), mistakes=4)]
    asked = {
        share: DryRun(NAMES, COCO_17, rival_share=share).rounds(trace)[0].questions
        for share in (0.04, 0.05)
    }
    assert asked == {0.04: 1, 0.05: 0}


def test_later_rounds_read_more_for_they_remember_earlier_ones() -> None:
    rounds = DryRun(NAMES, COCO_17).rounds_at_most(6)
    read = [usage.input_tokens for usage in rounds]
    assert read == sorted(read) and read[0] < read[-1]


@given(
    classes=st.integers(3, 7),
    rivals=st.integers(1, 8),
    rounds=st.integers(0, 4),
)
def test_at_most_is_every_class_in_every_round(classes: int, rivals: int, rounds: int) -> None:
    names = tuple(f"action {label}" for label in range(classes))
    usages = DryRun(names, KINECT_25, rivals).rounds_at_most(rounds)
    assert [usage.questions for usage in usages] == [classes] * rounds


def test_two_classes_have_nobody_else_to_be_asked_about() -> None:
    usages = DryRun(NAMES[:2], COCO_17).rounds_at_most(3)
    assert [usage.questions for usage in usages] == [2, 0, 0]


@given(
    counts=st.lists(st.lists(st.integers(0, 40), min_size=16, max_size=16), min_size=1, max_size=4),
    share=st.sampled_from([0.0, 0.01, 0.2]),
)
def test_the_count_is_that_of_a_guide_asked_literally(
    counts: list[list[int]], share: float
) -> None:
    trace = torch.tensor(counts).reshape(-1, 4, 4)
    asked: list[Step] = []

    def answer(question: Question, _: object) -> str:
        asked.append(question.step)
        own = 2 * NAMES.index(question.action) + 6
        labels = ", ".join(COCO_17.label(joint) for joint in (own - 1, own))
        details = "\n".join(f"{COCO_17.label(joint)}: moves." for joint in (own - 1, own))
        return {
            Step.BODY_PARTS: "\n".join(f"{part}: still." for part in prompts.BODY_PARTS),
            Step.CRITICAL_JOINTS: f"{own}, {own + 1}",
            Step.JOINT_DETAILS: details,
            Step.DISTINGUISH: f"Joints: {labels}\nDifference: It moves.",
        }.get(question.step, "It moves.")

    guide = GuidanceOrchestrator(
        Questioner(ScriptedChat(answer), COCO_17), Selector(COCO_17), Reviewer(COCO_17), NAMES,
        rival_share=share,
    )  # fmt: skip
    guidance = guide.start()
    expected = []
    for table in trace:
        due = guide.due(Confusions(table), guidance)
        before = len(asked)
        guidance = guide.refresh(Confusions(table), guidance)
        assert len(asked) - before == len(due)
        expected.append(len(due))
    found = DryRun(NAMES, COCO_17, rival_share=share).rounds(trace)
    assert [usage.questions for usage in found] == expected
    assert asked[: len(DESCRIPTION)] == list(DESCRIPTION)


def test_a_round_of_the_released_code_asks_about_every_class() -> None:
    names = tuple(f"action {label}" for label in range(13))
    rehearsal = DryRun(names, KINECT_25)
    usage = rehearsal.released_round()
    assert usage.questions == 13
    assert usage == rehearsal.released_round()
    # Of 13 classes, the first restless round names 10 rivals too.
    assert usage == rehearsal.rounds_at_most(1)[0]


@given(st.lists(st.tuples(*[st.integers(0, 99)] * 3), max_size=4), st.integers(0, 5))
def test_usages_add_up(figures: list[tuple[int, int, int]], times: int) -> None:
    total = sum((EstimatedUsage(*each) for each in figures), EstimatedUsage())
    assert total.questions == sum(each[0] for each in figures)
    assert total * times == sum([total] * times, EstimatedUsage())


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    counts = np.arange(2 * 3 * 3, dtype=np.int16).reshape(2, 3, 3)
    np.savez_compressed(tmp_path / "trace.npz", counts=counts)
    assert read_trace(tmp_path / "trace.npz").tolist() == counts.tolist()


@pytest.mark.parametrize(
    "arrays",
    [
        {"scores": np.zeros((1, 2, 2), np.int64)},
        {"counts": np.zeros((2, 2), np.int64)},
        {"counts": np.zeros((1, 2, 3), np.int64)},
        {"counts": np.zeros((1, 2, 2))},
        {"counts": np.full((1, 2, 2), -1)},
        {"counts": np.array([None])},
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "trace.npz", **arrays)
    with pytest.raises(DataError, match="trace"):
        read_trace(tmp_path / "trace.npz")


def test_what_is_no_npz_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.npz").write_text("counts")
    np.save(tmp_path / "trace.npy", np.zeros((1, 2, 2), np.int64))
    for name in ("trace.npz", "trace.npy", "missing.npz"):
        with pytest.raises(DataError, match=name):
            read_trace(tmp_path / name)
