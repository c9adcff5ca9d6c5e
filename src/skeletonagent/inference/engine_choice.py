"""Choice of the faster engine for a run whose directory holds an exported file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skeletonagent.core.errors import SkeletonAgentError
from skeletonagent.core.missing_packages import explained
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.inference.exported_model import EXPORTED_NAME, ExportedModel
from skeletonagent.inference.predictor import Predictor, load_predictor
from skeletonagent.inference.stream_recognizer import StreamRecognizer

TIMED_CLIPS = 8
"""Clips that both engines predict once they are warm."""


def load_faster(run: Path, device: str | None, overrides: Sequence[str]) -> Predictor:
    """Return the recognizer of a run in the engine that predicts faster here.

    ONNX Runtime is an alternative where the directory holds a file that was exported from the same
    weights in single precision. Without PyTorch it is the only one.

    Args:
        run: Run directory, or what else holds one.
        device: Device for PyTorch; on others than the CPU there is no choice.
        overrides: Settings in place of the run's.

    Raises:
        CheckpointError: If there is no trained run.
        ConfigError: If PyTorch is needed and missing.
    """
    file = run / EXPORTED_NAME
    try:
        in_torch = load_predictor(run, device, overrides=overrides)
    except ModuleNotFoundError as error:
        if not file.exists():
            raise explained(error) from error
        alone = Predictor.fused([ExportedModel.open(file, overrides)])
        return replace(alone, runs=(file,), choice="PyTorch is not installed: ONNX Runtime is used")
    if device not in ("auto", "cpu") or str(in_torch.device) != "cpu" or not file.exists():
        return in_torch
    problem = _why_not(in_torch, file)
    if not problem:
        try:
            exported = ExportedModel.open(file, overrides)
        except SkeletonAgentError as error:
            problem = str(error)
        else:
            problem = _why_other(in_torch.models, exported)
    if problem:
        return replace(in_torch, choice=f"PyTorch is used: {problem}")
    return _faster(in_torch, exported, file)


def _why_not(in_torch: Predictor, file: Path) -> str:
    """Return why a file does not count, nothing if it may."""
    (run, *others), exported = in_torch.runs, file.stat().st_mtime
    if others:
        return "the run has several streams"
    if (run / "actions.json").exists():
        return "actions were added to the run"
    if (run / "checkpoints").exists() and (run / "checkpoints").stat().st_mtime > exported:
        return f"the run has newer checkpoints than {file}; export it again"
    return ""


def _why_other(models: Sequence[StreamRecognizer], exported: ExportedModel) -> str:
    """Return in what an exported recognizer differs from that of a run, nothing if in nothing."""
    (model,) = models
    if exported.description.precision != "fp32":
        return f"{exported.path} is of {exported.description.precision}; --engine onnx takes it"
    same = (model.epoch, model.metadata.class_names) == (
        exported.epoch, exported.metadata.class_names,
    )  # fmt: skip
    return "" if same else f"{exported.path} is of another training; export it again"


def _faster(in_torch: Predictor, exported: ExportedModel, file: Path) -> Predictor:
    """Return the predictor whose engine takes less time for a few clips, and says so."""
    (model,) = in_torch.models
    samples = _random_samples(exported)
    torch_ms, onnx_ms = (1000 * _seconds(one, samples) / len(samples) for one in (model, exported))
    said = f"ONNX Runtime takes {onnx_ms:.1f} ms a clip here, PyTorch {torch_ms:.1f}"
    if torch_ms < onnx_ms:
        return replace(in_torch, choice=f"{said}: PyTorch is used")
    chosen = replace(Predictor.fused([exported]), runs=(file,))
    return replace(chosen, choice=f"{said}: ONNX Runtime is used")


def _random_samples(exported: ExportedModel) -> list[SkeletonSequence]:
    """Return samples as long as a clip, of as many bodies as there is room for."""
    given, frames = exported.metadata.input_format, exported.config.clips.frames
    shape = (exported.metadata.persons, frames, given.layout.num_joints, given.channels)
    rng = np.random.default_rng(0)
    return [
        SkeletonSequence(rng.normal(size=shape).astype(np.float32), 0, str(number),
                         image_size=(640.0, 480.0))
        for number in range(TIMED_CLIPS)
    ]  # fmt: skip


def _seconds(model: StreamRecognizer, samples: Sequence[SkeletonSequence]) -> float:
    """Return the shorter of two times for one clip of each sample, after one that warms up."""
    model.predict_samples(samples[:1], num_clips=1)
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        model.predict_samples(samples, num_clips=1)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)
