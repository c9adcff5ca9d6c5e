"""Checks that clips can be turned and augmented as the settings ask for."""

from __future__ import annotations

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.settings import AugmentSettings, ClipSettings, FrameSampling, Orientation


def require_compatible(clips: ClipSettings, augment: AugmentSettings) -> None:
    """Raise an error if an augmentation cannot be applied to clips made in another way.

    Raises:
        ConfigError: If it cannot, with the settings that can be changed.
    """
    if augment.warp and clips.sampling is not FrameSampling.LINEAR:
        raise ConfigError(
            f"augment.warp is {augment.warp}, but only interpolated clips change their speed; set "
            "clips.sampling=linear or augment.warp=0"
        )
    if augment.jitter and clips.differences_first:
        raise ConfigError(
            f"augment.jitter is {augment.jitter}, but the frame differences of the stream "
            f"{clips.stream.value} are taken before joints could be moved; set "
            "clips.sampling=linear, clips.motion_rule=after or augment.jitter=0"
        )
    if augment.keep_sides and clips.differences_first:
        raise ConfigError(
            f"augment.keep_sides needs positions, but the frame differences of the stream "
            f"{clips.stream.value} are taken first; set clips.sampling=linear, "
            "clips.motion_rule=after or augment.keep_sides=false"
        )


def require_orientable(orientation: Orientation, coordinates: int, layout: SkeletonLayout) -> None:
    """Raise an error if samples cannot be turned to axes.

    Args:
        orientation: The axes.
        coordinates: Number of coordinates of a joint.
        layout: The skeleton.

    Raises:
        DataError: If samples are in 2D, or their skeleton has no left and right.
    """
    if orientation is Orientation.CAMERA:
        return
    problem = None
    if coordinates != 3:
        problem = f"needs joints in 3D, and these have {coordinates} coordinates"
    elif not layout.pairs:
        problem = f"needs left and right joints, and {layout.name} names none"
    if problem:
        raise DataError(f"data.orientation {orientation.value!r} {problem}; set it to camera")
