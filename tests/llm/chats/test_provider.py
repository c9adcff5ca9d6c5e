from __future__ import annotations

import logging
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from chat_server import OUTPUTS, Server

from skeletonagent.agents.answers.content import check_answer
from skeletonagent.core.dialogue import Exchange, Outcome, Question, Step
from skeletonagent.core.errors import AnswerError, ChatClosedError, ChatError, ConfigError
from skeletonagent.core.layout import COCO_17
from skeletonagent.llm.answer_schemas import ANSWER_SCHEMAS
from skeletonagent.llm.budget import Budget
from skeletonagent.llm.chats.cached import CachedChat
from skeletonagent.llm.chats.provider import ProviderChat
from skeletonagent.llm.settings import LanguageModel

Connect = Callable[..., ProviderChat]
Ask = Callable[..., Question]


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_whole_dialogue_in_every_form_of_output(
    server: Server, connect: Connect, ask_about: Ask, output: str
) -> None:
    server.script.outputs = (output,)
    chat, history = connect(), ()
    for step in Step:
        answer = chat.ask(ask_about(step), history)
        history = (*history, Exchange(ask_about(step), answer.text, source=answer.source))
        content = check_answer(history[-1], COCO_17)
        assert answer.source.parameters["form"] == output
        assert (answer.parsed is None) == (output == "text")
        if answer.parsed is not None:
            assert type(answer.parsed) is ANSWER_SCHEMAS[step]
            exchange = Exchange(ask_about(step), answer.text)
            assert check_answer(exchange, COCO_17, parsed=answer.parsed) == content
    # Only the first question has to find out what the server can do.
    assert [e.source.requests for e in history] == [OUTPUTS.index(output) + 1, 1, 1, 1, 1, 1]
    assert history[0].source.faults == ("http 400",) * OUTPUTS.index(output)


def test_the_source_and_the_budget_tell_what_an_answer_took(
    server: Server, connect: Connect, ask_about: Ask
) -> None:
    server.script.faults = ["rate_limit", "wrong_schema"]
    budget = Budget()
    source = connect(budget, max_tokens=500).ask(ask_about(), ()).source
    assert (source.requests, source.faults) == (3, ("http 429", "schema"))
    assert source.parameters == {
        "temperature": 0.0,
        "max_tokens": 500,
        "base_url": server.url,
        "form": "tool",
    }
    assert server.requests[-1]["max_tokens"] == 500
    assert source.model == "model" and source.asked and source.seconds > 0
    spent = budget.spent
    assert (spent.requests, spent.dollars, spent.unpriced) == (3, 0.0, 0)
    assert (spent.input_tokens, spent.output_tokens) == (source.input_tokens, source.output_tokens)
    assert source.input_tokens > 100 and source.output_tokens > 10


def test_history_alternates_in_plain_text_after_one_system_message(
    server: Server, connect: Connect, ask_about: Ask
) -> None:
    told = Exchange(ask_about(), "A hand swings.")
    silent = Exchange(ask_about(), "", Outcome.UNANSWERED)
    server.script.outputs = ("json_object",)
    connect().ask(ask_about(Step.BODY_PARTS), (told, silent))
    messages = server.requests[-1]["messages"]
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert [m["content"] for m in messages[1:]] == [
        told.question.plain,
        "A hand swings.",
        ask_about(Step.BODY_PARTS).text,
    ]


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("rate_limit", "http 429"),
        ("server_error", "http 500"),
        ("reset", "connection"),
        ("stall", "timeout"),
        ("truncated", "malformed"),
        ("malformed", "malformed"),
        ("cut", "length"),
        ("wrong_schema", "schema"),
        ("empty", "empty"),
    ],
)
@pytest.mark.parametrize("output", ["tool", "json_schema"])
def test_a_passing_fault_costs_one_more_request(
    server: Server, connect: Connect, ask_about: Ask, fault: str, word: str, output: str
) -> None:
    server.script.outputs = (output,)
    chat = connect(timeout=1.0 if fault == "stall" else 20.0)  # others pass on a busy machine, too
    chat.ask(ask_about(), ())
    server.script.faults = [fault]
    answer = chat.ask(ask_about(Step.BODY_PARTS), ())
    check_answer(Exchange(ask_about(Step.BODY_PARTS), answer.text), COCO_17)
    assert (answer.source.requests, answer.source.faults) == (2, (word,))
    assert answer.source.parameters["form"] == output


