"""Trained recognizer ready for use: arrays and files in, class probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.core.streams import Stream
from skeletonagent.evaluation.ensemble import paper_weights
from skeletonagent.experiments.config import Config
from skeletonagent.inference.exported_model import ExportedModel
from skeletonagent.inference.predictions import Predictions
from skeletonagent.inference.recording_input import RecordingSource
from skeletonagent.inference.recording_segmenter import (
    RecordingSegmenter,
    describe_engine,
    only_recording,
    saved_probabilities,
)
from skeletonagent.inference.samples import (
    ImageSize,
    Joints,
    most_seen_bodies,
    names_lengths_and_rates,
    read_samples,
)
from skeletonagent.inference.segment_settings import SegmentOptions, entropy_limit
from skeletonagent.inference.segment_stream import SegmentStream
from skeletonagent.inference.segments import RecordingPrediction
from skeletonagent.inference.source_check import check_clips, novelty
from skeletonagent.inference.stream_fusion import (
    fuse_streams,
    fused_predictions,
    joined_features,
    require_fusible,
)
from skeletonagent.inference.stream_recognizer import StreamRecognizer

if TYPE_CHECKING:
    from skeletonagent.core.clips import SkeletonData
    from skeletonagent.export.write import ExportedFile
    from skeletonagent.inference.stream_model import StreamModel


@dataclass(frozen=True)
class Predictor:
    """One trained recognizer, or one of each of several streams whose probabilities are fused.

    Args:
        models: Recognizers of the streams, at least one, all of the same classes and joints.
        weights: Weight of each stream in the fused probabilities.
        runs: Run directory of each stream, where they were loaded from some.
        choice: Why this engine was taken, where there was a choice.

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
        >>> model.features(joints).shape
        (1, 384)
    """

    models: tuple[StreamRecognizer, ...]
    weights: tuple[float, ...]
    runs: tuple[Path, ...] = ()
    choice: str = field(default="", kw_only=True)

    def __repr__(self) -> str:
        """Return backbone, streams, classes and layout in words."""
        streams = ", ".join(self.streams)
        return (
            f"Predictor of {len(self.class_names)} classes on {self.layout.name}: "
            f"{self.config.model.backbone}, {streams}, {self.device}"
        )

    @classmethod
    def fused(cls, models: Sequence[StreamRecognizer]) -> Predictor:
        """Return recognizers fused with the paper's weights (section 4.2).

        Raises:
            CheckpointError: If they were trained on different classes, joints or channels.
        """
        require_fusible(models)
        return cls(tuple(models), paper_weights([model.config.clips.stream for model in models]))

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
    def device(self) -> object:
        """Device of the weights, whose text is its name."""
        return self.models[0].device

    @property
    def is_exported(self) -> bool:
        """Whether the recognizer is from an exported file, so that PyTorch is not needed."""
        return all(isinstance(model, ExportedModel) for model in self.models)

    @property
    def torch_models(self) -> tuple[StreamModel, ...]:
        """Recognizers of the streams in PyTorch; a ConfigError of exported ones, which are not."""
        from skeletonagent.inference.stream_model import StreamModel

        found = tuple(model for model in self.models if isinstance(model, StreamModel))
        if len(found) < len(self.models):
            problem = "the recognizer was exported already and has no weights in PyTorch"
            raise ConfigError(f"{problem}; load its run with engine='torch'")
        return found

    @cached_property
    def persons(self) -> int:
        """M, bodies that each recognizer has room for."""
        return min(model.metadata.persons for model in self.models)

    def predict(
        self,
        joints: Joints | str | Path | Sequence[Any],
        *,
        top_k: int = 5,
        fps: float | None = None,
        image_size: ImageSize | None = None,
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> Predictions:
        """Return the class probabilities of unlabelled samples, and whether they are known.

        A joint with NaN in any channel was not seen; a frame or a body of nothing but NaN is
        absent. Of more bodies than the recognizer has room for, those seen most are taken. This is
        said in a warning, as is a sample much longer than the training clips. A sample's
        probabilities do not depend on what it is predicted together with.

        Args:
            joints: One sample as an array, (T, V, C) of one body or (M, T, V, C) of several, NumPy
                or torch; or the path of an array (.npy, .npz), an archive or a PYSKL pickle; or a
                list of arrays and paths. Labels are not needed.
            top_k: Classes that the predictions list for each sample.
            fps: Frames a second, if no file says them; others than in training are warned of.
            image_size: Width and height of the image in pixels. Needed where coordinates were
                divided by it in training (``data.scale``), unless a file says it.
            batch_size: Clips in a batch; by default twice that of training.
            num_clips: Test clips of a sample that are averaged; by default those of the run.

        Raises:
            DataError: If a sample has other joints or channels, infinite numbers or no frame, or a
                file cannot be read; the message names the sample and the wanted shape.
        """
        samples = self._samples(joints, image_size, fps)
        deviations = check_clips(samples, self.models[0].metadata)
        found = fused_predictions(self.models, self.weights, samples, batch_size, num_clips)
        new = novelty(found.entropies, deviations, self.entropy_limit)
        ids, frames, rates = names_lengths_and_rates(samples)
        return Predictions(ids, found.probs, self.class_names, top_k, frames, new, rates)

    def segment(
        self,
        source: RecordingSource,
        *,
        window: int | None = None,
        stride: int | None = None,
        threshold: float | None = None,
        rest: str = "auto",
        top_k: int = 5,
        fps: float | None = None,
        image_size: ImageSize | None = None,
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> RecordingPrediction:
        """Return the actions in an untrimmed recording: who did what from when to when.

        What had to be assumed or was left out stands in the prediction's warnings.

        Args:
            source: A recording, an array as for :meth:`predict`, or the path of one recording.
            window: Frames of a window; by default the median of the training clips.
            stride: Frames between the starts of windows; by default a quarter of a window.
            threshold: Smallest probability of a label, below which a segment is ``unknown``; by
                default the one that 95 % of the right held-out predictions reach.
            rest: ``stillness`` or ``none``, or the class that is no action; ``auto`` looks for one.
            top_k: Classes that are listed for each segment.
            fps: Frames a second, if the recording does not say them.
            image_size: Width and height of the image in pixels, if the recording lacks them.
            batch_size: Clips in a batch; with 1, numbers equal those of :meth:`stream` to the bit.
            num_clips: Test clips of each window, as for :meth:`predict`.

        Raises:
            DataError: If the recording cannot be read or lacks joints, or a file holds several.
            ConfigError: If a setting is out of its range.
        """
        options = SegmentOptions(window, stride, threshold, rest)
        found = self.segmenter.segment(
            source, options, top_k, fps, image_size, batch_size, num_clips
        )
        return only_recording(found, source)

    def stream(
        self,
        *,
        fps: float,
        window: int | None = None,
        stride: int | None = None,
        threshold: float | None = None,
        rest: str = "auto",
        top_k: int = 5,
        image_size: ImageSize | None = None,
        num_clips: int | None = None,
    ) -> SegmentStream:
        """Return a stream that takes frames one by one; arguments as for :meth:`segment`."""
        options = SegmentOptions(window, stride, threshold, rest)
        return self.segmenter.stream(options, top_k, fps, image_size, num_clips)

    @cached_property
    def entropy_limit(self) -> float:
        """Entropy beyond which an action is unknown, by predictions of held-out clips."""
        return entropy_limit(self.segmenter.held_out)

    @cached_property
    def segmenter(self) -> RecordingSegmenter:
        """Recognizer of the actions in untrimmed recordings."""
        return RecordingSegmenter(
            classify=lambda clips, image_size, **sizes: (
                fused_predictions(
                    self.models, self.weights, self._samples(clips, image_size), **sizes
                ).probs
            ),
            metadata=self.models[0].metadata,
            guidance=self.guidance,
            persons=self.persons,
            held_out=self.models[0].held_out or saved_probabilities(self.runs, self.weights),
            engine=describe_engine(self.runs, self.streams, self.device),
        )

    def export(self, path: str | Path, **options: Any) -> ExportedFile:
        """Write the recognizer for other software; for options see ``exporting.export_model``."""
        from skeletonagent.inference.exporting import export_model

        held_out = self.segmenter.held_out
        return export_model(self.torch_models, Path(path), held_out, **options)

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
        return joined_features(self.models, samples, batch_size, num_clips)

    def predict_data(
        self, data: SkeletonData, sample_ids: Sequence[str], batch_size: int | None = None
    ) -> ClassProbabilities:
        """Return the class probabilities of samples of a preprocessed data set.

        Raises:
            CheckpointError: If the data set has other classes, joints or channels.
        """
        parts = [model.predict_data(data, sample_ids, batch_size) for model in self.models]
        return fuse_streams(parts, self.weights)

    def _samples(
        self, joints: Any, image_size: ImageSize | None, fps: float | None = None
    ) -> list[SkeletonSequence]:
        """Return samples as they were stored for training: complete, with room for their bodies."""
        samples = read_samples(joints, self.input_format, image_size, fps)
        return [most_seen_bodies(sample, self.input_format, self.persons) for sample in samples]


def load_predictor(
    run: str | Path, device: str | None = "auto", *, overrides: Sequence[str] = ()
) -> Predictor:
    """Return the recognizer that a training wrote, in PyTorch.

    For arguments and errors see :func:`~skeletonagent.inference.loading.open_predictor`.
    """
    from skeletonagent.inference.stream_model import StreamModel, newest_checkpoint, no_run

    path = Path(run).expanduser()
    places = [path, *(path / stream.value for stream in Stream)]
    checkpoints = {
        place: checkpoint for place in places if (checkpoint := newest_checkpoint(place))
    }
    if not checkpoints:
        raise no_run(path)
    # A run has no runs within; several are those of the streams.
    models = [
        StreamModel.from_checkpoint(
            checkpoint, device=device, overrides=overrides
        ).beside_kernel_ridge(place)
        for place, checkpoint in checkpoints.items()
    ]
    return replace(Predictor.fused(models), runs=tuple(checkpoints))
