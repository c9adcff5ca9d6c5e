"""Export of a trained recognizer of one stream, with what prediction needs beside it."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeVar

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.outside_text import printable_line
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.datasets import prepare_named_dataset
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.export.accuracy import measure_accuracy
from skeletonagent.export.description import (
    KERNEL_RIDGE,
    ExportDescription,
    MeasuredAccuracy,
)
from skeletonagent.export.parity import RunClips
from skeletonagent.export.precision import ExportPrecision
from skeletonagent.export.write import ExportedFile, ExportFormat, export_recognizer
from skeletonagent.inference.segment_settings import choose_threshold
from skeletonagent.inference.stream_model import StreamModel

_Member = TypeVar("_Member", bound=StrEnum)


def export_model(
    models: Sequence[StreamModel],
    path: Path,
    held_out: ClassProbabilities | None = None,
    *,
    form: str = ExportFormat.ONNX,
    precision: str = ExportPrecision.FP32,
    data: str | Path | None = None,
    split: str | None = None,
    license: str = "",
) -> ExportedFile:
    """Write a recognizer for other software, and return what was written.

    Args:
        models: The recognizer; of several streams, each is exported by itself.
        path: File to write.
        held_out: Class probabilities of held-out clips, from which the threshold follows.
        form: ``onnx`` or ``torch-export``.
        precision: ``fp32``, ``fp16`` or ``int8``.
        data: Archive on whose test set the accuracy is measured; by default that of the training,
            if the precision is not ``fp32``.
        split: Name of its split; by default that of the training.
        license: Licence of the training data, in words.

    Raises:
        ConfigError: If there are several streams, there is no such form or precision, or a package
            is missing.
        DataError: If the archive for the accuracy cannot be read.
        ExportError: If the recognizer cannot be exported, or the export differs from PyTorch.
    """
    if len(models) > 1:
        raise ConfigError("recognizers of several streams are exported each by itself")
    (model,) = models
    format_, precision_ = _member(ExportFormat, form), _member(ExportPrecision, precision)
    base = None if model.kernel_ridge is None else model.kernel_ridge.base
    host = replace(model, recognizer=copy.deepcopy(model.recognizer).cpu().eval())
    threshold, source = choose_threshold(None, held_out)
    right = None if held_out is None else held_out.recognized()
    measures = data is not None or precision_ is not ExportPrecision.FP32
    return export_recognizer(
        host.recognizer,
        ExportDescription(
            metadata=model.metadata,
            guidance=model.guidance,
            threshold=threshold,
            threshold_from=source,
            epoch=model.epoch,
            held_out=() if right is None else tuple(map(float, right.probs.max(axis=1))),
            held_out_entropies=() if right is None else tuple(map(float, right.entropies)),
            license=printable_line(license),
        ),
        path,
        form=format_,
        precision=precision_,
        properties=_properties(model.kernel_ridge),
        measure=_measure(host, data, split) if measures else None,
        encoder=None if base is None or base.encoder is None else base.encoder.on_host(),
    )


def _member(kind: type[_Member], name: str) -> _Member:
    try:
        return kind(name)
    except ValueError as error:
        raise ConfigError(f"no {name!r} to export; there are {', '.join(kind)}") from error


def _properties(beside: KernelRidge | None) -> dict[str, str]:
    """Return what a file carries of the classifier beside the network."""
    if beside is None:
        return {}
    return {KERNEL_RIDGE: base64.b64encode(beside.without_encoder().to_bytes()).decode()}


def _measure(
    model: StreamModel, archive: str | Path | None, split: str | None
) -> Callable[[RunClips], MeasuredAccuracy]:
    """Return the function that measures an exported recognizer on the test set of an archive.

    Raises:
        DataError: If the archive cannot be read.
        CheckpointError: If it has other classes or joints.
    """
    settings = model.config.data
    purpose = "test clips are needed to state the accuracy of this precision"
    data = prepare_named_dataset(settings, archive, purpose)
    name, chosen = choose_split(data, split or (None if archive else settings.split))
    classes = data.store.class_names  # actions that were added follow those of the training
    if model.metadata.class_names[: len(classes)] == tuple(classes):
        model = replace(model, metadata=replace(model.metadata, class_names=tuple(classes)))
    loader = model.loader(data)
    return partial(
        measure_accuracy,
        recognizer=model.recognizer,
        loader=loader,
        samples=loader.store.indices(chosen.test),
        data=data.name,
        split=name,
        batch_size=model.default_batch_size,
    )
