"""Statistics of dialogues as they are printed."""

from __future__ import annotations

from rich.table import Table

from skeletonagent.agents.dialogue_stats import ODDITIES, DialogueStats, Distribution
from skeletonagent.cli.console import output, print_warning
from skeletonagent.core.dialogue import Outcome

_SHOWN = 8
"""Answers named that were not accepted; --json names all."""


def print_stats(stats: DialogueStats) -> None:
    """Print counts of the answers, what is odd about them, and those that were not accepted."""
    table = Table.grid(padding=(0, 2))
    table.add_row("classes", str(stats.classes))
    table.add_row("exchanges a class", _spread(stats.exchanges))
    table.add_row("joints found critical", _spread(stats.critical))
    table.add_row("joints described", _spread(stats.details))
    sets = f"{stats.distinct_sets}, the most frequent shared by {stats.largest_group} classes"
    table.add_row("different sets of these", sets)
    table.add_row("classes with")
    for key, words in ODDITIES.items():
        table.add_row(f"  {words}", str(stats.oddities[key]))
    output.print(table)
    output.print(outcome_table(stats))
    for finding in stats.findings[:_SHOWN]:
        where = f"{finding.label + 1} {finding.action}, {finding.step}"
        print_warning(f"{where}: {finding.outcome}, {finding.problem}", on=output)
    if len(stats.findings) > _SHOWN:
        output.print(f"and {len(stats.findings) - _SHOWN} more answers; --json names them all")


def _spread(spread: Distribution) -> str:
    return f"{spread.least} to {spread.most}, median {spread.median:g}, mean {spread.mean:.1f}"


def outcome_table(stats: DialogueStats) -> Table:
    """Return the number of answers of each step by outcome."""
    table = Table("answers", *Outcome, box=None)
    for step, counts in stats.outcomes.items():
        table.add_row(step, *(str(counts[outcome]) for outcome in Outcome))
    return table
