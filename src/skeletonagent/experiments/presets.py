"""Presets: configurations by name, for small data sets and for the paper's benchmarks.

Of size ``small`` they train a compact recognizer on a CPU core in about a minute, see
:mod:`skeletonagent.experiments.compact_recipe`; of size ``paper`` the paper's recognizer at full
width on a GPU. The paper's benchmarks have one size, for a GPU, and
two recipes, see :mod:`skeletonagent.experiments.benchmark_presets`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.streams import Stream
from skeletonagent.core.suggestions import did_you_mean
from skeletonagent.data.settings import (
    AugmentSettings,
    ClipSettings,
    DataSettings,
    Gaps,
    Orientation,
    Origin,
)
from skeletonagent.experiments.benchmark_presets import BENCHMARK_PRESETS
from skeletonagent.experiments.compact_recipe import CompactRecipe, compact_config
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.models.settings import ModelSettings
from skeletonagent.training.settings import TrainSettings

Preset = Callable[[PresetSize, Stream], Config]
"""Function that returns the configuration of a size and a stream."""


def small_dataset_preset(
    size: PresetSize,
    stream: Stream,
    *,
    archive: str,
    augment: AugmentSettings,
    epochs: int,
    compact: CompactRecipe | None = None,
    validation_until: float = 0.6,
    frames: int = 32,
    width: int = 32,
    batch_size: int = 16,
    learning_rate: float = 0.05,
    origin: Origin = Origin.PERSON,
) -> Config:
    """Return the recipe that data sets of hundreds to thousands of clips share.

    Args:
        size: Size; ``tiny`` and ``small`` do not use all that follows.
        stream: Stream.
        archive: Name of the archive.
        augment: Augmentation of sizes ``tiny`` and ``paper``.
        epochs: Passes over the training samples of size ``paper``.
        compact: Choices of size ``small``; None trains ST-GCN++ as size ``paper`` does its own.
        validation_until: Share of the training without the validation samples.
        frames: Frames of a clip of a small ST-GCN++.
        width: Width of a small ST-GCN++.
        batch_size: Clips in a step.
        learning_rate: Highest learning rate.
        origin: Origin of the coordinates.
    """
    large = size is PresetSize.PAPER
    if size is PresetSize.TINY:
        return _tiny(stream, archive=archive, augment=augment, origin=origin)
    if compact and not large:
        return compact_config(stream, compact, archive=archive, origin=origin)
    return Config(
        data=DataSettings(archive=archive, origin=origin, gaps=Gaps.INTERPOLATE),
        clips=ClipSettings(frames=64 if large else frames, stream=stream),
        augment=augment,
        model=ModelSettings() if large else ModelSettings(backbone="stgcn++", width=width),
        training=TrainSettings(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            warmup_epochs=3.0,
            ema_decay=0.98,
            validation_share=0.1,
            validation_until=validation_until,
        ),
    )


def _tiny(stream: Stream, *, archive: str, augment: AugmentSettings, origin: Origin) -> Config:
    """Return a recipe that trains in seconds: few frames, a small backbone, no validation set."""
    return Config(
        data=DataSettings(archive=archive, origin=origin, gaps=Gaps.INTERPOLATE),
        clips=ClipSettings(frames=16, stream=stream, test_clips=3),
        augment=augment,
        model=ModelSettings(backbone="tiny-gcn", width=16),
        training=TrainSettings(
            epochs=TINY_EPOCHS.get(archive, 20),
            batch_size=16,
            learning_rate=0.1,
            warmup_epochs=2.0,
            ema_decay=0.98,
            guidance_period=2,
            validation_share=0.0,
        ),
    )


TINY_EPOCHS: Mapping[str, int] = {
    "jhmdb": 16,
    "nw_ucla": 16,
    "sbu": 24,
    "synthetic": 80,
    "utd_mhad": 20,
}
"""Epochs of tiny recognizers by archive: at least 500 steps, fewer for clips of two persons."""


def utd_mhad(size: PresetSize, stream: Stream) -> Config:
    """UTD-MHAD: 27 actions, Kinect v1; not mirrored, since classes name the side that moves."""
    return small_dataset_preset(
        size,
        stream,
        archive="utd_mhad",
        augment=AugmentSettings(rotation=0.3),
        epochs=60,
        compact=CompactRecipe(),
    )


def nw_ucla(size: PresetSize, stream: Stream) -> Config:
    """NW-UCLA: 10 actions from three views, Kinect v1."""
    augment = AugmentSettings(rotation=0.3)
    return small_dataset_preset(
        size,
        stream,
        archive="nw_ucla",
        augment=augment,
        epochs=30,
        compact=CompactRecipe(rotation=0.5, yaw=0.6, mirror=0.5),
    )


def sbu(size: PresetSize, stream: Stream) -> Config:
    """SBU Kinect Interaction: 8 actions of two persons, five folds."""
    augment = AugmentSettings(rotation=0.1, scale=0.1, mirror=0.5)
    return small_dataset_preset(
        size,
        stream,
        archive="sbu",
        augment=augment,
        epochs=40,
        validation_until=0.4,
        frames=20,
        batch_size=8,
        learning_rate=0.025,
        origin=Origin.GROUP,
        compact=CompactRecipe(mirror=0.5, person_swap=0.5, crop=0.75, axis_scale=0.1),
    )


def jhmdb(size: PresetSize, stream: Stream) -> Config:
    """JHMDB: 21 actions in 2D, three splits."""
    augment = AugmentSettings(rotation=0.2, scale=0.1, mirror=0.5, crop=0.8)
    return small_dataset_preset(
        size,
        stream,
        archive="jhmdb",
        augment=augment,
        epochs=40,
        compact=CompactRecipe(orientation=Orientation.CAMERA, mirror=0.5, crop=0.5),
    )


def synthetic(size: PresetSize, stream: Stream) -> Config:
    """Generated data set of pairs of similar actions, which needs no files."""
    augment = AugmentSettings(rotation=0.1, mirror=0.5)
    return small_dataset_preset(
        size, stream, archive="synthetic", augment=augment, epochs=22, width=16
    )


def default(size: PresetSize, stream: Stream) -> Config:
    """Any archive without a preset; the validation set is held out of training to the end."""
    augment = AugmentSettings(rotation=0.3)
    return small_dataset_preset(
        size,
        stream,
        archive="synthetic",
        augment=augment,
        epochs=60,
        validation_until=1.0,
        compact=CompactRecipe(),
    )


def paper(_: PresetSize, stream: Stream) -> Config:
    """The paper's recipe (section 4.2) for any archive, in one size, for a GPU."""
    return Config(clips=ClipSettings(stream=stream))


