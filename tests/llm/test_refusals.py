from __future__ import annotations

import pytest

from skeletonagent.llm.refusals import declined_in, refusal_in


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I\u2019m sorry, but no.", "I'm sorry"),
        ("I am unable to describe that.", "I am unable"),
        ("We cannot assist with it.", "cannot assist"),
        ("As an AI, I only read.", "As an AI"),
    ],
)
def test_declining_is_a_refusal(text: str, words: str) -> None:
    assert refusal_in(text) == declined_in(text) == words


@pytest.mark.parametrize("text", ["Please note that it is dangerous.", "Disclaimer: be careful."])
def test_a_disclaimer_is_no_reason_to_give_up(text: str) -> None:
    assert refusal_in(text)
    assert declined_in(text) is None


def test_a_description_refuses_nothing() -> None:
    assert refusal_in("The person cannot keep the balance and holds out a hand for help.") is None
