"""Compact recipe: each choice reaches its setting, and the recipe suits every stream."""

from __future__ import annotations

import pytest

from skeletonagent.core.streams import Stream
from skeletonagent.data.settings import Orientation, Origin
from skeletonagent.experiments.compact_recipe import CompactRecipe, compact_config
from skeletonagent.experiments.config import config_from_dict, config_to_dict
from skeletonagent.experiments.presets import preset


def test_choices_reach_their_settings() -> None:
    recipe = CompactRecipe(
        orientation=Orientation.HEADING, yaw=0.3, mirror=0.4, person_swap=0.25, crop=0.6,
        axis_scale=0.15, steps=77,
    )  # fmt: skip
    config = compact_config(Stream.BONE, recipe, archive="mine", origin=Origin.GROUP)
    assert (config.data.archive, config.clips.stream) == ("mine", Stream.BONE)
    assert (config.data.orientation, config.data.origin) == (Orientation.HEADING, Origin.GROUP)
    augment = config.augment
    assert (augment.yaw, augment.mirror, augment.person_swap) == (0.3, 0.4, 0.25)
    assert (augment.crop, augment.axis_scale) == (0.6, 0.15)
    assert config.training.steps == 77


def test_choices_change_nothing_else() -> None:
    plain = compact_config(Stream.JOINT, CompactRecipe(), archive="a", origin=Origin.PERSON)
    other = compact_config(
        Stream.JOINT, CompactRecipe(orientation=Orientation.CAMERA), archive="a",
        origin=Origin.PERSON,
    )  # fmt: skip
    one, two = config_to_dict(plain), config_to_dict(other)
    assert one["data"].pop("orientation") == "body" and two["data"].pop("orientation") == "camera"
    assert one == two


@pytest.mark.parametrize("stream", Stream)
def test_the_recipe_suits_every_stream_and_can_be_saved(stream: Stream) -> None:
    """Noise on joints is refused for motions that are taken first; interpolated ones are not."""
    config = compact_config(stream, CompactRecipe(), archive="a", origin=Origin.PERSON)
    assert config.augment.jitter > 0
    assert config_from_dict(config_to_dict(config)) == config


@pytest.mark.parametrize("name", ["default", "jhmdb", "nw-ucla", "sbu", "utd-mhad"])
def test_small_presets_learn_every_clip_for_a_number_of_steps(name: str) -> None:
    training = preset(name).training
    assert training.steps == CompactRecipe().steps
    assert training.validation_share == 0
