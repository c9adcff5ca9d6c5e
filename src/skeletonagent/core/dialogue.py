"""Questions to a chat and the answers to them, as values.

A :class:`Question` is typed (action, rivals, joints, step) and also carries its rendered text,
so that a program can answer it as well as a language model. An :class:`Exchange` keeps the answer,
its outcome and its provenance, so that a dialogue alone documents what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from skeletonagent.core.claim_results import ClaimResult, results_from_json
from skeletonagent.core.claims import Claim


class Step(StrEnum):
    """The questions of a dialogue, in order: coarse to fine, then targeted (paper section 3.3)."""

    OVERVIEW = "overview"
    BODY_PARTS = "body_parts"
    CRITICAL_JOINTS = "critical_joints"
    JOINT_DETAILS = "joint_details"
    KEY_FEATURES = "key_features"
    DISTINGUISH = "distinguish"


DESCRIPTION = tuple(step for step in Step if step is not Step.DISTINGUISH)
"""The steps that describe a class by itself, asked once."""


class Outcome(StrEnum):
    """Outcome of the checks on an answer.

    ``accepted``: it passed every check. ``doubted``: its form passed every check, but the clips
    speak against some of it. ``repaired``: it failed one, but its meaning is beyond doubt.
    ``rejected``: it cannot be used. ``unanswered``: there is no answer.
    """

    ACCEPTED = "accepted"
    DOUBTED = "doubted"
    REPAIRED = "repaired"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"


@dataclass(frozen=True)
class Question:
    """One question about an action.

    Args:
        action: Name of the class.
        step: Step of the dialogue.
        joints: Joint names in index order; joint ``i`` has the label ``i + 1`` in dialogues.
        rivals: Names of the classes it is confused with, the most frequent first.
        text: Text of the question.
        form: Layout that an answer in plain text must have, in words; a language model that
            answers in typed fields does not need it.
        counts: Number of clips mistaken for each rival.
        round: Number of the agents' round; 0 before training.
    """

    action: str
    step: Step
    joints: tuple[str, ...]
    rivals: tuple[str, ...]
    text: str
    form: str = ""
    counts: tuple[int, ...] = ()
    round: int = 0

    @property
    def plain(self) -> str:
        """The question with the layout of an answer in plain text."""
        return "\n".join(filter(None, [self.text, self.form]))


@dataclass(frozen=True)
class Provenance:
    """Provenance of an answer.

    Args:
        model: Name of the model that answered, such as ``openai:gpt-4o``.
        parameters: Parameters of the request besides the text: temperature, form of the output.
        asked: Time of the question, UTC in ISO 8601.
        seconds: Seconds until the answer was received, failed attempts included.
        input_tokens: Tokens read by the model.
        output_tokens: Tokens written by the model.
        requests: Requests sent, failed ones included; 0 for an answer from the cache.
        faults: Code of each failed request before the answer.
    """

    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    asked: str = ""
    seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    faults: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the provenance as plain values, without empty ones."""
        return {k: v for k, v in asdict(self).items() if v or k == "model"}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Provenance:
        """Return the provenance whose fields are given as plain values.

        Raises:
            KeyError: If the model is missing.
            TypeError: If a field is unknown, or is not what it should be.
        """
        _field(value, "model", str)
        for key, kinds in _PROVENANCE_FIELDS.items():
            _field(value, key, kinds, getattr(cls, key, {}))
        return cls(**{**value, "faults": _texts(value, "faults")})


_PROVENANCE_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "parameters": dict,
    "asked": str,
    "seconds": (int, float),
    "input_tokens": int,
    "output_tokens": int,
    "requests": int,
}


def _field(
    value: Mapping[str, Any], key: str, kinds: type | tuple[type, ...], default: Any = None
) -> Any:
    """Return a field of a record; a default of None stands for a field that must be there.

    Raises:
        KeyError: If it is missing.
        TypeError: If it is not of one of the kinds.
    """
    found = value[key] if default is None else value.get(key, default)
    if not isinstance(found, kinds) or isinstance(found, bool):
        wanted = " or ".join(k.__name__ for k in (kinds if isinstance(kinds, tuple) else (kinds,)))
        raise TypeError(f"{key!r} must be of the type {wanted}, got {found!r:.60}")
    return found