@pytest.mark.parametrize("fault", ["out_of_range", "all_joints", "long_sentence"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_bad_content_reaches_the_validator_unchanged(
    server: Server, connect: Connect, ask_about: Ask, fault: str, output: str
) -> None:
    server.script.outputs, server.script.always = (output,), fault
    answer = connect().ask(ask_about(Step.DISTINGUISH), ())
    exchange = Exchange(ask_about(Step.DISTINGUISH), answer.text)
    for parsed in (answer.parsed, None):
        with pytest.raises(AnswerError):
            check_answer(exchange, COCO_17, parsed=parsed)


@pytest.mark.parametrize("fault", ["refusal", "refusal_field", "filtered"])
def test_a_refusal_is_not_asked_again_and_leaves_the_chat_open(
    server: Server, connect: Connect, ask_about: Ask, fault: str
) -> None:
    server.script.always = fault
    chat = connect(breaker_failures=1)
    for _ in range(2):
        with pytest.raises(ChatError, match="refuses") as caught:
            chat.ask(ask_about(), ())
        assert (caught.value.attempts, caught.value.faults) == (1, ("refusal",))


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("unauthorized", "401: incorrect API key; the key is taken from SKELETONAGENT_API_KEY"),
        ("no_model", "404: the model does not exist"),
        ("quota", "429: you exceeded your quota"),
    ],
)
def test_what_does_not_pass_is_not_asked_again(
    server: Server, connect: Connect, ask_about: Ask, fault: str, problem: str
) -> None:
    server.script.always = fault
    with pytest.raises(ChatError, match=problem):
        connect().ask(ask_about(), ())
    assert server.stats()["requests"] == 1


def test_attempts_end_and_the_waits_double_within_their_limit(
    server: Server, connect: Connect, ask_about: Ask
) -> None:
    server.script.always, server.script.retry_after = "rate_limit", 7
    waits: list[float] = []
    with pytest.raises(ChatError) as caught:
        connect(sleep=waits.append, max_attempts=6, max_wait=20.0).ask(ask_about(), ())
    assert (caught.value.attempts, caught.value.faults) == (6, ("http 429",) * 6)
    for number, wait in enumerate(waits):
        assert max(7, 0.5 * 2**number) <= wait <= min(20, max(7, 1.5 * 2**number))
    assert len(waits) == 5


def test_a_servers_long_wait_is_cut_short(server: Server, connect: Connect, ask_about: Ask) -> None:
    server.script.faults, server.script.retry_after = ["rate_limit"], 86400
    waits: list[float] = []
    connect(sleep=waits.append, max_wait=3.0).ask(ask_about(), ())
    assert waits == [3.0]


@pytest.mark.parametrize("status", [400, 404, 422, 500, 501])
def test_a_form_the_server_cannot_do_is_given_up_at_once(
    server: Server, connect: Connect, ask_about: Ask, status: int
) -> None:
    server.script.outputs, server.script.unable = ("text",), status
    waits: list[float] = []
    chat = connect(sleep=waits.append)
    assert chat.ask(ask_about(), ()).source.faults == (f"http {status}",) * 3
    assert chat.ask(ask_about(), ()).source.requests == 1
    assert waits == []


def test_a_server_that_ignores_the_form_is_asked_in_plain_text(
    server: Server, connect: Connect, ask_about: Ask
) -> None:
    server.script.outputs, server.script.unable = ("text",), 0
    answer = connect().ask(ask_about(Step.BODY_PARTS), ())
    assert answer.source.faults == ("malformed",) * 6
    assert answer.source.parameters["form"] == "text"
    check_answer(Exchange(ask_about(Step.BODY_PARTS), answer.text), COCO_17)


