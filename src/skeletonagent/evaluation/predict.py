"""Score samples with a trained recognizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.models.fused import fuse_for_inference
from skeletonagent.models.recognizer import Recognizer


@torch.inference_mode()
def predict(
    recognizer: Recognizer,
    source: ClipLoader,
    samples: Int[Tensor, " n"],
    *,
    batch_size: int = 64,
    clips: int | None = None,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> ClassProbabilities:
    """Return the mean over each sample's test clips of the softmax of its logits.

    Args:
        recognizer: The model; what inference needs of it is copied, and it is left as it is.
        source: Where the clips come from.
        samples: Which samples.
        batch_size: Clips scored at once, rounded down to whole samples, at least one.
        clips: Clips of a sample, if not as many as the source's settings say.
        autocast: Context whose precision the recognizer runs in.
    """
    count = clips or source.settings.test_clips
    at_once = max(1, batch_size // count)
    device = next(recognizer.parameters()).device
    model = fuse_for_inference(recognizer, _precision(device, autocast))
    rows = []
    for turn in iterate_batches(source, samples.split(at_once)):
        for batch in turn.sampler.test_batches(turn.indices, at_once, count):
            logits = model(batch.clips, batch.bodies)
            rows.append(logits.softmax(dim=1).unflatten(0, (-1, count)).mean(dim=1))
    return ClassProbabilities(
        sample_ids=tuple(source.store.sample_ids[i] for i in samples.tolist()),
        labels=source.store.labels[samples].cpu().numpy(),
        probs=torch.cat(rows).cpu().numpy(),
    )


def _precision(
    device: torch.device, autocast: Callable[[], AbstractContextManager[object]]
) -> torch.dtype:
    with autocast():
        lower = torch.is_autocast_enabled(device.type)
        return torch.get_autocast_dtype(device.type) if lower else torch.float32


def evaluate_parts(
    scores: ClassProbabilities, parts: Mapping[str, Set[str]]
) -> dict[str, dict[str, Any]]:
    """Return accuracies of each test part, as plain values.

    Args:
        scores: Of all tested samples.
        parts: Sample ids of each part; parts may overlap.
    """
    return {
        name: {
            "samples": len(part.sample_ids),
            "top1": part.topk_accuracy(1),
            "top5": part.topk_accuracy(5),
            "mean_class": float(np.nanmean(part.per_class_accuracy())),
        }
        for name, part in ((name, scores.subset(ids)) for name, ids in parts.items())
    }
