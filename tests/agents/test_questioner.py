from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from skeletonagent.agents.questioner import TRIES, Questioner
from skeletonagent.core.dialogue import DESCRIPTION, Dialogue, Exchange, Outcome, Question, Step
from skeletonagent.core.errors import ChatClosedError, ChatError
from skeletonagent.core.layout import COCO_17
from skeletonagent.llm.chat import Answer

GOOD = {
    Step.OVERVIEW: "A hand swings.",
    Step.BODY_PARTS: "\n".join(
        f"{part}: moves." for part in ("Head", "Hand", "Arm", "Hip", "Leg", "Foot")
    ),
    Step.CRITICAL_JOINTS: "8, 9, 10, 11",
    Step.JOINT_DETAILS: "\n".join(
        f"{label}: swings."
        for label in ("8-left elbow", "9-right elbow", "10-left wrist", "11-right wrist")
    ),
    Step.KEY_FEATURES: "A hand swings beside the head.",
    Step.DISTINGUISH: "Joints: 10-left wrist, 11-right wrist\nDifference: It swings higher.",
}
BAD = "Joints: 99\nDifference: x."
UNSORTED = "Joints: 11-right wrist, 10-left wrist\nDifference: It swings higher."
NOTED = f"{GOOD[Step.DISTINGUISH]}\nNote: this is how I see it."


@dataclass
class Listener:
    """A chat that remembers what it was asked; an exception among its answers is raised."""

    answers: dict[Step, list[str | type[ChatError]]] = field(default_factory=dict)
    asked: list[tuple[Question, tuple[Exchange, ...]]] = field(default_factory=list)
    name: str = "listener"

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        self.asked.append((question, tuple(history)))
        scripted = self.answers.get(question.step)
        answer = scripted.pop(0) if scripted else GOOD[question.step]
        if isinstance(answer, str):
            return Answer(answer)
        sent = 0 if answer is ChatClosedError else 3
        raise answer("listener", question.action, question.step, sent, "offline", ("timeout",) * 3)


def described(chat: Listener) -> Dialogue:
    return Questioner(chat, COCO_17).describe(Dialogue("wave"))


def targeted(chat: Listener, dialogue: Dialogue | None = None) -> Dialogue:
    return Questioner(chat, COCO_17).distinguish(dialogue or Dialogue("wave"), ("clap",), (3,), 7)


def test_a_description_goes_from_coarse_to_fine_and_each_question_sees_the_earlier_ones() -> None:
    chat = Listener()
    dialogue = described(chat)
    assert [question.step for question, _ in chat.asked] == list(DESCRIPTION)
    for n, (_, history) in enumerate(chat.asked):
        assert history == dialogue.exchanges[:n]
    assert dialogue.answer(Step.KEY_FEATURES) == GOOD[Step.KEY_FEATURES]


def test_what_is_described_is_not_asked_again() -> None:
    chat = Listener()
    dialogue = described(chat)
    assert Questioner(chat, COCO_17).describe(dialogue, 3) is dialogue
    assert len(chat.asked) == 5


def test_a_step_that_failed_is_asked_again_in_later_rounds_but_not_for_ever() -> None:
    chat = Listener({Step.OVERVIEW: [ChatError] * 99})
    questioner = Questioner(chat, COCO_17)
    dialogue = Dialogue("wave")
    for number in range(TRIES + 3):
        dialogue = questioner.describe(dialogue, number)
    rounds = [question.round for question, _ in chat.asked if question.step is Step.OVERVIEW]
    assert rounds == list(range(TRIES))
    assert [e.outcome for e in dialogue.exchanges].count(Outcome.UNANSWERED) == TRIES
    assert dialogue.answer(Step.KEY_FEATURES) == GOOD[Step.KEY_FEATURES]


def test_without_rivals_nothing_is_asked() -> None:
    chat, dialogue = Listener(), Dialogue("wave")
    assert Questioner(chat, COCO_17).distinguish(dialogue, ()) is dialogue
    assert not chat.asked


def test_a_targeted_question_sees_the_description_and_the_last_rounds_and_recalls_the_rest() -> (
    None
):
    chat = Listener()
    questioner = Questioner(chat, COCO_17)
    told = dialogue = described(chat)
    for number, rival in enumerate("abcde", start=1):
        dialogue = questioner.distinguish(dialogue, (rival,), (number,), number)
    question, history = chat.asked[-1]
    assert history[:5] == told.exchanges
    assert [exchange.question.rivals for exchange in history[5:]] == [("c",), ("d",)]
    recalled = [line for line in question.text.splitlines() if line.startswith("- against")]
    outcome = GOOD[Step.DISTINGUISH].replace("\n", " ")
    assert recalled == [f"- against {rival}: {outcome}" for rival in "ab"]
    assert (question.counts, question.round) == ((5,), 5)
    rounds = [e.question.rivals for e in dialogue.exchanges[5:]]
    assert rounds == [(rival,) for rival in "abcde"], "nothing is forgotten"


