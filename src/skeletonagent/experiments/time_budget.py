"""Number of steps of a training that is to end within some time."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.experiments.build import Experiment, build_experiment
from skeletonagent.experiments.config import Config, read_config
from skeletonagent.training.checkpoint import Checkpoint, CheckpointFolder
from skeletonagent.training.launch import LaunchInfo
from skeletonagent.training.losses import GuidanceTensors
from skeletonagent.training.run_directory import RunDirectory
from skeletonagent.training.schedule import TrainingSchedule
from skeletonagent.training.train_epoch import BatchPlan, EpochState, train_one_epoch

USED_SHARE = 0.9
"""Share of the time that is planned with; the rest is for what runs slower later on."""
MIN_STEPS = 100
"""Fewest steps that are planned: fewer teach a recognizer next to nothing."""
COMPARING_SECONDS = 180.0
"""Shortest time of which some is spent on comparing recipes before the training."""
WARM_UP_STEPS = 3
"""Steps before those whose time is taken."""
TIMED_STEPS = 10
"""Steps whose time is taken."""
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smh])")


@dataclass(frozen=True)
class TrainingCost:
    """Seconds that the parts of a training take.

    Args:
        start: Everything before the first step.
        step: One step.
        epoch: Validation and checkpoint after an epoch.
        test: Test at the end.
        pass_steps: Number of steps in which every sample is seen once.
        epoch_steps: Number of steps of an epoch.
    """

    start: float
    step: float
    epoch: float
    test: float
    pass_steps: int
    epoch_steps: int

    def steps_within(self, seconds: float) -> int:
        """Return the number of steps after which test and all end within some seconds.

        >>> cost = TrainingCost(2, step=0.125, epoch=1.25, test=7, pass_steps=5, epoch_steps=10)
        >>> cost.steps_within(110)
        360
        """
        rest = USED_SHARE * seconds - self.start - self.test
        return max(MIN_STEPS, int(rest / (self.step + self.epoch / self.epoch_steps)))


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as ``90s``, ``3m`` or ``1h``.

    Raises:
        ConfigError: If it has another form, or is zero.
    """
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not seconds:
        raise ConfigError(f"a time is a number with s, m or h, such as 90s or 3m; got {text!r}")
    return seconds


def leaves_time_to_compare(duration: str) -> bool:
    """Return whether a time is long enough to compare short trainings before the training.

    Raises:
        ConfigError: If the duration has another form.
    """
    return parse_duration(duration) >= COMPARING_SECONDS


def fit_to_time(
    runs: Mapping[Path, Config], data: SkeletonData, duration: str, spent: float = 0.0
) -> tuple[dict[Path, Config], str]:
    """Return runs with the number of steps that fits some time, and a line that says so.

    The runs, one after the other, share the time. Those that have begun keep their steps, so that
    they can be resumed. The agents' answers are not counted.

    Args:
        runs: Configuration of each run by its directory.
        data: Data set of the runs.
        duration: Time of all of them, see :func:`parse_duration`.
        spent: Seconds of it that reading the data and choosing a recipe took.

    Raises:
        ConfigError: If the duration has another form, or several ranks train.
    """
    seconds = max(parse_duration(duration) - spent, 0.0) / len(runs)
    if LaunchInfo.detect().is_distributed:
        raise ConfigError("a time is for one process; set training.steps where several ranks train")
    begun = {
        path: read_config(RunDirectory(path).config).training.steps
        for path in runs
        if RunDirectory(path).exists
    }
    if begun:
        steps = next(iter(begun.values()))
        line = f"{duration}: training goes on with the {steps} steps that it was begun with"
        if steps is None:
            return dict(
                runs
            ), f"{duration}: training was begun with a number of epochs, and keeps it"
    else:
        cost = measure_cost(next(iter(runs.values())), data)
        steps = cost.steps_within(seconds)
        line = (
            f"{duration}: {steps} steps of {1000 * cost.step:.0f} ms, each sample seen about "
            f"{steps / cost.pass_steps:.0f} times, and {cost.test:.0f} s for the test"
        )
        if spent >= 1:
            line += f"; {spent:.0f} s went into reading the data and choosing a recipe"
        if steps == MIN_STEPS:
            line += f"; fewer than {MIN_STEPS} steps teach too little, so it may take longer"
    return {
        path: replace(config, training=replace(config.training, steps=begun.get(path, steps)))
        for path, config in runs.items()
    }, line


def measure_cost(config: Config, data: SkeletonData) -> TrainingCost:
    """Return the cost of a training, measured on a recognizer that is then thrown away.

    Raises:
        ConfigError: If the configuration does not fit the data or the machine.
    """
    start = time.perf_counter()
    experiment = build_experiment(config, data)
    built = time.perf_counter() - start
    train, validation = experiment.train_data.train, experiment.train_data.validation
    schedule = TrainingSchedule.plan(experiment.config.training, len(train), len(validation))
    step = _measure_steps(experiment, schedule)
    begun = time.perf_counter()
    if len(validation):
        size = 4 * config.training.batch_size
        loader = experiment.train_data.loader
        experiment.state.predict(loader, validation, batch_size=size, num_clips=1)
    with tempfile.TemporaryDirectory() as folder:
        CheckpointFolder(Path(folder)).save(Checkpoint(1, experiment.state.tensors(), {}))
    epoch = time.perf_counter() - begun
    test = _measure_test(experiment)
    # The training builds everything anew.
    spent = time.perf_counter() - start + built
    return TrainingCost(spent, step, epoch, test, schedule.pass_steps, schedule.epoch_steps[0])


def _measure_steps(experiment: Experiment, schedule: TrainingSchedule) -> float:
    """Return the mean seconds of a step, after some to warm up."""
    state, data = experiment.state, experiment.train_data
    store, settings = data.loader.store, experiment.config.training
    guidance = _guidance(experiment)
    times: list[float] = []

    def note(progress: EpochState) -> None:
        float(progress.losses[progress.step - 1, 3])  # waits for the device
        times.append(time.perf_counter())

    while (missing := WARM_UP_STEPS + TIMED_STEPS - len(times)) > 0:
        plan = BatchPlan.draw(
            data.train, store.persons, settings.batch_size, seed=0, epoch=0, steps=missing
        )
        progress = EpochState.start(len(plan.batches), store.num_classes, state.context.device)
        train_one_epoch(
            state, data.loader, plan, progress, guidance, schedule, on_step=note, stop=lambda: None
        )
    return (times[-1] - times[WARM_UP_STEPS - 1]) / (len(times) - WARM_UP_STEPS)


def _measure_test(experiment: Experiment) -> float:
    """Return the seconds of the test, from those of its first samples."""
    samples, size = experiment.test_samples, 2 * experiment.config.training.batch_size
    few = samples[: 2 * size]
    if not len(few):
        return 0.0
    start = time.perf_counter()
    experiment.state.predict(experiment.train_data.loader, few, batch_size=size)
    return (time.perf_counter() - start) * len(samples) / len(few)


def _guidance(experiment: Experiment) -> GuidanceTensors:
    """Return guidance that asks nobody: all joints, and the same sentence for all classes."""
    store, dim = experiment.train_data.loader.store, experiment.encoder.dim
    classes = tuple(ClassGuidance(name, (), name) for name in store.class_names)
    return GuidanceTensors.from_guidance(
        Guidance(store.layout, classes, 0),
        experiment.config.clips.stream,
        lambda sentences: torch.ones(len(sentences), dim) / dim**0.5,
        experiment.state.context.device,
    )
