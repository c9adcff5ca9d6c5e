"""Compact recipe: a recognizer for tens to thousands of clips, trained on a CPU core in a minute.

Every choice was made on held-out parts of training sets, see docs/results/small_sets.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from skeletonagent.core.streams import Stream
from skeletonagent.data.settings import (
    AugmentSettings,
    ClipSettings,
    DataSettings,
    FrameSampling,
    Gaps,
    Imputation,
    Orientation,
    Origin,
    Scale,
)
from skeletonagent.experiments.config import Config
from skeletonagent.models.settings import (
    InputFeature,
    KernelRidgeSettings,
    ModelSettings,
    ReadoutKind,
)
from skeletonagent.training.settings import LossSettings, OptimizerName, TrainSettings


@dataclass(frozen=True)
class CompactRecipe:
    """Choices of the compact recipe that differ between data sets.

    Args:
        orientation: Orientation of the coordinates.
        rotation: Largest rotation about every axis, in radians.
        yaw: Largest rotation about the vertical axis beyond that about every axis, in radians.
        mirror: Probability of a horizontal flip.
        person_swap: Probability that two bodies exchange places; where it is not zero, the first
            body stays on its side.
        crop: Smallest share of a sample's frames that a clip is taken from.
        axis_scale: Relative change of size along each axis.
        steps: Steps of the training.
    """

    orientation: Orientation = Orientation.BODY
    rotation: float = 0.2
    yaw: float = 0.1
    mirror: float = 0.0
    person_swap: float = 0.0
    crop: float = 0.6
    axis_scale: float = 0.2
    steps: int = 1500


def compact_config(
    stream: Stream, recipe: CompactRecipe, *, archive: str, origin: Origin
) -> Config:
    """Return the configuration of a compact recipe."""
    return Config(
        data=DataSettings(
            archive=archive,
            origin=origin,
            orientation=recipe.orientation,
            scale=Scale.BODY,
            gaps=Gaps.INTERPOLATE,
            imputation=Imputation.POSE,
        ),
        clips=ClipSettings(frames=32, stream=stream, sampling=FrameSampling.LINEAR, test_clips=4),
        augment=AugmentSettings(
            rotation=recipe.rotation,
            yaw=recipe.yaw,
            mirror=recipe.mirror,
            person_swap=recipe.person_swap,
            keep_sides=recipe.person_swap > 0 and recipe.orientation is not Orientation.CAMERA,
            crop=recipe.crop,
            axis_scale=recipe.axis_scale,
            jitter=0.02,
        ),
        model=ModelSettings(
            backbone="joint-cnn",
            inputs=(
                InputFeature.POSITION,
                InputFeature.MOTION,
                InputFeature.LONG_MOTION,
                InputFeature.DISTANCE,
                InputFeature.PARTNER,
            ),
            readout=ReadoutKind.TEMPORAL,
            dropout=0.5,
        ),
        kernel_ridge=KernelRidgeSettings(weight=1.0, base="auto"),
        loss=LossSettings(label_smoothing=0.1),
        training=TrainSettings(
            steps=recipe.steps,
            batch_size=32,
            optimizer=OptimizerName.ADAMW,
            learning_rate=0.002,
            weight_decay=0.05,
            warmup_share=0.1,
            ema_decay=0.99,
            validation_share=0.0,
        ),
    )
