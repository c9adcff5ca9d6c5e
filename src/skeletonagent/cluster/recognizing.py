"""Predictions of samples and recordings as rows, each independent of what else is predicted."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32

from skeletonagent.cluster.items import SourceItem
from skeletonagent.cluster.rows import PredictionRow
from skeletonagent.cluster.settings import PredictionJob
from skeletonagent.core.errors import DataError
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.inference.predictor import Predictor
from skeletonagent.inference.recording_input import RecordingSource, read_recordings
from skeletonagent.inference.samples import (
    checked_sample,
    most_seen_bodies,
    sample_from_array,
    with_size_and_rate,
)
from skeletonagent.inference.segments import RecordingPrediction
from skeletonagent.inference.source_check import check_clips, novelty
from skeletonagent.inference.stream_fusion import fused_predictions


@dataclass(frozen=True)
class PartRows:
    """Rows of some items, in their order.

    Args:
        rows: The rows.
        remarks: What was said while they were predicted.
    """

    rows: tuple[PredictionRow, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class ItemRecognizer:
    """Recognizer of samples and recordings that are taken one part after another.

    Args:
        model: The recognizer.
        job: What is asked of it.
        segments: Whether the actions within recordings are found.
    """

    model: Predictor
    job: PredictionJob
    segments: bool

    def rows(self, items: Iterable[SourceItem]) -> PartRows:
        """Return the predictions of items as rows.

        Raises:
            DataError: If a sample lacks what the recognizer needs, such as the size of its image.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            rows = tuple(
                self._rows_of_segments(items) if self.segments else self._rows_of_clips(list(items))
            )
        said = (str(w.message) for w in caught if issubclass(w.category, UserWarning))
        return PartRows(rows, tuple(dict.fromkeys(said)))

    def _rows_of_clips(self, items: Sequence[SourceItem]) -> Iterator[PredictionRow]:
        taken: list[tuple[SourceItem, SkeletonSequence]] = []
        rows: dict[int, PredictionRow] = {}
        places = []
        for place, item in enumerate(items):
            try:
                taken.append(self._sample(item))
                places.append(place)
            except DataError as error:
                rows[place] = _of_problem(item, item.problem or str(error))
        rows |= dict(zip(places, self._predicted(taken), strict=True))
        yield from (rows[place] for place in range(len(items)))

    def _sample(self, item: SourceItem) -> tuple[SourceItem, SkeletonSequence]:
        """Return an item with what is to be said of it, and the sample that is recognized.

        Raises:
            DataError: If there is nothing to take, or it cannot be taken.
        """
        given, job = self.model.input_format, self.job
        if isinstance(item.content, SkeletonSequence):
            sample = checked_sample(item.content, given)
        elif item.content is not None:
            (recording,) = read_recordings(item.content, given, fps=job.fps)
            sample = sample_from_array(recording.joints, item.name, given)
            sample = with_size_and_rate(sample, recording.image_size, recording.fps)
            remarks = tuple(dict.fromkeys((*item.remarks, *recording.warnings)))
            item = replace(item, remarks=remarks)
        else:
            raise DataError(item.problem)
        sample = with_size_and_rate(sample, job.image_size, job.fps)
        return item, most_seen_bodies(sample, given, self.model.persons)

    def _predicted(
        self, taken: Sequence[tuple[SourceItem, SkeletonSequence]]
    ) -> Iterator[PredictionRow]:
        model, samples = self.model, [sample for _, sample in taken]
        if not samples:
            return
        deviations = check_clips(samples, model.models[0].metadata)
        found = fused_predictions(model.models, model.weights, samples, None, None)
        new = novelty(found.entropies, deviations, model.entropy_limit)
        for (item, sample), row, novel in zip(taken, found.probs, new, strict=True):
            scores = row.astype(np.float32)
            best = int(row.argmax())
            frames = int(sample.joints.shape[1])
            yield PredictionRow(
                position=item.position,
                file=item.file,
                recording=item.name,
                frames=frames,
                fps=sample.fps,
                person="all",
                start_frame=0,
                end_frame=frames,
                label=model.class_names[best],
                score=float(scores[best]),
                known=bool(novel <= 1),
                scores=scores,
                remarks=item.remarks,
            )

    def _rows_of_segments(self, items: Iterable[SourceItem]) -> Iterator[PredictionRow]:
        for item in items:
            try:
                found = self._segments(item)
            except DataError as error:
                yield _of_problem(item, item.problem or str(error))
            else:
                yield from self._rows_of_recording(item, found)

    def _segments(self, item: SourceItem) -> RecordingPrediction:
        """Return the actions in an item.

        Raises:
            DataError: If there is nothing to recognize, or it lacks joints.
        """
        job, content = self.job, item.content
        if content is None:
            raise DataError(item.problem)
        source: RecordingSource
        if isinstance(content, SkeletonSequence):
            source = content.joints
            fps, size = content.fps or job.fps, content.image_size or job.image_size
        else:
            source, fps, size = content, job.fps, job.image_size
        (found,) = self.model.segmenter.segment(
            source, job.options, len(self.model.class_names), fps, size
        )
        return found

    def _rows_of_recording(
        self, item: SourceItem, found: RecordingPrediction
    ) -> Iterator[PredictionRow]:
        remarks = tuple(dict.fromkeys((*item.remarks, *found.warnings)))
        whole = PredictionRow(
            item.position, item.file, item.name, found.frames, found.fps, remarks=remarks
        )
        if not found.segments:
            yield whole
        for number, segment in enumerate(found.segments):
            yield PredictionRow(
                position=item.position,
                file=item.file,
                recording=item.name,
                frames=found.frames,
                fps=found.fps,
                person=segment.person,
                start_frame=segment.start,
                end_frame=segment.end,
                label=segment.label,
                score=float(np.float32(segment.score)),
                known=segment.is_known,
                scores=self._scores(segment.top),
                remarks=() if number else remarks,
            )

    def _scores(self, top: Sequence[tuple[str, float]]) -> Float32[np.ndarray, " y"]:
        scores = np.zeros(len(self.model.class_names), dtype=np.float32)
        places = defaultdict(list)  # a few benchmarks have a name twice
        for place, name in enumerate(self.model.class_names):
            places[name].append(place)
        for name, share in top:
            scores[places[name].pop(0)] = share
        return scores


def _of_problem(item: SourceItem, problem: str) -> PredictionRow:
    return PredictionRow(item.position, item.file, item.name, problem=problem, remarks=item.remarks)
