"""Test clips as plain values: their joints, how sure the recognizer was, and what it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.evaluation.predict import predict
from skeletonagent.experiments.build import build_loader, load_recognizer, prepare_dataset
from skeletonagent.experiments.config import Config
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.report.serialize import pack_shares, quantize, round_floats
from skeletonagent.report.skeleton_svg import positions
from skeletonagent.training.checkpoint import Checkpoint

MISTAKES = 0.75
"""Share of the shown clips that are mistakes, if there are as many."""
TIME_STEPS = 12
"""Times at which the recognizer is asked about what it has seen so far."""
MAX_FRAMES = 120
"""Frames of a clip that are shown; of a longer one, so many spread evenly."""
TOP_CLASSES = 5
"""Classes that are listed with their probability."""
BATCH = 16

Axes = tuple[tuple[int, int], ...]
"""A coordinate and its sign for each direction of the picture."""


@dataclass(frozen=True)
class ClipContext:
    """What a run's clips are shown with.

    Args:
        recognizer: As the run left it, on the host.
        source: All samples, as they are tested.
    """

    recognizer: Recognizer
    source: ClipLoader


def open_clip_context(config: Config, checkpoint: Checkpoint, archive: str | None) -> ClipContext:
    """Return recognizer and clips of a run.

    Args:
        config: The run's configuration.
        checkpoint: Where it stands.
        archive: Where the data are, if not where the configuration says.

    Raises:
        DataError: If the data cannot be read.
        CheckpointError: If the recognizer does not fit them.
    """
    settings = config.data if archive is None else replace(config.data, archive=archive)
    data: SkeletonData = prepare_dataset(settings)
    recognizer = load_recognizer(checkpoint, config, data).eval()
    store = replace(data.store, person_slots=int(checkpoint.metadata["persons"]))
    return ClipContext(
        recognizer, build_loader(config, replace(data, store=store), torch.device("cpu"))
    )


def clip_player(stage: ClipContext, scores: ClassProbabilities, most: int) -> dict[str, Any] | None:
    """Return clips to look at, mistakes first; None if none of the tested clips is in the data.

    Raises:
        DataError: If one of them cannot be used.
    """
    source = stage.source
    known = scores.subset(source.store.index_of.keys())
    if not known.sample_ids:
        return None
    chosen = choose(known, most)
    indices = source.store.indices([known.sample_ids[row] for row in chosen])
    turns = iterate_batches(source, indices.split(1)) if chosen else ()
    sequences = [turn.sampler.store.sequence(int(turn.host_indices[0])) for turn in turns]
    axes = upright(sequences, source.store.layout, source.store.has_confidence) if chosen else ()
    return {
        "moments": TIME_STEPS,
        "clips": [
            _clip(stage, known, row, sequence, axes)
            for row, sequence in zip(chosen, sequences, strict=True)
        ],
        "tested": len(scores.sample_ids),
        "mistakes": int((scores.probs.argmax(axis=1) != scores.labels).sum()),
    }


def choose(scores: ClassProbabilities, most: int) -> list[int]:
    """Return rows of clips to look at: mistakes of every kind, then right ones, unsure first.

    Of each kind, a class taken for another, the surest comes first, and every kind has its turn
    before one has a second.
    """
    predicted = scores.probs.argmax(axis=1)
    sureness = scores.probs.max(axis=1)
    wrong = np.flatnonzero(predicted != scores.labels)
    right = np.flatnonzero(predicted == scores.labels)
    mistakes = _in_turn(wrong[np.argsort(-sureness[wrong], kind="stable")], scores, predicted)
    others = _in_turn(right[np.argsort(sureness[right], kind="stable")], scores, predicted)
    first = mistakes[: max(round(MISTAKES * most), most - len(others))]
    return first + others[: most - len(first)]


def _in_turn(
    rows: Int[np.ndarray, " n"], scores: ClassProbabilities, predicted: Int[np.ndarray, " m"]
) -> list[int]:
    """Return rows so that every kind has its turn, the most frequent kind first."""
    kinds: dict[tuple[int, int], list[int]] = {}
    for row in rows.tolist():
        kinds.setdefault((int(scores.labels[row]), int(predicted[row])), []).append(row)
    turns = zip_longest(*sorted(kinds.values(), key=len, reverse=True))
    return [row for turn in turns for row in turn if row is not None]


def _clip(
    stage: ClipContext, scores: ClassProbabilities, row: int, sequence: SkeletonSequence, axes: Axes
) -> dict[str, Any]:
    label, predicted = int(scores.labels[row]), int(scores.probs[row].argmax())
    best = np.argsort(-scores.probs[row], kind="stable")[:TOP_CLASSES].tolist()
    followed = list(dict.fromkeys([predicted, label, *best]))[:3]
    unfolding, importance = score_variants(stage.recognizer, stage.source, sequence)
    return {
        "id": scores.sample_ids[row],
        "label": label,
        "predicted": predicted,
        "best": [[int(y), round_floats(float(scores.probs[row, y]), 3)] for y in best],
        "joints": quantize(shown_joints(sequence, axes), "int16"),
        "frames": int(sequence.joints.shape[1]),
        "classes": followed,
        "unfolding": pack_shares(unfolding[:, followed]),
        "mattered": {
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


def upright(sequences: Sequence[SkeletonSequence], layout: SkeletonLayout, scored: bool) -> Axes:
    """Return which coordinate goes right, up and towards the viewer, each with its sign.

    Data sets differ in their axes, so it is read off the clips: up is along which the joints lie
    as in the drawing of a standing person, right is along which they do so sideways.

    Args:
        sequences: Some clips.
        layout: Their skeleton.
        scored: Whether their last channel is no coordinate.
    """
    means = []
    for sequence in sequences:
        joints = sequence.joints[..., : sequence.joints.shape[-1] - scored]
        present = joints[joints.any(axis=(2, 3))]
        means.append(present.mean(axis=0) if len(present) else joints.mean(axis=(0, 1)))
    agreement = _correlations(np.mean(means, axis=0), positions(layout))
    up = int(np.abs(agreement[:, 1]).argmax())
    rest = [axis for axis in range(len(agreement)) if axis != up]
    right = max(rest, key=lambda axis: abs(agreement[axis, 0]))
    signs = [-1 if agreement[axis, side] < 0 else 1 for side, axis in enumerate((right, up))]
    axes = [(right, signs[0]), (up, signs[1])]
    return (*axes, *((axis, _handedness(axes, axis)) for axis in rest if axis != right))


def _correlations(
    mean: Float[np.ndarray, "v c"], drawing: Float[np.ndarray, "v 2"]
) -> Float[np.ndarray, "c 2"]:
    a, b = mean - mean.mean(axis=0), drawing - drawing.mean(axis=0)
    size = np.linalg.norm(a, axis=0)[:, None] * np.linalg.norm(b, axis=0)
    none = np.zeros_like(size)
    found: Float[np.ndarray, "c 2"] = np.divide(a.T @ b, size, out=none, where=size > 0)
    return found


def _handedness(axes: Sequence[tuple[int, int]], last: int) -> int:
    """Return the sign of the last axis with which nothing is mirrored."""
    frame = np.zeros((3, 3))
    for row, (axis, sign) in enumerate((*axes, (last, 1))):
        frame[row, axis] = sign
    return 1 if np.linalg.det(frame) > 0 else -1


def score_variants(
    recognizer: Recognizer, source: ClipLoader, sequence: SkeletonSequence
) -> tuple[Float[np.ndarray, "k y"], Float[np.ndarray, "v y"]]:
    """Return how a clip's scores unfold, and by how much each of its joints matters to them.

    One test clip is drawn of each variant of the sequence.

    Returns:
        The class probabilities after more and more of the clip, the whole at last; and by how
        much each class's log-probability falls if a joint is held at its mean over the clip. A
        joint that does not move cannot matter.
    """
    store = source.store
    variants = [*_beginnings(sequence), *_held_joints(sequence)]
    named = [replace(variant, sample_id=str(k)) for k, variant in enumerate(variants)]
    cut = ClipStore.from_sequences(named, store.layout, store.class_names, store.has_confidence)
    several = ClipSampler(
        replace(cut, person_slots=store.max_persons), source.settings, source.augment
    )
    scored = predict(recognizer, several, torch.arange(len(named)), batch_size=BATCH, clips=1).probs
    unfolding, held = scored[:TIME_STEPS], scored[TIME_STEPS:]
    logs = [np.log(np.maximum(each, np.finfo(np.float32).tiny)) for each in (unfolding[-1], held)]
    return unfolding, logs[0] - logs[1]


def _beginnings(sequence: SkeletonSequence) -> list[SkeletonSequence]:
    frames = sequence.joints.shape[1]
    ends = [max(1, round(frames * k / TIME_STEPS)) for k in range(1, TIME_STEPS + 1)]
    return [replace(sequence, joints=sequence.joints[:, :end]) for end in ends]


def _held_joints(sequence: SkeletonSequence) -> list[SkeletonSequence]:
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