def _texts(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of texts in a record, empty if it is missing."""
    listed = _field(value, key, (list, tuple), ())
    if not all(isinstance(text, str) for text in listed):
        raise TypeError(f"{key!r} must be a list of texts, got {listed!r:.60}")
    return tuple(listed)


@dataclass(frozen=True)
class AnswerContent:
    """Content of an answer, checked against the skeleton.

    Args:
        joints: Joints that are named, 0-based and ascending; empty if the step asks for none.
        sentence: The sentence; empty if the step asks for none.
        parts: Text of each body part; empty if the step asks for none.
        claims: Claims that can be measured; KEY_FEATURES and DISTINGUISH ask for them.
        left_out: Remarks on parts of the answer that were left out.
    """

    joints: tuple[int, ...] = ()
    sentence: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exchange:
    """A question and the answer to it.

    Args:
        question: The question.
        answer: Text of the answer, after a repair if there was one; empty without an answer.
        outcome: Outcome of the checks.
        problem: Why it was repaired, rejected or not given; empty for an accepted one.
        source: Provenance of the answer, where it is recorded.
        earlier: The attempts that this one replaces, oldest first.
        remarks: Evidence of the clips against the answer.
        caveats: What the one who answered says against the own answer.
        claim_results: What the clips say of the claims of the answer.
        content: Content of the answer, if it was read already. It follows from question and
            answer, so it is neither compared nor written to files.
    """

    question: Question
    answer: str
    outcome: Outcome = Outcome.ACCEPTED
    problem: str = ""
    source: Provenance | None = None
    earlier: tuple[Exchange, ...] = ()
    remarks: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    claim_results: tuple[ClaimResult, ...] = ()
    content: AnswerContent | None = field(default=None, compare=False, repr=False)

    def read(self, parse: Callable[[], AnswerContent]) -> AnswerContent:
        """Return the content, by ``parse`` if it was not read before, and keep it."""
        content = self.content or parse()
        object.__setattr__(self, "content", content)
        return content

    def with_answer(self, text: str) -> Exchange:
        """Return the exchange with another answer, whose content is yet to be read."""
        return replace(self, answer=text, content=None)

    def with_remarks(self, remarks: tuple[str, ...]) -> Exchange:
        """Return the exchange with the clips' evidence against it; it is doubted if there is some.

        A repaired answer stays a repaired one.
        """
        outcome = self.outcome
        if outcome in (Outcome.ACCEPTED, Outcome.DOUBTED):
            outcome = Outcome.DOUBTED if remarks else Outcome.ACCEPTED
        return replace(self, remarks=remarks, outcome=outcome)

    @property
    def usable(self) -> bool:
        """Whether guidance may be drawn from the answer."""
        return self.outcome in (Outcome.ACCEPTED, Outcome.DOUBTED, Outcome.REPAIRED)

    @property
    def attempts(self) -> tuple[Exchange, ...]:
        """All attempts, this one last."""
        return (*self.earlier, self)

    def to_json(self) -> dict[str, Any]:
        """Return the exchange as plain values, without empty ones; joints are not repeated."""
        question = self.question
        value = {
            "step": question.step.value,
            "round": question.round,
            "rivals": list(question.rivals),
            "counts": list(question.counts),
            "question": question.text,
            "form": question.form,
            "answer": self.answer,
            "outcome": self.outcome.value,
            "problem": self.problem,
            "remarks": list(self.remarks),
            "caveats": list(self.caveats),
            "claim_results": [result.to_json() for result in self.claim_results],
            "source": self.source.to_json() if self.source else None,
            "earlier": [attempt.to_json() for attempt in self.earlier],
        }
        always = ("step", "round", "question", "answer", "outcome")
        return {key: item for key, item in value.items() if item or key in always}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], action: str, joints: Sequence[str]) -> Exchange:
        """Return the exchange of :meth:`to_json`, about ``action`` on a skeleton with ``joints``.

        Raises:
            KeyError: If a field is missing.
            TypeError: If a field is not what it should be.
            ValueError: If a step or an outcome is unknown.
        """
        earlier = _field(value, "earlier", list, [])
        return cls(
            question=Question(
                action=action,
                step=Step(value["step"]),
                joints=tuple(joints),
                rivals=_texts(value, "rivals"),
                text=_field(value, "question", str),
                form=_field(value, "form", str, ""),
                counts=tuple(map(int, _field(value, "counts", list, []))),
                round=_field(value, "round", int),
            ),
            answer=_field(value, "answer", str),
            outcome=Outcome(value["outcome"]),
            problem=_field(value, "problem", str, ""),
            source=Provenance.from_json(value["source"]) if value.get("source") else None,
            earlier=tuple(cls.from_json(item, action, joints) for item in earlier),
            remarks=_texts(value, "remarks"),
            caveats=_texts(value, "caveats"),
            claim_results=results_from_json(_field(value, "claim_results", list, [])),
        )


@dataclass(frozen=True)
class Dialogue:
    """All exchanges about one class, oldest first.

    Args:
        action: Name of the class.
        exchanges: The steps of the description once each, unless one had to be asked again in a
            later round; then any number of targeted questions.
    """

    action: str
    exchanges: tuple[Exchange, ...] = ()

    def answer(self, step: Step) -> str | None:
        """Return the latest usable answer of a step, or None if there is none."""
        exchange = self.latest(step)
        return exchange.answer if exchange else None

    def latest(self, step: Step) -> Exchange | None:
        """Return the latest exchange of a step whose answer is usable."""
        return next(
            (e for e in reversed(self.exchanges) if e.question.step is step and e.usable), None
        )

    def before(self, step: Step) -> Dialogue:
        """Return the dialogue as it was before ``step`` was first asked."""
        steps = [exchange.question.step for exchange in self.exchanges]
        return replace(
            self, exchanges=self.exchanges[: steps.index(step)] if step in steps else self.exchanges
        )

    def with_exchange(self, exchange: Exchange) -> Dialogue:
        """Return the dialogue, one exchange longer."""
        return replace(self, exchanges=(*self.exchanges, exchange))

    def to_json(self) -> dict[str, Any]:
        """Return the dialogue as plain values; joint names are not repeated."""
        return {"action": self.action, "exchanges": [e.to_json() for e in self.exchanges]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], joints: Sequence[str]) -> Dialogue:
        """Return the dialogue of :meth:`to_json`, of a skeleton with ``joints``."""
        action = str(value["action"])
        return cls(
            action=action,
            exchanges=tuple(
                Exchange.from_json(item, action, joints) for item in value["exchanges"]
            ),
        )
