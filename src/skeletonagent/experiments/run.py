"""One experiment: from a configuration and data to a run directory with a summary."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from torch import Tensor

from skeletonagent.agents.prompts import PROMPT_VERSION
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.core.files import lock_file, remove_temporary_files, write_atomically, write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.evaluation.predict import evaluate_parts
from skeletonagent.experiments.build import Experiment, build_experiment
from skeletonagent.experiments.config import Config, read_config, to_dict, write_config
from skeletonagent.training.callbacks import Callback, CallbackList, RunLogger
from skeletonagent.training.checkpoint import LatestCheckpoint
from skeletonagent.training.distributed import describe_device
from skeletonagent.training.feature_snapshots import SnapshotCallback
from skeletonagent.training.guidance_updater import GuidanceUpdater
from skeletonagent.training.interrupts import interrupt_on_signals
from skeletonagent.training.run_directory import RunDirectory
from skeletonagent.training.train_step import predict_distributed
from skeletonagent.training.trainer import Trainer

CallbackFactory = Callable[[Config, LatestCheckpoint], AbstractContextManager[Callback]]
"""Gives the display of a run, knowing its configuration and where it goes on."""


def run_experiment(
    config: Config, data: SkeletonData, out: Path, *, resume: bool, watch: CallbackFactory
) -> dict[str, Any]:
    """Train, test once at the end, and return the summary that is written to the run directory.

    Args:
        config: What to do.
        data: The opened data set.
        out: The run directory.
        resume: Go on with what is there; start if nothing is.
        watch: Display of the training.

    Raises:
        ConfigError: If a run is there already and is not to be resumed, or was configured
            otherwise.
        BusyError: If another process is writing to it.
        CheckpointError: If a checkpoint cannot be read or written.
        TrainingError: If the loss stops being finite, or another process is gone.
        Stopped: If it was asked to end; how far it came is saved.
    """
    run = RunDirectory(out)
    job = build_experiment(config, data)
    engine = job.state.context
    with engine.name_lost_ranks(), ExitStack() as held:
        engine.run_on_main(lambda: held.enter_context(lock_file(run.lock)))
        found = engine.run_on_main(lambda: _begin(run, job.config, resume))
        guidance = _train(job, run, found, watch)
        scores = _scored(job, job.test_samples)
        validated = _scored(job, job.train_data.validation) if _kept_apart(job) else None
        return engine.run_on_main(lambda: _write(job, run, guidance, scores, validated))


def _begin(run: RunDirectory, config: Config, resume: bool) -> LatestCheckpoint:
    """Write the configuration of a new run, or return where an old one stands."""
    if not run.exists:
        run.checkpoints.clear()
        write_config(config, run.config)
        return LatestCheckpoint(None)
    if not resume:
        raise ConfigError(
            f"{run.path} already holds a run; add --resume to go on, or choose another --out"
        )
    remove_temporary_files(run.path)
    # Another device learns the same, and several at once take runs in any order.
    saved = to_dict(replace(read_config(run.config), device=config.device))
    differing = [
        f"{section}.{key}" if isinstance(values, dict) else section
        for section, values in to_dict(config).items()
        for key in (values if isinstance(values, dict) else [None])
        if (saved[section] != values if key is None else saved[section][key] != values[key])
    ]
    if differing:
        raise ConfigError(
            f"{run.path} was begun with another {', '.join(differing)}; resume with the same"
        )
    return run.checkpoints.latest()


def _train(
    job: Experiment, run: RunDirectory, found: LatestCheckpoint, watch: CallbackFactory
) -> Guidance:
    engine, checkpoint = job.state.context, found.checkpoint
    if checkpoint and checkpoint.metadata["class_names"] != list(job.data.store.class_names):
        raise CheckpointError(f"{run.path} was trained on other classes than {job.data.name} has")
    known = checkpoint and Guidance.from_json(
        checkpoint.metadata["guidance"], job.data.store.layout
    )
    if known:
        job.agents.recall(known)
    recorder = RunLogger(run, checkpoint.epoch if checkpoint else 0)
    with (
        watch(job.config, found) as display,
        interrupt_on_signals() as stop,
        engine.name_lost_ranks(),
    ):
        watching: list[Callback] = [
            recorder,
            SnapshotCallback(
                run.path, job.state, job.train_data, job.config.training.feature_snapshots
            ),
            display,
        ]
        training = Trainer(
            job.state,
            job.train_data,
            known or engine.run_on_main(lambda: job.agents.start(display.on_answers)),
            updater=GuidanceUpdater(
                job.agents.refresh,
                wait=job.agents.wait,
                asking=engine.is_main,
                share=engine.broadcast_object,
            ),
            encode=job.encoder.encode,
            checkpoints=run.checkpoints,
            callback=CallbackList(watching if engine.is_main else []),
            seed=job.config.seed,
            metadata=job.metadata.to_json(),
            interrupt=stop,
        )
        return training.fit(checkpoint)


def _scored(job: Experiment, samples: Int[Tensor, " n"]) -> ClassProbabilities:
    size = 2 * job.config.training.batch_size
    return predict_distributed(job.state, job.train_data.loader, samples, batch_size=size)


def _kept_apart(job: Experiment) -> bool:
    """Return whether there is a validation part from which nothing was ever learned."""
    return len(job.train_data.validation) > 0 and job.config.training.validation_until == 1


def _write(
    job: Experiment,
    run: RunDirectory,
    guidance: Guidance,
    scores: ClassProbabilities,
    validated: ClassProbabilities | None,
) -> dict[str, Any]:
    """Write what the run came to, and return its summary."""
    scores.save(run.predictions)
    parts = {name: sorted(ids) for name, ids in job.evaluation_parts.items()}
    write_text(run.evaluation_parts, json.dumps(parts))
    run.validation_predictions.unlink(missing_ok=True)
    if validated is not None:
        validated.save(run.validation_predictions)
    names = np.array(job.data.store.class_names)
    with write_atomically(run.confusions) as file:
        np.savez(file, counts=scores.confusions(), class_names=names)
    summary = _summary(job, run, guidance, scores)
    write_text(run.summary, json.dumps(summary, indent=1))
    return summary


def _summary(
    job: Experiment, run: RunDirectory, guidance: Guidance, scores: ClassProbabilities
) -> dict[str, Any]:
    records = run.read_metrics()
    validated = [r["validation_top1"] for r in records if r["validation_top1"] is not None]
    test = evaluate_parts(scores, job.evaluation_parts)
    split = str(job.config.data.split)
    return {
        "data": job.data.name,
        "split": split,
        "stream": job.config.clips.stream.value,
        "top1": test[split]["top1"],
        "test": test,
        "validation_top1": validated[-1] if validated else None,
        "epochs": len(records),
        "seconds": round(sum(record["seconds"] for record in records), 1),
        "parameters": sum(p.numel() for p in job.state.recognizer.parameters()),
        "device": describe_device(job.state.context.device),
        "seed": job.config.seed,
        "agents": {
            "chat": job.config.agents.chat,
            "prompts": PROMPT_VERSION,
            **asdict(job.agents.accounts(guidance)),
        },
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
