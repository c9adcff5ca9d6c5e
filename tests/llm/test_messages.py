from __future__ import annotations

from collections.abc import Callable

from skeletonagent.core.dialogue import Exchange, Outcome, Question, Step
from skeletonagent.llm.messages import ROLE, Speaker, to_messages


def test_a_conversation_alternates_and_ends_with_the_question(
    ask_about: Callable[..., Question],
) -> None:
    first, second = ask_about(), ask_about(Step.BODY_PARTS)
    silent = Exchange(second, "", Outcome.UNANSWERED)
    assert to_messages((Exchange(first, "A hand swings."), silent), "And now?") == (
        (Speaker.SYSTEM, ROLE),
        (Speaker.USER, first.plain),
        (Speaker.ASSISTANT, "A hand swings."),
        (Speaker.USER, "And now?"),
    )
