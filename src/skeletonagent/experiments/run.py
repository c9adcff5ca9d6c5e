"""Training runs: from a configuration and a data set to a run directory and its summary."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.agents.orchestrator import ProgressCallback
from skeletonagent.agents.prompts import PROMPT_VERSION
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import lock_file, remove_temporary_files, write_atomically, write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.data_remarks import split_remarks
from skeletonagent.data.settings import DataSettings
from skeletonagent.data.splits import choose_split
from skeletonagent.evaluation.metrics import evaluate_parts
from skeletonagent.experiments.build import Experiment, build_experiment
from skeletonagent.experiments.build_agents import Agents, answers_offline, controlled_guidance
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.experiments.data_fingerprint import DataFingerprint
from skeletonagent.experiments.datasets import absolute_archive, prepare_dataset
from skeletonagent.experiments.fine_tuning import INITIAL_WEIGHTS, kept_record
from skeletonagent.experiments.kernel_ridge_in_runs import (
    fit_kernel_ridge,
    join_kernel_ridge,
    with_usable_kernel_ridge,
)
from skeletonagent.experiments.provenance import add_session
from skeletonagent.experiments.resume_check import (
    FINGERPRINT,
    THREADS,
    require_same_config,
    require_same_data,
    rounds_remain,
)
from skeletonagent.training.busy_machine import BusyMachineRemark
from skeletonagent.training.callbacks import Callback, CallbackList, RunLogger
from skeletonagent.training.checkpoint import LatestCheckpoint
from skeletonagent.training.distributed import describe_device
from skeletonagent.training.feature_snapshots import SnapshotCallback
from skeletonagent.training.guidance_updater import GuidanceUpdater
from skeletonagent.training.interrupts import (
    InterruptFlag,
    interrupt_on_signals,
    interrupt_without_parent,
)
from skeletonagent.training.launch import is_rank_of_torchrun
from skeletonagent.training.run_directory import RunDirectory
from skeletonagent.training.run_files import remove_drafts, require_free
from skeletonagent.training.trainer import Trainer

CallbackFactory = Callable[[Config, LatestCheckpoint], AbstractContextManager[Callback]]
"""Display of a run, made from its configuration and the checkpoint that it resumes from."""


def run_experiment(
    config: Config, data: SkeletonData, out: Path, *, resume: bool, watch: CallbackFactory
) -> dict[str, Any]:
    """Train, test once at the end, and return the summary that is written to the run directory.

    Args:
        config: Configuration.
        data: Data set, preprocessed.
        out: Run directory.
        resume: Whether a run in the directory is resumed; without one, training starts.
        watch: Display of the training.

    Raises:
        ConfigError: If the directory has a run and ``resume`` is not set, or the run has another
            configuration.
        ChatError: If a language model turns the first question down for good.
        RunInUseError: If another process is writing to the directory.
        CheckpointError: If a checkpoint cannot be read or written.
        TrainingError: If the loss is not finite, or another rank is lost.
        TrainingInterrupted: If a signal interrupted it; its state is saved.
    """
    run = RunDirectory(out)
    config, remarks = with_usable_kernel_ridge(config, data)
    kept = kept_record(run) if resume and config.training.init_from else None
    experiment = build_experiment(config, data, kept)
    context = experiment.state.context
    with context.name_lost_ranks(), ExitStack() as stack:
        # Before anything is written, so that the same command can be repeated with another model.
        context.run_on_main(lambda: None if run.exists else experiment.agents.check())
        context.run_on_main(lambda: stack.enter_context(lock_file(run.lock)))
        latest = context.run_on_main(lambda: _begin(run, experiment.config, resume))
        if latest.checkpoint and rounds_remain(latest.checkpoint, experiment.config.training):
            context.run_on_main(experiment.agents.check_again)
        guidance = _train(experiment, run, latest, watch, remarks)
        test = _predict(experiment, experiment.test_samples)
        validation = (
            _predict(experiment, experiment.train_data.validation)
            if _has_unseen_validation_set(experiment)
            else None
        )
        return context.run_on_main(lambda: _write(experiment, run, guidance, test, validation))


def _begin(run: RunDirectory, config: Config, resume: bool) -> LatestCheckpoint:
    """Write the configuration of a new run, or return the latest checkpoint of an existing one."""
    if not run.exists:
        require_free(run.path)
        remove_drafts(run.path)
        write_config(config, run.config)
        return LatestCheckpoint(None)
    if not resume:
        raise ConfigError(
            f"{run.path} already holds a run; add --resume to go on, or choose another --out"
        )
    remove_temporary_files(run.path)
    require_same_config(run, config)
    latest = run.checkpoints.latest()
    run.checkpoints.remove_leftovers(latest.checkpoint)
    return latest


def _train(
    experiment: Experiment,
    run: RunDirectory,
    latest: LatestCheckpoint,
    watch: CallbackFactory,
    remarks: list[str],
) -> Guidance:
    """Train to the end, and return the last guidance."""
    config, data, agents = experiment.config, experiment.data, experiment.agents
    context, checkpoint = experiment.state.context, latest.checkpoint
    fingerprint = DataFingerprint.of(data, config.data.split)
    if checkpoint:
        remarks = [*remarks, *require_same_data(checkpoint, experiment, fingerprint, run)]
    context.run_on_main(lambda: add_session(run))
    guidance = checkpoint and checkpoint.guidance(data.store.layout)
    if guidance:
        agents.recall(guidance)
    logger = RunLogger(run, checkpoint.epoch if checkpoint else 0)
    with (
        watch(config, latest) as display,
        interrupt_on_signals() as interrupt,
        interrupt_without_parent(interrupt) if is_rank_of_torchrun() else nullcontext(),
        context.name_lost_ranks(),
    ):
        initial = experiment.initial_weights
        remarks += [initial.summary()] if initial and checkpoint is None else []
        name, split = choose_split(data, config.data.split)
        remarks += [*data.remarks, *split_remarks(data, name, split, config.clips)]
        for remark in remarks if context.is_main else []:
            display.on_remark(remark)
        snapshots = SnapshotCallback(
            run.path, experiment.state, experiment.train_data, config.training.feature_snapshots
        )
        callbacks: list[Callback] = [logger, snapshots, display]
        if context.device.type == "cpu":
            callbacks.append(BusyMachineRemark(display.on_remark))
        asked = _interruptible(agents, config.agents.chat, interrupt)
        trainer = Trainer(
            experiment.state,
            experiment.train_data,
            guidance or context.run_on_main(lambda: asked.start(display.on_answers)),
            updater=GuidanceUpdater(
                asked.refresh,
                wait=asked.wait,
                is_main=context.is_main,
                broadcast=context.broadcast_object,
            ),
            encode=experiment.encoder.encode,
            checkpoints=run.checkpoints,
            callback=CallbackList(callbacks if context.is_main else []),
            seed=config.seed,
            metadata={
                **experiment.metadata.to_json(),
                **_record(experiment),
                FINGERPRINT: fingerprint.to_json(),
                THREADS: torch.get_num_threads(),
            },
            alter=functools.partial(controlled_guidance, config),
            interrupt=interrupt,
        )
        return trainer.fit(checkpoint)


def _interruptible(agents: Agents, chat: str, interrupt: InterruptFlag) -> Agents:
    """Return agents whose language model, if they ask one, is not waited for after a signal."""
    if answers_offline(chat):
        return agents

    def start(progress: ProgressCallback) -> Guidance:
        return interrupt.wait_for(lambda: agents.start(progress))

    def refresh(confusions: Confusions, guidance: Guidance) -> Guidance:
        return interrupt.wait_for(lambda: agents.refresh(confusions, guidance))

    return replace(agents, start=start, refresh=refresh if agents.wait else agents.refresh)


def _record(experiment: Experiment) -> dict[str, Any]:
    """Return where the first weights came from; nothing if they were fresh."""
    initial = experiment.initial_weights
    return {INITIAL_WEIGHTS: initial.to_json()} if initial else {}


def _predict(experiment: Experiment, samples: Int[Tensor, " n"]) -> ClassProbabilities:
    size = 2 * experiment.config.training.batch_size
    return experiment.state.predict(experiment.train_data.loader, samples, batch_size=size)


def _has_unseen_validation_set(experiment: Experiment) -> bool:
    """Return whether there is a validation set that was held out of training to the end."""
    settings = experiment.config.training
    return len(experiment.train_data.validation) > 0 and settings.validation_until == 1


def _write(
    experiment: Experiment,
    run: RunDirectory,
    guidance: Guidance,
    test: ClassProbabilities,
    validation: ClassProbabilities | None,
) -> dict[str, Any]:
    """Write the kernel ridge classifier, the predictions and the summary; return the latter."""
    network, config, trained = test, experiment.config, experiment.train_data
    learned = trained.train
    if validation is None:
        learned = torch.cat([learned, trained.validation])
    classifier = fit_kernel_ridge(config, experiment.data, learned, guidance, run, trained.loader)
    if classifier:
        test = join_kernel_ridge(classifier, config, trained.loader, test)
        if validation is not None:
            validation = join_kernel_ridge(classifier, config, trained.loader, validation)
    test.save(run.predictions)
    parts = {name: sorted(ids) for name, ids in experiment.evaluation_parts.items()}
    write_text(run.evaluation_parts, json.dumps(parts))
    run.validation_predictions.unlink(missing_ok=True)
    if validation is not None:
        validation.save(run.validation_predictions)
    names = np.array(experiment.data.store.class_names)
    with write_atomically(run.confusions) as file:
        np.savez(file, counts=test.confusions(), class_names=names)
    summary = _summarize(experiment, run, guidance, test)
    if test is not network:
        of_network = evaluate_parts(network, experiment.evaluation_parts)
        summary["network_top1"] = of_network[summary["split"]]["top1"]
    summary |= {} if classifier is None else classifier.facts
    write_text(run.summary, json.dumps(summary, indent=1))
    return summary


def _summarize(
    experiment: Experiment, run: RunDirectory, guidance: Guidance, predictions: ClassProbabilities
) -> dict[str, Any]:
    config, records = experiment.config, run.read_metrics()
    validation = [r["validation_top1"] for r in records if r["validation_top1"] is not None]
    test = evaluate_parts(predictions, experiment.evaluation_parts)
    split = str(config.data.split)
    return {
        "data": experiment.data.name,
        "split": split,
        "stream": config.clips.stream.value,
        "top1": test[split]["top1"],
        "test": test,
        "validation_top1": validation[-1] if validation else None,
        "epochs": len(records),
        "seconds": round(sum(record["seconds"] for record in records), 1),
        "parameters": sum(p.numel() for p in experiment.state.recognizer.parameters()),
        "device": describe_device(experiment.state.context.device),
        "seed": config.seed,
        "agents": {
            "chat": config.agents.chat,
            "prompts": PROMPT_VERSION,
            **asdict(experiment.agents.accounts(guidance)),
        },
        **_record(experiment),
        FINGERPRINT: DataFingerprint.of(experiment.data, split).to_json(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def train_timed(config: Config, data: SkeletonData, out: Path, watch: CallbackFactory) -> None:
    """Train or resume one run, and write its time if it was trained without a break.

    Raises:
        SkeletonAgentError: As :func:`~skeletonagent.experiments.run.run_experiment` does.
    """
    is_new = not RunDirectory(out).exists
    wall, processor = time.perf_counter(), time.process_time()
    run_experiment(config, data, out, resume=True, watch=watch)
    if is_new:
        cost = {
            "wall_seconds": round(time.perf_counter() - wall, 2),
            "processor_seconds": round(time.process_time() - processor, 2),
        }
        write_text(RunDirectory(out).cost, json.dumps(cost))


def train_quietly(config: Config, out: Path) -> None:
    """Train or resume one run as :func:`train_timed` does, without a display, in a worker.

    Raises:
        SkeletonAgentError: As :func:`~skeletonagent.experiments.run.run_experiment` does.
    """
    train_timed(config, shared_dataset(config.data), out, no_display)


def shared_dataset(settings: DataSettings) -> SkeletonData:
    """Return a data set ready for use, which runs of this process on any part of it share.

    Raises:
        DataError: If it cannot be used.
    """
    # The path as seen from the root: the process may change its folder.
    archive = absolute_archive(settings.archive)
    whole = replace(settings, split=None, clips_per_class=None, draw_seed=0, archive=archive)
    return _shared(whole)


_shared = functools.cache(prepare_dataset)


def training_seconds(out: Path) -> float | None:
    """Return the training time of a run, None if it is unfinished or was interrupted.

    On a CPU these are seconds of processor time, which depend less on what else the machine does.

    Raises:
        DataError: If the file is damaged.
    """
    run = RunDirectory(out)
    summary, cost = run.read_summary(), run.read_cost()
    if summary is None or cost is None:
        return None
    on_cpu = "CPU" in str(summary.get("device"))
    return cost["processor_seconds" if on_cpu else "wall_seconds"]


def no_display(config: Config, latest: LatestCheckpoint) -> AbstractContextManager[Callback]:
    """Return the display of a run that is not watched."""
    del config, latest
    return nullcontext(CallbackList([]))
