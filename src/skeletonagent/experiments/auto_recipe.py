"""Automatic choices of the compact recipe, from the training clips of an archive alone.

What the clips show decides where it is plain; where it is not, short trainings are compared on
held-out subjects of the training set. The test set is never looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.data.mirror_classes import mirror_classes
from skeletonagent.data.orientation_statistics import OrientationStatistics, describe_orientation
from skeletonagent.data.placement import OnDiskData
from skeletonagent.data.settings import DataSettings, Orientation, Origin
from skeletonagent.data.splits import choose_split
from skeletonagent.data.training_draw import draw_training_clips
from skeletonagent.experiments.build_agents import NOBODY
from skeletonagent.experiments.compact_recipe import CompactRecipe, compact_config
from skeletonagent.experiments.config import Config, config_to_dict
from skeletonagent.experiments.datasets import open_stored
from skeletonagent.experiments.held_out import held_out_predictions
from skeletonagent.training.launch import LaunchInfo
from skeletonagent.training.run_directory import RunDirectory

ORIENTED_SHARE = 0.9
"""Share of the clips whose axes must be known for bodies to be turned."""
FACING_SPREAD = 15.0
"""Spread of headings, in degrees, below which all bodies face one way."""
WIDE_ROTATION, WIDE_YAW = 0.5, 0.6
"""Largest rotations about every and the vertical axis, in radians, where they spread more."""
VIEWS_YAW = 0.8
"""Largest rotation about the vertical axis, in radians, where joints in 3D lose their depth."""
LYING_TILT = 25.0
"""Spread of tilts, in degrees, above which turning bodies upright would hide what they do."""
PAIR_SHARE = 0.5
"""Share of the clips with two bodies at once, from which on they are taken as pairs."""
FEWEST_COMPARED = 60
"""Training clips below which held-out ones would be too few to compare anything on."""
MOST_COMPARED = 1500
"""Training clips that short trainings use at most."""
FEW_CLIPS = 2
"""Clips a class up to which a base is proposed."""
COMPARED_STEPS = 250
"""Steps of a short training."""
COMPARED_FOLDS = 2
"""Folds of the training set that are held out in turn."""

CHOSEN_SETTINGS = (
    "data.orientation", "data.origin", "augment.rotation", "augment.yaw", "augment.mirror",
    "augment.person_swap", "augment.crop", "augment.axis_scale",
)  # fmt: skip
"""Settings that the choices are about."""


@dataclass(frozen=True)
class AutomaticChoices:
    """Choices for an archive, each with its reason in a line.

    Args:
        recipe: The recipe.
        origin: Origin of the coordinates.
        reasons: What was chosen and why.
    """

    recipe: CompactRecipe
    origin: Origin
    reasons: tuple[str, ...]

    def config(self, stream: Stream, archive: str) -> Config:
        """Return the configuration that trains with the choices."""
        return compact_config(stream, self.recipe, archive=archive, origin=self.origin)

    def to_json(self) -> dict[str, Any]:
        """Return the choices and their reasons as plain values."""
        recipe = {**asdict(self.recipe), "origin": self.origin}
        return {"reasons": list(self.reasons), "recipe": recipe}


def keep_choices(path: Path, choices: AutomaticChoices | None) -> None:
    """Write choices as JSON beside the configuration of a run that is about to begin.

    Args:
        path: File.
        choices: Choices; None removes those of an earlier run that never began.
    """
    if choices is None:
        path.unlink(missing_ok=True)
    else:
        write_text(path, json.dumps(choices.to_json(), indent=1))


@contextmanager
def kept_with_begun_runs(paths: Iterable[Path]) -> Iterator[None]:
    """Remove what :func:`keep_choices` wrote for runs that an error keeps from beginning.

    Args:
        paths: Directories of the runs.
    """
    try:
        yield
    except BaseException:
        for run in map(RunDirectory, paths):
            if not run.exists:
                run.choices.unlink(missing_ok=True)
                with suppress(OSError):  # other files are in it, or there is none
                    run.path.rmdir()
        raise


def choose_by_statistics(
    statistics: OrientationStatistics, class_names: tuple[str, ...], has_pairs: bool
) -> AutomaticChoices:
    """Return the choices that follow from what the training clips show.

    Args:
        statistics: Orientation statistics of the training clips.
        class_names: Names of the classes.
        has_pairs: Whether the skeleton has left and right joints.
    """
    grouped = statistics.pair_share >= PAIR_SHARE
    flat = statistics.coordinates == 2
    recipe = CompactRecipe(orientation=Orientation.CAMERA)
    reasons = [f"training clips: {statistics.summary()}"]
    if flat:
        recipe = replace(recipe, crop=0.5)
        reasons.append("orientation camera, clips of shorter parts of a sample: joints are 2D")
    elif statistics.oriented_share >= ORIENTED_SHARE:
        upright = statistics.tilt_spread <= LYING_TILT
        heading = statistics.y_is_vertical and not upright
        orientation = Orientation.HEADING if heading else Orientation.BODY
        why = "bodies stand" if upright else "bodies also lie or bend"
        if not statistics.y_is_vertical:
            why = "the vertical axis is not y"
        spread = statistics.heading_spread
        facing = spread < FACING_SPREAD
        recipe = replace(recipe, orientation=orientation)
        if not facing:
            recipe = replace(recipe, rotation=WIDE_ROTATION, yaw=WIDE_YAW)
        reasons.append(f"orientation {orientation}: {why}, headings differ by {spread:.0f} degrees")
    else:
        reasons.append("orientation camera: the axes of too many bodies are not known")
    if grouped:
        recipe = replace(recipe, person_swap=0.5, crop=0.75, axis_scale=0.1)
        reasons.append(
            "origin group, bodies exchange places, milder changes of time and size: most clips "
            "have two bodies at once"
        )
    sided = mirror_classes(class_names) != tuple(range(len(class_names)))
    if not has_pairs:
        reasons.append("clips are not mirrored: the skeleton names no left and right joints")
    elif sided:
        reasons.append("clips are not mirrored: classes name sides")
    else:
        recipe = replace(recipe, mirror=0.5)
        reasons.append("clips are mirrored: no class names a side")
    return AutomaticChoices(recipe, Origin.GROUP if grouped else Origin.PERSON, tuple(reasons))


def choose_recipe(
    settings: DataSettings,
    on_remark: Callable[[str], None] = lambda _: None,
    *,
    compare: bool,
    data: SkeletonData | None = None,
    adapt: Callable[[Config], Config] = lambda config: config,
) -> AutomaticChoices:
    """Return the choices for the training set of an archive's split.

    Of several ranks that train together each makes the same choices, by statistics alone, and the
    first one reports them.

    Args:
        settings: Archive and split; the preprocessing is not used.
        on_remark: Function that is called with a line for each choice.
        compare: Whether short trainings decide where statistics alone do not.
        data: Data set as stored, in place of the archive.
        adapt: Function that puts given settings in place of chosen ones; what these fix is not
            compared.

    Raises:
        DataError: If the archive cannot be used, or the split has no training clips.
    """
    data = data or open_stored(settings)
    name, split = choose_split(data, settings.split)
    train = data.store.indices(split.train)
    if not len(train):
        raise DataError(f"{data.name} has no training clips in the split {name!r}")
    train = draw_training_clips(data.store, train, settings.clips_per_class, settings.draw_seed)
    statistics = describe_orientation(data.store, train)
    has_pairs = bool(data.store.layout.pairs)
    choices = choose_by_statistics(statistics, data.store.class_names, has_pairs)
    clips = len(train) / len(data.store.labels[train].unique())
    config = adapt(choices.config(Stream.JOINT, settings.archive))
    if clips <= FEW_CLIPS and config.training.init_from is None:
        reason = (
            f"fresh weights, with {clips:.2g} clips a class: those of a base may be better, if you "
            "have archives of other actions ('skeletonagent pretrain', then 'train --from')"
        )
        choices = replace(choices, reasons=(*choices.reasons, reason))
    flattened = settings.dims == 2 and statistics.coordinates == 3
    if flattened:
        choices = _with_views(choices)
    if compare and not flattened:  # a sensor's own axes may show people from behind
        choices = _compare(choices, data, train, settings.archive, adapt, on_remark)
    if given := _given_instead(choices, settings.archive, adapt):
        reason = f"given, in place of what was chosen: {', '.join(given)}"
        choices = replace(choices, reasons=(*choices.reasons, reason))
    if LaunchInfo.detect().rank == 0:
        for reason in choices.reasons:
            on_remark(reason)
    return choices


def _with_views(choices: AutomaticChoices) -> AutomaticChoices:
    """Return the choices with bodies seen from more sides, before their depth is dropped."""
    yaw = max(choices.recipe.yaw, VIEWS_YAW)
    reason = f"views of {yaw} radians to either side: clips show x and y alone (data.dims)"
    recipe = replace(choices.recipe, yaw=yaw)
    return replace(choices, recipe=recipe, reasons=(*choices.reasons, reason))


def _given_instead(
    choices: AutomaticChoices, archive: str, adapt: Callable[[Config], Config]
) -> list[str]:
    """Return the settings that were given and differ from the chosen ones."""
    config = choices.config(Stream.JOINT, archive)
    chosen, adapted = config_to_dict(config), config_to_dict(adapt(config))
    names = (name.split(".") for name in CHOSEN_SETTINGS)
    return [
        f"{section}.{key}={adapted[section][key]}"
        for section, key in names
        if chosen[section][key] != adapted[section][key]
    ]


def _compare(
    choices: AutomaticChoices,
    data: SkeletonData,
    train: Int[Tensor, " n"],
    archive: str,
    adapt: Callable[[Config], Config],
    on_remark: Callable[[str], None],
) -> AutomaticChoices:
    """Return the choices after short trainings on what statistics leave open."""
    generator = torch.Generator().manual_seed(0)
    drawn = train[torch.randperm(len(train), generator=generator)[:MOST_COMPARED].sort().values]
    part: SkeletonData | None = None
    for name, others in _alternatives(choices.recipe).items():
        recipes = {"chosen": choices.recipe, **others}
        configs = {
            label: adapt(replace(choices, recipe=recipe).config(Stream.JOINT, archive))
            for label, recipe in recipes.items()
        }
        others = {label: recipes[label] for label in others if configs[label] != configs["chosen"]}
        if not others:
            continue
        if obstacle := _obstacle(configs["chosen"], data, len(train)):
            reason = f"{name}: not compared with {' and '.join(others)}, since {obstacle}"
            choices = replace(choices, reasons=(*choices.reasons, reason))
            continue
        on_remark(f"{name}: comparing short trainings on held-out training clips")
        part = part or replace(data, store=data.store.subset(drawn))
        losses = {
            label: _short_training(configs[label], part).cross_entropies()
            for label in ("chosen", *others)
        }
        best = min(others, key=lambda label: losses[label].mean())
        gain = losses["chosen"] - losses[best]
        error = float(gain.std(ddof=1) / len(gain) ** 0.5)
        better = gain.mean() > 2 * error
        verdict = "taken" if better else "not taken"
        reason = (
            f"{best} {verdict}: loss on {len(gain)} held-out training clips "
            f"{losses[best].mean():.3f} against {losses['chosen'].mean():.3f}"
        )
        recipe = recipes[best] if better else choices.recipe
        choices = replace(choices, recipe=recipe, reasons=(*choices.reasons, reason))
    return choices


def _obstacle(config: Config, data: SkeletonData, clips: int) -> str | None:
    """Return why short trainings are not compared; None if they are."""
    training = config.training
    steps = training.steps or training.epochs * -(-clips // training.batch_size)
    if LaunchInfo.detect().is_distributed:
        return "several ranks train"
    if isinstance(data, OnDiskData):
        return "frames stay on disk"
    if clips < FEWEST_COMPARED:
        return f"{clips} training clips are too few to hold some out"
    if steps < COMPARED_STEPS:
        return f"the training has {steps} steps, fewer than those that would be compared"
    return None


def _alternatives(recipe: CompactRecipe) -> Mapping[str, Mapping[str, CompactRecipe]]:
    """Return the other recipes of each question that statistics leave open."""
    questions: dict[str, dict[str, CompactRecipe]] = {}
    if recipe.orientation is not Orientation.CAMERA:
        camera = replace(recipe, orientation=Orientation.CAMERA)
        questions["orientation"] = {"orientation camera": camera}
    return questions


def _short_training(config: Config, data: SkeletonData) -> ClassProbabilities:
    """Return the predictions of held-out clips by trainings of few steps, without agents."""
    agents = replace(config.agents, chat=NOBODY)
    training = replace(config.training, steps=COMPARED_STEPS)
    short = replace(config, agents=agents, training=training)
    return held_out_predictions(short, data, COMPARED_FOLDS)
