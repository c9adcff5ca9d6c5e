"""Configurations of presets and options, and the runs that a configuration stands for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from skeletonagent.core.clips import SkeletonData, Split
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.streams import Stream
from skeletonagent.data.archive import write_archive
from skeletonagent.data.settings import DataSettings, Orientation, Origin
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import resolve
from skeletonagent.experiments.auto_recipe import AutomaticChoices, choose_recipe
from skeletonagent.experiments.compact_recipe import CompactRecipe
from skeletonagent.experiments.config import Config, with_overrides, write_config
from skeletonagent.experiments.datasets import preprocess_dataset
from skeletonagent.experiments.presets import PRESETS, preset
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import (
    TrainingRequest,
    parse_stream,
    plan_training,
    resolve_config,
    with_choices,
)
from skeletonagent.training.run_directory import RunDirectory


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("size", PresetSize)
def test_a_preset_without_options_is_not_changed(name: str, size: PresetSize) -> None:
    assert resolve_config(name, size, None, None, []) == preset(name, size)


def test_options_change_their_settings_alone(tmp_path: Path) -> None:
    resolved = resolve_config("sbu", PresetSize.SMALL, "bm", tmp_path / "a", ["training.epochs=3"])
    plain = preset("sbu")
    assert resolved.clips.stream is Stream.BONE_MOTION
    assert resolved.data.archive == str(tmp_path / "a")
    assert resolved.training.epochs == 3
    assert resolved.augment == plain.augment
    assert resolved.clips.frames == plain.clips.frames


def test_a_file_keeps_its_stream_unless_another_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    write_config(preset("sbu", stream=Stream.KBONE), path)
    size = PresetSize.SMALL
    assert resolve_config(str(path), size, None, None, []).clips.stream is Stream.KBONE
    assert resolve_config(str(path), size, "j", None, []).clips.stream is Stream.JOINT


def test_an_assignment_has_precedence_over_an_option(tmp_path: Path) -> None:
    resolved = resolve_config("sbu", PresetSize.SMALL, "b", None, ["clips.stream=joint"])
    assert resolved.clips.stream is Stream.JOINT


@pytest.mark.parametrize("stream", Stream)
def test_streams_have_two_names(stream: Stream) -> None:
    assert parse_stream(stream.value) is parse_stream(stream.short) is stream


def test_an_unknown_stream_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'bones'.*kbone \(k\)"):
        parse_stream("bones")


@pytest.fixture(scope="module")
def stored() -> SkeletonData:
    return synthetic_dataset(clips_per_class=2, subjects=2)


@pytest.fixture(scope="module")
def archive(stored: SkeletonData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of two splits."""
    xsub = stored.splits["xsub"]
    splits = {"xsub": xsub, "other": Split(xsub.test, xsub.train)}
    return write_archive(replace(stored, splits=splits), tmp_path_factory.mktemp("archive"))


