"""Cost of the questions that a training would ask, before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skeletonagent.agents.cost_estimate import DryRun, EstimatedUsage, read_trace
from skeletonagent.agents.settings import AgentSettings
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_25, SkeletonLayout
from skeletonagent.data.benchmarks import find_benchmark
from skeletonagent.experiments.build_agents import answers_offline
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.llm.budget import price
from skeletonagent.llm.chats.build import resolve_model


@dataclass(frozen=True)
class QuestionClasses:
    """Classes that the questions are about.

    Args:
        source: Origin of the names, for people.
        names: Class names in label order.
        layout: Layout of the skeletons.
    """

    source: str
    names: tuple[str, ...]
    layout: SkeletonLayout


def estimate_usages(
    config: Config, about: QuestionClasses, trace: Path | None
) -> dict[str, EstimatedUsage]:
    """Return the usage of the parts of a training, by name.

    Raises:
        ConfigError: If the trace is about other classes.
    """
    settings, rounds = config.agents, targeted_rounds(config)
    dry_run = DryRun(
        about.names, about.layout, settings.max_rivals, settings.rival_share, settings.padded_rivals
    )
    described = dry_run.description()
    most = sum(dry_run.rounds_at_most(rounds), EstimatedUsage())
    usages = {"description": described, "rounds_at_most": most}
    if trace is not None:
        counts = read_trace(trace)
        if counts.shape[1] != len(about.names):
            raise ConfigError(
                f"--trace {trace} is about {counts.shape[1]} classes, {about.source} has "
                f"{len(about.names)}; name the data it is from with --data or --classes"
            )
        usages["rounds_of_trace"] = sum(dry_run.rounds(counts), EstimatedUsage())
        usages["of_trace"] = described + usages["rounds_of_trace"]
    released = described + dry_run.released_round() * rounds
    return {**usages, "at_most": described + most, "released_schedule": released}


def targeted_rounds(config: Config) -> int:
    """Return the number of targeted rounds: one before every guidance period but the first."""
    period = config.training.guidance_period
    return (config.training.epochs - 1) // period if period else 0


def numbered_classes(number: int) -> QuestionClasses:
    """Return classes with made-up names."""
    names = tuple(f"action number {label}" for label in range(1, number + 1))
    return QuestionClasses("--classes", names, KINECT_25)


def classes_of_archive(archive: str) -> QuestionClasses:
    """Return the classes of a benchmark, which need no data, or of an archive.

    Raises:
        DataError: If there is no archive.
    """
    benchmark = find_benchmark(archive)
    if benchmark is not None and not Path(archive).exists():
        return QuestionClasses(benchmark.title, benchmark.class_names, _completed(benchmark.layout))
    data = open_dataset(archive)
    return QuestionClasses(data.title, tuple(data.store.class_names), _completed(data.store.layout))


def _completed(layout: SkeletonLayout) -> SkeletonLayout:
    """Return the layout that trainings use, COCO's with the joints in the middle of the body."""
    return COCO_20 if layout.joints == COCO_17.joints else layout


def estimate_dollars(settings: AgentSettings, usage: EstimatedUsage) -> float | None:
    """Return the price in dollars; None where it is not known, 0 where no model is asked."""
    if answers_offline(settings.chat):
        return 0.0
    model = resolve_model(settings.provider, settings.chat)
    return price(model.model, usage.input_tokens, usage.output_tokens, model.base_url)
