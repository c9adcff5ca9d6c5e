"""Automatic choices: by statistics, by short trainings, never by the test set, kept with a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from skeletonagent.core.clips import SkeletonData, Split
from skeletonagent.core.errors import DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.data.archive import write_archive
from skeletonagent.data.orientation_statistics import OrientationStatistics
from skeletonagent.data.settings import DataSettings, Orientation, Origin, Placement
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import auto_recipe
from skeletonagent.experiments.auto_recipe import (
    AutomaticChoices,
    choose_by_statistics,
    choose_recipe,
    keep_choices,
)
from skeletonagent.experiments.compact_recipe import CompactRecipe
from skeletonagent.experiments.config import Config, with_overrides

STANDING = OrientationStatistics(
    coordinates=3, bone_length=0.25, absent_share=0.0, pair_share=0.0, oriented_share=1.0,
    heading_spread=5.0, tilt_spread=3.0, upward=1.0,
)  # fmt: skip
CLASSES = ("wave", "kick")
TINY = (
    "clips.frames=8", "clips.test_clips=1", "model.width=8", "training.batch_size=16", "device=cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def data() -> SkeletonData:
    return synthetic_dataset(clips_per_class=6, subjects=6)


def given(*assignments: str) -> Callable[[Config], Config]:
    """Return a function that puts assigned settings in place of chosen ones."""
    return partial(with_overrides, assignments=[*TINY, *assignments])


def constant_probabilities(data: SkeletonData, confidence: float) -> ClassProbabilities:
    """Return predictions that give the true class of each clip about the same probability."""
    labels, classes = data.store.labels.numpy(), data.store.num_classes
    true = confidence + np.linspace(0, 0.01, len(labels))
    probs = np.repeat((1 - true)[:, None] / (classes - 1), classes, axis=1)
    probs[np.arange(len(labels)), labels] = true
    return ClassProbabilities(data.store.sample_ids, labels, probs)


def camera_reaches(
    probability: float, monkeypatch: pytest.MonkeyPatch, asked: list[Config] | None = None
) -> None:
    """Let a short training give 0.5 to the true class, and another value with axes as stored."""

    def predict(config: Config, data: SkeletonData, folds: int) -> ClassProbabilities:
        assert folds == auto_recipe.COMPARED_FOLDS
        if asked is not None:
            asked.append(config)
        is_camera = config.data.orientation is Orientation.CAMERA
        return constant_probabilities(data, probability if is_camera else 0.5)

    monkeypatch.setattr(auto_recipe, "held_out_predictions", predict)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"orientation": "body", "yaw": 0.1}),
        ({"heading_spread": 40.0}, {"orientation": "body", "rotation": 0.5, "yaw": 0.6}),
        ({"tilt_spread": 40.0}, {"orientation": "heading", "yaw": 0.1}),
        ({"tilt_spread": 40.0, "upward": 0.1}, {"orientation": "body"}),  # y is not vertical
        ({"upward": -1.0}, {"orientation": "body"}),
        ({"oriented_share": 0.5}, {"orientation": "camera", "yaw": 0.1}),
        (
            {"coordinates": 2, "oriented_share": 0.0, "heading_spread": 0.0},
            {"orientation": "camera", "crop": 0.5},
        ),
        (
            {"pair_share": 0.6},
            {"person_swap": 0.5, "origin": "group", "crop": 0.75, "axis_scale": 0.1},
        ),
        ({"pair_share": 0.4}, {"person_swap": 0.0, "origin": "person"}),
    ],
)
def test_statistics_decide(change: dict[str, float], expected: dict[str, object]) -> None:
    choices = choose_by_statistics(replace(STANDING, **change), CLASSES, has_pairs=True)
    values = {**vars(choices.recipe), "origin": choices.origin}
    assert {name: values[name] for name in expected} == expected
    usual = vars(CompactRecipe(mirror=0.5))
    for name in usual.keys() - expected.keys() - {"yaw", "orientation"}:
        assert values[name] == usual[name]


@pytest.mark.parametrize(
    ("names", "has_pairs", "mirror", "why"),
    [
        (CLASSES, True, 0.5, "no class names a side"),
        (("left kick", "right kick"), True, 0.0, "classes name sides"),
        (("wave", "turn clockwise"), True, 0.0, "classes name sides"),
        (CLASSES, False, 0.0, "no left and right joints"),
    ],
)
def test_sides_decide_on_mirroring(
    names: tuple[str, ...], has_pairs: bool, mirror: float, why: str
) -> None:
    choices = choose_by_statistics(STANDING, names, has_pairs)
    assert choices.recipe.mirror == mirror
    assert any(why in reason for reason in choices.reasons)


def test_every_choice_has_a_reason_and_reaches_the_configuration() -> None:
    choices = choose_by_statistics(replace(STANDING, pair_share=1.0), CLASSES, has_pairs=True)
    assert choices.reasons[0].startswith("training clips: 3D joints in meters")
    for word in ("orientation body", "origin group", "mirrored"):
        assert sum(word in reason for reason in choices.reasons) == 1
    config = choices.config(Stream.BONE, "mine")
    assert (config.data.archive, config.data.origin) == ("mine", Origin.GROUP)
    assert (config.clips.stream, config.augment.person_swap) == (Stream.BONE, 0.5)


@pytest.mark.parametrize(("probability", "orientation"), [(0.6, "camera"), (0.4, "body")])
def test_the_better_of_two_is_taken(
    probability: float, orientation: str, data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Config] = []
    camera_reaches(probability, monkeypatch, asked)
    lines: list[str] = []
    choices = choose_recipe(
        DataSettings(), lines.append, compare=True, data=data, adapt=given("seed=5")
    )
    assert choices.recipe.orientation == orientation
    assert [config.data.orientation for config in asked] == ["body", "camera"]
    for config in asked:
        assert (config.seed, config.model.width, config.device) == (5, 8, "cpu")
        assert config.training.steps == auto_recipe.COMPARED_STEPS
        assert config.agents.chat == "none"
    assert lines[0] == "orientation: comparing short trainings on held-out training clips"
    assert tuple(lines[1:]) == choices.reasons
    assert choices.reasons[-1].startswith(
        f"orientation camera {'taken' if orientation == 'camera' else 'not taken'}: loss on "
    )


def test_a_difference_within_two_standard_errors_is_not_taken(
    data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(config: Config, data: SkeletonData, _: int) -> ClassProbabilities:
        predictions = constant_probabilities(data, 0.5)
        if config.data.orientation is Orientation.CAMERA:  # better by less than it varies
            rng = np.random.default_rng(0)
            predictions.probs[:] *= rng.choice([0.4, 1.8], size=(len(predictions.labels), 1))
        return predictions

    monkeypatch.setattr(auto_recipe, "held_out_predictions", predict)
    choices = choose_recipe(DataSettings(), compare=True, data=data, adapt=given())
    assert choices.recipe.orientation is Orientation.BODY
    assert "not taken" in choices.reasons[-1]


@pytest.mark.parametrize(
    ("assignment", "orientation"),
    [("data.orientation=camera", "camera"), ("data.orientation=heading", "heading")],
)
def test_what_is_given_is_not_compared(
    assignment: str, orientation: str, data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_recipe, "held_out_predictions", lambda *_: pytest.fail("compared"))
    adapt = given(assignment)
    choices = choose_recipe(DataSettings(), compare=True, data=data, adapt=adapt)
    assert choices.reasons[-1] == (
        f"given, in place of what was chosen: data.orientation={orientation}"
    )
    assert adapt(choices.config(Stream.JOINT, "a")).data.orientation == orientation


@pytest.mark.parametrize(
    ("settings", "assignment", "why"),
    [
        (DataSettings(), "training.steps=20", "fewer than those that would be compared"),
        (DataSettings(), "training.epochs=2", "fewer than those that would be compared"),
        (DataSettings(clips_per_class=1), "seed=0", "training clips are too few"),
    ],
)
def test_nothing_is_compared_where_it_would_say_nothing(
    settings: DataSettings,
    assignment: str,
    why: str,
    data: SkeletonData,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auto_recipe, "held_out_predictions", lambda *_: pytest.fail("compared"))
    choices = choose_recipe(settings, compare=True, data=data, adapt=given(assignment))
    assert choices.recipe.orientation is Orientation.BODY
    reason = next(reason for reason in choices.reasons if "not compared" in reason)
    assert reason.startswith("orientation: not compared with orientation camera, since ")
    assert why in reason


def test_of_several_ranks_each_goes_by_statistics_and_the_first_reports(
    data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_recipe, "held_out_predictions", lambda *_: pytest.fail("compared"))
    found = []
    for rank in ("0", "1"):
        for name, value in (("TORCHELASTIC_RUN_ID", "a"), ("WORLD_SIZE", "2"), ("RANK", rank),
                            ("LOCAL_WORLD_SIZE", "2"), ("LOCAL_RANK", rank)):  # fmt: skip
            monkeypatch.setenv(name, value)
        lines: list[str] = []
        found.append(choose_recipe(DataSettings(), lines.append, compare=True, data=data))
        assert bool(lines) == (rank == "0")
    assert found[0] == found[1]
    assert "since several ranks train" in found[0].reasons[-1]


def test_frames_on_disk_are_described_and_not_compared(
    data: SkeletonData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_recipe, "held_out_predictions", lambda *_: pytest.fail("compared"))
    path = write_archive(data, tmp_path)
    folder = path.with_suffix("")
    with np.load(path) as arrays:
        folder.mkdir()
        for name in arrays.files:
            np.save(folder / f"{name}.npy", arrays[name])
    path.unlink()
    settings = DataSettings(archive=str(folder), placement=Placement.DISK)
    on_disk = choose_recipe(settings, compare=True)
    in_memory = choose_recipe(DataSettings(), compare=False, data=data)
    assert (on_disk.recipe, on_disk.origin) == (in_memory.recipe, in_memory.origin)
    assert on_disk.reasons[:-1] == in_memory.reasons
    assert "since frames stay on disk" in on_disk.reasons[-1]


def test_the_test_set_is_never_looked_at(
    data: SkeletonData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Choices are the same with garbage in place of the test set, and not with other training."""
    parts: list[SkeletonData] = []

    def predict(config: Config, data: SkeletonData, _: int) -> ClassProbabilities:
        parts.append(data)
        number = data.store.frames.double().abs().sum() + (data.store.labels**2).cumsum(0).sum()
        is_camera = config.data.orientation is Orientation.CAMERA
        return constant_probabilities(data, 0.2 + 0.3 * float(number % 1) + 0.3 * is_camera)

    def chosen(frames: Tensor, labels: Tensor) -> AutomaticChoices:
        changed = replace(data, store=replace(data.store, frames=frames, labels=labels))
        return choose_recipe(DataSettings(), compare=True, data=changed, adapt=given())

    monkeypatch.setattr(auto_recipe, "held_out_predictions", predict)
    store, split = data.store, data.splits["xsub"]
    expected = chosen(store.frames, store.labels)
    frames, labels = store.frames.clone(), store.labels.clone()
    test = store.indices(split.test)
    frames[store.rows(test)] = 1e4 * torch.randn(len(store.rows(test)), *frames.shape[1:])
    labels[test] = (labels[test] + 1) % store.num_classes
    assert chosen(frames, labels) == expected
    for part in parts:
        assert set(part.store.sample_ids) == set(split.train)
    frames = store.frames.clone()
    frames[store.rows(store.indices(split.train[:1]))] *= 1.001
    assert chosen(frames, store.labels) != expected


def test_a_split_without_training_clips_is_refused(data: SkeletonData) -> None:
    empty = replace(data, splits={"none": Split((), data.store.sample_ids)}, default_split="none")
    with pytest.raises(DataError, match="no training clips in the split 'none'"):
        choose_recipe(DataSettings(), compare=False, data=empty)


def test_choices_are_kept_beside_a_run_and_old_ones_removed(tmp_path: Path) -> None:
    choices = AutomaticChoices(CompactRecipe(yaw=0.6), Origin.GROUP, ("because",))
    path = tmp_path / "run" / "choices.json"
    keep_choices(path, choices)
    kept = json.loads(path.read_text())
    assert kept["reasons"] == ["because"]
    assert (kept["recipe"]["yaw"], kept["recipe"]["origin"]) == (0.6, "group")
    keep_choices(path, None)
    assert not path.exists()
    keep_choices(path, None)
