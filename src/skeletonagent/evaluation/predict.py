"""Class probabilities and features of samples, on one rank or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.models.fused import fuse_for_inference
from skeletonagent.models.recognizer import Recognizer


@torch.inference_mode()
def predict(
    recognizer: Recognizer | Callable[..., Tensor],
    loader: ClipLoader,
    samples: Int[Tensor, " n"],
    *,
    batch_size: int = 64,
    num_clips: int | None = None,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> ClassProbabilities:
    """Return the mean over each sample's test clips of the softmax of its logits.

    Args:
        recognizer: Recognizer, which is fused for these samples and stays as it is, or a function
            from clips and bodies to logits, such as one that was fused before.
        loader: Loader of the clips.
        samples: Indices of the samples.
        batch_size: Number of clips at once, rounded down to whole samples, at least one.
        num_clips: Number of clips of a sample, if not that of the loader's settings.
        autocast: Context whose precision the recognizer runs in.
    """
    count = num_clips or loader.settings.test_clips
    samples_at_once = max(1, batch_size // count)
    classify: Callable[..., Tensor] = recognizer
    if isinstance(recognizer, Recognizer):
        device = next(recognizer.parameters()).device
        classify = fuse_for_inference(recognizer, _precision(device, autocast))
    rows = []
    for sampler, indices, on_host in iterate_batches(loader, samples.split(samples_at_once)):
        for batch in sampler.test_batches(indices, samples_at_once, count, on_host):
            logits = classify(batch.clips, batch.bodies)
            rows.append(logits.softmax(dim=1).unflatten(0, (-1, count)).mean(dim=1))
    return ClassProbabilities(
        sample_ids=tuple(loader.store.sample_ids[i] for i in samples.tolist()),
        labels=loader.store.labels[samples].cpu().numpy(),
        probs=torch.cat(rows).cpu().numpy(),
    )


@torch.inference_mode()
def sample_features(
    encode: Callable[..., Tensor],
    loader: ClipLoader,
    samples: Int[Tensor, " n"],
    *,
    batch_size: int = 64,
    num_clips: int | None = None,
) -> Float[Tensor, "n d"]:
    """Return the features of samples, each a mean over its test clips, on the host.

    Args:
        encode: Function from clips and bodies to features.
        loader: Loader of the clips.
        samples: Indices of the samples.
        batch_size: Number of clips at once, rounded down to whole samples, at least one.
        num_clips: Number of clips of a sample, if not that of the loader's settings.
    """
    count = num_clips or loader.settings.test_clips
    at_once = max(1, batch_size // count)
    rows = []
    for sampler, indices, on_host in iterate_batches(loader, samples.split(at_once)):
        for batch in sampler.test_batches(indices, at_once, count, on_host):
            features = encode(batch.clips, batch.bodies)
            rows.append(features.unflatten(0, (-1, count)).mean(dim=1))
    return torch.cat(rows).cpu()


def predict_distributed(
    recognizer: Recognizer,
    loader: ClipLoader,
    samples: Int[Tensor, " n"],
    *,
    rank: int,
    world_size: int,
    all_gather: Callable[[ClassProbabilities], Sequence[ClassProbabilities]],
    batch_size: int = 64,
    num_clips: int | None = None,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> ClassProbabilities:
    """Return what :func:`predict` does, in all ranks; each computes an equal part of it.

    Args:
        recognizer: Recognizer, the same in all ranks.
        loader: Loader of the clips.
        samples: Indices of the samples, the same in all ranks.
        rank: Number of this process, from 0.
        world_size: Number of processes.
        all_gather: Function that returns the values of all ranks, in their order.
        batch_size: Number of clips at once in each rank.
        num_clips: Number of clips of a sample, if not that of the loader's settings.
        autocast: Context whose precision the recognizer runs in.
    """
    part = predict(
        recognizer,
        loader,
        samples[rank::world_size],
        batch_size=batch_size,
        num_clips=num_clips,
        autocast=autocast,
    )
    return ClassProbabilities.interleave(all_gather(part))


def _precision(
    device: torch.device, autocast: Callable[[], AbstractContextManager[object]]
) -> torch.dtype:
    with autocast():
        lower = torch.is_autocast_enabled(device.type)
        return torch.get_autocast_dtype(device.type) if lower else torch.float32
