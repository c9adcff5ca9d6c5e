"""Closing line of a training: how many classes are guided, and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skeletonagent.cli.console import console, error_console, print_warning
from skeletonagent.report.agent_usage import guidance_line

_CLASSES_SHOWN = 5
"""Classes named of those that share a sentence; the summary has all."""


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