def test_a_lasting_misfit_ends(server: Server, connect: Connect, ask_about: Ask) -> None:
    server.script.always = "empty"
    with pytest.raises(ChatError, match="the answer is empty") as caught:
        connect().ask(ask_about(), ())
    assert caught.value.attempts == 2 * len(OUTPUTS)


def test_a_dead_server_is_left_alone(server: Server, connect: Connect, ask_about: Ask) -> None:
    server.script.always = "reset"
    chat = connect(max_attempts=2, breaker_failures=3, breaker_seconds=3600.0)
    for _ in range(3):
        with pytest.raises(ChatError) as failed:
            chat.ask(ask_about(), ())
        assert failed.value.attempts == 2
    with pytest.raises(ChatClosedError, match="left alone") as closed:
        chat.ask(ask_about(), ())
    assert closed.value.attempts == 0
    assert server.stats()["requests"] == 6


def test_a_dead_server_that_comes_back_is_asked_again(
    server: Server, connect: Connect, ask_about: Ask
) -> None:
    server.script.faults = ["reset"]
    chat = connect(max_attempts=1, breaker_failures=1, breaker_seconds=0.0)
    with pytest.raises(ChatError):
        chat.ask(ask_about(), ())
    assert chat.ask(ask_about(), ()).text


def test_a_spent_budget_closes_the_chat(server: Server, connect: Connect, ask_about: Ask) -> None:
    chat = connect(Budget(requests=1))
    chat.ask(ask_about(), ())
    with pytest.raises(ChatClosedError, match="the budget of 1 requests is spent") as caught:
        chat.ask(ask_about(), ())
    assert caught.value.attempts == 0 and caught.value.faults == ()
    assert server.stats()["requests"] == 1


def test_a_budget_that_ends_amid_a_question_tells_what_was_sent(
    server: Server, connect: Connect, ask_about: Ask
) -> None:
    server.script.always = "rate_limit"
    with pytest.raises(ChatError, match="budget of 2 requests") as caught:
        connect(Budget(requests=2)).ask(ask_about(), ())
    assert not isinstance(caught.value, ChatClosedError)
    assert (caught.value.attempts, caught.value.faults) == (2, ("http 429",) * 2)


def test_a_budget_of_dollars_needs_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ConfigError, match="price"):
        ProviderChat(LanguageModel(model="openai:no-such-model"), Budget(dollars=1.0))
    ProviderChat(LanguageModel(model="openai:gpt-4o"), Budget(dollars=1.0))


def test_openais_own_address_may_be_a_local_servers(
    server: Server, ask_about: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    budget = Budget(dollars=1.0)
    answer = ProviderChat(LanguageModel(max_tokens=500), budget).ask(ask_about(), ())
    assert answer.source.model == "openai:gpt-4o"
    assert server.requests[-1]["max_completion_tokens"] == 500
    assert budget.spent.dollars == 0 and budget.spent.tokens > 0


def test_eight_threads_get_their_own_answers_through_faults(
    server: Server, connect: Connect, ask_about: Ask
) -> None:
    server.script.chance = 0.3
    budget = Budget()
    chat = connect(budget, max_attempts=20, breaker_failures=100)

    def asked(number: int) -> tuple[str, int]:
        step = list(Step)[number % 3]
        try:
            answer = chat.ask(ask_about(step, f"class {number}"), ())
        except ChatError as error:
            return error.faults[-1], error.attempts
        return ("Head:" if "Head:" in answer.text else "other"), answer.source.requests

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(asked, range(48)))
    for number, (kind, _) in enumerate(results):
        assert kind in ("refusal", "Head:" if number % 3 == 1 else "other")
    assert sum(sent for _, sent in results) == server.stats()["requests"] == budget.spent.requests


