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
from skeletonagent.build import Job, assemble, facts_of
from skeletonagent.config import Config, read_config, to_dict, write_config
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.core.files import locked, remove_drafts, write_atomically, write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.scores import Scores
from skeletonagent.evaluation.evaluate import report_parts
from skeletonagent.training.checkpoint import Found
from skeletonagent.training.devices import describe_device
from skeletonagent.training.loop import Observer, Training
from skeletonagent.training.record import Observers, RunDirectory, RunRecorder
from skeletonagent.training.rounds import Rounds
from skeletonagent.training.scoring import score_shared
from skeletonagent.training.snapshots import Snapshots
from skeletonagent.training.stopping import stop_on_signals

Watch = Callable[[Config, Found], AbstractContextManager[Observer]]
"""Gives the display of a run, knowing its configuration and where it goes on."""


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
        BusyError: If another process is writing to it.
        CheckpointError: If a checkpoint cannot be read or written.
        TrainingError: If the loss stops being finite, or another process is gone.
        Stopped: If it was asked to end; how far it came is saved.
    """
    run = RunDirectory(out)
    job = assemble(config, data)
    engine = job.learner.engine
    with engine.together(), ExitStack() as held:
        engine.on_first(lambda: held.enter_context(locked(run.lock)))
        found = engine.on_first(lambda: _begin(run, job.config, resume))
        guidance = _train(job, run, found, watch)
        scores = _scored(job, job.test)
        validated = _scored(job, job.training.validation) if _kept_apart(job) else None
        return engine.on_first(lambda: _write(job, run, guidance, scores, validated))


def _begin(run: RunDirectory, config: Config, resume: bool) -> Found:
    """Write the configuration of a new run, or return where an old one stands."""
    if not run.begun:
        run.checkpoints.clear()
        write_config(config, run.config)
        return Found(None)
    if not resume:
        raise ConfigError(
            f"{run.path} already holds a run; add --resume to go on, or choose another --out"
        )
    remove_drafts(run.path)
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
    return run.checkpoints.newest()


def _train(job: Job, run: RunDirectory, found: Found, watch: Watch) -> Guidance:
    engine, checkpoint = job.learner.engine, found.checkpoint
    if checkpoint and checkpoint.facts["class_names"] != list(job.data.store.class_names):
        raise CheckpointError(f"{run.path} was trained on other classes than {job.data.name} has")
    known = checkpoint and Guidance.from_json(checkpoint.facts["guidance"], job.data.store.layout)
    if known:
        job.agents.recall(known)
    recorder = RunRecorder(run, checkpoint.epoch if checkpoint else 0)
    with watch(job.config, found) as display, stop_on_signals() as stop, engine.together():
        watching: list[Observer] = [
            recorder,
            Snapshots(run.path, job.learner, job.training, job.config.training.snapshots),
            display,
        ]
        training = Training(
            job.learner,
            job.training,
            known or engine.on_first(lambda: job.agents.start(display.on_answers)),
            rounds=Rounds(
                job.agents.refresh,
                wait=job.agents.wait,
                asking=engine.is_first,
                share=engine.share,
            ),
            encode=job.encoder.encode,
            checkpoints=run.checkpoints,
            observer=Observers(watching if engine.is_first else []),
            seed=job.config.seed,
            facts=facts_of(job),
            stop=stop,
        )
        return training.run(checkpoint)


def _scored(job: Job, samples: Int[Tensor, " n"]) -> Scores:
    size = 2 * job.config.training.batch_size
    return score_shared(job.learner, job.training.source, samples, batch_size=size)


def _kept_apart(job: Job) -> bool:
    """Return whether there is a validation part from which nothing was ever learned."""
    return len(job.training.validation) > 0 and job.config.training.hold_out_until == 1


def _write(
    job: Job, run: RunDirectory, guidance: Guidance, scores: Scores, validated: Scores | None
) -> dict[str, Any]:
    """Write what the run came to, and return its summary."""
    scores.save(run.scores)
    parts = {name: sorted(ids) for name, ids in job.tested.items()}
    write_text(run.test_parts, json.dumps(parts))
    run.validation_scores.unlink(missing_ok=True)
    if validated is not None:
        validated.save(run.validation_scores)
    names = np.array(job.data.store.class_names)
    with write_atomically(run.confusions) as file:
        np.savez(file, counts=scores.confusions(), class_names=names)
    summary = _summary(job, run, guidance, scores)
    write_text(run.summary, json.dumps(summary, indent=1))
    return summary


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
