"""Configuration that the trainings of a learning curve share: from a preset, a run or a base."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from skeletonagent.core.clips import SkeletonData
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.from_base import base_assignments
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.resolve import requested_config, resolve_config
from skeletonagent.experiments.training_request import TrainingRequest


def curve_config(
    name: str,
    size: PresetSize,
    archive: Path | None,
    assignments: Sequence[str],
    recipe: Recipe = Recipe.PAPER,
    *,
    init_from: str | Path | None = None,
    data: SkeletonData | None = None,
    on_remark: Callable[[str], None] = lambda _: None,
) -> Config:
    """Return the configuration of a preset, or of trainings that begin with other weights.

    Args:
        name: Name of a preset, or path of a YAML file; of ``default`` some settings follow from
            the training clips, or are those of the run to begin with.
        size: Size of the preset.
        archive: Archive, if the settings do not name it.
        assignments: Settings as ``section.key=value``, which have precedence.
        recipe: Recipe of the preset.
        init_from: Run or checkpoint whose weights the trainings begin with.
        data: Data set as stored, in place of the archive.
        on_remark: Function that is called with a line for each automatic choice.

    Raises:
        ConfigError: If a name or a setting is wrong.
        CheckpointError: If there are no weights to begin with.
        DataError: If the archive cannot be used.
    """
    is_default = name == "default" and size is PresetSize.SMALL
    based = base_assignments(init_from, archive, data) if is_default else []
    if init_from is None or based:
        given = [*based, *assignments]
        return resolve_config(
            name, size, None, archive, given, recipe, data=data, on_remark=on_remark
        )
    request = TrainingRequest(
        config=None if is_default else name,
        archive=archive,
        size=None if is_default else size,
        recipe=None if is_default else recipe,
        assignments=assignments,
        init_from=Path(init_from),
    )
    return requested_config(request, None)
