"""Record of an experiment: what was run, how, where and when, and who answered the agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skeletonagent.report.agent_usage import agent_usage
from skeletonagent.report.runs import RecipeRuns, ReportedRun, RunComparison
from skeletonagent.report.settings_table import settings_table


def experiment_record(comparison: RunComparison) -> dict[str, Any]:
    """Return the record of all runs of a report as plain values."""
    runs = comparison.runs
    return {
        "runs": [_run_row(run, recipe) for recipe in comparison.recipes for run in recipe.runs],
        "sessions": [{"run": run.name, **session} for run in runs for session in run.sessions],
        "agents": [usage for usage in map(agent_usage, runs) if usage],
        "settings": settings_table(_of_main_first(comparison)),
    }


def _of_main_first(comparison: RunComparison) -> list[RecipeRuns]:
    main = comparison.main
    names = {run.name for run in main.runs}
    others = [group for group in comparison.recipes if group.runs[0].name not in names]
    return [main, *others]


def _run_row(run: ReportedRun, recipe: RecipeRuns) -> dict[str, Any]:
    summary = run.summary or {}
    first = run.sessions[0] if run.sessions else {}
    last = run.sessions[-1] if run.sessions else {}
    commits = list(dict.fromkeys(filter(None, (s["commit"] for s in run.sessions))))
    return {
        "run": run.name,
        "recipe": recipe.name,
        "seed": run.config.seed,
        "epochs": len(run.metrics),
        "planned": run.config.training.epochs,
        "top1": None if run.predictions is None else run.predictions.topk_accuracy(1),
        "seconds": summary.get("seconds"),
        "started": first.get("started", ""),
        "finished": summary.get("finished", ""),
        "version": last.get("version", ""),
        "commits": commits,
        "device": summary.get("device", ""),
        "machine": last.get("machine", ""),
        "host": last.get("host", ""),
    }


def record_facts(runs: Sequence[ReportedRun]) -> dict[str, str]:
    """Return version, commit, date, machine, tokens and cost of some runs, in words.

    What differs between the runs is listed; what none of them recorded is said to be missing.
    """
    sessions = [session for run in runs for session in run.sessions]
    finished = [
        run.summary["finished"] for run in runs if run.summary and run.summary.get("finished")
    ]
    usage = [used for used in map(agent_usage, runs) if used]
    tokens = sum(used["input_tokens"] + used["output_tokens"] for used in usage)
    return {
        "version": _listed(s["version"] for s in sessions),
        "commit": _listed(_short(s["commit"]) for s in sessions if s["commit"]),
        "machine": _listed(s["machine"] for s in sessions),
        "finished": _period(finished),
        "guided": _listed(_guided(used) for used in usage),
        "tokens": f"{tokens:,}" if tokens else "",
        "cost": _cost(usage) if tokens else "",
    }


def _listed(values: Any) -> str:
    return ", ".join(dict.fromkeys(values))


def _short(commit: str) -> str:
    """Return a commit by the beginning of its digest."""
    digest, _, changed = commit.partition("-")
    return digest[:10] + (" with changes" if changed else "")


def _period(times: Sequence[str]) -> str:
    """Return the days, and of a single run the minute, in which runs were finished."""
    if not times:
        return ""
    first, last = (time.replace("T", " ") for time in (min(times), max(times)))
    if len(times) == 1:
        return f"{first[:16]} UTC"
    return first[:10] if first[:10] == last[:10] else f"{first[:10]} to {last[:10]}"


def _guided(used: dict[str, Any]) -> str:
    by = ", ".join(name for name, _ in used["guided"]) or "nobody"
    return f"{used['classes'] - used['missing']} of {used['classes']} classes, by {by}"


def _cost(usage: Sequence[dict[str, Any]]) -> str:
    prices = [used["dollars"] for used in usage]
    return "price unknown" if None in prices else f"${sum(prices):.2f}"
