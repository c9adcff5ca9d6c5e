"""Run made of a checkpoint of the authors' released code, so that it can be evaluated."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch

from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_25, UAV_17, SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.data.benchmarks import BENCHMARKS, Benchmark, find_benchmark
from skeletonagent.data.settings import AbsentRule, ClipSettings, DataSettings, Origin
from skeletonagent.experiments.benchmark_presets import PIXEL_CLIPS
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.models.released_checkpoint import ReleasedCheckpoint, read_released_checkpoint
from skeletonagent.models.settings import ModelSettings, PersonPooling
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.run_directory import RunDirectory

_LAYOUTS = {layout.num_joints: layout for layout in (KINECT_25, COCO_20, UAV_17)}
"""Layouts of the released recognizers by number of joints."""


@dataclass(frozen=True)
class ReleasedRun:
    """Checkpoint of the authors with all that a run of this program has.

    Args:
        released: Checkpoint as it was read.
        benchmark: Benchmark that it was trained on, None if it is not known.
        config: Configuration of the run.
        checkpoint: Checkpoint of the run.
        parameters: Number of the recognizer's parameters.
    """

    released: ReleasedCheckpoint
    benchmark: Benchmark | None
    config: Config
    checkpoint: Checkpoint
    parameters: int

    def save(self, out: Path) -> None:
        """Write a run directory, or a single file if the name ends in ``.safetensors``."""
        if out.suffix == ".safetensors":
            _write_weights(self.checkpoint, out)
        else:
            run = RunDirectory(out)
            run.checkpoints.save(self.checkpoint)
            write_config(self.config, run.config)


def read_released_run(
    file: Path, benchmark_name: str | None = None, stream: Stream | None = None
) -> ReleasedRun:
    """Return the run of a checkpoint of the authors; no code in the file is run.

    Args:
        file: The checkpoint.
        benchmark_name: Benchmark that it was trained on; if none, the only one of such sizes.
        stream: Stream that it was trained on, if the file does not say.

    Raises:
        CheckpointError: If it cannot be read.
        ConfigError: If there is no such benchmark, or its classes or joints are not these.
    """
    released = read_released_checkpoint(file)
    layout = _layout(released)
    benchmark = _benchmark(released, layout, benchmark_name)
    config = _config(released, benchmark.name if benchmark else file.stem, stream)
    recognizer = released.recognizer(layout)
    return ReleasedRun(
        released=released,
        benchmark=benchmark,
        config=config,
        checkpoint=_checkpoint(released, recognizer, layout, benchmark, config),
        parameters=sum(parameter.numel() for parameter in recognizer.parameters()),
    )


def _layout(released: ReleasedCheckpoint) -> SkeletonLayout:
    if released.joints not in _LAYOUTS:
        allowed = ", ".join(map(str, _LAYOUTS))
        raise CheckpointError(f"{released.joints} joints; released recognizers have {allowed}")
    return _LAYOUTS[released.joints]


def _benchmark(
    released: ReleasedCheckpoint, layout: SkeletonLayout, name: str | None
) -> Benchmark | None:
    """Return the benchmark of that name, or the only one of such sizes.

    Raises:
        ConfigError: If there is none of that name, or its classes or joints are not these.
    """
    fitting = [
        row
        for row in BENCHMARKS.values()
        if len(row.class_names) == released.num_classes
        and (COCO_20 if row.layout == COCO_17 else row.layout) == layout
    ]
    if name is None:
        return fitting[0] if len(fitting) == 1 else None
    row = find_benchmark(name)
    if row is None:
        raise ConfigError(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    if row not in fitting:
        raise ConfigError(
            f"{row.title} does not have the checkpoint's {released.num_classes} classes and "
            f"{released.joints} joints"
        )
    return row


def _config(released: ReleasedCheckpoint, archive: str, stream: Stream | None) -> Config:
    """Return the configuration that it was trained with, as far as an evaluation needs it."""
    in_pixels = released.joints != KINECT_25.num_joints
    clips = ClipSettings(frames=100, stream=stream or released.stream or Stream.JOINT)
    return Config(
        data=DataSettings(
            archive=archive,
            origin=Origin.NONE if in_pixels else Origin.PERSON,
            absent_rule=AbsentRule.ZERO,
            confidence=in_pixels and released.channels == 3,
        ),
        clips=replace(clips, **PIXEL_CLIPS) if in_pixels else clips,
        model=ModelSettings(
            released.backbone, released.width, person_pooling=PersonPooling.RELEASED
        ),
    )


def _checkpoint(
    released: ReleasedCheckpoint,
    recognizer: Recognizer,
    layout: SkeletonLayout,
    benchmark: Benchmark | None,
    config: Config,
) -> Checkpoint:
    names = (
        benchmark.class_names
        if benchmark
        else [f"class {y + 1}" for y in range(released.num_classes)]
    )
    weights = {f"recognizer.{name}": t for name, t in recognizer.state_dict().items()}
    metadata = RecognizerMetadata(
        config=config,
        class_names=tuple(names),
        layout=layout,
        channels=released.channels,
        persons=released.persons,
        text_dim=released.text_dim,
        input_format=InputFormat(
            benchmark.layout if benchmark else layout,
            released.channels,
            has_confidence=config.data.confidence,
        ),
    )
    guidance = released.guidance(layout, names, config.clips.stream)
    return Checkpoint(
        epoch=released.epoch,
        tensors=weights | ({} if released.salient is None else {"salient": released.salient}),
        metadata=metadata.to_json() | {"guidance": guidance.to_json()},
    )


def _write_weights(checkpoint: Checkpoint, out: Path) -> None:
    """Write the checkpoint's tensors to one file, with its metadata in the header."""
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
    metadata = {"metadata": json.dumps(dict(checkpoint.metadata))}
    with write_atomically(out) as file:
        file.write(safetensors.torch.save(tensors, metadata=metadata))
