"""One class's dialogue, and what became salient of it, as a page that stands by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from skeletonagent.agents.answers.content import answer_content
from skeletonagent.core.dialogue import Dialogue, Exchange, Provenance, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.report.skeleton_svg import skeleton_svg

TITLES = {
    Step.OVERVIEW: "The action at a glance",
    Step.BODY_PARTS: "Part by part",
    Step.CRITICAL_JOINTS: "Critical joints",
    Step.JOINT_DETAILS: "What these joints do",
    Step.KEY_FEATURES: "Key features",
    Step.DISTINGUISH: "What sets it apart",
}
"""What a step is about, for people."""


@dataclass(frozen=True)
class Salience:
    """What the recognizer was told of a class after a round.

    Args:
        round: Number of the round, 0 before training.
        joints: Salient joints, ascending; empty if all count.
        sentence: What sets the class apart.
        notes: What went wrong in the round.
    """

    round: int
    joints: tuple[int, ...]
    sentence: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Round:
    """What happened to a class in one round of the agents.

    Args:
        number: Number of the round, 0 before training.
        exchanges: What was said.
        salience: What became salient; None if that did not change.
    """

    number: int
    exchanges: tuple[Exchange, ...]
    salience: Salience | None

    @property
    def title(self) -> str:
        """What the round is called."""
        return f"Round {self.number}" if self.number else "Before training"

    @property
    def rivals(self) -> str:
        """The classes it was mistaken for, each with how often where that is known."""
        for question in (exchange.question for exchange in self.exchanges):
            counts = [f" ({count}×)" for count in question.counts]
            if question.rivals:
                named = zip_longest(question.rivals, counts, fillvalue="")
                return ", ".join(f"{rival}{count}" for rival, count in named)
        return ""


@dataclass(frozen=True)
class ClassDialogue:
    """One class's dialogue and what came of it.

    Args:
        layout: The skeleton that is spoken of.
        number: 1-based number of the class.
        classes: How many classes there are.
        dialogue: What was said.
        salience: What became salient, oldest first; only rounds that changed something.
    """

    layout: SkeletonLayout
    number: int
    classes: int
    dialogue: Dialogue
    salience: tuple[Salience, ...]

    @property
    def rounds(self) -> list[Round]:
        """What happened in each round, in order."""
        said = self.dialogue.exchanges
        numbers = {e.question.round for e in said} | {s.round for s in self.salience}
        return [
            Round(
                number,
                tuple(e for e in said if e.question.round == number),
                next((s for s in self.salience if s.round == number), None),
            )
            for number in sorted(numbers)
        ]


def joints_named(exchange: Exchange, layout: SkeletonLayout) -> tuple[int, ...]:
    """Return the joints an answer chooses; none if it chooses none or cannot be used."""
    if not exchange.usable:
        return ()
    try:
        return answer_content(exchange, layout).joints
    except AnswerError:
        return ()


def source_in_words(source: Provenance | None) -> str:
    """Return who answered, at what cost and when; empty if that is not recorded."""
    if source is None:
        return ""
    tokens = source.input_tokens + source.output_tokens
    counted = f"{source.input_tokens:,} + {source.output_tokens:,} tokens" if tokens else ""
    seconds = f"{source.seconds:.1f} s" if source.seconds else ""
    requests = f"{source.requests} requests" if source.requests > 1 else ""
    failed = f"failed before: {', '.join(source.faults)}" if source.faults else ""
    when = source.asked.replace("T", " ").removesuffix("Z")[:16]
    asked = f"{when} UTC" if when else ""
    return " · ".join(filter(None, [source.model, counted, seconds, requests, failed, asked]))


def dialogue_page(told: ClassDialogue) -> str:
    """Return the page: HTML that needs no other file, in light and dark, for screen and paper."""
    environment = Environment(
        loader=PackageLoader("skeletonagent.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("dialogue.html.jinja").render(
        told=told,
        rounds=told.rounds,
        show=lambda exchange: shown(exchange, told.layout),
        latest=told.salience[-1] if told.salience else None,
        figure=lambda joints: Markup(skeleton_svg(told.layout, joints)),
        figures=_totals(told.dialogue.exchanges),
    )


def shown(exchange: Exchange, layout: SkeletonLayout) -> dict[str, Any]:
    """Return what pages show of an exchange, as plain values."""
    return {
        "title": TITLES[exchange.question.step],
        "step": exchange.question.step.value,
        "question": exchange.question.plain,
        "answer": exchange.answer,
        "outcome": exchange.outcome.value,
        "problem": exchange.problem,
        "remarks": exchange.remarks,
        "source": source_in_words(exchange.source),
        "joints": joints_named(exchange, layout),
        "earlier": [shown(attempt, layout) for attempt in exchange.earlier],
    }


def _totals(exchanges: Sequence[Exchange]) -> list[tuple[str, str]]:
    """Return figures about a dialogue, each with its name."""
    attempts = [attempt for exchange in exchanges for attempt in exchange.attempts]
    sources = [attempt.source for attempt in attempts if attempt.source]
    tokens = sum(source.input_tokens + source.output_tokens for source in sources)
    figures = {
        "answered by": ", ".join(dict.fromkeys(source.model for source in sources)),
        "questions": str(len(exchanges)),
        "attempts": str(len(attempts)) if len(attempts) > len(exchanges) else "",
        "tokens": f"{tokens:,}" if tokens else "",
        "seconds": f"{sum(source.seconds for source in sources):.1f}" if sources else "",
    }
    return [(name, value) for name, value in figures.items() if value]
