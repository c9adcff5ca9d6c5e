"""Settings of recipes beside those of the preset that they are nearest to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from skeletonagent.core.errors import ConfigError
from skeletonagent.experiments.config import Config, config_to_dict
from skeletonagent.experiments.presets import ONE_SIZE, PRESETS, preset
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.report.runs import RecipeRuns, flat_settings

_OF_A_RUN = ("seed", "device", "data.archive", "data.split")
"""Settings that say which run it is, not how it was trained; the record has them beside it."""
_FOLLOWING = "training.epochs"
"""Setting that follows from the number of steps, where that is given."""


def settings_table(recipes: Sequence[RecipeRuns]) -> dict[str, Any]:
    """Return all settings of the recipes as plain values, with those of the nearest preset.

    Runs do not keep the name of their preset, which need not be an installed one any more: the
    nearest is the one that the first recipe differs from in the fewest settings.

    Args:
        recipes: Recipes of the report, at least one.
    """
    columns = [_settings(recipe.runs[0].config) for recipe in recipes]
    name, nearest = nearest_preset(recipes[0].runs[0].config)
    rows = []
    for key in dict.fromkeys(key for column in columns for key in column):
        values = [_text(column[key]) if key in column else "" for column in columns]
        given = _text(nearest[key]) if key in nearest else ""
        rows.append({"name": key, "preset": given, "values": values,
                     "differs": any(value != given for value in values)})  # fmt: skip
    return {"preset": name, "recipes": [recipe.name for recipe in recipes], "rows": rows}


def nearest_preset(config: Config) -> tuple[str, dict[str, Any]]:
    """Return the preset that a configuration differs from in the fewest settings, and its settings.

    Of several, one of the configuration's archive comes first, then the one that is listed first.
    """
    own = _settings(config)
    name = config.data.archive.removesuffix(".npz").rstrip("/").rpartition("/")[2]

    def distance(candidate: tuple[str, Mapping[str, Any], str]) -> tuple[int, bool]:
        settings = candidate[1]
        return sum(settings.get(key) != value for key, value in own.items()), candidate[2] != name

    title, nearest, _ = min(_variants(config), key=distance)
    return title, nearest


def _settings(config: Config) -> dict[str, Any]:
    """Return the settings of a recipe by their dotted names."""
    left_out = (*_OF_A_RUN, _FOLLOWING) if config.training.steps else _OF_A_RUN
    flat = flat_settings(config_to_dict(config))
    return {key: value for key, value in flat.items() if key not in left_out}


def _variants(config: Config) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield name, settings and archive of each preset of the configuration's stream."""
    for name, recipe, size in product(PRESETS, Recipe, PresetSize):
        if name in ONE_SIZE and size is not PresetSize.SMALL:
            continue
        try:
            chosen = preset(name, size, config.clips.stream, recipe)
        except ConfigError:  # it has no such recipe
            continue
        sizes = "" if name in ONE_SIZE else f", size {size.value}"
        recipes = "" if recipe is Recipe.PAPER else f", recipe {recipe.value}"
        yield f"{name}{sizes}{recipes}", _settings(chosen), chosen.data.archive


def _text(value: Any) -> str:
    """Return a value as a configuration has it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
