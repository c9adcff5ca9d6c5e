"""Estimated cost of the agents' questions to a language model, before any is sent.

The real agents talk to a stand-in, whose answers are as long as a language model's, and the tokens
of each request are counted as it would be sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, cycle, islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.agents.evidence.reviewer import Reviewer
from skeletonagent.agents.orchestrator import GuidanceOrchestrator
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.dialogue import Exchange, Question, Step
from skeletonagent.core.errors import DataError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.npz_files import read_npz
from skeletonagent.llm.answer_schemas import ANSWER_SCHEMAS, AnswerSchema
from skeletonagent.llm.chat import ScriptedChat
from skeletonagent.llm.messages import to_messages

CHARACTERS_A_TOKEN = 4
"""Characters of English text per token, roughly; tokenizers differ by about a fifth."""
RELEASED_RIVALS = 10
"""Number of classes that a question of the released code names. Source: spec 2.3."""
TYPICAL_LENGTHS = {
    Step.OVERVIEW: 233,
    Step.BODY_PARTS: 47,
    Step.JOINT_DETAILS: 47,
    Step.KEY_FEATURES: 217,
    Step.DISTINGUISH: 217,
}
"""Typical length of a sentence in an answer, in characters.

Source: GPT-4o's recorded answers about NTU RGB+D 60; a targeted answer, of which none is published,
is assumed to be as long as a summary.
"""
_GROUPS = 3
"""Pairs of joints, or joints in the middle, in an answer: 4 to 6 joints on most skeletons."""


@dataclass(frozen=True)
class EstimatedUsage:
    """Estimated usage of a language model.

    Args:
        questions: Number of questions, each one request if nothing goes wrong.
        input_tokens: Tokens read by the model, the conversation before each question included.
        output_tokens: Tokens written by the model.
    """

    questions: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: EstimatedUsage) -> EstimatedUsage:
        return EstimatedUsage(
            self.questions + other.questions,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )

    def __mul__(self, times: int) -> EstimatedUsage:
        return EstimatedUsage(
            self.questions * times, self.input_tokens * times, self.output_tokens * times
        )


@dataclass
class DryRun:
    """Dry run of a training's agents, with a stand-in for the language model.

    Args:
        class_names: Names of the classes in label order.
        layout: The skeleton of the joints.
        max_rivals: Largest number of rivals that a question names.
        rival_share: Smallest share of a class's clips that must be mistaken for a rival.
        padded_rivals: Whether a question always names so many rivals, confused or not.
    """

    class_names: tuple[str, ...]
    layout: SkeletonLayout
    max_rivals: int = 10
    rival_share: float = 0.0
    padded_rivals: bool = False
    _usage: EstimatedUsage = field(default_factory=EstimatedUsage, init=False)

    def description(self) -> EstimatedUsage:
        """Return the usage of describing every class."""
        return self._describe_classes()[1]

    def rounds(self, trace: Iterable[Int[Tensor, "y y"]]) -> list[EstimatedUsage]:
        """Return the usage of each round for given confusions.

        Args:
            trace: Confusion counts of the epoch before each round.
        """
        orchestrator, guidance = self._orchestrator(), self._describe_classes()[0]
        usages = []
        for counts in trace:
            before, self._usage = self._usage, EstimatedUsage()
            guidance = orchestrator.refresh(Confusions(counts), guidance)
            usages.append(self._usage)
            self._usage += before
        return usages

    def rounds_at_most(self, number: int) -> list[EstimatedUsage]:
        """Return the usage of each round if the rivals of every class change every time."""
        trace = _changing_confusions(len(self.class_names), self.max_rivals, number)
        return replace(self, rival_share=0.0).rounds(trace)

    def released_round(self) -> EstimatedUsage:
        """Return the usage of a round of the released code, with the questions of this package.

        It asks about every class, names ten others, and sends no earlier round.
        """
        orchestrator, (guidance, _) = self._orchestrator(), self._describe_classes()
        self._usage = EstimatedUsage()
        for label, described in enumerate(guidance.classes):
            others = (*self.class_names[label + 1 :], *self.class_names[:label])
            orchestrator.questioner.distinguish(described.dialogue, others[:RELEASED_RIVALS])
        return self._usage

    def _describe_classes(self) -> tuple[Guidance, EstimatedUsage]:
        self._usage = EstimatedUsage()
        return self._orchestrator().start(), self._usage

    def _orchestrator(self) -> GuidanceOrchestrator:
        chat = ScriptedChat(self._answer, name="stand-in")
        return GuidanceOrchestrator(
            questioner=Questioner(chat, self.layout),
            selector=Selector(self.layout),
            reviewer=Reviewer(self.layout),
            class_names=self.class_names,
            max_rivals=self.max_rivals,
            rival_share=self.rival_share,
            padded_rivals=self.padded_rivals,
        )

    def _answer(self, question: Question, history: Sequence[Exchange]) -> AnswerSchema:
        schema = ANSWER_SCHEMAS[question.step]
        sent = [message.text for message in to_messages(history, question.text)]
        sent.append(json.dumps(schema.model_json_schema()))
        joints = _joints(self.class_names.index(question.action), self.layout)
        answer = schema.model_validate(_fields(question.step, joints, self.layout))
        self._usage += EstimatedUsage(1, _tokens("".join(sent)), _tokens(answer.model_dump_json()))
        return answer


def read_trace(path: Path) -> Int[Tensor, "r y y"]:
    """Return the confusion counts of a training's rounds, from ``counts`` in an npz file.

    Raises:
        DataError: If there are none.
    """
    counts = read_npz(path, ["counts"]).get("counts")
    if counts is None:
        raise DataError("holds no array 'counts' of a trace", path=path)
    square = counts.ndim == 3 and counts.shape[1] == counts.shape[2]
    if not square or not np.issubdtype(counts.dtype, np.integer) or (counts < 0).any():
        raise DataError(
            "the counts of a trace must be whole numbers of the shape (rounds, classes, classes), "
            f"got {counts.dtype} of the shape {counts.shape}",
            path=path,
        )
    return torch.from_numpy(counts.astype(np.int64))


def _changing_confusions(classes: int, rivals: int, rounds: int) -> Iterator[Int[Tensor, "y y"]]:
    """Yield counts by which the rivals of every class change each time, if they can change."""
    others = classes - 1
    for number in range(rounds):
        # Where all others are rivals, leaving one out every other time is all that can change.
        chosen = min(rivals, others - number % 2)
        counts = torch.zeros(classes, classes, dtype=torch.long)
        for label in range(classes):
            for rank in range(chosen):
                counts[label, (label + 1 + (number + rank) % others) % classes] = rivals - rank
        yield counts


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_A_TOKEN)


def _joints(label: int, layout: SkeletonLayout) -> list[int]:
    """Return joints on both sides of the body, different ones for each class where possible."""
    groups = sorted({tuple(sorted({v, layout.mirror[v]})) for v in range(layout.num_joints)})
    sets = combinations(groups, min(_GROUPS, (len(groups) + 1) // 2))
    return sorted(joint for group in next(islice(cycle(sets), label, None)) for joint in group)


def _fields(step: Step, joints: Sequence[int], layout: SkeletonLayout) -> dict[str, object]:
    """Return an answer of typical length."""
    if step is Step.CRITICAL_JOINTS:
        return {"joints": [joint + 1 for joint in joints]}
    text = _sentence(TYPICAL_LENGTHS[step])
    named = [{"label": joint + 1, "name": layout.joints[joint]} for joint in joints]
    if step is Step.DISTINGUISH:
        return {"joints": named, "difference": text}
    if step is Step.JOINT_DETAILS:
        return {"joints": [{**joint, "text": text} for joint in named]}
    if step is Step.BODY_PARTS:
        return dict.fromkeys(ANSWER_SCHEMAS[step].model_fields, text)
    return {"sentence": text}


def _sentence(length: int) -> str:
    words = "It rises slowly to the front and then sinks back to the side "
    return f"{(words * (1 + length // len(words)))[: length - 1].rstrip()}."
