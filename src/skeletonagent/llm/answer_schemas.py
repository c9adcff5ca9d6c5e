"""Schemas of answers in typed fields, one for each step of a dialogue.

A schema has the fields of an answer and renders them as the plain text that the question's form
asks for. Values are not checked against a skeleton here: an impossible joint is kept as given.

Docstrings and descriptions are sent to language models with every request, so that a change of
their words makes cached answers unusable.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

from pydantic import BaseModel, Field

from skeletonagent.core.dialogue import Step


class AnswerSchema(BaseModel, ABC):
    """Fields of an answer."""

    @abstractmethod
    def text(self) -> str:
        """Return the answer in plain text."""


class OverviewAnswer(AnswerSchema):
    """The movement of the whole body, in short."""

    sentence: str = Field(description="One plain sentence about the movement from start to end.")

    def text(self) -> str:
        """Return the sentence."""
        return _line(self.sentence)


class BodyPartsAnswer(AnswerSchema):
    """What each part of the body does."""

    head: str = Field(description="What the head does, or that it keeps still.")
    hand: str = Field(description="What the hands do, or that they keep still.")
    arm: str = Field(description="What the arms do, or that they keep still.")
    hip: str = Field(description="What the hips do, or that they keep still.")
    leg: str = Field(description="What the legs do, or that they keep still.")
    foot: str = Field(description="What the feet do, or that they keep still.")

    def text(self) -> str:
        """Return a line per part."""
        return "\n".join(
            f"{name.capitalize()}: {_line(text)}" for name, text in self.model_dump().items()
        )


class CriticalJointsAnswer(AnswerSchema):
    """The joints that the action cannot be recognised without."""

    joints: list[int] = Field(description="Numbers of the joints' labels, ascending.")

    def text(self) -> str:
        """Return the labels' numbers on one line."""
        return ", ".join(map(str, self.joints))


class NamedJoint(BaseModel):
    """A joint by label and name."""

    label: int = Field(description="Number of the joint's label.")
    name: str = Field(description="Name of the joint as in the list, without the number.")

    def spoken(self) -> str:
        """Return the joint as ``label-name``."""
        return f"{self.label}-{_line(self.name).removeprefix(f'{self.label}-')}"


class DescribedJoint(NamedJoint):
    """A joint and what it does."""

    text: str = Field(description="What the joint does during the action.")


class JointDetailsAnswer(AnswerSchema):
    """What the most decisive joints do."""

    joints: list[DescribedJoint] = Field(description="The joints, ascending by label.")

    def text(self) -> str:
        """Return a line per joint."""
        return "\n".join(f"{joint.spoken()}: {_line(joint.text)}" for joint in self.joints)


class KeyFeaturesAnswer(AnswerSchema):
    """What tells the action from all others."""

    sentence: str = Field(
        description="One sentence of fewer than 50 words, body parts named without labels."
    )

    def text(self) -> str:
        """Return the sentence."""
        return _line(self.sentence)


class DistinctionAnswer(AnswerSchema):
    """What sets the action apart from those it is mistaken for."""

    joints: list[NamedJoint] = Field(description="The 2 to 8 joints, ascending by label.")
    difference: str = Field(
        description="The difference in one sentence of at most 50 words, without joint labels."
    )

    def text(self) -> str:
        """Return a line of joints and a line with the difference."""
        joints = ", ".join(joint.spoken() for joint in self.joints)
        return f"Joints: {joints}\nDifference: {_line(self.difference)}"


ANSWER_SCHEMAS: Mapping[Step, type[AnswerSchema]] = MappingProxyType(
    {
        Step.OVERVIEW: OverviewAnswer,
        Step.BODY_PARTS: BodyPartsAnswer,
        Step.CRITICAL_JOINTS: CriticalJointsAnswer,
        Step.JOINT_DETAILS: JointDetailsAnswer,
        Step.KEY_FEATURES: KeyFeaturesAnswer,
        Step.DISTINGUISH: DistinctionAnswer,
    }
)
"""Schema of each step's answer."""


def _line(text: str) -> str:
    return " ".join(text.split())
