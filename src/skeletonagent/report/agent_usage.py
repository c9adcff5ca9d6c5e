"""Who answered the agents of a run: share of the classes guided, requests, tokens, cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from skeletonagent.agents.usage import usage_report
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.report.runs import ReportedRun

_PROBLEMS_SHOWN = 2
"""Reasons given of those why questions were not answered."""


def guidance_line(agents: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Return how many classes are guided and by whom, and whether all are.

    Args:
        agents: Section ``agents`` of a run's summary.

    Returns:
        None where nobody was asked, or an earlier version did not count.
    """
    if agents["chat"] == "none" or "guided" not in agents:
        return None
    guided: Mapping[str, int] = agents["guided"]
    number, classes = sum(guided.values()), agents["classes"]
    by = ", ".join(f"{count} by {name}" for name, count in sorted(guided.items()))
    line = f"guided: {number} of {classes} classes{f', {by}' if by else ''}"
    if number == classes:
        return line, True
    problems = list(agents["unanswered"].items())[:_PROBLEMS_SHOWN]
    why = [f"; {count} question(s) unanswered: {problem}" for problem, count in problems]
    missing = f"{classes - number} WITHOUT GUIDANCE of {agents['chat']}"
    return f"{line}; {missing}{''.join(why)}", False


def agent_usage(run: ReportedRun) -> dict[str, Any] | None:
    """Return the usage of a run's agents as plain values; None if nobody was asked yet or at all.

    That of a finished run is what its summary has. It is counted from the dialogues where the run
    is still going on, or an earlier version did not count the classes; prices are then not known.
    """
    if not run.guided:
        return None
    recorded = (run.summary or {}).get("agents") or {}
    if recorded.get("guided") is None:
        guidance = _guidance(run)
        if guidance is None:
            return None
        chat = run.config.agents.chat
        recorded = {"chat": chat, **asdict(usage_report(guidance, chat=chat))} | {
            "models": recorded.get("models") or {}
        }
    return _plain_usage(run, recorded)


def _guidance(run: ReportedRun) -> Guidance | None:
    """Return the latest guidance that the files have, None before the first."""
    if run.dialogues is None or not run.rounds:
        return None
    latest = run.rounds[-1]
    classes = tuple(
        ClassGuidance(said.action, (), row["sentence"], tuple(row["rivals"]), said)
        for said, row in zip(run.dialogues.dialogues, latest["classes"], strict=True)
    )
    return Guidance(run.dialogues.layout, classes, latest["round"])


def _plain_usage(run: ReportedRun, agents: Mapping[str, Any]) -> dict[str, Any]:
    guided, models = agents["guided"], (agents.get("models") or {}).values()
    prices = [model.get("dollars") for model in models]
    number = sum(guided.values())
    line = guidance_line({"chat": run.config.agents.chat, "unanswered": {}} | dict(agents))
    return {
        "run": run.name,
        "chat": agents.get("chat") or run.config.agents.chat,
        "classes": agents["classes"],
        "guided": sorted(guided.items()),
        "missing": agents["classes"] - number,
        "problem": line[0] if line and not line[1] else "",
        "rounds": agents.get("rounds", 0),
        "questions": sum((agents.get("questions") or {}).values()),
        "outcomes": list((agents.get("outcomes") or {}).items()),
        "unanswered": list((agents.get("unanswered") or {}).items()),
        "identical": agents.get("identical_sentences") or [],
        "requests": agents.get("requests", 0),
        "input_tokens": sum(model.get("input_tokens", 0) for model in models),
        "output_tokens": sum(model.get("output_tokens", 0) for model in models),
        "dollars": None if None in prices else sum(prices),
    }
