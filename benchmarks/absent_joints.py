"""Accuracy of a trained run where joints of the test clips are absent: a curve as a table.

Joints of the test samples are taken away as they are stored, before preprocessing; the run is not
trained anew. The first row has the samples as they are.

Example:
  python -m benchmarks.absent_joints runs/utd skeletons/utd_mhad --seeds 5
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from jaxtyping import Bool
from torch import Generator, Tensor, arange, rand

from skeletonagent.cli.console import output
from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.splits import choose_split, evaluation_parts, evaluation_samples
from skeletonagent.data.stored_bodies import StoredBodies, body_chunks
from skeletonagent.experiments.datasets import open_dataset, preprocess_dataset
from skeletonagent.inference.predictor import Predictor, load_predictor

Absence = Callable[[StoredBodies, int, Generator], Bool[Tensor, "f v"]]
"""Function that draws which joints are taken away, given the bodies and the center joint."""


def joints_of_frames(share: float) -> Absence:
    """Return the draw of each joint of each frame by itself."""
    return lambda bodies, _, generator: rand(bodies.present.shape, generator=generator) < share


def joints_of_clips(share: float) -> Absence:
    """Return the draw of each joint of a body, for all of its frames."""

    def drawn(bodies: StoredBodies, _: int, generator: Generator) -> Bool[Tensor, "f v"]:
        shape = (len(bodies.body_samples), bodies.present.shape[1])
        return (rand(shape, generator=generator) < share)[bodies.bodies]

    return drawn


def center_of_frames(share: float) -> Absence:
    """Return the draw of frames in which the center joint alone is taken away."""

    def drawn(bodies: StoredBodies, center: int, generator: Generator) -> Bool[Tensor, "f v"]:
        chosen = rand(len(bodies.present), generator=generator) < share
        return chosen[:, None] & (arange(bodies.present.shape[1]) == center)

    return drawn


def center_of_first_frames(share: float) -> Absence:
    """Return the center joint of the first frames of each body."""

    def drawn(bodies: StoredBodies, center: int, _: Generator) -> Bool[Tensor, "f v"]:
        frame = bodies.numbered_rows - bodies.body_starts[bodies.bodies]
        first = frame < share * bodies.body_lengths[bodies.bodies]
        return first[:, None] & (arange(bodies.present.shape[1]) == center)

    return drawn


ABSENCES: Mapping[str, Absence] = {
    "nothing": joints_of_frames(0.0),
    "10 % of joints, frame by frame": joints_of_frames(0.1),
    "30 % of joints, frame by frame": joints_of_frames(0.3),
    "50 % of joints, frame by frame": joints_of_frames(0.5),
    "center joint, in a third of the frames": center_of_frames(1 / 3),
    "center joint, in the first third of the frames": center_of_first_frames(1 / 3),
    "10 % of joints, in whole clips": joints_of_clips(0.1),
    "30 % of joints, in whole clips": joints_of_clips(0.3),
    "50 % of joints, in whole clips": joints_of_clips(0.5),
}
"""Draws of the table's rows."""


def without_joints(store: ClipStore, absence: Absence, seed: int) -> ClipStore:
    """Return samples of which some joints are absent: zero in all channels."""
    generator = Generator().manual_seed(seed)
    frames, filled = store.frames.clone(), 0
    for bodies in body_chunks(store):
        rows = slice(filled, filled := filled + len(bodies.frames))
        frames[rows][absence(bodies, store.layout.center, generator)] = 0
    return replace(store, frames=frames)


def top1(predictor: Predictor, data: SkeletonData, absence: Absence, seed: int) -> float:
    """Return the accuracy on stored samples of which some joints are taken away, in percent."""
    changed = replace(data, store=without_joints(data.store, absence, seed))
    prepared = preprocess_dataset(changed, Preprocessor.from_settings(predictor.config.data))
    found = predictor.predict_data(prepared, prepared.store.sample_ids)
    return 100 * found.topk_accuracy(1)


def main(
    run: Annotated[Path, typer.Argument(help="A trained run.")],
    archive: Annotated[Path, typer.Argument(help="Its archive.")],
    seeds: Annotated[int, typer.Option(min=1, help="Draws of the absent joints.")] = 5,
) -> None:
    """Print a Markdown table of the mean accuracy over the draws."""
    predictor = load_predictor(run, "cpu")
    settings = predictor.config.data
    data = open_dataset(archive, settings.confidence)
    name, _ = choose_split(data, settings.split)
    tested = data.store.subset(evaluation_samples(data.store, evaluation_parts(data, name)))
    data = replace(data, store=tested)
    output.print("| absent in the test clips | top-1 | lowest and highest of the draws |")
    output.print("|---|---:|---:|")
    for words, absence in ABSENCES.items():
        values = [top1(predictor, data, absence, seed) for seed in range(seeds)]
        mean, low, high = statistics.mean(values), min(values), max(values)
        output.print(f"| {words} | {mean:.1f} | {low:.1f} to {high:.1f} |", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
