"""Recordings of actions with pauses, and a recognizer of them that needs no training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tests.small_run import CLASSES, swinging

from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import COCO_17
from skeletonagent.experiments.training_clips import TrainingClips
from skeletonagent.inference.segment_settings import (
    SegmentOptions,
    SegmentSettings,
    resolve_settings,
)
from skeletonagent.inference.segment_stream import StreamTask

CLIPS = TrainingClips(shortest=16, median=24, longest=40, pair_classes=(), fps=30.0)
FORMAT = InputFormat(COCO_17, 2)
FPS = 30.0


def settings_of(
    clips: TrainingClips = CLIPS, fps: float = FPS, **options: object
) -> SegmentSettings:
    return resolve_settings(
        SegmentOptions(**options),  # type: ignore[arg-type]
        class_names=CLASSES,
        training_clips=clips,
        clip_frames=8,
        fps=fps,
        held_out=None,
    )


def guidance(sentences: Sequence[str] = CLASSES, joints: Sequence[tuple[int, ...]] = ((),) * 3):
    return Guidance(
        COCO_17,
        tuple(
            ClassGuidance(action, of_class, sentence)
            for action, of_class, sentence in zip(CLASSES, joints, sentences, strict=True)
        ),
    )


def by_swing(clips: Sequence[np.ndarray]) -> np.ndarray:
    """Return the share of the movement that each class's joints have."""
    probs = []
    for clip in clips:
        steps = np.abs(np.diff(clip.astype(np.float64), axis=1))
        moved = np.where(np.isfinite(steps), steps, 0).sum(axis=(0, 1, 3)) + 1e-9
        of_class = np.array([moved[label::3].mean() for label in range(3)]) ** 2
        probs.append(of_class / of_class.sum())
    return np.array(probs)


def task_of(settings: SegmentSettings | None = None, persons: int = 1, **changes: object):
    task = StreamTask(by_swing, settings or settings_of(), FORMAT, guidance(), persons)
    return replace(task, **changes)


def acted(labels: Sequence[int], frames: int = 30, pause: int = 20, seed: int = 0) -> np.ndarray:
    """Return one body in (T, V, C) that shows actions with stillness before, between and after."""
    rng = np.random.default_rng(seed)
    rest = swinging(0, 0, frames=1)[0]
    parts = [np.repeat(rest, pause, axis=0)]
    for label in labels:
        parts.append(swinging(label, seed, frames=frames)[0])
        parts.append(np.repeat(parts[-1][-1:], pause, axis=0))
    joints = np.concatenate(parts)
    return (joints + rng.normal(0, 0.002, joints.shape)).astype(np.float32)
