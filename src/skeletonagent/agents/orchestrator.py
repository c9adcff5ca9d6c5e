"""The guide: from confusions to the guidance of the next round."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from skeletonagent.agents.evidence.reviewer import Reviewer, identical_sets
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.agents.task_pool import run_tasks
from skeletonagent.core.confusion import Confusions, similar_classes
from skeletonagent.core.dialogue import Dialogue, Outcome, Step
from skeletonagent.core.guidance import ClassGuidance, Guidance

ProgressCallback = Callable[[int, int], None]
"""Told how many of how many classes were talked about."""


def _ignore_progress(done: int, of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class ConfusedClasses:
    """The classes a class is mistaken for.

    Args:
        names: Worst first.
        counts: How often, in the same order.
    """

    names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class GuidanceOrchestrator:
    """Let the Questioner and the Selector work on every class (paper section 3.2).

    Both methods are functions of their arguments and the chat alone, so a resumed training asks
    what an uninterrupted one would have asked. Neither raises for anything a chat does.

    Args:
        questioner: Asks.
        selector: Draws joints and sentences out of the answers.
        reviewer: Holds them against the clips.
        class_names: Names in label order.
        max_rivals: Largest number of rivals a class is compared with, the paper's top-k.
        padded_rivals: Whether a class always has so many, as in the released code: filled up with
            classes never confused, and with the class itself.
        rival_share: Smallest share of a class's clips that are mistaken for a rival.
        workers: How many classes are talked about at once.
        seconds: Limit of a round; a class without an answer by then keeps its guidance.
    """

    questioner: Questioner
    selector: Selector
    reviewer: Reviewer
    class_names: tuple[str, ...]
    max_rivals: int = 10
    padded_rivals: bool = False
    rival_share: float = 0.0
    workers: int = 1
    seconds: float | None = None

    def start(self, progress: ProgressCallback = _ignore_progress) -> Guidance:
        """Return the guidance before training: every class described by itself."""
        nothing = tuple(self.selector.select(Dialogue(name), None, ()) for name in self.class_names)
        guidance = Guidance(self.selector.layout, nothing)
        return self._talked(
            guidance, dict.fromkeys(range(len(nothing)), ConfusedClasses()), progress
        )

    def refresh(self, confusions: Confusions, guidance: Guidance) -> Guidance:
        """Return the guidance of the next round (paper eq. 3).

        Where the chat fails, a class keeps its guidance, with a note, and is asked about again
        next time.
        """
        began = time.monotonic()
        following = replace(guidance, round=guidance.round + 1)
        talked = self._talked(following, self.due(confusions, guidance))
        left = None if self.seconds is None else self.seconds - (time.monotonic() - began)
        return self._told_apart(talked, left)

    def due(self, confusions: Confusions, guidance: Guidance) -> dict[int, ConfusedClasses]:
        """Return the classes to ask about, by label, and their rivals.

        These are the classes that are mistaken for others than at their latest question, and
        those whose description lacks something that may yet be had.
        """
        return {
            label: rivals if _changed(rivals, known) else ConfusedClasses()
            for label, (rivals, known) in enumerate(
                zip(self._rivals(confusions, guidance), guidance.classes, strict=True)
            )
            if _changed(rivals, known) or self.questioner.undescribed(known.dialogue)
        }

    def _talked(
        self,
        guidance: Guidance,
        due: Mapping[int, ConfusedClasses],
        progress: ProgressCallback = _ignore_progress,
    ) -> Guidance:
        """Return the guidance after talking about the classes that are due."""

        def task(label: int, rivals: ConfusedClasses) -> Callable[[], ClassGuidance]:
            return lambda: self._revise(guidance.classes[label], rivals, guidance.round)

        tasks = {label: task(label, rivals) for label, rivals in due.items()}
        revised = run_tasks(tasks, self.workers, self.seconds, progress)
        late = "no answer within the round's time; the guidance so far stays"
        return replace(
            guidance,
            classes=tuple(
                revised.get(label, replace(known, notes=(late,)) if label in due else known)
                for label, known in enumerate(guidance.classes)
            ),
        )

    def _revise(
        self, known: ClassGuidance, rivals: ConfusedClasses, round_number: int
    ) -> ClassGuidance:
        dialogue = self.questioner.describe(known.dialogue, round_number)
        dialogue = self.questioner.distinguish(dialogue, rivals.names, rivals.counts, round_number)
        answered = dialogue.exchanges[-1].outcome is not Outcome.UNANSWERED
        names = rivals.names if rivals.names and answered else known.rivals
        chosen = self.selector.select(dialogue, known, names)
        # The joints are those of the latest targeted answer, or of the description before it.
        targeted = any(e.question.step is Step.DISTINGUISH for e in dialogue.exchanges)
        step = Step.DISTINGUISH if targeted else Step.JOINT_DETAILS
        told = dialogue.latest(step)
        if told and told.question.round == round_number:
            objection = self.reviewer.objection(chosen)
            if objection:
                dialogue = self.questioner.reconsider(dialogue, step, objection)
                chosen = self.selector.select(dialogue, known, names)
        return self.reviewer.amended(chosen, step)

    def _told_apart(self, guidance: Guidance, seconds: float | None) -> Guidance:
        """Ask once more where two classes that are mutual rivals were given the same joints.

        Of such a pair, which L_con cannot tell apart, the one asked about in this round is asked
        again, of two the second.
        """
        again: dict[int, int] = {}
        for pair in identical_sets(guidance):
            fresh = [label for label in pair if self._fresh(guidance, label)]
            if fresh and not set(pair) & set(again):
                again[fresh[-1]] = next(label for label in pair if label != fresh[-1])

        def task(label: int, rival: int) -> Callable[[], ClassGuidance]:
            return lambda: self._separate(guidance.classes[label], guidance.classes[rival])

        tasks = {label: task(label, rival) for label, rival in again.items()}
        revised = run_tasks(tasks, self.workers, seconds)
        return replace(
            guidance,
            classes=tuple(
                revised.get(label, known) for label, known in enumerate(guidance.classes)
            ),
        )

    def _fresh(self, guidance: Guidance, label: int) -> bool:
        told = guidance.classes[label].dialogue.exchanges
        return bool(told) and (
            told[-1].question.step is Step.DISTINGUISH
            and told[-1].question.round == guidance.round
            and told[-1].usable
        )

    def _separate(self, known: ClassGuidance, rival: ClassGuidance) -> ClassGuidance:
        joints = ", ".join(self.selector.layout.label(joint) for joint in known.joints)
        reason = (
            f'For "{rival.action}", with which it is confused, the very same joints were chosen '
            f"({joints}), so they tell nothing. Choose joints that differ between the two."
        )
        dialogue = self.questioner.reconsider(known.dialogue, Step.DISTINGUISH, reason)
        chosen = self.selector.select(dialogue, known, known.rivals)
        amended = self.reviewer.amended(chosen, Step.DISTINGUISH)
        if amended.joints == rival.joints:
            note = f"it has the same joints as its rival {rival.action!r}"
            return replace(amended, notes=(*amended.notes, note))
        return amended

    def _rivals(self, confusions: Confusions, guidance: Guidance) -> list[ConfusedClasses]:
        """Return each class's rivals; data sets exist that give two classes the same name.

        A rival stays one until half the share it takes to become one, so that a count that
        wavers around the threshold does not bring up the same question over and over.
        """
        counts = confusions.counts.detach().cpu().clone()
        clips = counts.sum(dim=1).tolist()
        table = counts.fill_diagonal_(0).tolist()
        found = []
        sets = similar_classes(counts, self.max_rivals, padded=self.padded_rivals)
        for label, similar in enumerate(sets):
            known = guidance.classes[label]
            mistakes: dict[str, int] = {}
            for rival in similar:
                name, count = self.class_names[rival], table[label][rival]
                share = self.rival_share / (2 if name in known.rivals else 1)
                real = name != known.action and count >= share * clips[label]
                if real or self.padded_rivals:
                    mistakes[name] = mistakes.get(name, 0) + count
            found.append(ConfusedClasses(tuple(mistakes), tuple(mistakes.values())))
        return found


def _changed(rivals: ConfusedClasses, known: ClassGuidance) -> bool:
    return bool(rivals.names) and set(rivals.names) != set(known.rivals)
