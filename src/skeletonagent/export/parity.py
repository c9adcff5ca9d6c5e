"""Check of an exported recognizer against the one that it was made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64

from skeletonagent.core.errors import ExportError, SkeletonAgentError
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.models.recognizer import Recognizer

BATCHES = (1, 2, 17)
"""Numbers of clips that an exported recognizer is checked with."""

TOLERANCE = 1e-4
"""Largest difference of logits that is accepted, as a share of the largest logit."""

RunClips = Callable[
    [Float32[np.ndarray, "n m t v c"], Int64[np.ndarray, " b"]],
    tuple[Float[np.ndarray, "n y"], Float[np.ndarray, "n d"]],
]
"""Function from clips and the bodies that are present to logits and features."""


def parity_clips(
    count: int, clip_shape: tuple[int, int, int, int]
) -> tuple[Float32[np.ndarray, "n m t v c"], Int64[np.ndarray, " b"]]:
    """Return random clips, some with absent bodies and joints, and the bodies that are run.

    The second body of every third clip is not run, that of every fourth is run but never seen.

    Args:
        count: Number of clips.
        clip_shape: M, T, V and C of a clip.
    """
    rng = np.random.default_rng(count)
    clips = rng.normal(size=(count, *clip_shape)).astype(np.float32)
    clips[rng.random(clips.shape[:-1]) < 0.1] = 0
    numbers, slots = np.indices(clips.shape[:2])
    run = (slots == 0) | (numbers % 3 != 0)
    clips[~run | ((slots > 0) & (numbers % 4 == 1))] = 0
    return clips, np.flatnonzero(run)


def check_parity(
    run: RunClips,
    recognizer: Recognizer,
    clip_shape: tuple[int, int, int, int],
    tolerance: float = TOLERANCE,
    encoder: BaseEncoder | None = None,
) -> float:
    """Return the largest difference of logits and features, as a share of the largest value.

    Args:
        run: The exported recognizer.
        recognizer: The recognizer in evaluation mode, on the CPU.
        clip_shape: M, T, V and C of a clip.
        tolerance: Largest difference that is accepted.
        encoder: Base whose features follow the recognizer's; None for no base.

    Raises:
        ExportError: If a number of clips cannot be run, or differences are larger.
    """
    worst = 0.0
    for count in BATCHES:
        clips, bodies = parity_clips(count, clip_shape)
        try:
            found = run(clips, bodies)
        except SkeletonAgentError as error:
            raise ExportError(f"the exported file cannot run {count} clip(s): {error}") from error
        for name, values, wanted in zip(
            ("logits", "features"), found, _outputs(recognizer, clips, bodies, encoder), strict=True
        ):
            difference = relative_difference(values, wanted)
            if not difference <= tolerance:
                raise ExportError(
                    f"of {count} clip(s) the exported {name} differ from those of PyTorch by "
                    f"{difference:.1e} of the largest, {tolerance:.0e} is allowed"
                )
            worst = max(worst, difference)
    return worst


def relative_difference(
    values: Float[np.ndarray, "..."], wanted: Float[np.ndarray, "..."]
) -> float:
    """Return the largest difference as a share of the largest wanted value; infinite for shapes."""
    if values.shape != wanted.shape:
        return np.inf
    return float(np.abs(values - wanted).max() / np.abs(wanted).max())


@torch.inference_mode()
def _outputs(
    recognizer: Recognizer,
    clips: Float32[np.ndarray, "n m t v c"],
    bodies: Int64[np.ndarray, " b"],
    encoder: BaseEncoder | None,
) -> tuple[Float[np.ndarray, "n y"], Float[np.ndarray, "n d"]]:
    given = torch.from_numpy(clips), torch.from_numpy(bodies)
    features = recognizer.features(*given)
    logits = recognizer.cls_head(features)
    if encoder is not None:
        features = torch.cat([features, encoder(*given)], dim=1)
    return logits.numpy(), features.numpy()
