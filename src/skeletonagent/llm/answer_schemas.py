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
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from skeletonagent.core.dialogue import Step
from skeletonagent.core.outside_text import printable_text

LONGEST_FIELD = 5_000
"""Longest text of a field, in characters, several times the longest that can be used."""


def _cleaned(text: str) -> str:
    return printable_text(text, LONGEST_FIELD)


FieldText = Annotated[str, AfterValidator(_cleaned)]
"""Text of a field, cleaned when it is read; its schema is that of any text."""


class AnswerSchema(BaseModel, ABC):
    """Fields of an answer."""

    @abstractmethod
    def text(self) -> str:
        """Return the answer in plain text."""


class OverviewAnswer(AnswerSchema):
    """The movement of the whole body, in short."""

    sentence: FieldText = Field(
        description="One plain sentence about the movement from start to end."
    )

    def text(self) -> str:
        """Return the sentence."""
        return _line(self.sentence)


class BodyPartsAnswer(AnswerSchema):
    """What each part of the body does."""

    head: FieldText = Field(description="What the head does, or that it keeps still.")
    hand: FieldText = Field(description="What the hands do, or that they keep still.")
    arm: FieldText = Field(description="What the arms do, or that they keep still.")
    hip: FieldText = Field(description="What the hips do, or that they keep still.")
    leg: FieldText = Field(description="What the legs do, or that they keep still.")
    foot: FieldText = Field(description="What the feet do, or that they keep still.")

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
    name: FieldText = Field(description="Name of the joint as in the list, without the number.")

    def spoken(self) -> str:
        """Return the joint as ``label-name``."""
        return f"{self.label}-{_line(self.name).removeprefix(f'{self.label}-')}"


class DescribedJoint(NamedJoint):
    """A joint and what it does."""

    text: FieldText = Field(description="What the joint does during the action.")


class JointDetailsAnswer(AnswerSchema):
    """What the most decisive joints do."""

    joints: list[DescribedJoint] = Field(description="The joints, ascending by label.")

    def text(self) -> str:
        """Return a line per joint."""
        return "\n".join(f"{joint.spoken()}: {_line(joint.text)}" for joint in self.joints)


class KeyFeaturesAnswer(AnswerSchema):
    """What tells the action from all others."""

    sentence: FieldText = Field(
        description="One sentence of fewer than 50 words, body parts named without labels."
    )

    def text(self) -> str:
        """Return the sentence."""
        return _line(self.sentence)


class DistinctionAnswer(AnswerSchema):
    """What sets the action apart from those it is mistaken for."""

    joints: list[NamedJoint] = Field(description="The 2 to 8 joints, ascending by label.")
    difference: FieldText = Field(
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
