"""What is said between the agents and a language model, as values.

A :class:`Question` is typed (action, rivals, joints, step) and also carries its rendered text,
so that a program can answer it as well as a language model. An :class:`Exchange` keeps what was
answered, what came of it and how the answer came about, so that a dialogue alone tells its story.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any


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
    """What became of an answer.

    ``accepted``: it passed every check. ``repaired``: it failed one, but what was meant is beyond
    doubt. ``rejected``: it cannot be used. ``unanswered``: nobody answered.
    """

    ACCEPTED = "accepted"
    REPAIRED = "repaired"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"


@dataclass(frozen=True)
class Question:
    """One question about an action.

    Args:
        action: Name of the class.
        step: Which question of the dialogue.
        joints: Joint names in index order; agents speak of joint ``i`` as label ``i + 1``.
        rivals: Names of the classes it is confused with, worst first.
        text: What is asked, in words.
        form: How an answer in plain text is to be laid out, in words; a language model that
            answers in typed fields needs no such rule.
        counts: How often it was mistaken for each rival.
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
        """The question as it is put to somebody who answers in plain text."""
        return "\n".join(filter(None, [self.text, self.form]))


@dataclass(frozen=True)
class Provenance:
    """How an answer came about.

    Args:
        model: Who answered, such as ``openai:gpt-4o``.
        parameters: What the model was told besides the words: temperature, form of the output.
        asked: When, as UTC in ISO 8601.
        seconds: Until the answer was there, failed attempts included.
        input_tokens: Tokens read by the model.
        output_tokens: Tokens written by the model.
        requests: Requests sent, failed ones included; 0 for an answer known already.
        faults: What went wrong before, one entry a failed request.
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
        """Return the source as plain values, without what is empty."""
        return {k: v for k, v in asdict(self).items() if v or k == "model"}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Provenance:
        """Return the source of its fields as plain values."""
        return cls(**{**value, "faults": tuple(value.get("faults", ()))})


@dataclass(frozen=True)
class Exchange:
    """A question and the answer it got.

    Args:
        question: What was asked.
        answer: The words that count; of a repaired answer, the repaired ones. Empty if nobody
            answered.
        outcome: What became of the answer.
        problem: Why it was repaired, rejected or not given; empty for an accepted one.
        source: How it came about, where that is recorded.
        earlier: The attempts this one takes the place of, oldest first.
        remarks: What the evidence says against the answer's claims.
    """

    question: Question
    answer: str
    outcome: Outcome = Outcome.ACCEPTED
    problem: str = ""
    source: Provenance | None = None
    earlier: tuple[Exchange, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether guidance may be drawn from the answer."""
        return self.outcome in (Outcome.ACCEPTED, Outcome.REPAIRED)

    @property
    def attempts(self) -> tuple[Exchange, ...]:
        """All attempts, this one last."""
        return (*self.earlier, self)

    def to_json(self) -> dict[str, Any]:
        """Return the exchange as plain values, without what is empty; joints are not repeated."""
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
            ValueError: If a step or an outcome is unknown.
        """
        return cls(
            question=Question(
                action=action,
                step=Step(value["step"]),
                joints=tuple(joints),
                rivals=tuple(value.get("rivals", ())),
                text=value["question"],
                form=value.get("form", ""),
                counts=tuple(value.get("counts", ())),
                round=int(value["round"]),
            ),
            answer=value["answer"],
            outcome=Outcome(value["outcome"]),
            problem=value.get("problem", ""),
            source=Provenance.from_json(value["source"]) if value.get("source") else None,
            earlier=tuple(cls.from_json(item, action, joints) for item in value.get("earlier", ())),
            remarks=tuple(value.get("remarks", ())),
        )


@dataclass(frozen=True)
class Dialogue:
    """All that was said about one class, oldest first.

    Args:
        action: Name of the class.
        exchanges: The description's steps once each, unless one had to be asked again in a later
            round; then any number of targeted rounds.
    """

    action: str
    exchanges: tuple[Exchange, ...] = ()

    def answer(self, step: Step) -> str | None:
        """Return the latest usable answer of a step, or None if there is none."""
        told = self.latest(step)
        return told.answer if told else None

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
