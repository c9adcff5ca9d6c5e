"""Batches: clips of requests that come together, and what becomes of one that fails."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.small_run import swinging

from skeletonagent.core.errors import DataError
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.inference.predictor import Predictor
from skeletonagent.server.batching import BatchedRecognizer, BatchThread
from skeletonagent.server.server_errors import RequestError


def samples(count: int, first: int = 0) -> list[SkeletonSequence]:
    return [
        SkeletonSequence(swinging(n % 3, n, 16), 0, str(n)) for n in range(first, first + count)
    ]


@pytest.fixture
def sizes() -> list[int]:
    return []


def together(thread: BatchThread, model: Any, parts: Sequence[Any]) -> list[Any]:
    """Return what each part brings, all asked for at once."""
    barrier = threading.Barrier(len(parts))

    def ask(part: Any) -> Any:
        with thread.request():
            barrier.wait(10)
            try:
                return thread.predict(model, part, None)
            except (DataError, RequestError) as error:
                return error

    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(ask, parts))


def test_samples_that_come_together_are_one_batch(model: Predictor, sizes: list[int]) -> None:
    thread, own = BatchThread(5.0, 32, sizes.append), model.models[0]
    parts = [samples(1 + n % 2, first=3 * n) for n in range(6)]
    found = together(thread, own, parts)
    assert sizes == [sum(map(len, parts))]
    for part, probs in zip(parts, found, strict=True):
        np.testing.assert_allclose(probs, own.predict_samples(part).probs, atol=1e-5)
    thread.close()


def test_nobody_waits_for_requests_that_are_not_there(model: Predictor, sizes: list[int]) -> None:
    thread = BatchThread(1000.0, 32, sizes.append)
    with thread.request():
        thread.predict(model.models[0], samples(1), None)
    assert sizes == [1]
    thread.close()


def test_a_batch_has_its_size(model: Predictor, sizes: list[int]) -> None:
    thread = BatchThread(5.0, 2, sizes.append)
    together(thread, model.models[0], [samples(1, n) for n in range(6)])
    assert sum(sizes) == 6 and max(sizes) <= 2
    thread.close()


class Fragile:
    """Recognizer that fails on samples of a name."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def predict_samples(self, samples: Sequence[SkeletonSequence], *more: Any) -> Any:
        if any(sample.sample_id == "bad" for sample in samples):
            raise DataError("a bad sample")
        return self._model.predict_samples(samples, *more)


def test_who_fails_fails_alone(model: Predictor) -> None:
    thread = BatchThread(5.0, 32)
    bad = [replace(samples(1)[0], sample_id="bad")]
    found = together(thread, Fragile(model.models[0]), [samples(2), bad, samples(1)])
    assert isinstance(found[1], DataError)
    assert [len(found[place]) for place in (0, 2)] == [2, 1]
    thread.close()


def test_numbers_that_are_none_are_an_error(model: Predictor) -> None:
    thread = BatchThread(0.0, 8)
    recognizer = BatchedRecognizer(model.models[0], thread)
    large = replace(samples(1)[0], joints=np.full((1, 9, 17, 2), 3e38, np.float32))
    with pytest.raises(DataError, match="too large or too small"):
        recognizer.predict_samples([large])
    thread.close()


def test_a_closed_thread_answers_nobody(model: Predictor) -> None:
    thread = BatchThread(0.0, 8)
    thread.close()
    with pytest.raises(RequestError, match="stops"):
        thread.predict(model.models[0], samples(1), None)


def test_a_batched_recognizer_is_the_one_it_stands_for(model: Predictor) -> None:
    thread, own = BatchThread(0.0, 8), model.models[0]
    batched = BatchedRecognizer(own, thread)
    for name in ("metadata", "guidance", "epoch", "config", "device", "feature_width"):
        assert getattr(batched, name) == getattr(own, name)
    np.testing.assert_array_equal(
        batched.sample_features(samples(2)), own.sample_features(samples(2))
    )
    thread.close()
