"""Progress of trainings, conversions and downloads in a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from jaxtyping import Float
from rich.markup import escape
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from skeletonagent.cli.console import console, print_warning, warnings_at_once
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.run import CallbackFactory, run_experiment, shared_dataset
from skeletonagent.experiments.workers import RunStatus, RunUpdate
from skeletonagent.training.callbacks import (
    Callback,
    CallbackList,
    EpochRecord,
    TensorBoardCallback,
)
from skeletonagent.training.checkpoint import Checkpoint, LatestCheckpoint
from skeletonagent.training.settings import TrainSettings

_SHOWN_EXCHANGES = 3
"""Exchanges shown of one round; all of them are in the run directory."""


def report_corrupt(latest: LatestCheckpoint) -> Checkpoint | None:
    """Return the newest checkpoint that can be read, and print which newer ones cannot."""
    for problem in latest.corrupt:
        console.print(f"[red]passed over:[/] {escape(problem)}", soft_wrap=True)
    return latest.checkpoint


class TrainingDisplay(Callback):
    """A progress bar over the whole training, and what the agents say."""

    def __init__(self, settings: TrainSettings, first_epoch: int, title: str) -> None:
        """Show nothing yet; use as a context manager around the training."""
        self.settings = settings
        self.first_epoch = first_epoch
        self.began = self.shown = time.perf_counter()
        self.latest: EpochRecord | None = None
        self.progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("epochs  {task.fields[status]}"),
            TimeRemainingColumn(),
            console=console,
            transient=not console.is_terminal,
        )
        self.task = self.progress.add_task(
            escape(title), total=settings.epochs, completed=first_epoch, status=""
        )

    def __enter__(self) -> TrainingDisplay:
        """Start drawing."""
        self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop drawing."""
        self.progress.stop()

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """Move the bar; the loss is read only where reading makes no device wait."""
        now = time.perf_counter()
        if now - self.shown < 0.2:
            return
        self.shown = now
        done = epoch + step / len(losses)
        readable = losses.device.type == "cpu"
        loss = f"loss {float(losses[:step, 3].mean()):.3f}  " if readable else ""
        self.progress.update(self.task, completed=done, status=loss + self._metrics())

    def on_epoch(self, record: EpochRecord) -> None:
        """Show the epoch's figures; without a terminal, a line now and then."""
        self.latest = record
        self.progress.update(
            self.task,
            completed=record.epoch + 1,
            status=f"loss {record.loss:.3f}  {self._metrics()}",
        )
        every = max(1, self.settings.epochs // 10)
        if not console.is_terminal and (record.epoch + 1) % every == 0:
            console.print(f"epoch {record.epoch + 1}: loss {record.loss:.3f}  {self._metrics()}")

    def on_answers(self, done: int, total: int) -> None:
        """Show how far the agents are before the first epoch."""
        status = f"the agents describe the classes: {done}/{total}" if done < total else ""
        self.progress.update(self.task, status=status)

    def on_problem(self, problem: str) -> None:
        """Say why the agents' round came to nothing."""
        console.print(f"[red]the agents' round failed, training goes on:[/] {escape(problem)}")

    def on_remark(self, remark: str) -> None:
        """Print it."""
        console.print(escape(remark), soft_wrap=True)

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Show what was newly asked and answered, the most confused classes first."""
        if before is None:
            return
        pairs = zip(before.classes, after.classes, strict=True)
        changed = [
            new for old, new in pairs if new.dialogue != old.dialogue or new.notes != old.notes
        ]
        console.print(f"[cyan]round {after.round}:[/] asked about {len(changed)} class(es)")
        for guidance in sorted(changed, key=lambda g: -len(g.rivals))[:_SHOWN_EXCHANGES]:
            console.print(exchange_panel(guidance, after.layout))

    def _metrics(self) -> str:
        if self.latest is None:
            return ""
        validation = self.latest.validation_top1
        parts = [f"train {self.latest.train_top1:.1%}"]
        parts += [f"validation {validation:.1%}"] if validation is not None else []
        parts += [f"{self.latest.clips_per_second:.0f} clips/s"]
        return "  ".join(parts)


def watch(config: Config, latest: LatestCheckpoint) -> AbstractContextManager[Callback]:
    """Return the display of a run that starts or continues."""
    title = f"{config.data.split}, {config.clips.stream.value}, seed {config.seed}"
    checkpoint = report_corrupt(latest)
    if checkpoint:
        within = f", step {checkpoint.step} of the next" if checkpoint.step else ""
        console.print(f"resuming after epoch {checkpoint.epoch}{within}")
    return TrainingDisplay(config.training, checkpoint.epoch if checkpoint else 0, title)


def display_with_tensorboard(folder: Path) -> CallbackFactory:
    """Return what displays a run in the terminal and logs it to a folder for TensorBoard."""

    @contextmanager
    def both(config: Config, latest: LatestCheckpoint) -> Iterator[Callback]:
        with watch(config, latest) as display:
            yield CallbackList([display, TensorBoardCallback(folder)])

    return both


def train_displayed(config: Config, out: Path, *, resume: bool) -> None:
    """Train one run in a worker, whose output is displayed or logged."""
    with warnings_at_once():
        run_experiment(config, shared_dataset(config.data), out, resume=resume, watch=watch)


def print_update(update: RunUpdate) -> None:
    """Print that a run has started or ended."""
    words = {
        RunStatus.STARTED: f"started on {update.device}",
        RunStatus.FAILED: f"failed: {update.problem}",
    }.get(update.status, update.status)
    console.print(f"{escape(str(update.out))}: {escape(words)}", soft_wrap=True)


def print_failure(update: RunUpdate) -> None:
    """Print at once that a run of several has failed, since the others go on."""
    if update.status is RunStatus.FAILED:
        print_warning(f"{update.out} failed, the others go on: {update.problem}")


def exchange_panel(guidance: ClassGuidance, layout: SkeletonLayout) -> Panel:
    """Return what was said about one class: rivals, joints, sentence and notes."""
    joints = ", ".join(layout.display_name(joint) for joint in guidance.joints) or "all"
    rivals = ", ".join(guidance.rivals) or "no other class"
    lines = [
        f"[yellow]Questioner:[/] {escape(guidance.action)} is taken for {escape(rivals)}",
        f"[green]Selector:[/]   {escape(joints)}",
        f"            “{escape(guidance.sentence)}”",
        *(f"[red]note:[/]       {escape(note)}" for note in guidance.notes),
    ]
    return Panel(
        "\n".join(lines),
        title=escape(guidance.action),
        title_align="left",
        width=min(100, console.width),
    )


@contextmanager
def file_progress(title: str, counter: ProgressColumn) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback that shows the share that is done: a bar, or a line for each tenth."""
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        counter,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task, shown = bar.add_task(escape(title), total=None), 0

    def report(done: int, total: int) -> None:
        nonlocal shown
        bar.update(task, completed=done, total=total or None)
        tenths = 10 * done // total if total else 0
        if not console.is_terminal and shown < tenths < 10:
            shown = tenths
            console.print(f"{escape(title)}: {tenths}0%, {done} of {total}")

    with bar:
        yield report
