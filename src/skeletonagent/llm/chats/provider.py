"""Chat with a language model of a provider, with retries and a circuit breaker."""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from skeletonagent.core.dialogue import Exchange, Provenance, Question
from skeletonagent.core.errors import ChatClosedError, ChatError, ConfigError
from skeletonagent.llm.answer_schemas import ANSWER_SCHEMAS, AnswerSchema
from skeletonagent.llm.budget import Budget, price
from skeletonagent.llm.chat import Answer
from skeletonagent.llm.client import LONGEST_REPLY, Connection, Output, Reply
from skeletonagent.llm.messages import to_messages
from skeletonagent.llm.refusals import declined_in
from skeletonagent.llm.retry import REFUSAL, CircuitBreaker, Fault, Remedy
from skeletonagent.llm.settings import LanguageModel, is_local

_REPEATS = 2
"""Number of tries of a form of output whose answers do not fit it."""


@dataclass
class _Attempts:
    """Requests for one question so far."""

    started: float = field(default_factory=time.monotonic)
    asked: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    faults: list[str] = field(default_factory=list)


class ProviderChat:
    """A chat with a language model; safe to ask from several threads.

    An answer is asked for in typed fields, in the form of output the model does best; where the
    server cannot do it, in the next one, down to plain text. The first form that worked is asked
    for first from then on.

    Args:
        settings: The model and the settings of requests to it.
        budget: Limits of what may be spent.
        sleep: Function that waits some seconds.

    Raises:
        ConfigError: If the model cannot be asked: it is unknown, its key is missing, or the budget
            limits dollars and its price is not known.
    """

    def __init__(
        self,
        settings: LanguageModel,
        budget: Budget | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._connection = Connection(settings)
        self._budget = budget or Budget()
        self._sleep = sleep
        self._breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_seconds)
        self._jitter = random.Random()
        self._proven: Output | None = None
        self._hangs = False
        if self._budget.dollars is not None and self._price(1, 1) is None:
            raise ConfigError(
                f"the price of {settings.model!r} is not known, so that a budget in dollars cannot "
                "be kept: limit requests or tokens instead"
            )

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._settings.model

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters of the requests besides the conversation."""
        parameters = {
            "temperature": self._settings.temperature,
            "max_tokens": self._settings.max_tokens,
            "base_url": self._settings.base_url,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the model's answer.

        Raises:
            ChatClosedError: If it was not asked: the budget is spent or the model is unavailable.
            ChatError: If it gave no answer.
        """
        attempts = _Attempts()
        if not self._breaker.admits():
            problem = "it failed too often in a row and is left alone for now"
            raise self._error(question, attempts, problem)
        try:
            answer, output = self._request_until_answered(question, history, attempts)
        except Fault as fault:
            if fault.code == REFUSAL:
                self._breaker.succeeded()
            elif self._breaker.failed():
                self._warn(
                    f"{self._settings.breaker_failures} questions in a row failed, the last since "
                    f"{fault.problem}; one is tried every {self._settings.breaker_seconds:g} s"
                )
            problem = fault.problem
        else:
            self._breaker.succeeded()
            self._hangs = False
            return replace(answer, source=self._source(attempts, output))
        raise self._error(question, attempts, problem)

    def _request_until_answered(
        self, question: Question, history: Sequence[Exchange], attempts: _Attempts
    ) -> tuple[Answer, Output]:
        """Return the answer and its form, after as many requests as the faults allow."""
        outputs = self._outputs()
        repeats = waits = 0
        while True:
            try:
                answer = self._request(question, history, attempts, outputs[0])
            except Fault as fault:
                attempts.faults.append(fault.code)
                remedy = self._remedy(fault, outputs[0])
                repeats += remedy is Remedy.REPEAT
                waits += remedy is Remedy.WAIT
                if remedy is Remedy.REFORM or repeats == _REPEATS:
                    outputs, repeats = outputs[1:], 0
                if remedy is Remedy.NONE or not outputs or waits == self._settings.max_attempts:
                    raise
                if fault.code == "timeout" and not self._hangs:
                    self._hangs = True
                    self._warn(f"{fault.problem}, try {waits} of {self._settings.max_attempts}")
                if remedy is Remedy.WAIT:
                    self._sleep(self._pause(waits, fault.wait))
            else:
                self._proven = self._proven or outputs[0]
                return answer, outputs[0]

    def _request(
        self,
        question: Question,
        history: Sequence[Exchange],
        attempts: _Attempts,
        output: Output,
    ) -> Answer:
        limit = self._budget.reserve(self.name)
        if limit:
            raise self._error(question, attempts, limit)
        attempts.requests += 1
        words = question.plain if output is Output.TEXT else question.text
        schema = ANSWER_SCHEMAS[question.step]
        reply = self._connection.send(to_messages(history, words), schema, output)
        attempts.input_tokens += reply.input_tokens
        attempts.output_tokens += reply.output_tokens
        dollars = self._price(reply.input_tokens, reply.output_tokens)
        self._budget.record(self.name, reply.input_tokens, reply.output_tokens, dollars)
        return _read(reply, schema, output)

    def _outputs(self) -> tuple[Output, ...]:
        outputs = self._connection.outputs()
        return tuple(dict.fromkeys((self._proven, *outputs))) if self._proven else outputs

    def _remedy(self, fault: Fault, output: Output) -> Remedy:
        """Return the remedy; an internal error may mean that a form is not supported."""
        unproven = output not in (Output.TEXT, self._proven)
        return Remedy.REFORM if fault.status == 500 and unproven else fault.remedy

    def _pause(self, waits: int, asked: float) -> float:
        """Return the seconds to wait, random so that threads do not repeat at the same time."""
        pause = self._settings.backoff * 2.0 ** (waits - 1) * self._jitter.uniform(0.5, 1.5)
        return min(max(pause, asked), self._settings.max_wait)

    def _warn(self, problem: str) -> None:
        warnings.warn(f"{self.name}: {problem}", RuntimeWarning, stacklevel=4)

    def _price(self, input_tokens: int, output_tokens: int) -> float | None:
        address = self._settings.base_url or self._connection.address
        if self._settings.base_url or is_local(address):
            return price(self._connection.model, input_tokens, output_tokens, address)
        return price(self.name, input_tokens, output_tokens)

    def _source(self, attempts: _Attempts, output: Output) -> Provenance:
        return Provenance(
            model=self.name,
            parameters={**self.parameters, "form": output.value},
            asked=attempts.asked,
            seconds=round(time.monotonic() - attempts.started, 3),
            input_tokens=attempts.input_tokens,
            output_tokens=attempts.output_tokens,
            requests=attempts.requests,
            faults=tuple(attempts.faults),
        )

    def _error(self, question: Question, attempts: _Attempts, problem: str) -> ChatError:
        kind = ChatError if attempts.requests else ChatClosedError
        return kind(
            self.name,
            question.action,
            question.step,
            attempts.requests,
            problem,
            tuple(attempts.faults),
        )


