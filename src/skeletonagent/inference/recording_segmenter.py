"""Recognizer of the actions in untrimmed recordings and streams."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.collected_warnings import collected_warnings
from skeletonagent.core.errors import DataError, SkeletonAgentError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.program import program_name
from skeletonagent.core.streams import Stream
from skeletonagent.evaluation.ensemble import fuse
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.inference.recording_input import (
    InputRecording,
    RecordingSource,
    read_recordings,
)
from skeletonagent.inference.recording_segments import (
    CLIPS_AT_ONCE,
    prepare_recordings,
    segment_recording,
)
from skeletonagent.inference.samples import ImageSize
from skeletonagent.inference.segment_settings import SegmentOptions, resolve_settings
from skeletonagent.inference.segment_stream import SegmentStream, StreamTask
from skeletonagent.inference.segments import RecordingPrediction
from skeletonagent.inference.source_check import SourceCheck


@dataclass(frozen=True)
class RecordingSegmenter:
    """Recognizer of the actions in untrimmed recordings and streams.

    Args:
        classify: Function that returns the class probabilities of clips; it takes the keywords
            ``image_size``, ``batch_size`` and ``num_clips``.
        metadata: Classes, joints and training clips of the recognizer.
        guidance: Guidance that the training ended with.
        persons: Bodies that the recognizer has room for.
        held_out: Class probabilities of labelled clips that were not trained on, if there are any.
        engine: What predictions say about the recognizer.
    """

    classify: Callable[..., Float[np.ndarray, "n y"]]
    metadata: RecognizerMetadata
    guidance: Guidance
    persons: int
    held_out: ClassProbabilities | None
    engine: Mapping[str, Any]

    @property
    def description(self) -> dict[str, Any]:
        """What predictions say about the recognizer, as plain values."""
        return {"backbone": self.metadata.config.model.backbone, **self.engine}

    def arrays(self, source: RecordingSource) -> list[Float[np.ndarray, "m t v c"]]:
        """Return the joints of each recording of a source; see :meth:`arrays_and_rate`."""
        return self.arrays_and_rate(source)[0]

    def arrays_and_rate(
        self, source: RecordingSource
    ) -> tuple[list[Float[np.ndarray, "..."]], float | None]:
        """Return the joints of each recording as the recognizer takes them, and their frame rate.

        Where recordings differ in their frame rate or do not say it, it is None.

        Raises:
            DataError: If the source cannot be read or lacks joints.
        """
        recordings = read_recordings(source, self.metadata.input_format)
        for word in dict.fromkeys(word for r in recordings for word in r.warnings):
            warnings.warn(word, stacklevel=2)
        rates = {recording.fps for recording in recordings}
        rate = rates.pop() if len(rates) == 1 else None
        return [recording.joints for recording in recordings], rate

    def segment(
        self,
        source: RecordingSource,
        options: SegmentOptions,
        top_k: int = 5,
        fps: float | None = None,
        image_size: ImageSize | None = None,
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> list[RecordingPrediction]:
        """Return the actions in each recording of a source.

        Args:
            source: A recording, an array, or the path of a file or folder.
            options: Settings that a caller asks for.
            top_k: Classes that are listed for each segment.
            fps: Frames a second, if recordings do not say them.
            image_size: Width and height of the image in pixels, if recordings lack them.
            batch_size: Clips in a batch.
            num_clips: Test clips of each window.

        Raises:
            DataError: If the source cannot be read or lacks joints.
            ConfigError: If a setting is out of its range.
        """
        return [
            self.segment_read(recording, options, top_k, batch_size, num_clips)
            for recording in self.read(source, fps, image_size)
        ]

    def read(
        self,
        source: RecordingSource,
        fps: float | None = None,
        image_size: ImageSize | None = None,
    ) -> list[InputRecording]:
        """Return the recordings of a source as the recognizer takes them.

        Args:
            source: A recording, an array, or the path of a file or folder.
            fps: Frames a second, if recordings do not say them.
            image_size: Width and height of the image in pixels, if recordings lack them.

        Raises:
            DataError: If the source cannot be read or lacks joints.
        """
        return prepare_recordings(
            source, self.metadata.input_format, self.usual_fps, fps=fps, image_size=image_size
        )

    @property
    def usual_fps(self) -> float | None:
        """Frames a second of the training clips; None if unknown."""
        clips = self.metadata.training_clips
        return clips.fps if clips else None

    def segment_read(
        self,
        recording: InputRecording,
        options: SegmentOptions,
        top_k: int = 5,
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> RecordingPrediction:
        """Return the actions in a recording of :meth:`read`; see :meth:`segment`."""
        sizes = {
            "image_size": recording.image_size,
            "batch_size": batch_size,
            "num_clips": num_clips,
        }
        task, remarks = self._task(options, top_k, recording.fps, sizes)
        if unlike := SourceCheck(self.metadata).of_recording(recording.joints, recording.fps):
            remarks.append(unlike)
        if self.metadata.training_clips is None and self.persons > 1 and len(recording.persons) > 1:
            remarks.append(
                "the run does not say which of its classes are of two persons; each person is "
                "recognized alone. Train again to have pairs"
            )
        at_once = 1 if batch_size == 1 else CLIPS_AT_ONCE
        return segment_recording(recording, task, self.description, remarks, at_once)

    def stream(
        self,
        options: SegmentOptions,
        top_k: int,
        fps: float,
        image_size: ImageSize | None,
        num_clips: int | None,
    ) -> SegmentStream:
        """Return a stream of frames; for the arguments see :meth:`segment`.

        Raises:
            ConfigError: If a setting is out of its range.
        """
        sizes = {"image_size": image_size, "batch_size": None, "num_clips": num_clips}
        task, remarks = self._task(options, top_k, fps, sizes)
        for remark in remarks:
            warnings.warn(remark, stacklevel=3)
        check = SourceCheck(self.metadata)
        return SegmentStream(
            replace(task, check_source=lambda joints: check.of_recording(joints, fps))
        )

    def _task(
        self, options: SegmentOptions, top_k: int, fps: float | None, sizes: Mapping[str, Any]
    ) -> tuple[StreamTask, list[str]]:
        with collected_warnings() as words:
            settings = resolve_settings(
                options,
                class_names=self.metadata.class_names,
                training_clips=self.metadata.training_clips,
                clip_frames=self.metadata.config.clips.frames,
                fps=fps,
                held_out=self.held_out,
            )
        task = StreamTask(
            classify=lambda clips: self.classify(list(clips), **sizes),
            settings=settings,
            input_format=self.metadata.input_format,
            guidance=self.guidance,
            persons=self.persons,
            top_k=top_k,
        )
        return task, words


def only_recording(
    predictions: Sequence[RecordingPrediction], source: RecordingSource
) -> RecordingPrediction:
    """Return the prediction of a source of one recording.

    Raises:
        DataError: If there is none, or more than one.
    """
    if len(predictions) != 1:
        names = ", ".join(prediction.name for prediction in predictions[:5])
        raise DataError(
            f"holds {len(predictions)} recordings ({names}); take one of them, or all with "
            "model.segmenter.segment",
            path=Path(source) if isinstance(source, (str, Path)) else None,
        )
    return predictions[0]


def saved_probabilities(
    runs: Sequence[Path], weights: Sequence[float]
) -> ClassProbabilities | None:
    """Return the class probabilities of held-out clips that runs have kept, fused; None if none.

    Those of a validation set are taken if there are some, else those of the test set. They serve
    for the threshold below which a label is not given.

    Args:
        runs: Run directory of each stream.
        weights: Weight of each stream.
    """
    if not all(run.is_dir() for run in runs):
        return None
    from skeletonagent.training.run_directory import RunDirectory

    parts = []
    for run in map(RunDirectory, runs):
        files = (run.validation_predictions, run.predictions)
        file = next((file for file in files if file.exists()), None)
        if file is None:
            return None
        try:
            parts.append(ClassProbabilities.load(file))
        except DataError as error:
            warnings.warn(f"no threshold from held-out predictions: {error}", stacklevel=2)
            return None
    if len(parts) < 2:
        return parts[0] if parts else None
    try:
        return fuse(parts, weights)
    except SkeletonAgentError as error:
        warnings.warn(f"no threshold from held-out predictions: {error}", stacklevel=2)
        return None


def describe_engine(
    runs: Sequence[Path], streams: Sequence[Stream], device: object
) -> dict[str, Any]:
    """Return what predictions say about a recognizer, as plain values."""
    return {
        "program": program_name(),
        "runs": [str(run) for run in runs],
        "streams": [stream.value for stream in streams],
        "device": str(device),
    }
