"""Loading of a recognizer for use: from a run directory, or from an exported file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.missing_packages import explained
from skeletonagent.inference.engine_choice import load_faster
from skeletonagent.inference.exported_model import ExportedModel, exported_file
from skeletonagent.inference.predictor import Predictor, load_predictor


def open_predictor(
    run: str | Path,
    device: str | None = "auto",
    *,
    engine: str = "auto",
    overrides: Sequence[str] = (),
) -> Predictor:
    """Return the recognizer that a training wrote or that was exported, ready for use.

    The run directory or the file is all that is needed: it may have been moved or renamed, and the
    data set may be gone. Of a folder with one run for each stream, as ``train --stream all`` writes
    it, all streams are loaded and fused with the paper's weights. Newer checkpoints that cannot be
    read are passed over, which a warning says.

    Args:
        run: A run directory, a folder of a run for each stream, one checkpoint's folder, or a file
            of ONNX that ``skeletonagent export`` wrote.
        device: ``auto``, or a name such as ``cpu`` or ``cuda:1``; None takes the run's own setting.
            Files of ONNX run on the CPU.
        engine: ``torch`` for PyTorch, ``onnx`` for ONNX Runtime, of a run with the ``model.onnx``
            in its directory. ``auto`` takes ONNX Runtime for files and PyTorch for runs; on the CPU
            the faster one, measured on a few clips, if the run has an exported file of its weights.
        overrides: ``section.key=value`` settings in place of the run's, such as
            ``clips.test_clips=1``.

    Raises:
        CheckpointError: If there is no trained run, or no checkpoint of it can be read.
        DataError: If a file is no exported recognizer.
        ConfigError: If a setting, the device or the engine cannot be used.

    Examples:
        >>> import skeletonagent as sa
        >>> model = sa.load("runs/first", device="cpu")
        >>> [stream.value for stream in model.streams], model.config.clips.frames
        (['joint'], 8)
    """
    path = Path(run).expanduser()
    file = exported_file(path, engine)
    if file is None and engine == "auto":
        return load_faster(path, device, overrides)
    if file is None:
        return _load_in_torch(path, device, overrides)
    if device not in (None, "auto", "cpu"):
        raise ConfigError(f"{file} runs on the CPU; leave out the device {device}")
    return replace(Predictor.fused([ExportedModel.open(file, overrides)]), runs=(file,))


def _load_in_torch(path: Path, device: str | None, overrides: Sequence[str]) -> Predictor:
    try:
        return load_predictor(path, device, overrides=overrides)
    except ModuleNotFoundError as error:
        raise explained(error) from error
