"""The Selector: salient joints and one sentence per class, taken from dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skeletonagent.agents.answers.checks import MAX_WORDS, check_sentence
from skeletonagent.agents.answers.content import answer_content
from skeletonagent.core.claim_results import ClaimResult
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import AnswerContent, Dialogue, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.guidance import ClassGuidance
from skeletonagent.core.layout import SkeletonLayout


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
        distinction = self._content(dialogue, Step.DISTINGUISH, notes)
        claims: tuple[Claim, ...] = ()
        results: tuple[ClaimResult, ...] = ()
        if distinction is not None:
            joints, sentence, claims = distinction.joints, distinction.sentence, distinction.claims
        elif notes and last is not None and last.joints:
            joints, sentence = last.joints, last.sentence
            claims, results = last.claims, last.claim_results
            notes.append("the joints and the sentence of the round before stay")
        else:
            joints = self._described_joints(dialogue, last, notes)
            sentence = self._described_sentence(dialogue, last, notes)
        described = self._content(dialogue, Step.KEY_FEATURES, [])
        if described is not None:
            claims = tuple(dict.fromkeys((*claims, *described.claims)))
        return ClassGuidance(
            dialogue.action,
            joints,
            sentence,
            tuple(rivals),
            dialogue,
            tuple(notes),
            claims,
            results,
        )

    def _described_joints(
        self, dialogue: Dialogue, last: ClassGuidance | None, notes: list[str]
    ) -> tuple[int, ...]:
        for step in (Step.JOINT_DETAILS, Step.CRITICAL_JOINTS):
            content = self._content(dialogue, step, notes)
            if content is not None:
                return content.joints
        if last is not None and last.joints:
            notes.append("no joints are described usably; the last stay")
            return last.joints
        notes.append("no joints are described usably; all of them count")
        return ()

    def _described_sentence(
        self, dialogue: Dialogue, last: ClassGuidance | None, notes: list[str]
    ) -> str:
        for step in (Step.KEY_FEATURES, Step.OVERVIEW):
            content = self._content(dialogue, step, notes)
            if content is not None:
                return content.sentence
        if last is not None:
            notes.append("no summary is usable; the last sentence stays")
            return last.sentence
        notes.append("no summary is usable; the sentence only names the action")
        return default_sentence(dialogue.action)

    def _content(self, dialogue: Dialogue, step: Step, notes: list[str]) -> AnswerContent | None:
        """Return the content of a step's answer; None, with a note, if the latest is unusable.

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
            content = answer_content(chosen, self.layout)
            notes += (*chosen.caveats, *content.left_out)
            if step is Step.OVERVIEW:  # it may be longer, as long as it reaches no text encoder
                check_sentence(chosen, content.sentence, self.layout, MAX_WORDS)
            return content
        except AnswerError as error:
            notes.append(str(error))
            return None


def default_sentence(action: str) -> str:
    """Return a sentence for a class that only has a name."""
    return f"A person performs the action {' '.join(action.replace('_', ' ').split())}."
