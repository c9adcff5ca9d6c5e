"""Processor time of a frame in a stream, and of how many random mutilations it stands.

A recording is stitched from test clips of the run's archive, as ``benchmarks.untrimmed`` does, and
pushed frame by frame on one core: most frames only move on, those that complete a window or an
action also classify it. Then frames of it are mutilated at random (frames gone, joints not seen or
infinite, bodies of no size, persons exchanged), which must neither fail nor give a number that is
none. One line of JSON has the result.

Example:
  python -m benchmarks.streaming runs/utd skeletons/utd_mhad --mutilations 1000
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from jaxtyping import Float

from benchmarks.untrimmed import stitch
from skeletonagent.cli.console import print_json
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.inference.predictor import Predictor, load_predictor
from skeletonagent.inference.segment_stream import SegmentEvent, SegmentStream


def main(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    archive: Annotated[Path, typer.Argument(help="Skeleton archive that it was trained on.")],
    clips: Annotated[int, typer.Option(min=1, help="Clips that are pushed.")] = 30,
    persons: Annotated[int, typer.Option(min=1, help="Persons at the same time.")] = 1,
    mutilations: Annotated[int, typer.Option(help="Recordings that are mutilated.")] = 0,
    fps: Annotated[float, typer.Option(help="Frames a second of the archive.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Print a line of JSON: milliseconds of processor time a frame."""
    torch.set_num_threads(1)
    model, data = load_predictor(run, "cpu"), open_dataset(archive)
    rng = np.random.default_rng(seed)
    _, split = choose_split(data, model.config.data.split)
    names = rng.permutation(list(split.test))[:clips].tolist()
    joints = stitch(data, names, rng, (0.7, 2.0), 0.01, fps).recording.joints[0]
    bodies = np.stack([np.roll(joints, 40 * n, axis=0) for n in range(persons)], axis=1)
    print_json(
        {
            "backbone": model.config.model.backbone,
            "parameters": sum(p.numel() for p in model.torch_models[0].recognizer.parameters()),
            "persons": persons,
            "frames": len(joints),
            "frame_milliseconds": 1e3 / fps,
            "milliseconds": timed(model.stream(fps=fps), bodies),
            **({"mutilated": survived(model, joints, mutilations, fps)} if mutilations else {}),
        }
    )


def timed(stream: SegmentStream, frames: Float[np.ndarray, "t m v c"]) -> dict[str, float]:
    """Return the processor time of a frame in milliseconds: mean, quantiles and the longest."""
    took = []
    for frame in frames:
        began = time.process_time()
        stream.push(frame)
        took.append(1e3 * (time.process_time() - began))
    return {
        "mean": float(np.mean(took)),
        "median": float(np.median(took)),
        "p99": float(np.quantile(took, 0.99)),
        "most": float(np.max(took)),
    }


def survived(
    model: Predictor, joints: Float[np.ndarray, "t v c"], count: int, fps: float
) -> dict[str, int]:
    """Return how many mutilated recordings were cut into how many segments, all sound.

    Raises:
        ValueError: If a result holds a number that is none.
    """
    segments = frames = 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        first = int(rng.integers(0, len(joints)))
        part = joints[first : first + int(rng.integers(0, 240))]
        stream = model.stream(fps=fps, num_clips=1)
        events = [event for frame in mutilated(part, rng) for event in stream.push(frame)]
        events += stream.finish()
        frames += len(part)
        for event in events:
            if isinstance(event, SegmentEvent):
                json.dumps(event.segment.to_json(fps), allow_nan=False)
                segments += 1
    return {"recordings": count, "frames": frames, "segments": segments}


def mutilated(
    joints: Float[np.ndarray, "t v c"], rng: np.random.Generator
) -> list[dict[str, Any] | None]:
    """Return frames of one to three persons with random damage of every kind."""
    persons = int(rng.integers(1, 4))
    bodies = [np.roll(joints, int(rng.integers(0, 99)), axis=0) + n for n in range(persons)]
    frames: list[dict[str, Any] | None] = []
    for t in range(len(joints)):
        frame = {}
        for number, body in enumerate(bodies):
            damaged = body[t].copy()
            damaged[rng.random(len(damaged)) < rng.choice([0, 0.2, 0.95])] = np.nan
            if rng.random() < 0.02:
                damaged *= rng.choice([0, 1e-30, 1e30, np.inf])
            if rng.random() < 0.02:
                damaged[:] = damaged[0]
            if rng.random() > 0.1:
                frame[str(number)] = damaged
        if persons > 1 and rng.random() < 0.05:
            bodies[0], bodies[1] = bodies[1], bodies[0]
        frames.append(frame if rng.random() > 0.1 else None)
    return frames


if __name__ == "__main__":
    typer.run(main)
