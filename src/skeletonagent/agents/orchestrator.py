"""The orchestrator of the agents: from confusions to the guidance of the next round."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from skeletonagent.agents.evidence.reviewer import Reviewer
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.agents.task_pool import run_tasks
from skeletonagent.core.confusion import Confusions, similar_classes
from skeletonagent.core.dialogue import Dialogue, Outcome, Step
from skeletonagent.core.guidance import ClassGuidance, Guidance

ProgressCallback = Callable[[int, int], None]
"""A function that is called with the number of classes done and the number of classes."""


def _ignore_progress(done: int, total: int) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class ConfusedClasses:
    """Classes that a class is mistaken for.

    Args:
        names: Their names, the most frequent first.
        counts: Number of clips mistaken for each, in the same order.
    """

    names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class GuidanceOrchestrator:
    """Run the Questioner, the Selector and the Reviewer for every class (paper section 3.2).

    Both methods are functions of their arguments and the chat alone, so a resumed training asks
    what an uninterrupted one would have asked. Neither raises for anything a chat does.

    Args:
        questioner: Agent that asks about a class.
        selector: Agent that takes joints and a sentence from the answers.
        reviewer: Agent that checks them against the clips.
        class_names: Names of the classes in label order.
        max_rivals: Largest number of rivals a class is compared with, the paper's top-k.
        padded_rivals: Whether a class always has so many, as in the released code: filled up with
            classes never confused, and with the class itself.
        rival_share: Smallest share of a class's clips that must be mistaken for a rival.
        workers: Number of classes that are asked about at the same time.
        seconds: Time limit of a round; a class without an answer by then keeps its guidance.
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

    def start(
        self, progress: ProgressCallback = _ignore_progress, begun: Dialogue | None = None
    ) -> Guidance:
        """Return the guidance before training: every class described by itself.

        Args:
            progress: Called as classes are done.
            begun: Dialogue about the first class, if one has begun.
        """
        empty = tuple(self.selector.select(Dialogue(name), None, ()) for name in self.class_names)
        if begun is not None:
            empty = (replace(empty[0], dialogue=begun), *empty[1:])
        guidance = Guidance(self.selector.layout, empty)
        due = dict.fromkeys(range(len(empty)), ConfusedClasses())
        return with_shared_notes(self._revise_classes(guidance, due, progress))

    def refresh(self, confusions: Confusions, guidance: Guidance) -> Guidance:
        """Return the guidance of the next round (paper eq. 3).

        Where the chat fails, a class keeps its guidance, with a note, and is asked about again
        next time.
        """
        start = time.monotonic()
        following = replace(guidance, round=guidance.round + 1)
        revised = self._revise_classes(following, self.due(confusions, guidance))
        left = None if self.seconds is None else self.seconds - (time.monotonic() - start)
        return with_shared_notes(self._separate_identical(revised, left))

    def due(self, confusions: Confusions, guidance: Guidance) -> dict[int, ConfusedClasses]:
        """Return the classes to ask about, by label, and their rivals.

        These are the classes whose rivals are not those of their latest question, and those whose
        description lacks an answer that may still be given.
        """
        return {
            label: rivals if _changed(rivals, current) else ConfusedClasses()
            for label, (rivals, current) in enumerate(
                zip(self._rivals(confusions, guidance), guidance.classes, strict=True)
            )
            if _changed(rivals, current) or self.questioner.undescribed(current.dialogue)
        }

    def _revise_classes(
        self,
        guidance: Guidance,
        due: Mapping[int, ConfusedClasses],
        progress: ProgressCallback = _ignore_progress,
    ) -> Guidance:
        """Return the guidance after asking about the classes that are due."""

        def task(label: int, rivals: ConfusedClasses) -> Callable[[], ClassGuidance]:
            return lambda: self._revise(guidance.classes[label], rivals, guidance.round)

        tasks = {label: task(label, rivals) for label, rivals in due.items()}
        revised = run_tasks(tasks, self.workers, self.seconds, progress)
        late = "no answer within the round's time; the guidance so far stays"
        return replace(
            guidance,
            classes=tuple(
                revised.get(label, replace(current, notes=(late,)) if label in due else current)
                for label, current in enumerate(guidance.classes)
            ),
        )

    def _revise(
        self, current: ClassGuidance, rivals: ConfusedClasses, round_number: int
    ) -> ClassGuidance:
        dialogue = self.questioner.describe(current.dialogue, round_number)
        dialogue = self.questioner.distinguish(dialogue, rivals.names, rivals.counts, round_number)
        answered = dialogue.exchanges[-1].outcome is not Outcome.UNANSWERED
        names = rivals.names if rivals.names and answered else current.rivals
        chosen = self.selector.select(dialogue, current, names)
        # The joints are those of the latest targeted answer, or of the description before it.
        targeted = any(e.question.step is Step.DISTINGUISH for e in dialogue.exchanges)
        step = Step.DISTINGUISH if targeted else Step.JOINT_DETAILS
        latest = dialogue.latest(step)
        if latest and latest.question.round == round_number:
            objection = self.reviewer.objection(chosen)
            if objection:
                dialogue = self.questioner.reconsider(dialogue, step, objection)
                chosen = self.selector.select(dialogue, current, names)
        return self.reviewer.amended(chosen, step)

    def _separate_identical(self, guidance: Guidance, seconds: float | None) -> Guidance:
        """Ask once more where two classes that are mutual rivals were given the same joints.

        Of such a pair, which L_con cannot tell apart, the one asked about in this round is asked
        again, of two the second.
        """
        again: dict[int, int] = {}
        for pair in identical_sets(guidance):
            recent = [label for label in pair if _was_asked(guidance, label)]
            if recent and not set(pair) & set(again):
                again[recent[-1]] = next(label for label in pair if label != recent[-1])

        def task(label: int, rival: int) -> Callable[[], ClassGuidance]:
            return lambda: self._separate(guidance.classes[label], guidance.classes[rival])

        tasks = {label: task(label, rival) for label, rival in again.items()}
        revised = run_tasks(tasks, self.workers, seconds)
        return replace(
            guidance,
            classes=tuple(
                revised.get(label, current) for label, current in enumerate(guidance.classes)
            ),
        )

    def _separate(self, current: ClassGuidance, rival: ClassGuidance) -> ClassGuidance:
        joints = ", ".join(self.selector.layout.label(joint) for joint in current.joints)
        reason = (
            f'For "{rival.action}", with which it is confused, the very same joints were chosen '
            f"({joints}), so they tell nothing. Choose joints that differ between the two."
        )
        dialogue = self.questioner.reconsider(current.dialogue, Step.DISTINGUISH, reason)
        chosen = self.selector.select(dialogue, current, current.rivals)
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
        rivals = []
        sets = similar_classes(counts, self.max_rivals, padded=self.padded_rivals)
        for label, similar in enumerate(sets):
            current = guidance.classes[label]
            mistakes: dict[str, int] = {}
            for rival in similar:
                name, count = self.class_names[rival], table[label][rival]
                share = self.rival_share / (2 if name in current.rivals else 1)
                real = name != current.action and count >= share * clips[label]
                if real or self.padded_rivals:
                    mistakes[name] = mistakes.get(name, 0) + count
            rivals.append(ConfusedClasses(tuple(mistakes), tuple(mistakes.values())))
        return rivals


