"""Test clips as plain values: joints, class probabilities over time, importance of joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.experiments.datasets import prepare_dataset
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.report.serialize import pack_shares, quantize, round_floats
from skeletonagent.report.skeleton_svg import joint_positions
from skeletonagent.training.checkpoint import Checkpoint

MISTAKES_SHARE = 0.75
"""Share of mistakes among the shown clips, if there are as many."""
TIME_STEPS = 12
"""Number of beginnings of a clip, of growing length, that the recognizer is given."""
MAX_FRAMES = 120
"""Largest number of frames that are shown of a clip, spread evenly."""
TOP_CLASSES = 5
"""Number of classes that are listed with their probability."""
BATCH_SIZE = 16
"""Variants of a clip that are predicted at once."""

Axes = tuple[tuple[int, int], ...]
"""A coordinate and its sign for each direction of the picture."""


@dataclass(frozen=True)
class ClipContext:
    """Recognizer of a run and the clips that it is shown with.

    Args:
        model: Recognizer of the run, on the host.
        loader: All samples, as they are tested.
    """

    model: StreamModel
    loader: ClipLoader


def open_clip_context(checkpoint: Checkpoint, archive: str | None = None) -> ClipContext:
    """Return recognizer and clips of a run.

    Args:
        checkpoint: Checkpoint of the run.
        archive: Path of the archive, if not that of the run's configuration.

    Raises:
        DataError: If the data cannot be read.
        CheckpointError: If the recognizer does not fit them.
    """
    model = StreamModel.from_checkpoint(checkpoint, device="cpu")
    settings = model.config.data
    data = prepare_dataset(settings if archive is None else replace(settings, archive=archive))
    return ClipContext(model, model.loader(data))


def clip_player(
    context: ClipContext, predictions: ClassProbabilities, count: int
) -> dict[str, Any] | None:
    """Return clips to play, mistakes first; None if none of the tested clips is in the data.

    Args:
        context: Recognizer and clips.
        predictions: Class probabilities of the test set.
        count: Number of clips at most.

    Raises:
        DataError: If one of them cannot be used.
    """
    loader = context.loader
    available = predictions.subset(loader.store.index_of.keys())
    if not available.sample_ids:
        return None
    rows = select_clips(available, count)
    indices = loader.store.indices([available.sample_ids[row] for row in rows])
    batches = iterate_batches(loader, indices.split(1)) if rows else ()
    sequences = [batch.sampler.store.sequence(int(batch.host_indices[0])) for batch in batches]
    axes = upright_axes(sequences, loader.store.layout, loader.store.coordinates) if rows else ()
    return {
        "time_steps": TIME_STEPS,
        "clips": [
            _clip(context.model, available, row, sequence, axes)
            for row, sequence in zip(rows, sequences, strict=True)
        ],
        "tested": len(predictions.sample_ids),
        "mistakes": int((predictions.probs.argmax(axis=1) != predictions.labels).sum()),
    }


def select_clips(predictions: ClassProbabilities, count: int) -> list[int]:
    """Return rows of clips to show: mistakes of every kind, then right ones, least sure first.

    Of each kind, a class mistaken for another, the most confident comes first, and every kind is
    shown once before one is shown twice.
    """
    predicted = predictions.probs.argmax(axis=1)
    confidence = predictions.probs.max(axis=1)
    wrong = np.flatnonzero(predicted != predictions.labels)
    right = np.flatnonzero(predicted == predictions.labels)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    right = right[np.argsort(confidence[right], kind="stable")]
    mistakes = _round_robin(wrong, predictions, predicted)
    others = _round_robin(right, predictions, predicted)
    first = mistakes[: max(round(MISTAKES_SHARE * count), count - len(others))]
    return first + others[: count - len(first)]


def _round_robin(
    rows: Int[np.ndarray, " n"], predictions: ClassProbabilities, predicted: Int[np.ndarray, " m"]
) -> list[int]:
    """Return rows so that the kinds of mistakes alternate, the most frequent kind first."""
    kinds: dict[tuple[int, int], list[int]] = {}
    for row in rows.tolist():
        kinds.setdefault((int(predictions.labels[row]), int(predicted[row])), []).append(row)
    rounds = zip_longest(*sorted(kinds.values(), key=len, reverse=True))
    return [row for round_ in rounds for row in round_ if row is not None]


def _clip(
    model: StreamModel,
    predictions: ClassProbabilities,
    row: int,
    sequence: SkeletonSequence,
    axes: Axes,
) -> dict[str, Any]:
    label, predicted = int(predictions.labels[row]), int(predictions.probs[row].argmax())
    best = np.argsort(-predictions.probs[row], kind="stable")[:TOP_CLASSES].tolist()
    shown = list(dict.fromkeys([predicted, label, *best]))[:3]
    over_time, importance = explain_clip(model, sequence)
    return {
        "id": predictions.sample_ids[row],
        "label": label,
        "predicted": predicted,
        "top": [[int(y), round_floats(float(predictions.probs[row, y]), 3)] for y in best],
        "joints": quantize(shown_joints(sequence, axes), "int16"),
        "frames": int(sequence.joints.shape[1]),
        "classes": shown,
        "probs_over_time": pack_shares(over_time[:, shown]),
        "joint_importance": {
            str(y): pack_shares(_as_shares(importance[:, y]))
            for y in dict.fromkeys([predicted, label])
        },
    }


def shown_joints(sequence: SkeletonSequence, axes: Axes) -> Float[np.ndarray, "m t v 3"]:
    """Return joints as (right, up, towards the viewer); a flat skeleton has no depth."""
    frames = sequence.joints.shape[1]
    kept = np.linspace(0, frames - 1, min(frames, MAX_FRAMES)).round().astype(int)
    joints = sequence.joints[:, kept]
    shown = np.zeros((*joints.shape[:3], 3), dtype=np.float32)
    for place, (axis, sign) in enumerate(axes):
        shown[..., place] = sign * joints[..., axis]
    return shown


def upright_axes(
    sequences: Sequence[SkeletonSequence], layout: SkeletonLayout, coordinates: int
) -> Axes:
    """Return which coordinate goes right, up and towards the viewer, each with its sign.

    Data sets differ in their axes, so they are read off the clips: up is the axis along which the
    joints lie as in the drawing of a standing person, right the one along which they do sideways.

    Args:
        sequences: Some clips.
        layout: Their skeleton.
        coordinates: Number of their channels that are coordinates.
    """
    means = []
    for sequence in sequences:
        joints = sequence.joints[..., :coordinates]
        present = joints[joints.any(axis=(2, 3))]
        means.append(present.mean(axis=0) if len(present) else joints.mean(axis=(0, 1)))
    agreement = _correlations(np.mean(means, axis=0), joint_positions(layout))
    up = int(np.abs(agreement[:, 1]).argmax())
    others = [axis for axis in range(len(agreement)) if axis != up]
    right = max(others, key=lambda axis: abs(agreement[axis, 0]))
    signs = [-1 if agreement[axis, side] < 0 else 1 for side, axis in enumerate((right, up))]
    axes = [(right, signs[0]), (up, signs[1])]
    return (*axes, *((axis, depth_sign(axes, axis)) for axis in others if axis != right))


def _correlations(
    mean: Float[np.ndarray, "v c"], drawing: Float[np.ndarray, "v 2"]
) -> Float[np.ndarray, "c 2"]:
    a, b = mean - mean.mean(axis=0), drawing - drawing.mean(axis=0)
    size = np.linalg.norm(a, axis=0)[:, None] * np.linalg.norm(b, axis=0)
    correlations: Float[np.ndarray, "c 2"] = np.divide(
        a.T @ b, size, out=np.zeros_like(size), where=size > 0
    )
    return correlations


def depth_sign(axes: Sequence[tuple[int, int]], last: int) -> int:
    """Return the sign of the last axis with which nothing is mirrored."""
    frame = np.zeros((3, 3))
    for row, (axis, sign) in enumerate((*axes, (last, 1))):
        frame[row, axis] = sign
    return 1 if np.linalg.det(frame) > 0 else -1


def explain_clip(
    model: StreamModel, sequence: SkeletonSequence
) -> tuple[Float[np.ndarray, "k y"], Float[np.ndarray, "v y"]]:
    """Return how a clip's class probabilities develop, and how important each joint is to them.

    One test clip of each variant of the sequence is predicted.

    Args:
        model: The recognizer.
        sequence: A preprocessed sample.

    Returns:
        The class probabilities after more and more of the clip, all of it at last; and by how
        much each class's log-probability falls if a joint stays at its mean over the clip. A
        joint that does not move has no importance.
    """
    metadata = model.metadata
    variants = [*_beginnings(sequence), *_with_joint_still(sequence)]
    named = [replace(variant, sample_id=str(k)) for k, variant in enumerate(variants)]
    has_confidence = metadata.input_format.has_confidence
    store = ClipStore.from_sequences(named, metadata.layout, metadata.class_names, has_confidence)
    store = replace(store, drops_depth=store.channels > metadata.channels)
    order = torch.arange(len(named))
    probs = model.predict_loader(model.sampler(store), order, BATCH_SIZE, num_clips=1).probs
    over_time, with_joint_still = probs[:TIME_STEPS], probs[TIME_STEPS:]
    log_whole, log_still = (
        np.log(np.maximum(values, np.finfo(np.float32).tiny))
        for values in (over_time[-1], with_joint_still)
    )
    return over_time, log_whole - log_still


def _beginnings(sequence: SkeletonSequence) -> list[SkeletonSequence]:
    frames = sequence.joints.shape[1]
    ends = [max(1, round(frames * k / TIME_STEPS)) for k in range(1, TIME_STEPS + 1)]
    return [replace(sequence, joints=sequence.joints[:, :end]) for end in ends]


def _with_joint_still(sequence: SkeletonSequence) -> list[SkeletonSequence]:
    variants = []
    for joint in range(sequence.joints.shape[2]):
        joints = sequence.joints.copy()
        joints[:, :, joint] = joints[:, :, joint].mean(axis=1, keepdims=True)
        variants.append(replace(sequence, joints=joints))
    return variants


def _as_shares(importance: Float[np.ndarray, " v"]) -> Float[np.ndarray, " v"]:
    """Return what speaks for a class as shares of the strongest; what speaks against it is 0."""
    supporting = np.maximum(importance, 0)
    scaled: Float[np.ndarray, " v"] = supporting / (supporting.max(initial=0.0) or 1.0)
    return scaled