@pytest.mark.parametrize("fault", ["unauthorized", "server_error", "rate_limit", "truncated"])
def test_a_key_the_server_repeats_is_nowhere_to_be_found(
    server: Server,
    connect: Connect,
    ask_about: Ask,
    fault: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = "sk-planted-1234567890"
    monkeypatch.setenv("SKELETONAGENT_API_KEY", key)
    caplog.set_level(logging.DEBUG)
    server.script.echo = True
    chat = CachedChat(connect(), tmp_path / "answers.sqlite")
    server.script.faults = [fault] * 7
    with pytest.raises(ChatError) as caught:
        chat.ask(ask_about(), ())
    server.script.faults = []
    answer = chat.ask(ask_about(), ())
    shown = [str(caught.value), repr(vars(caught.value)), repr(answer), repr(chat), caplog.text]
    shown += traceback.format_exception(caught.value)
    assert key not in "".join(shown)
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert caught.value.__context__ is None and caught.value.__cause__ is None
    assert fault not in ("unauthorized", "server_error") or "Bearer ***" in str(caught.value)


def test_openais_key_is_sent_to_nobody_else(
    server: Server, connect: Connect, ask_about: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKELETONAGENT_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-1234567890")
    server.script.echo, server.script.always = True, "unauthorized"
    with pytest.raises(ChatError, match="Bearer api-key-not-set"):
        connect().ask(ask_about(), ())


@pytest.mark.parametrize("output", OUTPUTS)
def test_thoughts_are_cut_even_where_their_beginning_is_missing(
    server: Server, connect: Connect, ask_about: Ask, output: str
) -> None:
    server.script.outputs, server.script.always = (output,), "half_thoughts"
    chat, history = connect(), ()
    for step in Step:
        answer = chat.ask(ask_about(step), history)
        history = (*history, Exchange(ask_about(step), answer.text))
        check_answer(history[-1], COCO_17)
        assert set(answer.source.faults) <= {"http 400"}


@pytest.mark.parametrize("fault", ["arguments_as_object", "arguments_twice_encoded"])
def test_arguments_in_another_form_lead_to_the_next_form(
    server: Server, connect: Connect, ask_about: Ask, fault: str
) -> None:
    server.script.always = fault
    waits: list[float] = []
    chat = connect(sleep=waits.append)
    answer = chat.ask(ask_about(), ())
    assert answer.source.faults == ("malformed",) * 2
    assert answer.source.parameters["form"] == "json_schema"
    assert chat.ask(ask_about(Step.BODY_PARTS), ()).source.requests == 1
    assert waits == []


def test_what_no_file_takes_does_not_come_in(
    server: Server, connect: Connect, ask_about: Ask, tmp_path: Path
) -> None:
    server.script.always = "surrogate"
    answer = CachedChat(connect(), tmp_path / "answers.sqlite").ask(ask_about(), ())
    assert answer.text == "A hand rises \ufffd and\nsinks."
    assert (answer.source.requests, answer.source.parameters["form"]) == (7, "text")
    assert CachedChat(connect(), tmp_path / "answers.sqlite").ask(ask_about(), ()).text == (
        answer.text
    )


def test_an_endless_answer_is_none(server: Server, connect: Connect, ask_about: Ask) -> None:
    server.script.always = "endless"
    with pytest.raises(ChatError, match="more than 1,048,576 bytes") as caught:
        connect().ask(ask_about(), ())
    assert caught.value.faults == ("too long",) * 8


def test_a_server_that_hangs_is_said_to_hang(
    server: Server, connect: Connect, ask_about: Ask
) -> None:
    server.script.always = "stall"
    chat = connect(timeout=0.2, max_attempts=2, breaker_failures=2)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", RuntimeWarning)
        for _ in range(2):
            with pytest.raises(ChatError):
                chat.ask(ask_about(), ())
    found = [str(warning.message) for warning in said if warning.category is RuntimeWarning]
    assert found[0] == "model: no answer within 0.2 seconds (timeout), try 1 of 2"
    assert found[1].startswith("model: 2 questions in a row failed, the last since no answer")
    assert len(found) == 2
