"""What is said between the agents and a language model, as values.

A :class:`Question` is typed (action, rivals, joints, step) and also carries its rendered text,
so that a program can answer it as well as a language model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Question:
    """One question about an action.

    Args:
        action: Name of the class.
        step: Which question of the dialogue.
        joints: Joint names in index order; agents speak of joint ``i`` as label ``i + 1``.
        rivals: Names of the classes it is confused with, worst first.
        text: The question in words.
    """

    action: str
    step: Step
    joints: tuple[str, ...]
    rivals: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Exchange:
    """A question and the answer it got."""

    question: Question
    answer: str


@dataclass(frozen=True)
class Dialogue:
    """All that was said about one class, oldest first.

    Args:
        action: Name of the class.
        exchanges: At most one per step, except that targeted rounds may follow each other.
    """

    action: str
    exchanges: tuple[Exchange, ...] = ()

    def answer(self, step: Step) -> str | None:
        """Return the latest answer of a step, or None if it was not asked."""
        return next((e.answer for e in reversed(self.exchanges) if e.question.step is step), None)

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
        return {
            "action": self.action,
            "exchanges": [
                {
                    "step": exchange.question.step.value,
                    "rivals": list(exchange.question.rivals),
                    "question": exchange.question.text,
                    "answer": exchange.answer,
                }
                for exchange in self.exchanges
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], joints: Sequence[str]) -> Dialogue:
        """Return the dialogue of :meth:`to_json`, of a skeleton with ``joints``."""
        action = str(value["action"])
        return cls(
            action=action,
            exchanges=tuple(
                Exchange(
                    Question(
                        action=action,
                        step=Step(item["step"]),
                        joints=tuple(joints),
                        rivals=tuple(item["rivals"]),
                        text=item["question"],
                    ),
                    item["answer"],
                )
                for item in value["exchanges"]
            ),
        )
