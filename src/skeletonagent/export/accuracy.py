"""Accuracy of an exported recognizer on test clips, beside that of the one it was made of."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import Batch
from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.evaluation.predict import predict
from skeletonagent.export.description import MeasuredAccuracy
from skeletonagent.export.parity import RunClips
from skeletonagent.export.session import class_probabilities
from skeletonagent.models.recognizer import Recognizer


def measure_accuracy(
    run: RunClips,
    recognizer: Recognizer,
    loader: ClipLoader,
    samples: Int[Tensor, " n"],
    *,
    data: str,
    split: str,
    batch_size: int,
) -> MeasuredAccuracy:
    """Return the accuracy of an exported recognizer, without a classifier beside the network.

    Args:
        run: The exported recognizer.
        recognizer: The recognizer that it was made of.
        loader: Clips of the data set.
        samples: Test samples, as positions in the loader's store.
        data: Name of the data set.
        split: Name of the split.
        batch_size: Clips in a batch.
    """
    count = loader.settings.test_clips
    at_once = max(1, batch_size // count)
    rows = []
    for indexed in iterate_batches(loader, samples.split(at_once)):
        for batch in indexed.sampler.test_batches(indexed.indices, at_once, count):
            logits, _ = run(*batch_arrays(batch))
            rows.append(
                class_probabilities(logits).reshape(-1, count, logits.shape[1]).mean(axis=1)
            )
    reference = predict(recognizer, loader, samples, batch_size=batch_size)
    found, wanted = np.concatenate(rows).argmax(axis=1), reference.probs.argmax(axis=1)
    return MeasuredAccuracy(
        data=data,
        split=split,
        samples=len(samples),
        top1=float((found == reference.labels).mean()),
        reference=float((wanted == reference.labels).mean()),
        agreement=float((found == wanted).mean()),
    )


def batch_arrays(
    batch: Batch,
) -> tuple[Float[np.ndarray, "n m t v c"], Int[np.ndarray, " b"]]:
    """Return the clips of a batch and the bodies that are present, as an exported model takes."""
    clips = batch.clips.cpu()
    bodies = batch.bodies
    if bodies is None:
        bodies = torch.arange(clips.shape[0] * clips.shape[1])
    return np.ascontiguousarray(clips.numpy()), bodies.cpu().numpy()