def _read(reply: Reply, schema: type[AnswerSchema], output: Output) -> Answer:
    """Return the answer, in its fields unless plain text was asked for.

    Raises:
        Fault: If there is none, or it does not fit its schema.
    """
    if reply.oversized:
        problem = f"the answer has more than {LONGEST_REPLY:,} characters"
        raise Fault("too long", problem, Remedy.REPEAT)
    if reply.refused or declined_in(reply.text):
        raise Fault(REFUSAL, f"it refuses to answer: {reply.text[:120]!r}", Remedy.NONE)
    if reply.cut:
        problem = "the answer was cut off at the longest length allowed; raise max_tokens"
        raise Fault("length", problem, Remedy.REPEAT)
    if not reply.text.strip():
        raise Fault("empty", "the answer is empty", Remedy.REPEAT)
    if output is Output.TEXT:
        return Answer(reply.text)
    try:
        return Answer.typed(schema.model_validate_json(_object(reply.text)))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        code = "malformed" if first["type"] == "json_invalid" else "schema"
        where = ".".join(map(str, first["loc"])) or "the answer"
        problem = f"the answer does not fit its form: {where}: {first['msg']}"
    raise Fault(code, problem, Remedy.REPEAT)


def _object(text: str) -> str:
    """Return the JSON object in a text; some models put it between fences or other text."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text
