"""Check that clips can be augmented as the settings ask for."""

from __future__ import annotations

from skeletonagent.core.errors import ConfigError
from skeletonagent.data.settings import AugmentSettings, ClipSettings, FrameSampling


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
