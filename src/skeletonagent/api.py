"""Public Python interface: train, load and evaluate recognizers, and make data sets and models.

``import skeletonagent as sa`` offers these functions and a few more; see ``dir(sa)``. Nothing here
prints: progress is reported to a callback, remarks are warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.experiments.config import Config, read_config
from skeletonagent.experiments.datasets import prepare_dataset, preprocess_dataset, resolve_layout
from skeletonagent.experiments.presets import PRESETS
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.single_run import train_run
from skeletonagent.inference.evaluate import Evaluation, evaluate_split
from skeletonagent.inference.predictor import Predictor, load_predictor
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.recognizer import Recognizer, build_recognizer
from skeletonagent.report.page import report_page
from skeletonagent.report.sections import ReportOptions
from skeletonagent.text.encoder import TEXT_ENCODERS, build_encoder
from skeletonagent.training.callbacks import Callback
from skeletonagent.training.losses import GuidanceTensors
from skeletonagent.training.run_directory import RunDirectory


class Run:
    """A training run: the directory that it wrote, and what can be done with it.

    Args:
        path: Run directory.
        data: Data set it was trained on, if that is in memory.

    Raises:
        ConfigError: If there is no run directory.

    Examples:
        >>> import skeletonagent as sa
        >>> run = sa.Run("runs/first")
        >>> run.config.clips.frames, len(run.metrics), sorted(run.metrics[0])[:3]
        (8, 2, ['align', 'clips_per_second', 'cls'])
        >>> run.evaluate().top1 == run.summary["top1"]
        True
        >>> run.guidance.classes[0].action
        'wave'
        >>> run.report("first.html").name
        'first.html'
    """

    def __init__(self, path: str | Path, data: SkeletonData | None = None) -> None:
        self.path = Path(path).expanduser()
        self.data = data
        if not self._directory.exists:
            raise ConfigError(f"{self.path} is no run directory; train one with sa.train(...)")

    def __repr__(self) -> str:
        """Return the path."""
        return f"Run({str(self.path)!r})"

    @property
    def _directory(self) -> RunDirectory:
        return RunDirectory(self.path)

    @property
    def config(self) -> Config:
        """Configuration of the run, all defaults filled in."""
        return read_config(self._directory.config)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Losses, accuracies and times of each epoch, oldest first."""
        return self._directory.read_metrics()

    @property
    def summary(self) -> dict[str, Any] | None:
        """Result on the test set and what it took; None before the end of the training."""
        return self._directory.read_summary()

    @property
    def guidance(self) -> Guidance:
        """Salient joints and sentences that the training ended with."""
        return self.predictor(device="cpu").guidance

    def predictor(self, device: str = "auto") -> Predictor:
        """Return the trained recognizer, ready for use; see :func:`load`."""
        return load_predictor(self.path, device)

    def evaluate(
        self,
        split: str | None = None,
        data: str | Path | SkeletonData | None = None,
        *,
        device: str = "auto",
    ) -> Evaluation:
        """Return the accuracy on the test part of a split.

        Args:
            split: Name of the split; by default that of the training.
            data: Another data set of the same classes and joints, or the path of an archive.
            device: ``auto``, or a name such as ``cpu`` or ``cuda:1``.

        Raises:
            DataError: If the data cannot be read.
            CheckpointError: If they are of other classes or joints.
        """
        predictor = self.predictor(device)
        settings = predictor.config.data
        given = self.data if data is None else data
        if isinstance(given, SkeletonData):
            opened = preprocess_dataset(given, Preprocessor.from_settings(settings))
        else:
            archive = settings.archive if given is None else str(given)
            opened = prepare_dataset(replace(settings, archive=archive))
        trained_split = settings.split if data is None else None
        return evaluate_split(predictor, opened, split or trained_split)

    def report(
        self, path: str | Path, *, baseline: str | Path | None = None, clips: int = 60
    ) -> Path:
        """Write a page about the run that needs no other file, and return its path.

        Args:
            path: HTML file to write.
            baseline: Run to compare with.
            clips: Number of test clips that can be played.
        """
        other = None if baseline is None else Path(baseline)
        options = ReportOptions(runs=(self.path,), baseline=other, clips=clips)
        write_text(Path(path), report_page(options))
        return Path(path)


