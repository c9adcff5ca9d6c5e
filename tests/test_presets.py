"""Every preset, in every size and stream, is a configuration that can be run."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from skeletonagent.cli.train import resolve_config
from skeletonagent.config import Config, as_yaml, from_dict, read_config, to_dict, write_config
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.streams import Stream
from skeletonagent.data.archive import find_archives
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.presets import PRESETS, PresetSize, preset
from skeletonagent.training.objective import ObjectiveSettings

every = pytest.mark.parametrize(("name", "size"), list(product(PRESETS, PresetSize)))


@every
def test_presets_are_valid_and_round_trip(tmp_path: Path, name: str, size: PresetSize) -> None:
    path = tmp_path / "config.yaml"
    for stream in Stream:
        config = resolve_config(name, size, stream.short, None, [])
        assert config == preset(name, size, stream)
        assert config.clips.stream is stream
        assert from_dict(to_dict(config)) == config
        write_config(config, path)
        assert read_config(path) == config
        assert resolve_config(str(path), size, None, None, []) == config


@every
def test_presets_differ_between_streams_in_the_stream_alone(name: str, size: PresetSize) -> None:
    plain = [to_dict(preset(name, size, stream)) for stream in Stream]
    for values in plain:
        del values["clips"]["stream"]
    assert all(values == plain[0] for values in plain)


@every
def test_presets_name_a_backbone_there_is_and_keep_the_papers_weights(
    name: str, size: PresetSize
) -> None:
    config = preset(name, size)
    assert config.model.backbone in BACKBONES
    assert config.objective == ObjectiveSettings()
    assert config.training.period == 5
    assert PRESETS[name].__doc__


def test_the_paper_size_takes_the_papers_recognizer() -> None:
    for name in PRESETS:
        assert preset(name, PresetSize.PAPER).model.backbone == "skeletonagent"


def test_classes_that_name_a_side_are_not_mirrored() -> None:
    for size in PresetSize:
        assert preset("utd-mhad", size).augment.mirror == 0


def test_presets_name_archives_of_the_shared_data(shared: Path) -> None:
    known = {path.name for path in find_archives(shared / "data")} | {"synthetic"}
    if known == {"synthetic"}:
        pytest.skip(f"no archives in {shared / 'data'}")
    for name in PRESETS:
        assert preset(name).data.archive in known


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no preset 'ntu'; there are default, jhmdb, "):
        preset("ntu")


def test_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    config = resolve_config(
        "sbu",
        PresetSize.SMALL,
        "km",
        Path("elsewhere/sbu.npz"),
        ["training.epochs=2", "clips.frames=16"],
    )
    assert config.clips.stream is Stream.KBONE_MOTION
    assert config.data.archive == str(Path("elsewhere/sbu.npz"))
    assert (config.training.epochs, config.clips.frames) == (2, 16)

    path = tmp_path / "mine.yml"
    path.write_text(as_yaml(config))
    again = resolve_config(str(path), PresetSize.PAPER, "bone", None, ["seed=3"])
    assert again.clips.stream is Stream.BONE
    assert (again.seed, again.training) == (3, config.training)


@pytest.mark.parametrize(
    ("name", "stream", "message"),
    [
        ("sbu", "sideways", r"no stream 'sideways'; there are joint \(j\)"),
        ("missing.yaml", None, "missing.yaml cannot be read"),
    ],
)
def test_wrong_words_on_the_command_line_are_refused(
    name: str, stream: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_config(name, PresetSize.SMALL, stream, None, [])


def test_a_configuration_of_defaults_alone_is_the_papers_schedule() -> None:
    training = Config().training
    assert (training.epochs, training.batch_size, training.learning_rate) == (150, 64, 0.1)
    assert (training.momentum, training.weight_decay) == (0.9, 5e-4)
