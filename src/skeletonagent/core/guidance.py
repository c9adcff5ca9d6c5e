"""Guidance that the agents give the recognizer.

For each class: salient joints (the paper's matrix K) and one distinguishing sentence, with the
dialogue both were taken from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jaxtyping import Bool

from skeletonagent.core.claim_results import (
    ClaimResult,
    claim_to_json,
    claims_from_json,
    results_from_json,
)
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import Dialogue
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.streams import Stream

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ClassGuidance:
    """Guidance for one class.

    Args:
        action: Name of the class.
        joints: Salient joints, ascending; empty means that all count.
        sentence: Sentence that sets the class apart.
        rivals: Classes the latest question was about, most confused first.
        dialogue: Dialogue that joints and sentence were taken from.
        notes: Problems of the latest round, with what was done instead.
        claims: Claims of the latest targeted answer, and those of the description against all
            other classes, that clips do not contradict.
        claim_results: What the training clips say of all its claims; empty if they were not asked.

    A dialogue about no action, such as the default, becomes one about this class.
    """

    action: str
    joints: tuple[int, ...]
    sentence: str
    rivals: tuple[str, ...] = ()
    dialogue: Dialogue = field(default_factory=lambda: Dialogue(action=""))
    notes: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    claim_results: tuple[ClaimResult, ...] = ()

    def __post_init__(self) -> None:
        """Name the action of the dialogue."""
        if not self.dialogue.action:
            object.__setattr__(self, "dialogue", replace(self.dialogue, action=self.action))


@dataclass(frozen=True)
class Guidance:
    """Guidance for all classes at one time of training.

    Args:
        layout: Skeleton whose joints are meant.
        classes: Guidance of each class, in label order.
        round: Number of rounds of the agents so far; 0 before training.
    """

    layout: SkeletonLayout
    classes: tuple[ClassGuidance, ...]
    round: int = 0

    @property
    def sentences(self) -> tuple[str, ...]:
        """Distinguishing sentence of each class."""
        return tuple(guidance.sentence for guidance in self.classes)

    @property
    def identical_sentences(self) -> tuple[tuple[int, ...], ...]:
        """Groups of classes, by label, that have one sentence, which tells them apart from none."""
        groups: dict[str, list[int]] = {}
        for label, sentence in enumerate(self.sentences):
            groups.setdefault(" ".join(sentence.casefold().split()), []).append(label)
        return tuple(tuple(labels) for labels in groups.values() if len(labels) > 1)

    def salient(self, stream: Stream = Stream.JOINT) -> Bool[Tensor, "y v"]:
        """Return K as a mask: which joints, or bones by their outer end, are salient.

        In the bone streams a bone is salient if either of its ends is. A class without joints
        counts all of them, so that its constraint constrains nothing.
        Source: paper section 3.4; the bones' rule is the released code's, spec 3.2.
        """
        import torch

        mask = torch.zeros(len(self.classes), self.layout.num_joints, dtype=torch.bool)
        for row, guidance in zip(mask, self.classes, strict=True):
            row[list(guidance.joints) or slice(None)] = True
        ends = {Stream.BONE: self.layout.parents, Stream.KBONE: self.layout.grandparents}.get(
            stream.base
        )
        return mask if ends is None else mask | mask[:, list(ends)]

    def to_json(self) -> dict[str, Any]:
        """Return the guidance, dialogues included, as plain values."""
        value = self.to_json_without_dialogues()
        for item, guidance in zip(value["classes"], self.classes, strict=True):
            item["dialogue"] = guidance.dialogue.to_json()
        return value

    def to_json_without_dialogues(self) -> dict[str, Any]:
        """Return round, joints, sentences, rivals, notes and claims as plain values."""
        return {
            "round": self.round,
            "classes": [
                {
                    "action": guidance.action,
                    "joints": [self.layout.label(joint) for joint in guidance.joints],
                    "sentence": guidance.sentence,
                    "rivals": list(guidance.rivals),
                    "notes": list(guidance.notes),
                    "claims": list(map(claim_to_json, guidance.claims)),
                    "claim_results": [result.to_json() for result in guidance.claim_results],
                }
                for guidance in self.classes
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], layout: SkeletonLayout) -> Guidance:
        """Return the guidance of :meth:`to_json`, for a skeleton of ``layout``.

        A class whose dialogue is left out has one without exchanges, and one of an earlier version
        has no claims.
        """
        return cls(
            layout=layout,
            round=int(value["round"]),
            classes=tuple(
                ClassGuidance(
                    action=item["action"],
                    joints=tuple(int(label.split("-", 1)[0]) - 1 for label in item["joints"]),
                    sentence=item["sentence"],
                    rivals=tuple(item["rivals"]),
                    notes=tuple(item["notes"]),
                    claims=claims_from_json(item.get("claims", ())),
                    claim_results=results_from_json(item.get("claim_results", ())),
                    dialogue=Dialogue.from_json(
                        item.get("dialogue", {"action": item["action"], "exchanges": ()}),
                        layout.joints,
                    ),
                )
                for item in value["classes"]
            ),
        )