class Chooser:
    """Take the place of the automatic choice, and note what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, bool, str]] = []

    def __call__(
        self,
        settings: DataSettings,
        on_remark: Callable[[str], None],
        *,
        compare: bool,
        data: SkeletonData | None = None,
        adapt: Callable[[Config], Config],
    ) -> AutomaticChoices:
        given = adapt(Config())
        self.asked.append((settings.split, compare, given.device))
        on_remark("chosen")
        yaw = 0.1 * len(self.asked)
        return AutomaticChoices(CompactRecipe(yaw=yaw), Origin.GROUP, ("because",))


@pytest.fixture
def chooser(monkeypatch: pytest.MonkeyPatch) -> Chooser:
    chooser = Chooser()
    monkeypatch.setattr(resolve, "choose_recipe", chooser)
    return chooser


def test_the_default_of_an_archive_follows_from_its_clips_however_it_is_named(
    archive: Path, stored: SkeletonData
) -> None:
    lines: list[str] = []
    size, path = PresetSize.SMALL, str(archive)
    expected = choose_recipe(DataSettings(), compare=False, data=stored).config(Stream.BONE, path)
    named = resolve_config("default", size, "b", archive, ["seed=2"], on_remark=lines.append)
    assert named == replace(expected, seed=2)
    assert named != resolve_config("default", size, "b", None, ["seed=2", "data.archive=synthetic"])
    assert lines and lines[0].startswith("training clips: 3D joints in meters")
    assert resolve_config("default", size, "b", None, ["seed=2", f"data.archive={path}"]) == named
    held = resolve_config("default", size, "b", Path("held"), ["seed=2"], data=stored)
    assert held == replace(named, data=replace(named.data, archive="held"))
    assert resolve_config("default", PresetSize.TINY, None, archive, []).model.width == 16
    given = resolve_config("default", size, "b", archive, ["data.orientation=heading"])
    assert given.data.orientation is Orientation.HEADING
    flat = resolve_config("default", size, "b", archive, ["data.dims=2"], on_remark=lines.append)
    assert flat.data == replace(resolve_config("default", size, "b", archive, []).data, dims=2)
    assert flat.augment.yaw == 0.8 and "views of 0.8 radians to either side" in " ".join(lines)


def test_a_file_named_default_is_read(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(preset("sbu"), tmp_path / "default")
    resolved = resolve_config("default", PresetSize.SMALL, None, archive, [])
    assert resolved == replace(
        preset("sbu"), data=replace(preset("sbu").data, archive=str(archive))
    )


def test_each_split_has_choices_that_its_seeds_and_streams_share(
    archive: Path, tmp_path: Path, chooser: Chooser
) -> None:
    request = TrainingRequest(
        archive=archive, split="all", seeds=2, stream="j,b", assignments=("device=cpu",)
    )
    lines: list[str] = []
    runs = plan_training(request, tmp_path, resume=False, on_remark=lines.append)
    assert chooser.asked == [("xsub", True, "cpu"), ("other", True, "cpu")]
    assert lines == ["xsub: chosen", "other: chosen"]
    assert len(runs) == 8
    for path, config in runs.items():
        split, seed, stream = path.relative_to(tmp_path).parts
        assert config.augment.yaw == {"xsub": 0.1, "other": 0.2}[split]
        assert (config.data.split, config.data.origin) == (split, Origin.GROUP)
        assert (f"seed{config.seed}", config.clips.stream.value) == (seed, stream)
        assert (config.data.archive, config.device) == (str(archive), "cpu")
        assert json.loads(RunDirectory(path).choices.read_text())["reasons"] == ["because"]


def test_a_run_that_is_resumed_keeps_its_choices(
    archive: Path, tmp_path: Path, chooser: Chooser
) -> None:
    request = TrainingRequest(archive=archive)
    runs = plan_training(request, tmp_path, resume=False, compare=False)
    assert chooser.asked == [("xsub", False, "auto")]
    write_config(runs[tmp_path], RunDirectory(tmp_path).config)
    kept = RunDirectory(tmp_path).choices.read_text()
    assert plan_training(request, tmp_path, resume=True) == runs
    changed = TrainingRequest(archive=archive, stream="b", assignments=("training.steps=5",))
    again = plan_training(changed, tmp_path, resume=True)[tmp_path]
    assert (again.training.steps, again.clips.stream) == (5, Stream.BONE)  # refused by the run
    assert again.augment == runs[tmp_path].augment
    assert len(chooser.asked) == 1 and RunDirectory(tmp_path).choices.read_text() == kept
    with pytest.raises(ConfigError, match="already holds a run"):
        plan_training(request, tmp_path, resume=False)
    assert len(chooser.asked) == 1


def test_a_preset_leaves_no_choices_of_a_run_that_never_began(
    archive: Path, tmp_path: Path, chooser: Chooser
) -> None:
    plan_training(TrainingRequest(archive=archive), tmp_path, resume=False)
    assert RunDirectory(tmp_path).choices.exists()
    plan_training(TrainingRequest("sbu", archive, split="xsub"), tmp_path, resume=False)
    assert not RunDirectory(tmp_path).choices.exists()
    assert len(chooser.asked) == 1


def test_one_run_gets_its_choices_and_keeps_them(
    stored: SkeletonData, tmp_path: Path, chooser: Chooser
) -> None:
    run, lines = RunDirectory(tmp_path), list[str]()

    def chosen(resume: bool = False, data: SkeletonData = stored) -> Config:
        return with_choices(
            preset("default"), run, is_automatic=True, resume=resume, compare=True,
            on_remark=lines.append, data=data, adapt=partial(with_overrides, assignments=["seed=3"])
        )  # fmt: skip

    config = chosen()
    assert (config.augment.yaw, config.seed) == (0.1, 3)
    assert run.choices.exists()
    prepared = preprocess_dataset(stored)
    assert chosen(data=prepared) == preset("default")
    assert "preprocessed already" in lines[-1] and not run.choices.exists()
    write_config(config, run.config)
    assert chosen(resume=True) == config
    with pytest.raises(ConfigError, match="already holds a run"):
        chosen()
    assert len(chooser.asked) == 1
