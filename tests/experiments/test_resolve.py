"""Configurations of presets and options, and the runs that a configuration stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.streams import Stream
from skeletonagent.experiments.config import write_config
from skeletonagent.experiments.presets import PRESETS, preset
from skeletonagent.experiments.recipes import PresetSize
from skeletonagent.experiments.resolve import (
    parse_stream,
    plan_runs,
    require_run_layout,
    resolve_config,
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


def test_every_run_has_a_directory_named_after_what_varies(tmp_path: Path) -> None:
    configs = [preset("sbu", stream=stream) for stream in (Stream.JOINT, Stream.BONE)]
    runs = plan_runs(configs, ["fold1", "fold2"], 2, tmp_path)
    assert len(runs) == 8
    one = runs[tmp_path / "fold2" / "seed1" / "bone"]
    assert (one.data.split, one.seed, one.clips.stream) == ("fold2", 1, Stream.BONE)
    assert list(plan_runs(configs[:1], ["fold1"], 1, tmp_path)) == [tmp_path]
    with pytest.raises(ConfigError, match="two runs would see the same"):
        plan_runs(configs + configs[:1], ["fold1"], 1, tmp_path)


def test_one_run_is_not_written_where_several_are_or_the_reverse(tmp_path: Path) -> None:
    several = {tmp_path / "seed0": preset("sbu"), tmp_path / "seed1": preset("sbu")}
    require_run_layout(several, tmp_path)
    (tmp_path / "summary.json").write_text("{}")
    require_run_layout(several, tmp_path)
    with pytest.raises(ConfigError, match="already holds several runs"):
        require_run_layout({tmp_path: preset("sbu")}, tmp_path)
    write_config(preset("sbu"), RunDirectory(tmp_path).config)
    require_run_layout({tmp_path: preset("sbu")}, tmp_path)
    with pytest.raises(ConfigError, match="already holds a run"):
        require_run_layout(several, tmp_path)
