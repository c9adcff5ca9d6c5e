"""Schemas of answers in typed fields, one for each step of a dialogue.

A schema has the fields of an answer and renders them as the plain text that the question's form
asks for. Values are not checked against a skeleton here: an impossible joint is kept as given.

Docstrings and descriptions are sent to language models with every request, so that a change of
their words makes cached answers unusable.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from skeletonagent.core.claims import CLAIMED_PARTS, Claim
from skeletonagent.core.dialogue import Step
from skeletonagent.core.motion_feature import MotionFeature
from skeletonagent.core.outside_text import printable_text

CLAIM_FEATURES: Mapping[str, str] = MappingProxyType(
    {
        MotionFeature.HEIGHT: "how high it is held",
        MotionFeature.REACH: "how far it is from the middle of the body",
        MotionFeature.OUTWARD: "how far it is out to its own side",
        MotionFeature.HEAD_DISTANCE: "how far it is from the head",
        MotionFeature.GAP: "how far the two of both sides are apart",
        MotionFeature.SPEED: "how fast it moves",
        MotionFeature.VERTICAL_RANGE: "how far it travels up and down",
        MotionFeature.HORIZONTAL_RANGE: "how far it travels to the sides or back and forth",
        MotionFeature.NET_RISE: "how much it rises from beginning to end",
        MotionFeature.NET_LATERAL: "how much it ends farther out to its own side",
        MotionFeature.SIGNED_AREA: "how large a circle it draws inward over the top",
        MotionFeature.SYMMETRY: "how much the two of both sides move in step",
    }
)
"""Motion features of claims, in the words of a question."""

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


class ClaimFields(BaseModel):
    """A difference that can be measured."""

    side: FieldText = Field(
        description="Side of the part: left, right or both; empty for the middle of the body, and "
        "for whichever of the two sides acts.",
        json_schema_extra={"enum": ["", "left", "right", "both"]},
    )
    part: FieldText = Field(
        description="Part of the body.", json_schema_extra={"enum": list(CLAIMED_PARTS)}
    )
    feature: FieldText = Field(
        description="What there is more or less of. "
        + " ".join(f"{name}: {meaning}." for name, meaning in CLAIM_FEATURES.items()),
        json_schema_extra={"enum": list(CLAIM_FEATURES)},
    )
    direction: FieldText = Field(
        description="more or less.", json_schema_extra={"enum": ["more", "less"]}
    )
    rival: FieldText = Field(
        description="Name of the one action it is compared with; empty for all other actions."
    )

    def line(self) -> str:
        """Return the claim as it stands in a line of claims."""
        words = (self.side, self.part, self.feature, self.direction)
        claim = " ".join(_line(word) for word in words if word.strip())
        with suppress(ValueError):  # what is no claim stays as it was given
            claim = str(Claim.parse(claim))
        rival = _line(self.rival.replace(";", " "))
        return f"{claim} than {rival}" if rival else claim


def claim_fields(claim: Claim) -> ClaimFields:
    """Return a claim as fields of an answer."""
    return ClaimFields(
        side=claim.side,
        part=claim.part,
        feature=claim.feature.value,
        direction="more" if claim.more else "less",
        rival=claim.rival,
    )


def _with_claims_required(schema: dict[str, Any]) -> None:
    """Ask for the claims in every answer, though one without them is read as well."""
    schema["properties"]["claims"].pop("default", None)
    schema["required"] = list(schema["properties"])


def _claims_line(claims: Sequence[ClaimFields]) -> str:
    """Return claims as they stand in a line, set apart by semicolons."""
    return "; ".join(filter(None, (claim.line() for claim in claims)))


class KeyFeaturesAnswer(AnswerSchema):
    """What tells the action from all others."""

    model_config = ConfigDict(json_schema_extra=_with_claims_required)

    sentence: FieldText = Field(
        description="One sentence of fewer than 50 words, body parts named without labels."
    )
    claims: list[ClaimFields] = Field(
        default=[],
        description="Up to 8 differences from all other actions that can be measured, the surest "
        "first.",
    )

    def claims_line(self) -> str:
        """Return the claims, set apart by semicolons."""
        return _claims_line(self.claims)

    def text(self) -> str:
        """Return the sentence and, with claims, a line of these."""
        line = self.claims_line()
        claims = f"\nClaims: {line}" if line else ""
        return f"{_line(self.sentence)}{claims}"


class DistinctionAnswer(AnswerSchema):
    """What sets the action apart from those it is mistaken for."""

    model_config = ConfigDict(json_schema_extra=_with_claims_required)

    joints: list[NamedJoint] = Field(description="The 2 to 8 joints, ascending by label.")
    difference: FieldText = Field(
        description="The difference in one sentence of at most 50 words, without joint labels."
    )
    claims: list[ClaimFields] = Field(
        default=[], description="Up to 8 differences that can be measured, the surest first."
    )

    def claims_line(self) -> str:
        """Return the claims, set apart by semicolons."""
        return _claims_line(self.claims)

    def text(self) -> str:
        """Return a line of joints, a line with the difference and, with claims, one of these."""
        joints = ", ".join(joint.spoken() for joint in self.joints)
        line = self.claims_line()
        claims = f"\nClaims: {line}" if line else ""
        return f"Joints: {joints}\nDifference: {_line(self.difference)}{claims}"


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
