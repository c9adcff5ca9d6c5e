"""Automatic choices of the compact recipe, from the training clips of an archive alone.

What the clips show decides where it is plain; where it is not, short trainings are compared on
held-out subjects of the training set. The test set is never looked at.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import SkeletonData, Split
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.data.mirror_classes import mirror_classes
from skeletonagent.data.orientation_statistics import OrientationStatistics, describe_orientation
from skeletonagent.data.placement import open_on_disk, stays_on_disk
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import DataSettings, Orientation, Origin
from skeletonagent.data.splits import choose_split, leave_subjects_out
from skeletonagent.data.training_draw import draw_training_clips
from skeletonagent.experiments.build_agents import NOBODY
from skeletonagent.experiments.compact_recipe import CompactRecipe, compact_config
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import SYNTHETIC, open_dataset, preprocess_dataset
from skeletonagent.experiments.run import no_display, run_experiment
from skeletonagent.training.run_directory import RunDirectory

ORIENTED_SHARE = 0.9
"""Share of the clips whose axes must be known for bodies to be turned."""
FACING_SPREAD = 15.0
"""Spread of headings, in degrees, below which all bodies face one way."""
WIDE_YAW = 0.6
"""Largest rotation about the vertical axis, in radians, where headings spread more than that."""
LYING_TILT = 25.0
"""Spread of tilts, in degrees, above which turning bodies upright would hide what they do."""
PAIR_SHARE = 0.5
"""Share of the clips with two bodies at once, from which on they are taken as pairs."""
FEWEST_COMPARED = 60
"""Training clips below which held-out ones would be too few to compare anything on."""
MOST_COMPARED = 1500
"""Training clips that short trainings use at most."""
COMPARED_STEPS = 250
"""Steps of a short training."""
COMPARED_FOLDS = 2
"""Folds of the training set that are held out in turn."""


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
        recipe = replace(recipe, crop=0.5, axis_scale=0.2)
        reasons.append("orientation camera, stronger changes of time and size: joints are 2D")
    elif statistics.oriented_share >= ORIENTED_SHARE:
        upright = statistics.tilt_spread <= LYING_TILT or not statistics.y_is_vertical
        orientation = Orientation.BODY if upright else Orientation.HEADING
        why = "bodies stand" if upright else "bodies also lie or bend"
        spread = statistics.heading_spread
        facing = spread < FACING_SPREAD
        recipe = replace(recipe, orientation=orientation, yaw=recipe.yaw if facing else WIDE_YAW)
        reasons.append(f"orientation {orientation}: {why}, headings differ by {spread:.0f} degrees")
    else:
        reasons.append("orientation camera: the axes of too many bodies are not known")
    if grouped:
        recipe = replace(recipe, person_swap=0.5)
        reasons.append("origin group, bodies exchange places: most clips have two bodies at once")
    sided = mirror_classes(class_names) != tuple(range(len(class_names)))
    if has_pairs and not sided:
        recipe = replace(recipe, mirror=0.5)
        reasons.append("clips are mirrored: no class names a side")
    elif has_pairs:
        reasons.append("clips are not mirrored: classes name sides")
    return AutomaticChoices(recipe, Origin.GROUP if grouped else Origin.PERSON, tuple(reasons))


def choose_recipe(
    settings: DataSettings,
    on_remark: Callable[[str], None] = lambda _: None,
    *,
    compare: bool,
    data: SkeletonData | None = None,
) -> AutomaticChoices:
    """Return the choices for the training set of an archive's split.

    Args:
        settings: Archive and split; the preprocessing is not used.
        on_remark: Function that is called with a line for each choice.
        compare: Whether short trainings decide where statistics alone do not.
        data: Stored data set in memory, in place of the archive.

    Raises:
        DataError: If the archive cannot be used.
    """
    data, in_memory = (data, True) if data else _open_stored(settings)
    _, split = choose_split(data, settings.split)
    train = data.store.indices(split.train)
    train = draw_training_clips(data.store, train, settings.clips_per_class, settings.draw_seed)
    statistics = describe_orientation(data.store, train)
    has_pairs = bool(data.store.layout.pairs)
    choices = choose_by_statistics(statistics, data.store.class_names, has_pairs)
    if compare and in_memory and len(train) >= FEWEST_COMPARED:
        choices = _compare(choices, data, train, settings, on_remark)
    for reason in choices.reasons:
        on_remark(reason)
    return choices


def _compare(
    choices: AutomaticChoices,
    data: SkeletonData,
    train: Int[Tensor, " n"],
    settings: DataSettings,
    on_remark: Callable[[str], None],
) -> AutomaticChoices:
    """Return the choices after short trainings on what statistics leave open."""
    generator = torch.Generator().manual_seed(0)
    drawn = train[torch.randperm(len(train), generator=generator)[:MOST_COMPARED].sort().values]
    part = replace(data, store=data.store.subset(drawn))
    for name, others in _alternatives(choices.recipe).items():
        on_remark(f"{name}: comparing short trainings on held-out training clips")
        recipes = {"chosen": choices.recipe, **others}
        losses = {
            label: held_out_losses(
                replace(choices, recipe=recipe).config(Stream.JOINT, settings.archive), part
            )
            for label, recipe in recipes.items()
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


def _alternatives(recipe: CompactRecipe) -> Mapping[str, Mapping[str, CompactRecipe]]:
    """Return the other recipes of each question that statistics leave open."""
    questions: dict[str, dict[str, CompactRecipe]] = {}
    if recipe.orientation is not Orientation.CAMERA:
        camera = replace(recipe, orientation=Orientation.CAMERA)
        questions["orientation"] = {"orientation camera": camera}
    return questions


def held_out_losses(config: Config, data: SkeletonData) -> Float[np.ndarray, " n"]:
    """Return the cross-entropy of each clip when its fold is held out of a short training.

    Args:
        config: Configuration to train with, without agents and for fewer steps.
        data: Stored clips, all of which are training clips.
    """
    store = data.store
    samples = torch.arange(len(store), device=store.device)
    short = replace(
        config,
        data=replace(config.data, split="fold", clips_per_class=None),
        agents=replace(config.agents, chat=NOBODY),
        training=replace(config.training, steps=COMPARED_STEPS),
    )
    losses: dict[str, float] = {}
    for trained, held_out in leave_subjects_out(store, samples, COMPARED_FOLDS, seed=0):
        names = [[store.sample_ids[i] for i in part.tolist()] for part in (trained, held_out)]
        folded = replace(data, splits={"fold": Split(*map(tuple, names))}, default_split="fold")
        prepared = preprocess_dataset(folded, Preprocessor.from_settings(short.data))
        with tempfile.TemporaryDirectory() as folder:
            run_experiment(short, prepared, Path(folder) / "run", resume=False, watch=no_display)
            predictions = ClassProbabilities.load(RunDirectory(Path(folder) / "run").predictions)
        true = predictions.probs[np.arange(len(predictions.labels)), predictions.labels]
        losses |= dict(zip(predictions.sample_ids, -np.log(true.clip(min=1e-6)), strict=True))
    return np.array([losses[sample] for sample in store.sample_ids if sample in losses])


def _open_stored(settings: DataSettings) -> tuple[SkeletonData, bool]:
    """Return a data set as it is stored, and whether its frames are in memory."""
    path = Path(settings.archive)
    if settings.archive != SYNTHETIC and stays_on_disk(path, settings.placement):
        data = open_on_disk(path, settings.confidence, Preprocessor())
        return replace(data, store=data.host_frames.store), False
    return open_dataset(settings.archive, settings.confidence), True
