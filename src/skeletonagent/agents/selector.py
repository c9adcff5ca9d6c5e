"""The Selector: draw salient joints and one sentence per class out of what was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from skeletonagent.agents.answers import parsers
from skeletonagent.core.dialogue import Dialogue, Exchange, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.guidance import ClassGuidance
from skeletonagent.core.layout import SkeletonLayout

T = TypeVar("T")


@dataclass(frozen=True)
class Selector:
    """Turn dialogues into constraints and semantics (paper section 3.4).

    Args:
        layout: The skeleton whose joints are meant.
    """

    layout: SkeletonLayout

    def select(
        self, dialogue: Dialogue, last: ClassGuidance | None, rivals: Sequence[str]
    ) -> ClassGuidance:
        """Return the guidance a dialogue gives; a bad answer never raises, it leaves a note.

        The latest targeted answer decides, joints included, so that K follows the training. Before
        there is one, the description does. What is unusable is taken from ``last``, or else left
        unconstrained.

        Args:
            dialogue: What was said about the class.
            last: The guidance so far, if any.
            rivals: Names of the classes the latest answered question was about, worst first.
        """
        notes: list[str] = []
        distinction = self._read(dialogue, Step.DISTINGUISH, parsers.parse_distinction, notes)
        if distinction is not None:
            joints, sentence = distinction.joints, distinction.sentence
        elif notes and last is not None and last.joints:
            joints, sentence = last.joints, last.sentence
            notes.append("the joints and the sentence of the round before stay")
        else:
            joints = self._described_joints(dialogue, last, notes)
            sentence = self._described_sentence(dialogue, last, notes)
        return ClassGuidance(
            dialogue.action, joints, sentence, tuple(rivals), dialogue, tuple(notes)
        )

    def _described_joints(
        self, dialogue: Dialogue, last: ClassGuidance | None, notes: list[str]
    ) -> tuple[int, ...]:
        for step, parse in (
            (Step.JOINT_DETAILS, parsers.parse_joint_details),
            (Step.CRITICAL_JOINTS, parsers.parse_critical_joints),
        ):
            joints = self._read(dialogue, step, parse, notes)
            if joints is not None:
                return joints
        if last is not None and last.joints:
            notes.append("no joints are described usably; the last stay")
            return last.joints
        notes.append("no joints are described usably; all of them count")
        return ()

    def _described_sentence(
        self, dialogue: Dialogue, last: ClassGuidance | None, notes: list[str]
    ) -> str:
        for step in (Step.KEY_FEATURES, Step.OVERVIEW):
            sentence = self._read(dialogue, step, parsers.parse_sentence, notes)
            if sentence is not None:
                return sentence
        if last is not None:
            notes.append("no summary is usable; the last sentence stays")
            return last.sentence
        notes.append("no summary is usable; the sentence only names the action")
        return default_sentence(dialogue.action)

    def _read(
        self,
        dialogue: Dialogue,
        step: Step,
        parse: Callable[[Exchange, SkeletonLayout], T],
        notes: list[str],
    ) -> T | None:
        """Return what a step's answer says; None, with a note, if the latest is unusable.

        A description stays true, so an earlier usable answer serves as well as the latest; a
        targeted one is about the rivals of its time.
        """
        asked = [exchange for exchange in dialogue.exchanges if exchange.question.step is step]
        if not asked:
            return None
        chosen = asked[-1] if step is Step.DISTINGUISH else dialogue.latest(step) or asked[-1]
        if not chosen.usable:
            notes.append(f"unusable answer ({step}): {chosen.problem}")
            return None
        try:
            return parse(chosen, self.layout)
        except AnswerError as error:
            notes.append(str(error))
            return None


def default_sentence(action: str) -> str:
    """Return a sentence for a class of which only the name is known."""
    return f"A person performs the action {' '.join(action.replace('_', ' ').split())}."
