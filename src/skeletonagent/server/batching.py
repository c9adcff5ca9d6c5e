"""Batches of the clips of several requests: one thread owns the model."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.inference.stream_recognizer import StreamRecognizer
from skeletonagent.server.server_errors import RequestError

if TYPE_CHECKING:
    from skeletonagent.core.clips import SkeletonData

SeenBatch = Callable[[int], None]
"""Function that is called with the number of samples of each batch."""


@dataclass
class _Job:
    """Samples of one request that wait for their probabilities."""

    model: StreamRecognizer
    samples: Sequence[SkeletonSequence]
    num_clips: int | None
    done: Future[Float[np.ndarray, "n y"]] = field(default_factory=Future)


class BatchThread:
    """Thread that predicts the samples of all requests, those that come together in one batch.

    A batch waits for more only while a request is under way whose samples may still come.

    Args:
        wait: Longest time that samples wait for others, in seconds.
        most: Largest number of samples in a batch.
        seen: Called with the size of each batch.
    """

    def __init__(self, wait: float, most: int, seen: SeenBatch = lambda size: None) -> None:
        self._wait, self._most, self._seen = wait, most, seen
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._under_way = 0
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Number of jobs that wait."""
        return self._jobs.qsize()

    def close(self) -> None:
        """End the thread after what is waiting; it is not waited for."""
        self._is_closed = True
        self._jobs.put(None)

    @contextmanager
    def request(self) -> Iterator[None]:
        """Let batches wait for the samples that may come meanwhile from this thread."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def predict(
        self, model: StreamRecognizer, samples: Sequence[SkeletonSequence], num_clips: int | None
    ) -> Float[np.ndarray, "n y"]:
        """Return the class probabilities of samples, which may be predicted with others.

        Raises:
            DataError: If they cannot be predicted.
            RequestError: If the thread was ended.
        """
        if self._is_closed:
            raise _server_stops()
        job = _Job(model, samples, num_clips)
        self._jobs.put(job)
        return job.done.result()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs, goes_on = self._batch(first)
            kinds: dict[tuple[int, int | None], list[_Job]] = {}
            for job in jobs:
                kinds.setdefault((id(job.model), job.num_clips), []).append(job)
            for alike in kinds.values():
                self._seen(sum(len(job.samples) for job in alike))
                _predict_jobs(alike)
            if not goes_on:
                break
        while True:
            try:
                left = self._jobs.get_nowait()
            except queue.Empty:
                return
            if left is not None:
                left.done.set_exception(_server_stops())

    def _batch(self, first: _Job) -> tuple[list[_Job], bool]:
        """Return jobs to predict together, and whether there may be more later."""
        jobs, count = [first], len(first.samples)
        until = time.monotonic() + self._wait
        while count < self._most:
            left = until - time.monotonic()
            waits = left > 0 and len(jobs) < self._under_way
            try:
                job = self._jobs.get(waits, left if waits else None)
            except queue.Empty:
                break
            if job is None:
                return jobs, False
            jobs.append(job)
            count += len(job.samples)
        return jobs, True


def _server_stops() -> RequestError:
    return RequestError(503, "the server stops", retry_after=1)


def _predict_jobs(jobs: Sequence[_Job]) -> None:
    """Predict the samples of jobs together; where that fails, each by itself."""
    try:
        samples = [sample for job in jobs for sample in job.samples]
        with np.errstate(all="ignore"):  # numbers that come to nothing are told from results
            found = jobs[0].model.predict_samples(samples, None, jobs[0].num_clips)
        parts = np.split(found.probs, np.cumsum([len(job.samples) for job in jobs])[:-1])
    except Exception as error:
        if len(jobs) == 1:
            jobs[0].done.set_exception(error)
            return
        for job in jobs:
            _predict_jobs([job])
        return
    for job, part in zip(jobs, parts, strict=True):
        job.done.set_result(part)


@dataclass(frozen=True)
class BatchedRecognizer:
    """Recognizer whose samples are predicted by the thread of all requests.

    Args:
        model: The recognizer.
        thread: The thread that owns it.
    """

    model: StreamRecognizer
    thread: BatchThread

    @property
    def metadata(self) -> RecognizerMetadata:
        """Shapes, names and settings."""
        return self.model.metadata

    @property
    def guidance(self) -> Guidance:
        """Guidance that the training ended with."""
        return self.model.guidance

    @property
    def epoch(self) -> int:
        """Number of epochs it was trained for."""
        return self.model.epoch

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.model.config

    @property
    def device(self) -> object:
        """Device of the weights, whose text is its name."""
        return self.model.device

    @property
    def feature_width(self) -> int:
        """Number of features of a clip."""
        return self.model.feature_width

    @property
    def held_out(self) -> ClassProbabilities | None:
        """Class probabilities of held-out clips that came with the weights, if some did."""
        return self.model.held_out

    def predict_samples(
        self,
        samples: Sequence[SkeletonSequence],
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> ClassProbabilities:
        """Return the class probabilities of samples in memory.

        Raises:
            DataError: If coordinates are too large or too small for any.
        """
        del batch_size  # the thread's
        probs = self.thread.predict(self.model, samples, num_clips)
        if not np.isfinite(probs).all():
            raise DataError("coordinates are too large or too small to recognize anything")
        labels = np.array([sample.label for sample in samples], dtype=np.int64)
        ids = tuple(str(number) for number in range(len(samples)))
        return ClassProbabilities(ids, labels, probs)

    def sample_features(
        self,
        samples: Sequence[SkeletonSequence],
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> Float[np.ndarray, "n d"]:
        """Return the features of samples in memory."""
        return self.model.sample_features(samples, batch_size, num_clips)

    def predict_data(
        self, data: SkeletonData, sample_ids: Sequence[str], batch_size: int | None = None
    ) -> ClassProbabilities:
        """Return the class probabilities of samples of a preprocessed data set."""
        return self.model.predict_data(data, sample_ids, batch_size)
