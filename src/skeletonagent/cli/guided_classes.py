"""Closing line of a training: how many classes are guided, and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skeletonagent.cli.console import console, error_console, print_warning

_PROBLEMS_SHOWN = 2
"""Reasons given of those why questions were not answered; the summary has all."""
_CLASSES_SHOWN = 5
"""Classes named of those that share a sentence; the summary has all."""


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


def print_guided(summaries: Sequence[Mapping[str, Any]]) -> None:
    """Print the line of each run, in red where guidance is lacking, and any shared sentences."""
    for summary in summaries:
        agents: Mapping[str, Any] = summary.get("agents") or {"chat": "none"}
        for names in agents.get("identical_sentences", ()):
            shown = [*names[:_CLASSES_SHOWN], *(["..."] if len(names) > _CLASSES_SHOWN else [])]
            print_warning(
                f"one sentence for {len(names)} classes, which it does not tell apart: "
                f"{', '.join(shown)}"
            )
        found = guidance_line(agents)
        if found is None:
            continue
        line, complete = found
        if len(summaries) > 1:
            line = f"{summary['split']}, {summary['stream']}, seed {summary['seed']}: {line}"
        if complete:
            console.print(line, markup=False, soft_wrap=True)
        else:
            error_console.print(line, style="bold red", markup=False, soft_wrap=True)