def identical_sets(guidance: Guidance) -> tuple[tuple[int, int], ...]:
    """Return the pairs of classes that are rivals of each other and have the same joints.

    L_con scores a class by its joints alone, so it cannot tell the two classes of a pair apart.
    """
    labels = defaultdict(list)
    for label, one in enumerate(guidance.classes):
        labels[one.action].append(label)
    pairs = {
        (first, second)
        for first, one in enumerate(guidance.classes)
        for rival in one.rivals
        for second in labels[rival]
        if first < second
    }
    classes = guidance.classes
    return tuple(
        (first, second)
        for first, second in sorted(pairs)
        if classes[first].joints
        and classes[first].joints == classes[second].joints
        and classes[first].action in classes[second].rivals
    )


_SHARED = "its repaired sentence is also that of"


def with_shared_notes(guidance: Guidance) -> Guidance:
    """Return the guidance with notes on classes whose sentence a repair made that of others."""
    others = {
        label: [guidance.classes[other].action for other in labels if other != label]
        for labels in guidance.identical_sentences
        for label in labels
        if _is_repaired(guidance.classes[label])
    }
    return replace(
        guidance,
        classes=tuple(
            replace(current, notes=_shared_notes(current, others.get(label, ())))
            for label, current in enumerate(guidance.classes)
        ),
    )


def _shared_notes(current: ClassGuidance, others: Sequence[str]) -> tuple[str, ...]:
    kept = tuple(note for note in current.notes if not note.startswith(_SHARED))
    if not others:
        return kept
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return (*kept, f"{_SHARED} {', '.join(map(repr, others[:3]))}{more}")


def _is_repaired(current: ClassGuidance) -> bool:
    """Return whether the sentence of a class is not the one that was answered."""
    given = map(current.dialogue.latest, (Step.DISTINGUISH, Step.KEY_FEATURES))
    latest = next(filter(None, given), None)
    return latest is not None and latest.outcome is Outcome.REPAIRED


def _was_asked(guidance: Guidance, label: int) -> bool:
    """Return whether a class has a usable targeted answer of this round."""
    exchanges = guidance.classes[label].dialogue.exchanges
    return bool(exchanges) and (
        exchanges[-1].question.step is Step.DISTINGUISH
        and exchanges[-1].question.round == guidance.round
        and exchanges[-1].usable
    )


def _changed(rivals: ConfusedClasses, current: ClassGuidance) -> bool:
    return bool(rivals.names) and set(rivals.names) != set(current.rivals)
