"""Recognition for clients: recordings in, documented objects out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.collected_warnings import collected_warnings
from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.inference.bodies_in_frame import LEAST_JOINTS
from skeletonagent.inference.labelling import UNKNOWN_LABEL
from skeletonagent.inference.predictor import Predictor
from skeletonagent.inference.recording_input import InputRecording
from skeletonagent.inference.recording_segments import person_spans
from skeletonagent.inference.segment_settings import SegmentOptions, resolve_settings
from skeletonagent.inference.segment_stream import SegmentStream
from skeletonagent.inference.segments import RecordingPrediction, trimmed_clips
from skeletonagent.server.batching import BatchedRecognizer, BatchThread, SeenBatch
from skeletonagent.server.drawn_keypoints import SeenKeypoints
from skeletonagent.server.pictures import why_no_pictures
from skeletonagent.server.reading import ReadUpload, UploadTask
from skeletonagent.server.request_json import parse_keypoints
from skeletonagent.server.settings import ServeSettings
from skeletonagent.server.timeline import score_timeline


@dataclass(frozen=True)
class RecognitionOptions:
    """What a client asks about a recording.

    Args:
        threshold: Probability below which an action is unknown; None for the run's.
        top_k: Classes that are listed for each segment.
        window: Frames of a window; None for those of training.
        stride: Frames between windows; None for a quarter of one.
        clips: Whether the recording gets one label as a whole.
        keypoints: Whether the answer holds the joints, and the probabilities over time.
        recording: Name of the recording to take, where a file has several.
        fps: Frames a second, if the recording does not say them.
    """

    threshold: float | None = None
    top_k: int = 5
    window: int | None = None
    stride: int | None = None
    clips: bool = False
    keypoints: bool = False
    recording: str | None = None
    fps: float | None = None

    @property
    def segments(self) -> SegmentOptions:
        """Settings of the segments."""
        return SegmentOptions(self.window, self.stride, self.threshold)


class RecognitionService:
    """Recognizer that many requests use at once, in threads of theirs.

    Args:
        predictor: The recognizer; its models are predicted by one thread.
        settings: Limits.
        name: Name of the recognizer.
        seen: Called with the size of each batch.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: ServeSettings,
        name: str,
        seen: SeenBatch = lambda size: None,
    ) -> None:
        self.settings, self.name = settings, name
        self.is_exported = predictor.is_exported
        self.thread = BatchThread(settings.batch_wait / 1000, settings.max_batch, seen)
        self.predictor = replace(
            predictor,
            models=tuple(BatchedRecognizer(model, self.thread) for model in predictor.models),
        )

    @cached_property
    def no_pictures(self) -> str:
        """Why no videos and pictures are taken; nothing if they are."""
        return why_no_pictures(self.predictor.input_format)

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """What clients need to know of the recognizer, as plain values."""
        predictor = self.predictor
        metadata, given = predictor.models[0].metadata, predictor.input_format
        clips = metadata.training_clips
        with collected_warnings() as words:
            settings = resolve_settings(
                SegmentOptions(),
                class_names=predictor.class_names,
                training_clips=clips,
                clip_frames=metadata.config.clips.frames,
                fps=clips.fps if clips else None,
                held_out=predictor.segmenter.held_out,
            )
        layout = given.layout
        return {
            "name": self.name,
            "class_names": list(predictor.class_names),
            "layout": {
                "name": layout.name,
                "joints": list(layout.joints),
                "bones": [list(bone) for bone in layout.bones],
                "root": layout.center,
            },
            "channels": given.coordinates,
            "has_confidence": given.has_confidence,
            "fps": clips.fps if clips else None,
            "window": settings.window,
            "stride": settings.stride,
            "threshold": round(settings.threshold, 6),
            "rest": settings.to_json()["rest"],
            "pair_classes": [
                name
                for name, of_two in zip(predictor.class_names, settings.pairs, strict=True)
                if of_two
            ],
            "backbone": metadata.config.model.backbone,
            "engine": "onnx" if self.is_exported else "torch",
            "video": not self.no_pictures,
            "why_no_video": self.no_pictures,
            "persons": predictor.persons,
            "limits": self.settings.limits(),
            "sentences": {
                one.action: one.sentence for one in predictor.guidance.classes if one.sentence
            },
            "warnings": words,
        }

    def answer_json(self, content: bytes, options: RecognitionOptions) -> dict[str, Any]:
        """Return the prediction of the keypoints in a body of JSON.

        Raises:
            RequestError: If the body has another form, or is too large.
            DataError: If the recording lacks joints.
        """
        limits = self.settings
        with self.thread.request():
            recording = parse_keypoints(
                content, self.predictor.input_format, limits.max_frames, limits.max_persons
            )
            (read,) = self.predictor.segmenter.read(recording, options.fps)
            return self._answer(read, options, None)

    def upload_task(self, path: Path, name: str, options: RecognitionOptions) -> UploadTask:
        """Return how an uploaded file is to be read.

        Args:
            path: The file.
            name: Its name, for people to read.
            options: What is asked.
        """
        return UploadTask(
            path=path,
            name=name,
            input_format=self.predictor.input_format,
            usual_fps=self.predictor.segmenter.usual_fps,
            fps=options.fps,
            recording=options.recording,
            most_frames=self.settings.max_frames,
            most_persons=self.settings.max_persons,
        )

    def answer_upload(self, upload: ReadUpload, options: RecognitionOptions) -> dict[str, Any]:
        """Return the prediction of a file that was read."""
        with self.thread.request():
            return self._answer(upload.recording, options, upload.seen)

    def _answer(
        self,
        recording: InputRecording,
        options: RecognitionOptions,
        seen: KeypointRecording | None,
    ) -> dict[str, Any]:
        with collected_warnings() as words:
            if options.clips:
                prediction = self._clip(recording, options)
            else:
                prediction = self.predictor.segmenter.segment_read(
                    recording, options.segments, options.top_k
                )
            answer = prediction.to_json()
            answer["engine"]["runs"] = [self.name]  # no path of this machine
            if options.keypoints:
                answer |= self._keypoints(recording, prediction, seen)
        answer["warnings"] = list(dict.fromkeys([*answer["warnings"], *words]))
        return answer

    def _clip(self, recording: InputRecording, options: RecognitionOptions) -> RecordingPrediction:
        """Return a recording with one label as a whole."""
        predictor, given = self.predictor, self.predictor.input_format
        with collected_warnings() as words:
            found = predictor.predict(
                recording.joints,
                top_k=options.top_k,
                fps=recording.fps,
                image_size=recording.image_size,
            )
        layout, engine = given.layout.name, predictor.segmenter.description
        (clip,) = trimmed_clips(found, recording.name, layout, engine)
        (segment,) = clip.segments
        if options.threshold is not None and segment.score < options.threshold:
            segment = replace(segment, label=UNKNOWN_LABEL)
        if options.window or options.stride:
            words.append("window and stride say nothing about a clip as a whole")
        return replace(
            clip,
            name=recording.name,
            source=None,
            fps=recording.fps,
            segments=(segment,),
            persons=person_spans(recording, recording.seen(given.coordinates, LEAST_JOINTS)),
            warnings=(*recording.warnings, *words),
        )

    def _keypoints(
        self,
        recording: InputRecording,
        prediction: RecordingPrediction,
        seen: KeypointRecording | None,
    ) -> dict[str, Any]:
        """Return joints to draw, and the probabilities over time."""
        given = self.predictor.input_format
        drawn = (
            SeenKeypoints.of_recording(recording, given)
            if seen is None
            else SeenKeypoints.of_pixels(seen, self.pose_layout)
        )
        timeline = score_timeline(
            recording,
            prediction.engine.get("window", self.description["window"]),
            prediction.engine.get("stride", self.description["stride"]),
            self._window_scores,
            given.coordinates,
        )
        names = self.predictor.class_names
        return {"keypoints": drawn.to_json(), "timeline": [one.to_json(names) for one in timeline]}

    def _window_scores(
        self, clips: Sequence[Float[np.ndarray, "m t v c"]], recording: InputRecording
    ) -> Float[np.ndarray, "n y"]:
        """Return the class probabilities of windows, of one test clip each."""
        return self.predictor.segmenter.classify(
            list(clips), image_size=recording.image_size, batch_size=None, num_clips=1
        )

    @property
    def pose_layout(self) -> SkeletonLayout:
        """Skeleton of the joints that are found in pictures."""
        return MEDIAPIPE_33

    def stream(
        self, fps: float, image_size: tuple[float, float] | None
    ) -> tuple[SegmentStream, list[str]]:
        """Return a stream of frames, and what is to be said about it before it begins."""
        with collected_warnings() as words:
            stream = self.predictor.stream(fps=fps, image_size=image_size)
        return stream, words