SMALL_PRESETS: Mapping[str, Preset] = {
    "default": default,
    "jhmdb": jhmdb,
    "nw-ucla": nw_ucla,
    "paper": paper,
    "sbu": sbu,
    "synthetic": synthetic,
    "utd-mhad": utd_mhad,
}
"""Presets of several sizes by name."""

ROTATING_SPLITS: Mapping[str, tuple[str, ...]] = {
    "jhmdb": ("split1", "split2", "split3"),
    "sbu": ("fold1", "fold2", "fold3", "fold4", "fold5"),
    "utd-mhad": ("subjects-1-of-2", "subjects-2-of-2"),
}
"""Splits by preset that the seeds of a study take in turn, so that all clips are tested."""

STUDIED = ("jhmdb", "nw-ucla", "sbu", "utd-mhad")
"""Presets whose best recipe of guidance was studied."""

PRESETS: Mapping[str, Callable[..., Config]] = {**SMALL_PRESETS, **BENCHMARK_PRESETS}
"""All presets by name, called through :func:`preset`."""

ONE_SIZE = ("paper", *BENCHMARK_PRESETS)
"""Presets whose size is not chosen."""

RECIPES: Mapping[Recipe, Collection[str]] = {
    Recipe.RELEASED: tuple(BENCHMARK_PRESETS),
    Recipe.BEST: STUDIED,
}
"""Presets of each recipe that not all presets have."""


def preset(
    name: str,
    size: PresetSize = PresetSize.SMALL,
    stream: Stream = Stream.JOINT,
    recipe: Recipe = Recipe.PAPER,
) -> Config:
    """Return the configuration of a preset.

    Args:
        name: Name in :data:`PRESETS`.
        size: Size, for presets that have several.
        stream: Stream.
        recipe: Recipe; only the paper's benchmarks have the released one, and only the data sets of
            the study the best one.

    Raises:
        ConfigError: If there is no preset of that name, or it does not have the recipe.
    """
    if name not in PRESETS:
        raise ConfigError(
            f"no preset {name!r}; {did_you_mean(name, PRESETS)}there are {', '.join(PRESETS)}, "
            "or give a YAML file; an archive is named with --data"
        )
    names = RECIPES.get(recipe, PRESETS)
    if name not in names:
        other = ""
        if recipe is Recipe.BEST:
            other = "; all that it changes is training.guidance_period=0, which --set takes"
        raise ConfigError(
            f"preset {name!r} has no {recipe.value} recipe; these have: {', '.join(names)}{other}"
        )
    if name in BENCHMARK_PRESETS:
        return BENCHMARK_PRESETS[name](stream, recipe)
    config = SMALL_PRESETS[name](size, stream)
    return _with_static_guidance(config) if recipe is Recipe.BEST else config


def require_variants(name: str | None, size: PresetSize | None, recipe: Recipe | None) -> None:
    """Refuse a size or a recipe that was asked for and would change nothing.

    Args:
        name: Name of a preset, or path of a YAML file.
        size: Size, None if none was asked for.
        recipe: Recipe, None if none was asked for.

    Raises:
        ConfigError: If the preset has one size, or it is a file.
    """
    if name is None or not (size or recipe):
        return
    if name not in PRESETS and Path(name).suffix in (".yaml", ".yml"):
        raise ConfigError(
            f"--preset-size and --recipe choose among a preset's variants, and {name} is a file "
            "with settings of its own; leave them out"
        )
    if name in ONE_SIZE and size not in (None, PresetSize.PAPER):
        raise ConfigError(
            f"preset {name!r} has one size, for a GPU, so that --preset-size {size} would change "
            "nothing; leave it out, or take the preset 'default'"
        )


def _with_static_guidance(config: Config) -> Config:
    """Return the recipe with the guidance of before the first epoch throughout the training."""
    return replace(config, training=replace(config.training, guidance_period=0))