def train(
    config: str | Path | Config | None = None,
    *,
    data: str | Path | SkeletonData | None = None,
    out: str | Path,
    overrides: Mapping[str, Any] | None = None,
    stream: str | None = None,
    size: str = PresetSize.SMALL,
    recipe: str = Recipe.PAPER,
    init_from: str | Path | None = None,
    resume: bool = False,
    time: str | None = None,
    callback: Callback | None = None,
) -> Run:
    """Train a recognizer with guidance from its agents, and test it once at the end.

    Of the preset ``default`` some settings follow from the training clips; the callback's
    ``on_remark`` gets a line for each, and ``choices.json`` in the run directory keeps them.

    Args:
        config: Name of a preset (:func:`list_presets`), a YAML file, or a configuration; by default
            ``default``, or the settings of ``init_from``.
        data: Path of a skeleton archive, ``synthetic``, or a data set in memory; by default that of
            ``init_from``.
        out: Run directory to write.
        overrides: Settings by their dotted names, such as ``{"training.epochs": 30}``.
        stream: Input stream, such as ``bone`` or ``b``; by default the configuration's.
        size: Size of a preset: ``tiny``, ``small`` for a CPU, ``paper`` for a GPU.
        recipe: Recipe of a preset: ``paper``, ``released`` or ``best``.
        init_from: Run, or folder of one checkpoint, whose weights to begin with as far as they
            fit: joints and classes by name.
        resume: Whether to continue the run in ``out``; it is started if there is none.
        time: Wall time, such as ``3m``, in place of a number of steps: as many as fit are taken.
        callback: Called during the training, see
            :class:`~skeletonagent.training.callbacks.Callback`.

    Raises:
        ConfigError: If the configuration has mistakes, all of which are listed, or ``out`` holds a
            run that is not to be resumed.
        DataError: If the data cannot be used.

    Examples:
        >>> import skeletonagent as sa
        >>> run = sa.train(
        ...     "default",
        ...     data="skeletons/mine",
        ...     out="runs/mine",
        ...     size="tiny",
        ...     overrides={"training.epochs": 1, "clips.frames": 8, "agents.chat": "none"},
        ... )
        >>> run.summary["data"], run.summary["split"], len(run.metrics)
        ('mine', 'halves', 1)
        >>> run.predictor().class_names
        ('wave', 'jump', 'squat')
    """
    in_memory = train_run(
        config,
        data,
        Path(out).expanduser(),
        overrides=overrides or {},
        stream=stream,
        size=PresetSize(size),
        recipe=Recipe(recipe),
        init_from=init_from,
        resume=resume,
        time=time,
        callback=callback or Callback(),
    )
    return Run(out, in_memory)


def create_model(
    backbone: str = "skeletonagent",
    *,
    layout: str | SkeletonLayout,
    num_classes: int,
    channels: int = 3,
    persons: int = 2,
    text_dim: int = 256,
    width: int | None = None,
    inputs: Sequence[str] = (),
    readout: str = "mean",
    readout_width: int | None = None,
    dropout: float = 0.0,
) -> Recognizer:
    """Return a recognizer with fresh weights, for a training loop of one's own.

    Args:
        backbone: Name of a backbone, see :func:`list_models`.
        layout: Skeleton, or the name of a known one.
        num_classes: Y, number of classes.
        channels: C, channels of a joint.
        persons: M, bodies that a clip has room for.
        text_dim: D, width of the sentences' vectors; 256 is that of ``wordllama``.
        width: Channels of the first blocks; by default the backbone's own.
        inputs: Features of the clips that the backbone takes side by side: ``position``, ``bone``,
            ``motion``, ``long_motion``, ``distance``, ``partner``; none gives it the clips alone.
        readout: Way from the backbone's maps to features: ``mean``, ``joints`` or ``temporal``.
        readout_width: Width of the readout; by default its own.
        dropout: Probability that a feature is dropped before the classifier.

    Raises:
        ConfigError: If there is no backbone, layout, input or readout of that name.

    Examples:
        >>> import torch
        >>> import skeletonagent as sa
        >>> model = sa.create_model("stgcn++", layout="kinect-25", num_classes=60, width=8)
        >>> clips = torch.randn(2, 2, 16, 25, 3)  # clips, bodies, frames, joints, channels
        >>> prediction = model(clips, torch.ones(60, 25))  # every joint salient for every class
        >>> prediction.logits.shape, model.features(clips).shape
        (torch.Size([2, 60]), torch.Size([2, 32]))
        >>> guidance = sa.GuidanceTensors(torch.ones(60, 25), torch.eye(60, 256))
        >>> losses = sa.SkeletonAgentLoss(alpha=0.2, beta=0.5)(
        ...     prediction, torch.tensor([3, 7]), guidance
        ... )
        >>> losses.total.backward()
    """
    return build_recognizer(
        backbone,
        resolve_layout(layout),
        channels=channels,
        persons=persons,
        num_classes=num_classes,
        text_dim=text_dim,
        width=width,
        inputs=inputs,
        readout=readout,
        readout_width=readout_width,
        dropout=dropout,
    )


def encode_guidance(
    guidance: Guidance, *, text_encoder: str = "wordllama", stream: str = "joint"
) -> GuidanceTensors:
    """Return guidance as the tensors that :class:`SkeletonAgentLoss` takes.

    Args:
        guidance: Salient joints and sentences, such as :func:`describe_classes` returns.
        text_encoder: Name of a text encoder, see :func:`list_text_encoders`.
        stream: Input stream of the recognizer.

    Raises:
        ConfigError: If there is no such text encoder.

    Examples:
        >>> import skeletonagent as sa
        >>> tensors = sa.encode_guidance(sa.Run("runs/first").guidance)
        >>> tensors.salient.shape, tensors.text_table.shape
        (torch.Size([3, 20]), torch.Size([3, 256]))
    """
    encoder = build_encoder(text_encoder)
    return GuidanceTensors.from_guidance(guidance, Stream.parse(stream), encoder.encode)


def list_presets() -> tuple[str, ...]:
    """Return the names of the presets that :func:`train` takes.

    Examples:
        >>> import skeletonagent as sa
        >>> "utd-mhad" in sa.list_presets()
        True
    """
    return tuple(PRESETS)


def list_models() -> tuple[str, ...]:
    """Return the names of the backbones that :func:`create_model` takes.

    Examples:
        >>> import skeletonagent as sa
        >>> "skeletonagent" in sa.list_models()
        True
    """
    return tuple(BACKBONES)


def list_text_encoders() -> tuple[str, ...]:
    """Return the names of the text encoders.

    Examples:
        >>> import skeletonagent as sa
        >>> sa.list_text_encoders()[0]
        'wordllama'
    """
    return tuple(TEXT_ENCODERS)
