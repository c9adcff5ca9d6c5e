"""Trained recognizer ready for use: arrays and files in, class probabilities out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence
from skeletonagent.core.errors import CheckpointError, DataError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.data.settings import Scale
from skeletonagent.evaluation.ensemble import fuse, paper_weights
from skeletonagent.experiments.config import Config
from skeletonagent.inference.predictions import Predictions
from skeletonagent.inference.samples import ImageSize, Joints, most_seen_bodies, read_samples
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.training.checkpoint import STATE, Checkpoint, load_checkpoint
from skeletonagent.training.run_directory import RunDirectory


@dataclass(frozen=True)
class Predictor:
    """One trained recognizer, or one of each of several streams whose probabilities are fused.

    Args:
        models: Recognizers of the streams, at least one, all of the same classes and joints.
        weights: Weight of each stream in the fused probabilities.

    Examples:
        >>> import numpy as np
        >>> import skeletonagent as sa
        >>> model = sa.load("runs/first", device="cpu")
        >>> model
        Predictor of 3 classes on coco-17: stgcn++, joint, cpu
        >>> model.layout.name, model.layout.num_joints, model.class_names[:2]
        ('coco-17', 17, ('wave', 'jump'))
        >>> joints = np.random.default_rng(0).normal(size=(40, 17, 2))  # frames, joints, x and y
        >>> joints[5] = np.nan  # a frame in which nobody was seen
        >>> out = model.predict(joints)
        >>> len(out), out.probs.shape
        (1, (1, 3))
        >>> name, share = out.top_k(1)[0][0]
        >>> name == out.class_names[0] == out[0].class_name
        True
        >>> model.predict([joints, joints[:20]]).sample_ids
        ('0', '1')
        >>> model.features(joints).shape
        (1, 384)
    """

    models: tuple[StreamModel, ...]
    weights: tuple[float, ...]

    def __repr__(self) -> str:
        """Return backbone, streams, classes and layout in words."""
        streams = ", ".join(self.streams)
        return (
            f"Predictor of {len(self.class_names)} classes on {self.layout.name}: "
            f"{self.config.model.backbone}, {streams}, {self.device}"
        )

    @classmethod
    def fused(cls, models: Sequence[StreamModel]) -> Predictor:
        """Return recognizers fused with the paper's weights (section 4.2).

        Raises:
            CheckpointError: If they were trained on different classes, joints or channels.
        """
        first = models[0].metadata
        for model in models[1:]:
            other = model.metadata
            if (other.class_names, other.input_format) != (first.class_names, first.input_format):
                raise CheckpointError(
                    f"the streams {models[0].config.clips.stream} and {model.config.clips.stream} "
                    "were trained on different classes or joints; load one of them alone"
                )
        streams = [model.config.clips.stream for model in models]
        return cls(tuple(models), paper_weights(streams))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.models[0].metadata.class_names

    @property
    def input_format(self) -> InputFormat:
        """Joints and channels of the samples that :meth:`predict` takes."""
        return self.models[0].metadata.input_format

    @property
    def layout(self) -> SkeletonLayout:
        """Skeleton of the samples that :meth:`predict` takes."""
        return self.input_format.layout

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Streams whose probabilities are fused."""
        return tuple(model.config.clips.stream for model in self.models)

    @property
    def config(self) -> Config:
        """Configuration of the run; of several streams, of the first."""
        return self.models[0].config

    @property
    def guidance(self) -> Guidance:
        """Guidance that the training ended with; of several streams, of the first."""
        return self.models[0].guidance

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.models[0].device

    @cached_property
    def persons(self) -> int:
        """M, bodies that each recognizer has room for."""
        return min(model.metadata.persons for model in self.models)

    def predict(
        self,
        joints: Joints | str | Path | Sequence[Any],
        *,
        top_k: int = 5,
        image_size: ImageSize | None = None,
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> Predictions:
        """Return the class probabilities of unlabelled samples.

        A joint with NaN in any channel was not seen; a frame or a body of nothing but NaN is
        absent. Of more bodies than the recognizer has room for, those seen most are taken, which a
        warning says. A sample's probabilities do not depend on what it is predicted together with.

        Args:
            joints: One sample as an array, (T, V, C) of one body or (M, T, V, C) of several, NumPy
                or torch; or the path of an array (.npy, .npz), an archive or a PYSKL pickle; or a
                list of arrays and paths. Labels are not needed.
            top_k: Classes that the predictions list for each sample.
            image_size: Width and height of the image in pixels. Needed where coordinates were
                divided by it in training (``data.scale``), unless a file says it.
            batch_size: Clips in a batch; by default twice that of training.
            num_clips: Test clips of a sample whose probabilities are averaged; by default as many
                as in the run's configuration. One is fastest.

        Raises:
            DataError: If a sample has other joints or channels, infinite numbers or no frame, or a
                file cannot be read; the message names the sample and the wanted shape.
        """
        samples = self._samples(joints, image_size)
        ids = tuple(sample.sample_id for sample in samples)
        if not samples:
            none = np.zeros((0, len(self.class_names)), dtype=np.float32)
            return Predictions(ids, none, self.class_names, top_k)
        order = torch.arange(len(samples))
        probs = self._fuse(
            [
                model.predict_loader(
                    model.sampler(self._preprocessed(model, samples)), order, batch_size, num_clips
                )
                for model in self.models
            ]
        ).probs
        return Predictions(ids, probs, self.class_names, top_k)

    def features(
        self,
        joints: Joints | str | Path | Sequence[Any],
        *,
        image_size: ImageSize | None = None,
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> Float[np.ndarray, "n d"]:
        """Return the features of samples, from which the classifier takes its logits.

        They are means over joints, frames, bodies and test clips; those of several streams stand
        side by side. Arguments and errors are those of :meth:`predict`.
        """
        samples = self._samples(joints, image_size)
        if not samples:
            width = sum(model.recognizer.backbone.out_channels for model in self.models)
            return np.zeros((0, width), dtype=np.float32)
        order = torch.arange(len(samples))
        columns = [
            model.features(
                model.sampler(self._preprocessed(model, samples)),
                order,
                batch_size or model.default_batch_size,
                num_clips,
            )
            for model in self.models
        ]
        features: np.ndarray = torch.cat(columns, dim=1).numpy()
        return features

    def predict_data(
        self, data: SkeletonData, sample_ids: Sequence[str], batch_size: int | None = None
    ) -> ClassProbabilities:
        """Return the class probabilities of samples of a preprocessed data set.

        Raises:
            CheckpointError: If the data set has other classes, joints or channels.
        """
        parts = []
        for model in self.models:
            loader = model.loader(data)
            parts.append(model.predict_loader(loader, loader.store.indices(sample_ids), batch_size))
        return self._fuse(parts)

    def _fuse(self, parts: Sequence[ClassProbabilities]) -> ClassProbabilities:
        return parts[0] if len(parts) == 1 else fuse(parts, self.weights)

    def _samples(
        self, joints: Joints | str | Path | Sequence[Any], image_size: ImageSize | None
    ) -> list[SkeletonSequence]:
        """Return samples as they were stored for training: complete, with room for their bodies."""
        input_format = self.input_format
        samples = read_samples(joints, input_format, image_size)
        return [most_seen_bodies(sample, input_format, self.persons) for sample in samples]

    def _preprocessed(self, model: StreamModel, samples: Sequence[SkeletonSequence]) -> ClipStore:
        """Return samples preprocessed as those of training were; their names are positions."""
        input_format = self.input_format
        divided = model.config.data.scale is Scale.IMAGE and input_format.has_image_sizes
        for sample in samples:
            if divided and sample.image_size is None:
                raise DataError(
                    "needs image_size=(width, height), by whose longer side coordinates were "
                    "divided in training",
                    sample=sample.sample_id,
                )
        named = [
            SkeletonSequence(
                sample.joints,
                sample.label,
                str(number),
                image_size=sample.image_size if divided else None,
            )
            for number, sample in enumerate(samples)
        ]
        store = ClipStore.from_sequences(
            named, input_format.layout, self.class_names, input_format.has_confidence
        )
        return model.preprocessor(store)


def load_predictor(
    run: str | Path, device: str | None = "auto", *, overrides: Sequence[str] = ()
) -> Predictor:
    """Return the recognizer that a training wrote, ready for use.

    The run directory is all that is needed: it may have been moved or renamed, and the data set
    may be gone. Of a folder with one run for each stream, as ``train --stream all`` writes it, all
    streams are loaded and fused with the paper's weights. Newer checkpoints that cannot be read
    are passed over, which a warning says.

    Args:
        run: A run directory, a folder of a run for each stream, or one checkpoint's folder.
        device: ``auto``, or a name such as ``cpu`` or ``cuda:1``; None takes the run's own setting.
        overrides: ``section.key=value`` settings in place of the run's, such as
            ``clips.test_clips=1``.

    Raises:
        CheckpointError: If there is no trained run, or no checkpoint of it can be read.
        ConfigError: If a setting or the device cannot be used.

    Examples:
        >>> import skeletonagent as sa
        >>> model = sa.load("runs/first", device="cpu")
        >>> [stream.value for stream in model.streams], model.config.clips.frames
        (['joint'], 8)
        >>> len(model.guidance.classes) == len(model.class_names)
        True
    """
    path = Path(run).expanduser()
    places = [path, *(path / stream.value for stream in Stream)]
    checkpoints = [checkpoint for place in places if (checkpoint := _newest_checkpoint(place))]
    if not checkpoints:
        raise CheckpointError(
            f"{path} holds no trained run; train one with 'skeletonagent train --out {path}'"
        )
    # A run has no runs within; several are those of the streams.
    return Predictor.fused(
        [
            StreamModel.from_checkpoint(checkpoint, device=device, overrides=overrides)
            for checkpoint in checkpoints
        ]
    )


def _newest_checkpoint(path: Path) -> Checkpoint | None:
    """Return the newest checkpoint of a run that can be read, or the one in a folder of its own."""
    if (path / STATE).exists():
        return load_checkpoint(path)
    latest = RunDirectory(path).checkpoints.latest()
    for problem in latest.corrupt:
        warnings.warn(f"passed over: {problem}", stacklevel=3)
    return latest.checkpoint
