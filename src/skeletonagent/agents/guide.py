"""The guide: from confusions to the guidance of the next round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.core.confusion import Confusions, similar_classes
from skeletonagent.core.dialogue import Dialogue
from skeletonagent.core.errors import ChatError
from skeletonagent.core.guidance import ClassGuidance, Guidance


@dataclass(frozen=True)
class Guide:
    """Let the Questioner and the Selector work on every class (paper section 3.2).

    Both methods are functions of their arguments and the chat alone, so a resumed training asks
    what an uninterrupted one would have asked.

    Args:
        questioner: Asks.
        selector: Draws joints and sentences out of the answers.
        class_names: Names in label order.
        max_rivals: Largest number of rivals a class is compared with, the paper's top-k.
    """

    questioner: Questioner
    selector: Selector
    class_names: tuple[str, ...]
    max_rivals: int = 10

    def start(self) -> Guidance:
        """Return the guidance before training: every class described by itself."""
        classes = tuple(self._describe(name) for name in self.class_names)
        return Guidance(self.selector.layout, classes)

    def refresh(self, confusions: Confusions, guidance: Guidance) -> Guidance:
        """Return the guidance of the next round (paper eq. 3).

        Only classes that are mistaken for other classes than at their latest question are asked
        about. Where the chat fails, the class keeps its guidance, with a note, and is asked about
        again next time.
        """
        similar = similar_classes(confusions.counts, self.max_rivals)
        classes = tuple(
            self._revise(known, self._rivals(known.action, labels))
            for known, labels in zip(guidance.classes, similar, strict=True)
        )
        return replace(guidance, classes=classes, round=guidance.round + 1)

    def _describe(self, action: str) -> ClassGuidance:
        try:
            return self.selector.select(self.questioner.describe(action), None, ())
        except ChatError as error:
            unknown = self.selector.select(Dialogue(action), None, ())
            return replace(unknown, notes=(str(error), *unknown.notes))

    def _revise(self, known: ClassGuidance, rivals: tuple[str, ...]) -> ClassGuidance:
        if not rivals or set(rivals) == set(known.rivals):
            return known
        try:
            # A class the chat failed on so far has nothing a targeted question could build on.
            dialogue = (
                known.dialogue
                if known.dialogue.exchanges
                else self.questioner.describe(known.action)
            )
            return self.selector.select(
                self.questioner.distinguish(dialogue, rivals), known, rivals
            )
        except ChatError as error:
            return replace(known, notes=(f"{error}; the guidance so far stays",))

    def _rivals(self, action: str, labels: Sequence[int]) -> tuple[str, ...]:
        """Return the rivals' names; data sets exist that give two classes the same name."""
        names = dict.fromkeys(self.class_names[label] for label in labels)
        return tuple(name for name in names if name != action)