def test_an_unusable_answer_is_asked_for_once_more_with_the_reason() -> None:
    chat = Listener({Step.DISTINGUISH: [BAD, GOOD[Step.DISTINGUISH]]})
    (exchange,) = targeted(chat).exchanges
    assert (exchange.answer, exchange.outcome) == (GOOD[Step.DISTINGUISH], Outcome.ACCEPTED)
    assert [(e.answer, e.outcome) for e in exchange.earlier] == [(BAD, Outcome.REJECTED)]
    (_, first), (again, history) = chat.asked
    assert first == () and history[-1].answer == BAD
    assert exchange.earlier[0].problem in again.text == exchange.question.text


def test_a_slip_that_leaves_no_doubt_is_repaired_without_asking_again() -> None:
    chat = Listener({Step.DISTINGUISH: [UNSORTED]})
    (exchange,) = targeted(chat).exchanges
    assert len(chat.asked) == 1
    assert (exchange.answer, exchange.outcome) == (GOOD[Step.DISTINGUISH], Outcome.REPAIRED)
    assert exchange.problem
    assert [(e.answer, e.outcome) for e in exchange.earlier] == [(UNSORTED, Outcome.REJECTED)]


@pytest.mark.parametrize("answers", [[NOTED, NOTED], [NOTED, BAD], [BAD, NOTED]])
def test_what_fails_twice_is_repaired_where_that_leaves_no_doubt(answers: list[str]) -> None:
    (exchange,) = targeted(Listener({Step.DISTINGUISH: list(answers)})).exchanges
    assert (exchange.answer, exchange.outcome) == (GOOD[Step.DISTINGUISH], Outcome.REPAIRED)
    assert sorted(e.answer for e in exchange.earlier) == sorted(answers)


def test_a_second_unusable_answer_is_rejected() -> None:
    chat = Listener({Step.DISTINGUISH: [BAD, BAD]})
    (exchange,) = targeted(chat).exchanges
    assert exchange.outcome is Outcome.REJECTED and not exchange.usable
    assert len(exchange.attempts) == len(chat.asked) == 2


def test_silence_is_an_exchange_too() -> None:
    (exchange,) = targeted(Listener({Step.DISTINGUISH: [ChatError]})).exchanges
    assert (exchange.answer, exchange.outcome, exchange.problem) == (
        "", Outcome.UNANSWERED, "offline",
    )  # fmt: skip
    assert exchange.source is not None
    assert (exchange.source.requests, exchange.source.faults) == (3, ("timeout",) * 3)


def test_an_answer_asked_for_again_and_not_given_leaves_the_first_to_be_repaired() -> None:
    (exchange,) = targeted(Listener({Step.DISTINGUISH: [NOTED, ChatError]})).exchanges
    assert (exchange.answer, exchange.outcome) == (GOOD[Step.DISTINGUISH], Outcome.REPAIRED)


def test_a_closed_chat_is_not_asked_on_and_leaves_one_trace_alone() -> None:
    chat = Listener({Step.BODY_PARTS: [ChatClosedError] * 9})
    questioner, dialogue = Questioner(chat, COCO_17), Dialogue("wave")
    for number in range(TRIES + 2):
        dialogue = questioner.describe(dialogue, number)
    assert [e.question.step for e in dialogue.exchanges] == [Step.OVERVIEW, Step.BODY_PARTS]
    assert [q.step for q, _ in chat.asked].count(Step.BODY_PARTS) == TRIES + 2, "never given up"


def test_a_reconsidered_answer_takes_the_place_of_the_first() -> None:
    other = "Joints: 8-left elbow, 9-right elbow\nDifference: It bends."
    chat = Listener({Step.DISTINGUISH: [GOOD[Step.DISTINGUISH], other]})
    first = targeted(chat, described(chat))
    second = Questioner(chat, COCO_17).reconsider(first, Step.DISTINGUISH, "Think again.")
    question, history = chat.asked[-1]
    assert question.text.endswith("\n\nThink again.")
    assert history == first.exchanges
    assert second.exchanges[:-1] == first.exchanges[:-1]
    assert second.exchanges[-1].answer == other
    assert second.exchanges[-1].earlier == first.exchanges[-1:]


@pytest.mark.parametrize("answer", [BAD, ChatError])
def test_an_unusable_second_thought_changes_nothing(answer: str | type[ChatError]) -> None:
    chat = Listener({Step.DISTINGUISH: [GOOD[Step.DISTINGUISH], answer]})
    first = targeted(chat)
    second = Questioner(chat, COCO_17).reconsider(first, Step.DISTINGUISH, "Think again.")
    assert second.answer(Step.DISTINGUISH) == first.answer(Step.DISTINGUISH)
    assert len(second.exchanges[-1].earlier) == 1


def test_a_sentence_the_text_encoder_does_not_take_is_not_used() -> None:
    chat = Listener()
    questioner = Questioner(chat, COCO_17, fits=lambda sentence: "higher" not in sentence)
    (exchange,) = questioner.distinguish(Dialogue("wave"), ("clap",)).exchanges
    assert not exchange.usable or "higher" not in exchange.answer
    assert "too long" in chat.asked[1][0].text
