"""The parts of a report, each with its data or with why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.core.guidance import Guidance
from skeletonagent.report.agent_rounds import agent_rounds
from skeletonagent.report.clip_player import clip_player, open_clip_context
from skeletonagent.report.embedding import embedding
from skeletonagent.report.results import (
    accuracies,
    class_figures,
    confusion_matrices,
    curves,
    fusions,
)
from skeletonagent.report.runs import ReportedRun, RunComparison
from skeletonagent.report.serialize import round_floats
from skeletonagent.report.topologies import topologies
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.feature_snapshots import read_snapshots

UNTESTED = "The test part is scored once, at the end of the training."


@dataclass(frozen=True)
class ReportOptions:
    """What a report is to be of.

    Args:
        runs: Run directories; rounds, graphs, embedding and clips are shown of the first.
        baseline: A run to compare with; without it, the unguided ones among the runs.
        archive: Where the data are, if not where the run's configuration says.
        clips: How many test clips can be played.
        live: Whether the page is made again and again while a run goes on.
    """

    runs: tuple[Path, ...]
    baseline: Path | None = None
    archive: str | None = None
    clips: int = 60
    live: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Args:
        name: Under which the script finds its place and its data.
        title: For people.
        data: Plain values; None if there are none yet.
        note: Why there are none, or what to know of them.
    """

    name: str
    title: str
    data: Any
    note: str = ""


def all_sections(wanted: ReportOptions, compared: RunComparison) -> list[Section]:
    """Return all parts of the page, also those of which there is nothing yet."""
    runs, main = compared.runs, compared.main
    first = main.runs[0]
    checkpoint, trouble = _checkpoint(first)
    against = compared.baseline.runs if compared.baseline else ()
    scored = [*accuracies(compared.recipes), *fusions(main.runs[0], runs)]
    return [
        Section("accuracy", "Accuracy", round_floats(scored) or None, UNTESTED),
        Section("curves", "Training", curves(runs) or None, "No epoch has ended yet."),
        Section("classes", "Classes", class_figures(main.runs, against), UNTESTED),
        Section(
            "matrix",
            "Confusions",
            confusion_matrices(runs, checkpoint) or None,
            "Nothing has been counted yet: no epoch has ended, and no test part is scored.",
        ),
        _agents(first),
        _topologies(first, checkpoint, trouble),
        Section(
            "embedding",
            "Embedding",
            embedding(read_snapshots(first.directory.path), quick=wanted.live),
            "This run kept no snapshots; train with training.feature_snapshots above 0.",
        ),
        _player(wanted, first, checkpoint, trouble),
    ]


def _checkpoint(run: ReportedRun) -> tuple[Checkpoint | None, str]:
    """Return where a run stands, or why that cannot be told."""
    try:
        return run.checkpoint(), "There is no checkpoint yet."
    except CheckpointError as error:
        return None, f"The recognizer cannot be shown: {error}."


def _agents(run: ReportedRun) -> Section:
    if not run.guided:
        note = f"{run.name} was trained without agents (agents.chat=none)."
        return Section("agents", "The agents", None, note)
    note = "The agents have not told of the classes yet."
    return Section("agents", "The agents", agent_rounds(run), note)


def _topologies(run: ReportedRun, checkpoint: Checkpoint | None, note: str) -> Section:
    shown = None
    if checkpoint is not None and run.transcripts is not None:
        guidance = Guidance.from_json(checkpoint.metadata["guidance"], run.transcripts.layout)
        shown = topologies(checkpoint, guidance, read_snapshots(run.directory.path))
        note = f"The backbone {run.config.model.backbone} learns no graphs."
    return Section("topologies", "Learnt graphs", shown, note)


def _player(
    wanted: ReportOptions, run: ReportedRun, checkpoint: Checkpoint | None, trouble: str
) -> Section:
    name, title = "player", "Clips"
    if run.predictions is None or checkpoint is None:
        return Section(name, title, None, UNTESTED if run.predictions is None else trouble)
    if not wanted.clips:
        return Section(name, title, None, "No clips were asked for.")
    try:
        context = open_clip_context(checkpoint, wanted.archive)
        shown = clip_player(context, run.predictions, wanted.clips)
    except (DataError, CheckpointError, ConfigError, OSError) as error:
        return Section(name, title, None, f"No clips can be shown: {error}. Name them with --data.")
    return Section(name, title, shown, "None of the tested clips is in the data.")
