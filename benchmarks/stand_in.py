"""Who answers in place of a language model: well-formed, after a stated time, without any sense."""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from skeletonagent.agents.prompts import BODY_PARTS
from skeletonagent.core.dialogue import Exchange, Question, Step

SYLLABLES = (
    "an",
    "ba",
    "de",
    "el",
    "fi",
    "go",
    "hu",
    "in",
    "ka",
    "le",
    "mi",
    "no",
    "or",
    "pu",
    "ush",
)
NAMED = 5
"""Joints that an answer names."""


@dataclass
class StandIn:
    """Answer any question in its form, with words drawn by chance that the question decides.

    Args:
        latency: Seconds until an answer is there.
        words: Of each sentence.
        number: Questions so far.
    """

    latency: float = 0.0
    words: int = 8
    number: int = 0

    def __call__(self, question: Question, history: Sequence[Exchange]) -> str:
        """Return an answer that depends on the question alone."""
        self.number += 1
        time.sleep(self.latency)
        about = "".join((question.action, *question.rivals))
        first = zlib.crc32(about.encode()) % (len(question.joints) - NAMED + 1)
        joints = range(first, first + NAMED)
        draw = random.Random(f"{question.step} {about}")
        labels = [f"{joint + 1}-{question.joints[joint]}" for joint in joints]
        match question.step:
            case Step.BODY_PARTS:
                return "\n".join(f"{part}: {self._sentence(draw)}" for part in BODY_PARTS)
            case Step.CRITICAL_JOINTS:
                return ", ".join(str(joint + 1) for joint in joints)
            case Step.JOINT_DETAILS:
                return "\n".join(f"{label}: {self._sentence(draw)}" for label in labels)
            case Step.DISTINGUISH:
                return f"Joints: {', '.join(labels)}\nDifference: {self._sentence(draw)}"
        return self._sentence(draw)

    def _sentence(self, draw: random.Random) -> str:
        words = ("".join(draw.choices(SYLLABLES, k=draw.randint(1, 3))) for _ in range(self.words))
        return f"{' '.join(words).capitalize()}."
