"""Model card: a page in Markdown that says what an exported recognizer is good for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from skeletonagent.core.files import write_text
from skeletonagent.evaluation.significance import mean_interval
from skeletonagent.export.description import ExportDescription
from skeletonagent.export.write import ExportedFile

UNTOLD = "not told; ask whoever recorded the data before the model is passed on"
"""What a card says of a licence that nobody told."""


def write_model_card(
    exported: ExportedFile, path: Path, summaries: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write the model card of an exported recognizer.

    Args:
        exported: The recognizer as it was written; its difference is NaN where it is not known.
        path: File in Markdown to write.
        summaries: Results of the run, or of several that differ by their seed; none if unknown.
    """
    write_text(path, "\n".join(_lines(exported, summaries)) + "\n")


def _lines(exported: ExportedFile, summaries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    described = exported.description
    metadata = described.metadata
    config, layout = metadata.config, metadata.input_format.layout
    yield f"# Recognizer of {len(metadata.class_names)} actions from skeletons\n"
    yield "| | |\n|---|---|"
    for name, value in (
        ("file", f"{exported.path.name}, {exported.megabytes:.1f} MB, {described.precision}"),
        ("written by", described.program),
        ("recognizer", f"{config.model.backbone}, stream {config.clips.stream}"),
        ("trained on", f"{PurePath(config.data.archive).name}, {described.epoch} epochs"),
        ("licence of the data", described.license or UNTOLD),
        ("skeleton", f"{layout.name}, {layout.num_joints} joints"),
        ("channels", ", ".join(metadata.input_format.channel_names)),
        ("persons", f"at most {metadata.persons} in a clip"),
        ("clip", f"{config.clips.frames} frames, resampled from a recording of any length"),
        ("unknown below", f"{described.threshold:.3f} ({described.threshold_from})"),
    ):
        yield f"| {_cell(name)} | {_cell(value)} |"
    yield "\n## Accuracy\n"
    yield from _accuracy_lines(described, summaries)
    if not math.isnan(exported.difference):
        yield (
            f"\nOn random clips of 1, 2 and 17 at once, with absent bodies, the file differs from "
            f"PyTorch by {exported.difference:.1e} of the largest value."
        )
    yield "\n## Limits\n"
    yield from (f"- {limit}" for limit in _limits(described))
    yield "\n## Actions\n"
    yield from (
        f"- {_cell(name)}: {_cell(sentence)}" if sentence != name else f"- {_cell(name)}"
        for name, sentence in zip(metadata.class_names, described.guidance.sentences, strict=True)
    )
    yield "\n## Joints\n"
    yield _cell(", ".join(layout.joints))


def _accuracy_lines(
    described: ExportDescription, summaries: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    shares: dict[str, list[float]] = {}
    samples: dict[str, int] = {}
    for summary in summaries:
        for part, figures in summary["test"].items():
            shares.setdefault(part, []).append(float(figures["top1"]))
            samples[part] = int(figures["samples"])
    if shares:
        yield "| test set | samples | seeds | top-1 |\n|---|---|---|---|"
    for part, values in shares.items():
        shown = f"{values[0]:.2%}"
        if len(values) > 1:
            mean = mean_interval(values)
            low, high = max(0.0, mean.low or 0.0), min(1.0, mean.high or 1.0)
            shown = f"{mean.mean:.2%}, 95 % interval {low:.2%} to {high:.2%}"
        yield f"| {_cell(part)} | {samples[part]} | {len(values)} | {shown} |"
    if described.accuracy is not None:
        yield f"\nMeasured of this file: {_cell(str(described.accuracy))}."
    elif not shares:
        yield "Not measured: the run has no results, and no archive was named with `--data`."


def _limits(described: ExportDescription) -> Iterator[str]:
    metadata = described.metadata
    yield (
        "It is good on recordings that are like its training clips: the same sensor, joints, "
        "point of view and kind of people. Recordings of other sources are said in a warning."
    )
    clips = metadata.training_clips
    if clips is not None:
        rate = f", at {clips.fps:g} frames a second" if clips.fps else ""
        yield (
            f"Training clips had {clips.shortest} to {clips.longest} frames (5 % to 95 %), "
            f"{clips.median} in the middle{rate}."
        )
        if clips.pair_classes:
            yield f"Of two persons: {_cell(', '.join(clips.pair_classes))}."
    yield (
        "It names the most probable of its classes for anything; below the threshold an action "
        "counts as unknown, which is no guarantee that it is none of them."
    )
    yield "It was not tested for use where a wrong answer harms people."


def _cell(text: str) -> str:
    """Return a text as a part of a line of Markdown, which nothing in it ends or formats."""
    return re.sub(r"([\\|`*_\[\]<>#])", r"\\\1", " ".join(text.split()))
