from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from skeletonagent.llm.budget import Budget, Spent, price


def test_a_budget_of_requests_is_exact_under_threads() -> None:
    budget = Budget(requests=20)
    with ThreadPoolExecutor(8) as pool:
        limits = list(pool.map(lambda _: budget.reserve("m"), range(100)))
    assert limits.count(None) == 20 == budget.spent.requests
    assert set(limits) == {None, "the budget of 20 requests is spent"}


@pytest.mark.parametrize(
    ("budget", "limit"),
    [
        (Budget(tokens=30), "the budget of 30 tokens is spent"),
        (Budget(dollars=0.5), "the budget of 0.5 dollars is spent"),
        (Budget(requests=0), "the budget of 0 requests is spent"),
    ],
)
def test_the_limit_reached_is_named(budget: Budget, limit: str) -> None:
    if budget.requests is None:
        assert budget.reserve("m") is None
        budget.record("m", 10, 20, 0.5)
    assert budget.reserve("m") == limit


def test_what_was_spent_is_told_by_model_and_in_all() -> None:
    budget = Budget()
    budget.recall("a", Spent(requests=1, input_tokens=5, dollars=0.25))
    budget.reserve("a")
    budget.record("a", 10, 20, 0.5)
    budget.record("b", 1, 2, None)
    assert budget.by_model == {"a": Spent(2, 15, 20, 0.75, 0), "b": Spent(0, 1, 2, 0.0, 3)}
    assert budget.spent == Spent(2, 16, 22, 0.75, 3)
    assert budget.spent.tokens == 38


def test_prices_are_the_providers() -> None:
    assert price("openai:gpt-4o", 1_000_000, 0) == pytest.approx(2.5)
    assert price("openai-chat:gpt-4o", 0, 1_000_000) == pytest.approx(10.0)


def test_prices_add_up() -> None:
    read, written = price("openai:gpt-4o", 700, 0), price("openai:gpt-4o", 0, 300)
    assert price("openai:gpt-4o", 700, 300) == pytest.approx(read + written)


def test_a_local_server_is_free_and_an_unknown_price_is_none() -> None:
    assert price("qwen3:8b", 1000, 1000, "http://localhost:11434/v1") == 0
    assert price("openai:no-such-model", 1, 1) is None
    assert price("nobody:model", 1, 1) is None
    assert price("model", 1, 1, "https://models.example.com/v1") is None
