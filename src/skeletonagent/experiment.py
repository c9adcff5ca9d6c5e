"""One experiment: from a configuration and data to a run directory with a summary."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.agents.prompts import PROMPT_VERSION
from skeletonagent.build import Job, assemble, evaluation_sampler, facts_of
from skeletonagent.config import Config, read_config, to_dict, write_config
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.core.files import write_atomically, write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.scores import Scores
from skeletonagent.evaluation.evaluate import report_parts, score
from skeletonagent.training.checkpoint import Checkpoint, load_checkpoint
from skeletonagent.training.engine import describe_device
from skeletonagent.training.loop import Observer, train
from skeletonagent.training.record import Observers, RunDirectory, RunRecorder
from skeletonagent.training.rounds import Rounds

Watch = Callable[[Config, int], AbstractContextManager[Observer]]
"""Gives the display of a run, knowing its configuration and first epoch."""


def run_experiment(
    config: Config, data: SkeletonData, out: Path, *, resume: bool, watch: Watch
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
        CheckpointError: If a checkpoint cannot be read or written.
        TrainingError: If the loss stops being finite.
    """
    run = RunDirectory(out)
    job = assemble(config, data)
    checkpoint = _begin(run, job.config, resume)
    guidance = _train(job, run, checkpoint, watch)
    scores = score(
        job.learner.evaluated,
        evaluation_sampler(job.config, job.training.sampler.store),
        job.test,
        batch_size=2 * job.config.training.batch_size,
        autocast=job.learner.engine.autocast,
    )
    scores.save(run.scores)
    parts = {name: sorted(ids) for name, ids in job.tested.items()}
    write_text(run.test_parts, json.dumps(parts))
    _score_validation(job, run)
    with write_atomically(run.confusions) as file:
        np.savez(file, counts=scores.confusions(), class_names=np.array(data.store.class_names))
    summary = _summary(job, run, guidance, scores)
    write_text(run.summary, json.dumps(summary, indent=1))
    return summary


def _begin(run: RunDirectory, config: Config, resume: bool) -> Checkpoint | None:
    """Write the configuration of a new run, or return where an old one stands."""
    if not run.begun:
        run.checkpoints.clear()
        write_config(config, run.config)
        return None
    if not resume:
        raise ConfigError(
            f"{run.path} already holds a run; add --resume to go on, or choose another --out"
        )
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
    newest = run.checkpoints.latest()
    return load_checkpoint(newest) if newest else None


def _train(job: Job, run: RunDirectory, checkpoint: Checkpoint | None, watch: Watch) -> Guidance:
    first_epoch = checkpoint.epoch if checkpoint else 0
    if checkpoint and checkpoint.facts["class_names"] != list(job.data.store.class_names):
        raise CheckpointError(f"{run.path} was trained on other classes than {job.data.name} has")
    known = checkpoint and Guidance.from_json(checkpoint.facts["guidance"], job.data.store.layout)
    if known:
        job.agents.recall(known)
    recorder = RunRecorder(run, first_epoch)
    with watch(job.config, first_epoch) as display:
        return train(
            job.learner,
            job.training,
            job.objective,
            known or _start(job, display),
            rounds=Rounds(
                job.agents.refresh,
                wait=job.agents.wait,
                asking=job.learner.engine.is_global_zero,
                share=job.learner.engine.broadcast,
            ),
            encode=job.encoder.encode,
            checkpoints=run.checkpoints,
            observer=Observers([recorder, display]),
            seed=job.config.seed,
            facts=facts_of(job),
            resume=checkpoint,
        )


def _start(job: Job, display: Observer) -> Guidance:
    """Return the guidance before training, which the first process asks for and all get."""
    engine = job.learner.engine
    shared = engine.broadcast(
        job.agents.start(display.on_answers) if engine.is_global_zero else None
    )
    assert shared is not None
    return shared


def _score_validation(job: Job, run: RunDirectory) -> None:
    """Write the scores of the validation part, if nothing was ever learned from it."""
    data, settings = job.training, job.config.training
    run.validation_scores.unlink(missing_ok=True)
    if len(data.validation) and settings.hold_out_until == 1:
        score(
            job.learner.evaluated,
            evaluation_sampler(job.config, data.sampler.store),
            data.validation,
            batch_size=2 * settings.batch_size,
            autocast=job.learner.engine.autocast,
        ).save(run.validation_scores)


def _summary(job: Job, run: RunDirectory, guidance: Guidance, scores: Scores) -> dict[str, Any]:
    records = run.read_metrics()
    validated = [r["validation_top1"] for r in records if r["validation_top1"] is not None]
    test = report_parts(scores, job.tested)
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
        "parameters": sum(p.numel() for p in job.learner.recognizer.parameters()),
        "device": describe_device(job.learner.engine.device),
        "seed": job.config.seed,
        "agents": {
            "chat": job.config.agents.chat,
            "prompts": PROMPT_VERSION,
            **asdict(job.agents.accounts(guidance)),
        },
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
