"""What a person at a terminal sees: progress, agents speaking, tables. All on standard error."""

from __future__ import annotations

import json
import sys
import time
from contextlib import AbstractContextManager
from typing import Any

from jaxtyping import Float
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from skeletonagent.core.dialogue import Step
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.experiments.config import Config
from skeletonagent.training.callbacks import Callback, EpochRecord
from skeletonagent.training.checkpoint import Checkpoint, LatestCheckpoint
from skeletonagent.training.distributed import LaunchInfo
from skeletonagent.training.settings import TrainSettings

_SPEAKS = LaunchInfo.detect().rank == 0
"""Of several processes that train together, the first speaks for all."""

console = Console(stderr=True, highlight=False, quiet=not _SPEAKS)
"""Everything for people goes here, so that standard output holds nothing but results."""

error_console = Console(stderr=True, highlight=False)
"""Errors go here, from any process."""

_SPOKEN = 3
"""Exchanges shown of one round; all of them are in the run directory."""


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on standard output."""
    if not _SPEAKS:
        return
    sys.stdout.write(json.dumps(value) + "\n")


def report_corrupt(found: LatestCheckpoint) -> Checkpoint | None:
    """Return the newest checkpoint that can be read, and say which newer ones cannot."""
    for damage in found.corrupt:
        console.print(f"[red]passed over:[/] {escape(damage)}", soft_wrap=True)
    return found.checkpoint


class TrainingDisplay:
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
            TextColumn("epochs  {task.fields[facts]}"),
            TimeRemainingColumn(),
            console=console,
            transient=not console.is_terminal,
        )
        self.task = self.progress.add_task(
            escape(title), total=settings.epochs, completed=first_epoch, facts=""
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
        self.progress.update(self.task, completed=done, facts=loss + self._facts())

    def on_epoch(self, record: EpochRecord) -> None:
        """Show the epoch's figures; without a terminal, a line now and then."""
        self.latest = record
        self.progress.update(
            self.task, completed=record.epoch + 1, facts=f"loss {record.loss:.3f}  {self._facts()}"
        )
        every = max(1, self.settings.epochs // 10)
        if not console.is_terminal and (record.epoch + 1) % every == 0:
            console.print(f"epoch {record.epoch + 1}: loss {record.loss:.3f}  {self._facts()}")

    def on_answers(self, done: int, of: int) -> None:
        """Show how far the agents are before the first epoch."""
        facts = f"the agents describe the classes: {done}/{of}" if done < of else ""
        self.progress.update(self.task, facts=facts)

    def on_problem(self, problem: str) -> None:
        """Say why the agents' round came to nothing."""
        console.print(f"[red]the agents' round failed, training goes on:[/] {escape(problem)}")

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Show what was newly asked and answered, the most confused classes first."""
        if before is None:
            return
        pairs = zip(before.classes, after.classes, strict=True)
        changed = [
            new for old, new in pairs if new.dialogue != old.dialogue or new.notes != old.notes
        ]
        console.print(f"[cyan]round {after.round}:[/] asked about {len(changed)} class(es)")
        for guidance in sorted(changed, key=lambda g: -len(g.rivals))[:_SPOKEN]:
            console.print(exchange_panel(guidance, after))

    def _facts(self) -> str:
        if self.latest is None:
            return ""
        validation = self.latest.validation_top1
        parts = [f"train {self.latest.train_top1:.1%}"]
        parts += [f"validation {validation:.1%}"] if validation is not None else []
        parts += [f"{self.latest.clips_per_second:.0f} clips/s"]
        return "  ".join(parts)


def watch(config: Config, found: LatestCheckpoint) -> AbstractContextManager[Callback]:
    """Return the terminal's display of a run."""
    title = f"{config.data.split}, {config.clips.stream.value}, seed {config.seed}"
    begun = report_corrupt(found)
    if begun:
        within = f", step {begun.step} of the next" if begun.step else ""
        console.print(f"resuming after epoch {begun.epoch}{within}")
    return TrainingDisplay(config.training, begun.epoch if begun else 0, title)


def exchange_panel(guidance: ClassGuidance, whole: Guidance) -> Panel:
    """Return what was said about one class: rivals, joints, sentence and notes."""
    joints = ", ".join(whole.layout.display_name(joint) for joint in guidance.joints) or "all"
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


def asked_and_answered(guidance: Guidance, actions: list[str]) -> list[dict[str, Any]]:
    """Return the latest targeted exchange about each of some classes, as plain values."""
    told = {item.action: item for item in guidance.classes}
    return [
        {
            "action": action,
            "rivals": list(told[action].rivals),
            "joints": [guidance.layout.display_name(joint) for joint in told[action].joints],
            "sentence": told[action].sentence,
            "answer": told[action].dialogue.answer(Step.DISTINGUISH),
        }
        for action in actions
    ]
