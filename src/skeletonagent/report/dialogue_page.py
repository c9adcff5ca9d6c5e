"""Dialogue about one class and its salient joints, as a page that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from skeletonagent.agents.answers.content import answer_content
from skeletonagent.agents.claim_counts import untested_claims
from skeletonagent.core.claim_results import claim_line
from skeletonagent.core.dialogue import Dialogue, Exchange, Provenance, Step
from skeletonagent.core.errors import AnswerError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.report.skeleton_svg import skeleton_svg

STEP_TITLES = {
    Step.OVERVIEW: "The action at a glance",
    Step.BODY_PARTS: "Part by part",
    Step.CRITICAL_JOINTS: "Critical joints",
    Step.JOINT_DETAILS: "What these joints do",
    Step.KEY_FEATURES: "Key features",
    Step.DISTINGUISH: "What sets it apart",
}
"""Titles of the steps."""


@dataclass(frozen=True)
class Salience:
    """Guidance for a class after a round.

    Args:
        round: Number of the round, 0 before training.
        joints: Salient joints, ascending; empty if all count.
        sentence: Distinguishing sentence.
        notes: Problems in the round.
    """

    round: int
    joints: tuple[int, ...]
    sentence: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Round:
    """One round of the agents for a class.

    Args:
        number: Number of the round, 0 before training.
        exchanges: Questions and answers.
        salience: New guidance; None if it did not change.
    """

    number: int
    exchanges: tuple[Exchange, ...]
    salience: Salience | None

    @property
    def title(self) -> str:
        """Title of the round."""
        return f"Round {self.number}" if self.number else "Before training"

    @property
    def rivals(self) -> str:
        """Classes it was mistaken for, each with its count if that is recorded."""
        for question in (exchange.question for exchange in self.exchanges):
            counts = [f" ({count}×)" for count in question.counts]
            if question.rivals:
                pairs = zip_longest(question.rivals, counts, fillvalue="")
                return ", ".join(f"{rival}{count}" for rival, count in pairs)
        return ""


@dataclass(frozen=True)
class ClassDialogue:
    """Dialogue about one class and the guidance it led to.

    Args:
        layout: Skeleton of the joints.
        number: 1-based number of the class.
        classes: Number of classes.
        dialogue: Questions and answers.
        salience: Guidance of each round that changed it, oldest first.
    """

    layout: SkeletonLayout
    number: int
    classes: int
    dialogue: Dialogue
    salience: tuple[Salience, ...]

    @property
    def rounds(self) -> list[Round]:
        """Rounds in order."""
        exchanges = self.dialogue.exchanges
        numbers = {e.question.round for e in exchanges} | {s.round for s in self.salience}
        return [
            Round(
                number,
                tuple(e for e in exchanges if e.question.round == number),
                next((s for s in self.salience if s.round == number), None),
            )
            for number in sorted(numbers)
        ]


def named_joints(exchange: Exchange, layout: SkeletonLayout) -> tuple[int, ...]:
    """Return the joints an answer chooses; none if it chooses none or cannot be used."""
    if not exchange.usable:
        return ()
    try:
        return answer_content(exchange, layout).joints
    except AnswerError:
        return ()


def describe_provenance(source: Provenance | None) -> str:
    """Return model, tokens and time of an answer in words; empty if they are not recorded."""
    if source is None:
        return ""
    tokens = source.input_tokens + source.output_tokens
    spent = f"{source.input_tokens:,} + {source.output_tokens:,} tokens" if tokens else ""
    seconds = f"{source.seconds:.1f} s" if source.seconds else ""
    requests = f"{source.requests} requests" if source.requests > 1 else ""
    failed = f"failed before: {', '.join(source.faults)}" if source.faults else ""
    when = source.asked.replace("T", " ").removesuffix("Z")[:16]
    asked = f"{when} UTC" if when else ""
    return " · ".join(filter(None, [source.model, spent, seconds, requests, failed, asked]))


def dialogue_page(about: ClassDialogue) -> str:
    """Return the page: HTML that needs no other file, in light and dark, for screen and paper."""
    environment = Environment(
        loader=PackageLoader("skeletonagent.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("dialogue.html.jinja").render(
        about=about,
        rounds=about.rounds,
        show=lambda exchange: exchange_to_json(exchange, about.layout),
        latest=about.salience[-1] if about.salience else None,
        figure=lambda joints: Markup(skeleton_svg(about.layout, joints)),
        figures=_totals(about.dialogue.exchanges),
    )


def exchange_to_json(exchange: Exchange, layout: SkeletonLayout) -> dict[str, Any]:
    """Return an exchange as plain values for a page."""
    return {
        "title": STEP_TITLES[exchange.question.step],
        "step": exchange.question.step.value,
        "question": exchange.question.plain,
        "answer": exchange.answer,
        "outcome": exchange.outcome.value,
        "problem": exchange.problem,
        "remarks": exchange.remarks,
        "caveats": exchange.caveats,
        "claims": claims_to_json(exchange, layout),
        "source": describe_provenance(exchange.source),
        "joints": named_joints(exchange, layout),
        "earlier": [exchange_to_json(attempt, layout) for attempt in exchange.earlier],
    }


def claims_to_json(exchange: Exchange, layout: SkeletonLayout) -> list[dict[str, str]]:
    """Return the claims of an answer as texts, each with its verdict, effect and interval."""
    tested = [
        {
            "claim": claim_line(result.claim),
            "verdict": result.verdict.value,
            "effect": result.effect_text,
        }
        for result in exchange.claim_results
    ]
    untested = [
        {"claim": claim_line(claim), "verdict": "", "effect": ""}
        for claim in untested_claims(exchange, layout)
    ]
    return tested + untested


def _totals(exchanges: Sequence[Exchange]) -> list[tuple[str, str]]:
    """Return totals of a dialogue by their names."""
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
