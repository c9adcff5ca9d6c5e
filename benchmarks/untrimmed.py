"""Actions in untrimmed recordings: test clips stitched together with pauses, found again.

Each recording is made of random test clips of an archive. Between two of them the last frame is
held, with a little noise, for a random time. The run's recognizer cuts the recordings into
segments, offline and as a stream, and one line of JSON compares them with the truth, beside the
accuracy of the same clips when they are handed over one by one.

Example:
  python -m benchmarks.untrimmed runs/utd skeletons/utd_mhad
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from jaxtyping import Float

from skeletonagent.cli.console import print_json
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.splits import choose_split
from skeletonagent.evaluation.segmentation import (
    TimedLabel,
    frame_accuracy,
    frame_labels,
    segmentation_metrics,
)
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.inference.predictor import Predictor, load_predictor
from skeletonagent.inference.segment_stream import SegmentEvent
from skeletonagent.inference.segments import ActionSegment, RecordingPrediction


@dataclass(frozen=True)
class StitchedRecording:
    """Recording that is made of clips.

    Args:
        recording: All frames.
        true: Clips in it, in frames.
        clips: Names of the clips.
    """

    recording: KeypointRecording
    true: tuple[TimedLabel, ...]
    clips: tuple[str, ...]


def stitch(
    data: SkeletonData,
    clips: Sequence[str],
    rng: np.random.Generator,
    pause: tuple[float, float],
    noise: float,
    fps: float,
) -> StitchedRecording:
    """Return clips with pauses between them.

    Args:
        data: Data set of the clips.
        clips: Names of the clips, in their order.
        rng: Source of all random numbers.
        pause: Shortest and longest pause in seconds.
        noise: Standard deviation of the noise in a pause, in body sizes.
        fps: Frames a second.
    """
    samples = [data.store.sequence(data.store.index_of[name]) for name in clips]
    persons = max(len(sample.joints) for sample in samples)
    parts: list[Float[np.ndarray, "m t v c"]] = []
    true, frame = [], 0
    for sample in samples:
        missing = ((0, persons - len(sample.joints)), (0, 0), (0, 0), (0, 0))
        joints = np.pad(sample.joints, missing)
        held = joints[:, np.flatnonzero(joints.any(axis=(0, 2, 3)))[-1:]]
        count = round(rng.uniform(*pause) * fps)
        spread = np.square(held - held.mean(axis=2, keepdims=True)).sum(axis=-1).mean(axis=2)
        moved = rng.normal(0, noise, (*held.shape[:1], count, *held.shape[2:]))
        seen = held.any(axis=-1, keepdims=True)
        still = held + seen * moved * np.sqrt(spread)[..., None, None]
        label = data.store.class_names[sample.label]
        true.append(TimedLabel(frame, frame + joints.shape[1], label))
        frame += joints.shape[1] + count
        parts += [joints, still]
    stitched = np.concatenate(parts, axis=1).astype(np.float32)
    stitched[~stitched.any(axis=-1)] = np.nan
    recording = KeypointRecording(name=clips[0], joints=stitched, layout=data.store.layout, fps=fps)
    return StitchedRecording(recording, tuple(true), tuple(clips))


def main(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    archive: Annotated[Path, typer.Argument(help="Skeleton archive that it was trained on.")],
    clips: Annotated[int, typer.Option(min=1, help="Clips of a recording.")] = 12,
    recordings: Annotated[int, typer.Option(min=1, help="Recordings; 0 for all clips.")] = 1000,
    pause: Annotated[tuple[float, float], typer.Option(help="Seconds of a pause.")] = (0.7, 2.0),
    noise: Annotated[float, typer.Option(help="Noise of a pause, in body sizes.")] = 0.01,
    fps: Annotated[float, typer.Option(help="Frames a second of the archive.")] = 30.0,
    threshold: Annotated[float | None, typer.Option(help="Smallest probability.")] = None,
    rest: Annotated[str, typer.Option(help="How pauses are found.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of the recordings.")] = 0,
) -> None:
    """Print a line of JSON: how many of the actions are found, and what it takes."""
    model, data = load_predictor(run, "cpu"), open_dataset(archive)
    rng = np.random.default_rng(seed)
    _, split = choose_split(data, model.config.data.split)
    order = rng.permutation(list(split.test)).tolist()
    groups = [order[first : first + clips] for first in range(0, len(order), clips)][:recordings]
    stitched = [stitch(data, group, rng, pause, noise, fps) for group in groups]
    began = time.process_time()
    found = [model.segment(item.recording, threshold=threshold, rest=rest) for item in stitched]
    seconds = time.process_time() - began
    frames = sum(prediction.frames for prediction in found)
    whole = clip_accuracy(model, data, [name for group in groups for name in group])
    print_json(
        {
            "clips": sum(map(len, groups)),
            "clip_top1": whole,
            **figures(stitched, found),
            "settings": {key: found[0].engine[key] for key in ("window", "threshold", "rest")},
            "milliseconds_a_frame": 1e3 * seconds / frames,
            **streamed(model, stitched[0], threshold, rest),
        }
    )


def clip_accuracy(model: Predictor, data: SkeletonData, names: Sequence[str]) -> float:
    """Return the top-1 accuracy of clips that are handed over one by one."""
    samples = [data.store.sequence(data.store.index_of[name]) for name in names]
    labels = model.predict([sample.joints for sample in samples]).labels
    return float(np.mean(labels == [sample.label for sample in samples]))


def known(prediction: RecordingPrediction) -> list[TimedLabel]:
    """Return the segments that have a label."""
    return [
        TimedLabel(segment.start, segment.end, segment.label, segment.score)
        for segment in prediction
        if segment.is_known
    ]


def figures(
    stitched: Sequence[StitchedRecording], found: Sequence[RecordingPrediction]
) -> dict[str, Any]:
    """Return the metrics of all recordings together; ``found`` is the recall at IoU 0.5."""
    true = [item.true for item in stitched]
    metrics = segmentation_metrics(
        true, [known(prediction) for prediction in found], [p.frames for p in found]
    )
    active = [
        frame_accuracy(
            frame_labels([replace(one, label="") for one in own], p.frames),
            frame_labels([TimedLabel(s.start, s.end, "") for s in p], p.frames),
        )
        for own, p in zip(true, found, strict=True)
    ]
    return {
        **metrics,
        "found": metrics["recall"],
        "unknown": sum(not segment.is_known for prediction in found for segment in prediction),
        "movement_accuracy": float(np.mean(active)),
    }


def streamed(
    model: Predictor, item: StitchedRecording, threshold: float | None, rest: str
) -> dict[str, Any]:
    """Return whether a stream finds the same in a recording, and the processor time of a frame."""
    fps = item.recording.fps or 30.0
    stream = model.stream(fps=fps, threshold=threshold, rest=rest)
    segments: list[ActionSegment] = []
    took = []
    for frame in item.recording.joints.swapaxes(0, 1):
        began = time.process_time()
        events = stream.push(frame)
        took.append(1e3 * (time.process_time() - began))
        segments += [event.segment for event in events if isinstance(event, SegmentEvent)]
    segments += [e.segment for e in stream.finish() if isinstance(e, SegmentEvent)]
    offline = model.segment(item.recording, threshold=threshold, rest=rest, batch_size=1)
    return {
        "stream_equals_offline": tuple(segments) == offline.segments,
        "stream_milliseconds_a_frame": {
            "mean": float(np.mean(took)),
            "p99": float(np.quantile(took, 0.99)),
            "most": float(np.max(took)),
        },
    }


if __name__ == "__main__":
    typer.run(main)
