"""Text of the questions, for any skeleton layout.

Every question is a task and, apart from it, the form of an answer in plain text: a language model
that answers in typed fields gets their schema instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skeletonagent.core.claim_results import MAX_CLAIMS
from skeletonagent.core.claims import CLAIMED_PARTS
from skeletonagent.core.dialogue import Exchange, Question, Step
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.llm.answer_schemas import CLAIM_FEATURES

PROMPT_VERSION = "3"
"""Version of the wording, recorded in a run's summary; it changes whenever a wording does."""

BODY_PARTS = ("Head", "Hand", "Arm", "Hip", "Leg", "Foot")
"""Body parts that are described one by one, in the order of the answer's lines."""

Words = tuple[str, str]
"""A task, and the form of its answer in plain text."""


def question(
    step: Step,
    action: str,
    layout: SkeletonLayout,
    rivals: Sequence[str] = (),
    *,
    counts: Sequence[int] = (),
    round_number: int = 0,
    before: Sequence[Exchange] = (),
) -> Question:
    """Return the question of a step, with its text (paper section 3.3).

    Args:
        step: Step of the dialogue.
        action: Name of the class.
        layout: The skeleton of the joints.
        rivals: Names of the classes it is confused with, the most frequent first; only DISTINGUISH
            uses them.
        counts: Number of clips mistaken for each of them.
        round_number: Number of the agents' round.
        before: Targeted exchanges too old to be sent in full; the question summarises them.
    """
    text, form = _WORDINGS[step](action, layout, tuple(rivals))
    if before:
        summaries = "\n".join(map(_summary, before))
        text = f"{text}\nEarlier comparisons came to this, oldest first:\n{summaries}"
    return Question(
        action=action,
        step=step,
        joints=layout.joints,
        rivals=tuple(rivals),
        text=text,
        form=form,
        counts=tuple(counts),
        round=round_number,
    )


def _summary(exchange: Exchange) -> str:
    rivals = ", ".join(exchange.question.rivals)
    return f"- against {rivals}: {' '.join(exchange.answer.split())}"


def _labels(layout: SkeletonLayout) -> str:
    return ", ".join(layout.label(joint) for joint in range(layout.num_joints))


def _overview(action: str, layout: SkeletonLayout, rivals: tuple[str, ...]) -> Words:
    task = (
        f'Picture a person performing the action "{action}". Summarise in one plain sentence how '
        "the body moves from start to end."
    )
    return task, "Give the sentence alone, on one line, with no preface."


def _body_parts(action: str, layout: SkeletonLayout, rivals: tuple[str, ...]) -> Words:
    task = (
        f'Go through the body and say what each part does during "{action}": its path, direction, '
        "pace and extent, or that it keeps still."
    )
    lines = "\n".join(f"{part}: text." for part in BODY_PARTS)
    return task, f"Answer with these six lines in this order and nothing else:\n{lines}"


def _critical_joints(action: str, layout: SkeletonLayout, rivals: tuple[str, ...]) -> Words:
    task = (
        f"Motion capture records {layout.num_joints} joints, written label-name: "
        f'{_labels(layout)}.\nWithout which of them could nobody recognise "{action}"? Choose '
        "sparingly; never choose nearly all. If either side of the body may act, choose the joints "
        "of both."
    )
    form = (
        "Answer with the labels' numbers only, ascending, separated by a comma and a space, on one "
        "line."
    )
    return task, form


def _joint_details(action: str, layout: SkeletonLayout, rivals: tuple[str, ...]) -> Words:
    task = (
        "Of the joints you chose, keep the 4 to 8 most decisive ones and say what each does during "
        f'"{action}".'
    )
    form = (
        'Answer one line per joint, ascending, in the form "label-name: text.", for example '
        f'"{layout.label(layout.num_joints - 1)}: text.". Add no other line.'
    )
    return task, form


def _key_features(action: str, layout: SkeletonLayout, rivals: tuple[str, ...]) -> Words:
    task = (
        "Condense everything so far into one sentence of fewer than 50 words that tells "
        f'"{action}" from any other action by its movement. Name body parts in words, without '
        "joint labels."
    )
    form = (
        "Answer exactly two lines:\nthe sentence alone\n"
        f"{_claims_form('both feet speed less')}, than in all other actions."
    )
    return task, form


def _claims_form(last: str) -> str:
    """Return what a line of claims looks like, with an example that ends in ``last``."""
    features = ", ".join(f"{name} ({meaning})" for name, meaning in CLAIM_FEATURES.items())
    return (
        f"Claims: up to {MAX_CLAIMS} differences that can be measured, separated by semicolons, "
        f"as in right hand height more; {last}\n"
        f"Each claim is a part of the body ({', '.join(CLAIMED_PARTS)}; with left, right or both "
        f"where it has sides), a feature ({features}), more or less"
    )


def _distinguish(action: str, layout: SkeletonLayout, rivals: tuple[str, ...]) -> Words:
    listed = "\n".join(f"{rank}. {name}" for rank, name in enumerate(rivals, start=1))
    task = (
        f'A recogniser that sees only the joints at present mistakes "{action}" for the actions '
        f"below, the most frequent mistake first:\n{listed}\nThe joints are: {_labels(layout)}.\n"
        f'Find the 2 to 8 joints whose motion or position sets "{action}" apart from these '
        "actions, and say what the difference is, in one sentence of at most 50 words without "
        "joint labels. If you were asked before, keep what still holds and correct what does not."
    )
    first, last = layout.label(0), layout.label(layout.num_joints - 1)
    form = (
        "Answer exactly three lines:\n"
        f"Joints: labels and names, ascending, separated by a comma and a space, as in {first}, "
        f"{last}\nDifference: the sentence\n"
        f"{_claims_form('both feet speed less than NAME')}, and, if it is about one of the actions "
        "alone, than and its name."
    )
    return task, form


_WORDINGS: dict[Step, Callable[[str, SkeletonLayout, tuple[str, ...]], Words]] = {
    Step.OVERVIEW: _overview,
    Step.BODY_PARTS: _body_parts,
    Step.CRITICAL_JOINTS: _critical_joints,
    Step.JOINT_DETAILS: _joint_details,
    Step.KEY_FEATURES: _key_features,
    Step.DISTINGUISH: _distinguish,
}
