"""What the agents did, counted from their dialogues."""

from __future__ import annotations

from dataclasses import replace

from skeletonagent.agents.usage import ModelUsage, usage_report
from skeletonagent.core.dialogue import Dialogue, Exchange, Outcome, Provenance, Question, Step
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17


def asked(step: Step) -> Question:
    return Question("wave", step, COCO_17.joints, ("clap",), "Why?")


def source(requests: int, *faults: str, model: str = "openai:gpt-4o") -> Provenance:
    tokens = 10 if requests else 0
    return Provenance(model, seconds=0.5 * requests, input_tokens=tokens, output_tokens=tokens // 5,
                  requests=requests, faults=faults)  # fmt: skip


FIRST = Exchange(
    asked(Step.DISTINGUISH),
    "Joints: 99",
    Outcome.REJECTED,
    "'99' is no label",
    source(3, "timeout", "http 429"),
)
SECOND = Exchange(asked(Step.DISTINGUISH), "Joints: 1", source=source(1), earlier=(FIRST,))
MENDED = Exchange(
    asked(Step.OVERVIEW), "It moves.", Outcome.REPAIRED, "a list",
    earlier=(Exchange(asked(Step.OVERVIEW), "- It", Outcome.REJECTED, "a list", source(1)),),
)  # fmt: skip
CACHED = Exchange(asked(Step.BODY_PARTS), "Head: a.", source=source(0), remarks=("the head?",))
SILENT = Exchange(
    asked(Step.KEY_FEATURES),
    "",
    Outcome.UNANSWERED,
    "offline",
    source(2, "connection", "connection", model="local"),
)


def guidance(*exchanges: Exchange) -> Guidance:
    told = ClassGuidance("wave", (1, 2), "It waves.", dialogue=Dialogue("wave", exchanges))
    return Guidance(COCO_17, (told, ClassGuidance("clap", (), "clap", notes=("late",))), round=4)


def test_every_question_fault_and_problem_is_counted_with_what_became_of_it() -> None:
    found = usage_report(guidance(SECOND, MENDED, CACHED, SILENT))
    assert found.rounds == 4
    assert found.questions == {
        "distinguish": 1, "overview": 1, "body_parts": 1, "key_features": 1,
    }  # fmt: skip
    assert found.outcomes == {
        "accepted when asked again": 1, "repaired": 1, "accepted": 1, "unanswered": 1,
    }  # fmt: skip
    assert found.unanswered == {"offline": 1}
    assert found.problems == {
        "a list": {"repaired": 1},
        "… is no label": {"accepted when asked again": 1},
    }
    assert found.faults == {
        "connection": {"unanswered": 2}, "http 429": {"overcome": 1}, "timeout": {"overcome": 1},
    }  # fmt: skip
    assert (found.remarks, found.classes_with_notes, found.classes_without_joints) == (1, 1, 1)
    assert found.requests == 3 + 1 + 1 + 2


def test_models_are_paid_for_what_was_really_asked() -> None:
    prices = {"openai:gpt-4o": 0.25}
    found = usage_report(
        guidance(SECOND, MENDED, CACHED, SILENT),
        lambda model, read, written: prices[model] * (read + written) if model in prices else None,
    )
    assert found.models["openai:gpt-4o"] == ModelUsage(
        requests=5, known_already=1, input_tokens=30, output_tokens=6, dollars=9.0, seconds=2.5
    )
    assert found.models["local"].dollars is None


def test_a_program_that_answers_is_no_model() -> None:
    found = usage_report(guidance(replace(SECOND, source=None, earlier=())))
    assert (found.models, found.requests, found.outcomes) == ({}, 0, {"accepted": 1})


def test_nothing_said_nothing_counted() -> None:
    found = usage_report(Guidance(COCO_17, ()))
    assert (found.questions, found.outcomes, found.problems, found.faults) == ({}, {}, {}, {})


def test_who_guides_is_counted_by_the_answer_that_counts() -> None:
    usable, plain = replace(SECOND, source=source(1, model="m")), replace(SECOND, source=None)
    only_parts = (CACHED, SILENT)
    described = replace(MENDED, source=source(1, model="second"))
    classes = [
        ClassGuidance(str(n), (1,), "It waves.", dialogue=Dialogue(str(n), exchanges))
        for n, exchanges in enumerate(
            [(described, usable), (described,), (plain,), only_parts, (SILENT,), ()]
        )
    ]
    found = usage_report(Guidance(COCO_17, tuple(classes)), chat="analyst")
    assert found.classes == 6
    assert found.guided == {"m": 1, "second": 1, "analyst": 1}
