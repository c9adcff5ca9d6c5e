"""``skeletonagent convert-checkpoint``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import safetensors.torch
import typer
from rich.markup import escape

from skeletonagent.cli.console import console, print_json
from skeletonagent.core.errors import CheckpointError, ConfigError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_25, UAV_17, SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.data.benchmarks import BENCHMARKS, Benchmark, find_benchmark
from skeletonagent.data.settings import ClipSettings, DataSettings, Origin
from skeletonagent.experiments.config import Config, write_config
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.experiments.resolve import parse_stream
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.models.released_checkpoint import ReleasedCheckpoint, read_released_checkpoint
from skeletonagent.models.settings import ModelSettings, PersonPooling
from skeletonagent.training.checkpoint import Checkpoint
from skeletonagent.training.run_directory import RunDirectory

_LAYOUTS = {layout.num_joints: layout for layout in (KINECT_25, COCO_20, UAV_17)}
"""The skeletons of the released recognizers."""


def convert_checkpoint(
    file: Annotated[Path, typer.Argument(help="A checkpoint (.pth) of the authors' code.")],
    out: Annotated[
        Path, typer.Option(help="Run directory to write, or NAME.safetensors for one file.")
    ],
    benchmark: Annotated[
        str | None, typer.Option(help="What it was trained on; if not given, told by its sizes.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(help="The stream it was trained on, if the file does not tell.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was read as JSON.")] = False,
) -> None:
    """Convert a checkpoint of the authors' released code into a run that can be evaluated.

    Weights and K are kept; the text encoder is left out. No code in the file is run.

    Examples:
      skeletonagent convert-checkpoint xsub_j.pth --out runs/released

      skeletonagent convert-checkpoint k.pth --out runs/k --benchmark uav-human --stream k
    """
    given = parse_stream(stream) if stream else None
    run = RunDirectory(out)
    if run.exists or out.is_file():
        raise ConfigError(f"{out} is there already; choose another --out")
    released = read_released_checkpoint(file)
    layout = _layout(released)
    known = _benchmark(released, layout, benchmark)
    config = _config(released, known.name if known else file.stem, given)
    recognizer = released.recognizer(layout)
    checkpoint = _checkpoint(released, recognizer, layout, known, config)
    if out.suffix == ".safetensors":
        _write_weights(checkpoint, out)
    else:
        run.checkpoints.save(checkpoint)
        write_config(config, run.config)
    told = {
        "benchmark": known.name if known else None,
        "backbone": released.backbone,
        "width": released.width,
        "parameters": sum(parameter.numel() for parameter in recognizer.parameters()),
        "classes": released.num_classes,
        "joints": released.joints,
        "channels": released.channels,
        "persons": released.persons,
        "stream": config.clips.stream.value,
        "epoch": released.epoch,
        "text_tower": f"{released.text_tower} tensors left out",
        "out": str(out),
    }
    for key, value in told.items():
        console.print(f"[bold]{key:10}[/] {escape(str(value))}", soft_wrap=True)
    if known is None:
        console.print("classes are numbered; name them with --benchmark, or no data will fit")
    if as_json:
        print_json({**told, "text_tower": released.text_tower})


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
    """Return the configuration it was trained with, as far as evaluating needs it."""
    flat = released.joints != KINECT_25.num_joints
    return Config(
        data=DataSettings(archive=archive, origin=Origin.NONE if flat else Origin.PERSON),
        clips=ClipSettings(frames=100, stream=stream or released.stream or Stream.JOINT),
        model=ModelSettings(released.backbone, released.width, PersonPooling.RELEASED),
    )


def _checkpoint(
    released: ReleasedCheckpoint,
    recognizer: Recognizer,
    layout: SkeletonLayout,
    known: Benchmark | None,
    config: Config,
) -> Checkpoint:
    names = known.class_names if known else [f"class {y + 1}" for y in range(released.num_classes)]
    weights = {f"recognizer.{name}": t for name, t in recognizer.state_dict().items()}
    metadata = RecognizerMetadata(
        config=config,
        class_names=tuple(names),
        layout=layout,
        channels=released.channels,
        persons=released.persons,
        text_dim=released.text_dim,
        input_format=InputFormat(known.layout if known else layout, released.channels),
    )
    guidance = released.guidance(layout, names, config.clips.stream)
    return Checkpoint(
        epoch=released.epoch,
        tensors=weights | ({} if released.salient is None else {"salient": released.salient}),
        metadata=metadata.to_json() | {"guidance": guidance.to_json()},
    )


def _write_weights(checkpoint: Checkpoint, out: Path) -> None:
    """Write the checkpoint's tensors to one file, with the facts among its metadata."""
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
    facts = {"metadata": json.dumps(dict(checkpoint.metadata))}
    with write_atomically(out) as file:
        file.write(safetensors.torch.save(tensors, metadata=facts))
