"""Sections of a report, each with its data or the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.report.agent_rounds import agent_rounds
from skeletonagent.report.clip_player import clip_player, open_clip_context
from skeletonagent.report.embedding import embedding
from skeletonagent.report.record import experiment_record
from skeletonagent.report.results import (
    accuracy_rows,
    class_results,
    confusion_matrices,
    ensemble_rows,
    simple_baseline_row,
    training_curves,
)
from skeletonagent.report.runs import ReportedRun, RunComparison
from skeletonagent.report.serialize import round_floats
from skeletonagent.report.topologies import topologies
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.feature_snapshots import read_snapshots

UNTESTED = "The recognizer is tested once, at the end of the training."


@dataclass(frozen=True)
class ReportOptions:
    """Runs and extent of a report.

    Args:
        runs: Run directories; rounds, graphs, embedding and clips are those of the first.
        baseline: Run directory to compare with; by default the unguided ones among the runs.
        archive: Path of the archive, if it differs from the run's configuration.
        clips: Number of test clips that can be played.
        live: Whether the page is updated while a run is training.
    """

    runs: tuple[Path, ...]
    baseline: Path | None = None
    archive: str | None = None
    clips: int = 60
    live: bool = False


@dataclass(frozen=True)
class Section:
    """Section of the page.

    Args:
        name: Name by which the script finds its element and its data.
        title: Title.
        data: Plain values; None if there are none yet.
        note: Reason why there are none.
    """

    name: str
    title: str
    data: Any
    note: str = ""


def all_sections(options: ReportOptions, comparison: RunComparison) -> list[Section]:
    """Return all sections of the page, also those without data yet."""
    runs, main = comparison.runs, comparison.main
    first = main.runs[0]
    checkpoint, problem = _checkpoint(first)
    baseline = comparison.baseline.runs if comparison.baseline else ()
    rows = [*accuracy_rows(comparison.recipes), *ensemble_rows(main.runs[0], runs)]
    simple = simple_baseline_row(main.runs) if rows else None
    rows += [simple] if simple else []
    return [
        Section("accuracy", "Accuracy", round_floats(rows) or None, UNTESTED),
        Section(
            "curves",
            "Training",
            training_curves(comparison.recipes) or None,
            "No epoch has ended yet.",
        ),
        Section("classes", "Classes", class_results(main.runs, baseline), UNTESTED),
        Section(
            "matrix",
            "Confusions",
            confusion_matrices(runs, checkpoint) or None,
            "Nothing has been counted yet: no epoch has ended, and the test set was not predicted.",
        ),
        _agents(first),
        _topologies(first, checkpoint, problem),
        Section(
            "embedding",
            "Embedding",
            embedding(read_snapshots(first.directory.path), quick=options.live),
            "This run kept no feature snapshots; train with training.feature_snapshots above 0.",
        ),
        _player(options, first, checkpoint, problem),
        Section("record", "Record", experiment_record(comparison)),
    ]


def _checkpoint(run: ReportedRun) -> tuple[Checkpoint | None, str]:
    """Return the newest checkpoint of a run, and the reason if there is none."""
    try:
        return run.checkpoint(), "There is no checkpoint yet."
    except CheckpointError as error:
        return None, f"The recognizer cannot be shown: {error}."


def _agents(run: ReportedRun) -> Section:
    if not run.guided:
        note = f"{run.name} was trained without agents (agents.chat=none)."
        return Section("agents", "The agents", None, note)
    note = "The agents have not described the classes yet."
    return Section("agents", "The agents", agent_rounds(run), note)


def _topologies(run: ReportedRun, checkpoint: Checkpoint | None, note: str) -> Section:
    graphs = None
    if checkpoint is not None and run.dialogues is not None:
        guidance = checkpoint.guidance(run.dialogues.layout)
        graphs = topologies(checkpoint, guidance, read_snapshots(run.directory.path))
        note = f"The backbone {run.config.model.backbone} learns no graphs."
    return Section("topologies", "Learned graphs", graphs, note)


def _player(
    options: ReportOptions, run: ReportedRun, checkpoint: Checkpoint | None, problem: str
) -> Section:
    name, title = "player", "Clips"
    if run.predictions is None or checkpoint is None:
        return Section(name, title, None, UNTESTED if run.predictions is None else problem)
    if not options.clips:
        return Section(name, title, None, "The report was requested without clips.")
    try:
        context = open_clip_context(checkpoint, options.archive)
        clips = clip_player(context, run.predictions, options.clips)
    except (DataError, CheckpointError, ConfigError, OSError) as error:
        return Section(name, title, None, f"No clips can be shown: {error}. Name them with --data.")
    return Section(name, title, clips, "None of the test clips is in the data.")
