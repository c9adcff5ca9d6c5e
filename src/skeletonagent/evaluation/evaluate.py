"""Score samples with a trained recognizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.scores import Scores
from skeletonagent.data.sampling import Sampler
from skeletonagent.models.recognizer import Recognizer


@torch.inference_mode()
def score(
    recognizer: Recognizer,
    sampler: Sampler,
    samples: Int[Tensor, " n"],
    *,
    batch_size: int = 64,
    clips: int | None = None,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Scores:
    """Return the mean over each sample's test clips of the softmax of its logits.

    Args:
        recognizer: The model; its training heads are not run.
        sampler: Where the clips come from.
        samples: Which samples.
        batch_size: Clips scored at once, rounded down to whole samples, at least one.
        clips: Clips of a sample, if not as many as the sampler's settings say.
        autocast: Context in which the recognizer runs, for lower precision.
    """
    count = clips or sampler.settings.test_clips
    was_training = recognizer.training
    recognizer.eval()
    rows = []
    for batch in sampler.test_batches(samples, max(1, batch_size // count), count):
        with autocast():
            logits = recognizer.classify(batch.clips)
        rows.append(logits.float().softmax(dim=1).unflatten(0, (-1, count)).mean(dim=1))
    recognizer.train(was_training)
    return Scores(
        sample_ids=tuple(sampler.store.sample_ids[i] for i in samples.tolist()),
        labels=sampler.store.labels[samples].cpu().numpy(),
        scores=torch.cat(rows).cpu().numpy(),
    )


def report_parts(scores: Scores, parts: Mapping[str, Set[str]]) -> dict[str, dict[str, Any]]:
    """Return accuracies of each test part, as plain values.

    Args:
        scores: Of all tested samples.
        parts: Sample ids of each part; parts may overlap.
    """
    return {
        name: {
            "samples": len(part.sample_ids),
            "top1": part.top(1),
            "top5": part.top(5),
            "mean_class": float(np.nanmean(part.class_accuracy())),
        }
        for name, part in ((name, scores.subset(ids)) for name, ids in parts.items())
    }
