"""Processor time of the compact recognizer: a step of its training, and the scores of clips.

The recipe is that of ``default`` and of the small data sets' presets, on generated clips of 25
joints and one thread. The steps are the program's own loop: sampling, augmentation, the losses, the
optimizer, the average of the weights. Scores are those of the recognizer as inference runs it.
Processor time does not depend on what else the machine does, but for what that pushes out of the
caches: the least of several repeats counts.

Example:
  python -m benchmarks.compact --json compact.json
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.generated import LookupEncoder, Persons, generated
from benchmarks.inference import cpu_threads
from benchmarks.measuring import print_rows, write_facts
from benchmarks.program import (
    LANGUAGE_MODEL,
    batch_of,
    experiment_of,
    guidance_tensors_of,
    learn,
)
from benchmarks.scaling import least_seconds
from skeletonagent.core.streams import Stream
from skeletonagent.data.settings import Origin
from skeletonagent.experiments.build import Experiment
from skeletonagent.experiments.compact_recipe import CompactRecipe, compact_config
from skeletonagent.experiments.config import with_overrides
from skeletonagent.models.fused import fuse_for_inference

CLASSES = 20
SEQUENCES = 600
AT_ONCE = (1, 4, 32)
"""Clips whose scores are computed at once: one, those of a sample, and those of several."""


def main(
    steps: Annotated[int, typer.Option(min=1, help="Steps timed together.")] = 8,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats; the least time counts.")] = 5,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Time a step and the scores, for clips of one body and of two."""
    rows = []
    with cpu_threads(torch.device("cpu"), 1):
        for bodies in (1, 2):
            experiment = compact_experiment(bodies)
            rows.append(
                {
                    "bodies": bodies,
                    "step_ms": _step(experiment, steps, repeats),
                    **{f"clip_ms_of_{n}": _clip(experiment, n, repeats) for n in AT_ONCE},
                }
            )
    print_rows("compact recognizer, one thread, processor milliseconds", rows)
    write_facts({"rows": rows, "torch": torch.__version__, "repeats": repeats}, json)


def compact_experiment(bodies: int) -> Experiment:
    """Return the objects of a training by the compact recipe.

    Args:
        bodies: Number of bodies of every clip, at most two.
    """
    recipe = CompactRecipe()
    config = compact_config(Stream.JOINT, recipe, archive="synthetic", origin=Origin.GROUP)
    texts = f"agents.text_encoder={LookupEncoder.name}"
    config = with_overrides(config, ["device=cpu", f"agents.chat={LANGUAGE_MODEL}", texts])
    data = generated(SEQUENCES, Persons.FULL, CLASSES)
    data = replace(data, store=replace(data.store, person_slots=bodies))
    return experiment_of(config, data)


def _step(experiment: Experiment, steps: int, repeats: int) -> float:
    """Return the processor milliseconds of a training step."""
    guidance = guidance_tensors_of(experiment)
    taken = partial(learn, experiment, guidance, steps, lambda: None)
    return 1e3 * least_seconds(taken, repeats) / steps


@torch.inference_mode()
def _clip(experiment: Experiment, clips: int, repeats: int) -> float:
    """Return the processor milliseconds of a clip's scores, of some clips at once."""
    classify = fuse_for_inference(experiment.state.eval_model)
    batch = batch_of(experiment, clips=clips)
    return 1e3 * least_seconds(lambda: classify(batch.clips, batch.bodies), 4 * repeats) / clips


if __name__ == "__main__":
    typer.run(main)
