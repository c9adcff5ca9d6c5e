"""Configurations: written and read again, overridden, and refused with every mistake listed."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from skeletonagent.agents.settings import AgentSettings
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.streams import Stream
from skeletonagent.data.settings import AugmentSettings, ClipSettings, DataSettings
from skeletonagent.experiments.config import (
    Config,
    config_from_dict,
    config_to_dict,
    config_to_yaml,
    read_config,
    with_overrides,
    with_values,
    write_config,
)
from skeletonagent.models.settings import KernelRidgeSettings, ModelSettings, PersonPooling
from skeletonagent.training.settings import (
    BatchNormRule,
    DistributedSettings,
    LossSettings,
    TrainSettings,
)

UNUSUAL = Config(
    data=DataSettings(archive="some where/Daten.npz", split="split 2"),
    clips=ClipSettings(frames=17, stream=Stream.KBONE_MOTION, test_clips=3),
    augment=AugmentSettings(rotation=0.1, scale=0.05, mirror=0.25, crop=0.9),
    kernel_ridge=KernelRidgeSettings(weight=0.5),
    model=ModelSettings("stgcn++", width=24, person_pooling=PersonPooling.RELEASED, dropout=0.1),
    loss=LossSettings(alpha=0.3, beta=1e-5, temperature=0.07, label_smoothing=0.1),
    training=TrainSettings(
        epochs=3, batch_size=5, learning_rate=1e-3, ema_decay=0.9, guidance_period=2
    ),
    agents=AgentSettings(chat="none", max_rivals=4, text_encoder="wordllama"),
    distributed=DistributedSettings(BatchNormRule.FIRST, timeout=60.0),
    seed=11,
    device="cpu",
    precision="bf16",
)
"""No section is as it is by default."""


def test_no_section_of_the_example_is_the_default() -> None:
    for field in fields(Config):
        assert getattr(UNUSUAL, field.name) != getattr(Config(), field.name), field.name


@pytest.mark.parametrize("config", [Config(), UNUSUAL], ids=["default", "unusual"])
def test_a_written_configuration_is_read_again(tmp_path: Path, config: Config) -> None:
    path = tmp_path / "config.yaml"
    write_config(config, path)
    assert read_config(path) == config
    assert path.read_text() == config_to_yaml(config)
    assert config_from_dict(config_to_dict(config)) == config


def assert_plain(value: object) -> None:
    assert type(value) in (dict, list, str, int, float, bool, type(None)), value
    if isinstance(value, list):
        for inner in value:
            assert_plain(inner)
    if isinstance(value, dict):
        for key, inner in value.items():
            assert type(key) is str
            assert_plain(inner)


def test_values_of_the_dictionary_are_plain() -> None:
    assert_plain(config_to_dict(UNUSUAL))
    assert config_to_dict(UNUSUAL)["clips"]["stream"] == "kbone_motion"


def test_chats_that_a_configuration_can_name() -> None:
    for chat in ("analyst", "none", "recorded:runs/one", "openai:gpt-4o"):
        assert with_overrides(Config(), [f"agents.chat={chat}"]).agents.chat == chat
    local = ["agents.chat=qwen3", "agents.provider.base_url=http://localhost:8000/v1"]
    assert with_overrides(Config(), local).agents.chat == "qwen3"
    with pytest.raises(ConfigError, match=r"agents\.chat 'gpt' is not known; give analyst, none"):
        with_overrides(Config(), ["agents.chat=gpt"])


def test_missing_settings_have_their_defaults(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("training:\n  epochs: 7\nclips: {stream: bone}\n")
    expected = Config(training=TrainSettings(epochs=7), clips=ClipSettings(stream=Stream.BONE))
    assert read_config(path) == expected
    path.write_text("")
    assert read_config(path) == Config()


def leaves(config: object, prefix: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        if is_dataclass(value):
            values |= leaves(value, f"{prefix}{field.name}.")
        else:
            values[prefix + field.name] = value
    return values


@pytest.mark.parametrize("key", leaves(UNUSUAL))
def test_every_value_can_be_overridden_alone(key: str) -> None:
    value = leaves(UNUSUAL)[key]
    written = json.dumps(value) if not isinstance(value, str) else value
    changed = leaves(with_overrides(Config(), [f"{key}={written}"]))
    assert changed == {**leaves(Config()), key: changed[key]}
    before = leaves(Config())[key]
    assert changed[key] == value or value == before


def test_overrides_are_applied_in_order_and_leave_the_original_alone() -> None:
    config = Config()
    changed = with_overrides(
        config, ["training.epochs=3", "training.learning_rate=1e-3", " training.epochs = 4"]
    )
    assert changed == replace(config, training=TrainSettings(epochs=4, learning_rate=1e-3))
    assert config == Config()
    assert with_overrides(config, []) == config


def test_none_and_values_with_an_equals_sign_can_be_set() -> None:
    changed = with_overrides(UNUSUAL, ["model.width=null", "data.archive=a=b.npz"])
    assert changed == replace(
        UNUSUAL,
        model=replace(UNUSUAL.model, width=None),
        data=replace(UNUSUAL.data, archive="a=b.npz"),
    )


def mistakes(**values: Any) -> str:
    with pytest.raises(ConfigError) as raised:
        config_from_dict(values)
    return str(raised.value)


def test_all_mistakes_are_listed_at_once_with_the_nearest_key() -> None:
    text = mistakes(
        trainig={"epochs": 3},
        training={"epoch": 3, "batch_size": "many"},
        augment={"crop": 0},
        colour="red",
    )
    assert text.startswith("config has 5 mistake(s):\n")
    assert "trainig: unknown key; did you mean training?" in text
    assert "training.epoch: unknown key; did you mean training.epochs?" in text
    assert "colour: unknown key; there are data, clips, " in text
    assert "augment.crop: Input should be greater than 0, got 0" in text
    assert "training.batch_size: " in text and "got 'many'" in text
    assert len(text.splitlines()) == 6


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("clips.frames", 0),
        ("clips.stream", "sideways"),
        ("augment.mirror", 1.5),
        ("augment.rotation", -0.1),
        ("augment.scale", 1),
        ("model.width", 0),
        ("model.dropout", 1),
        ("model.person_pooling", "none"),
        ("loss.temperature", 0),
        ("loss.alpha", -1),
        ("loss.beta", float("nan")),
        ("training.epochs", 2.5),
        ("training.batch_size", 1),
        ("training.learning_rate", 0),
        ("training.momentum", None),
        ("training.validation_share", 1),
        ("agents.max_rivals", "ten"),
        ("data.archive", 3),
        ("seed", -1),
        ("precision", "64"),
    ],
)
def test_wrong_values_are_refused_by_name(key: str, value: object) -> None:
    *section, name = key.split(".")
    values = {section[0]: {name: value}} if section else {name: value}
    text = mistakes(**values)
    assert text.startswith("config has 1 mistake(s):")
    assert f"{key}: " in text
    assert f"got {value!r}" in text


@pytest.mark.parametrize(
    ("assignment", "chosen"),
    [
        ("precision=32", Config()),
        ("precision='32'", Config()),
        ("precision=bf16", replace(Config(), precision="bf16")),
        ("data.dims=2", replace(Config(), data=DataSettings(dims=2))),
        ("data.dims='2'", replace(Config(), data=DataSettings(dims=2))),
    ],
)
def test_a_choice_may_be_written_as_number_or_text(assignment: str, chosen: Config) -> None:
    assert with_overrides(Config(), [assignment]) == chosen


def test_a_chat_that_is_misspelt_gets_a_suggestion() -> None:
    assert "did you mean 'analyst'?" in mistakes(agents={"chat": "analystt"})


@pytest.mark.parametrize("value", [None, 3, "fast", [1]])
def test_a_section_has_to_be_a_section(value: object) -> None:
    assert "training: " in mistakes(training=value)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["seed", "x", "seed=1"], r"takes section\.key=value, got 'seed', 'x'$"),
        (["seed=[1"], r"--set 'seed=\[1': the value cannot be read as YAML"),
        (["training.epcohs=3"], r"--set has 1 mistake.*\n.*did you mean training\.epochs\?"),
        (["trainin.epochs=3"], r"trainin: unknown key; did you mean training\?"),
        (["training.epochs=3", "seed=-1", "clips.frames=x"], r"--set has 2 mistake"),
        (["training=3"], r"training: .*got 3"),
        (["training.epochs.now=3"], r"unknown key"),
        (["=3"], r"unknown key"),
    ],
)
def test_wrong_overrides_are_refused(assignments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_overrides(Config(), assignments)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"training: [", "cannot be read as YAML"),
        (b"\xff\xfe\xfa", "cannot be read as YAML"),
        (b"- training", "must hold sections such as 'training:', got list"),
        (b"just words", "got str"),
        (b"seed: -1", "has 1 mistake"),
        (b"!!python/object/apply:os.mkdir [trace]", "cannot be read as YAML"),
    ],
)
def test_a_file_without_a_configuration_is_refused_by_name(
    tmp_path: Path, content: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as raised:
        read_config(path)
    assert str(path) in str(raised.value)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.yaml"]


def test_speed_changes_only_in_interpolated_clips() -> None:
    with pytest.raises(ConfigError, match=r"augment\.warp is 0\.3.*clips\.sampling=linear"):
        with_overrides(Config(), ["augment.warp=0.3"])
    with pytest.raises(ConfigError, match=r"set clips\.sampling=linear or augment\.warp=0"):
        Config(augment=AugmentSettings(warp=0.3))
    config = with_overrides(Config(), ["augment.warp=0.3", "clips.sampling=linear"])
    assert config.augment.warp == 0.3
    with pytest.raises(ConfigError, match=r"augment\.warp"):
        with_overrides(config, ["clips.sampling=segments"])


@pytest.mark.parametrize("stream", list(Stream))
def test_noise_needs_joints_that_are_not_yet_subtracted(stream: Stream) -> None:
    settings = [f"clips.stream={stream.value}", "augment.jitter=0.01"]
    for allowed in ("clips.sampling=linear", "clips.motion_rule=after"):
        assert with_overrides(Config(), [*settings, allowed]).augment.jitter == 0.01
    if not stream.is_motion:
        assert with_overrides(Config(), settings).augment.jitter == 0.01
        return
    with pytest.raises(ConfigError, match=rf"augment\.jitter is 0\.01.* {stream.value} .*set "):
        with_overrides(Config(), settings)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read"):
        read_config(tmp_path / "nowhere.yaml")


def test_yaml_is_in_the_order_of_the_sections() -> None:
    assert list(yaml.safe_load(config_to_yaml(Config()))) == [
        field.name for field in fields(Config)
    ]


def test_epochs_take_the_place_of_steps() -> None:
    config = Config(training=TrainSettings(steps=900))
    assert with_overrides(config, ["training.batch_size=8"]).training.steps == 900
    assert with_overrides(config, ["training.epochs=3"]).training.steps is None
    both = with_overrides(config, ["training.steps=70", "training.epochs=3"]).training
    assert (both.steps, both.epochs) == (70, 3)
    assert with_values(config, {"training.epochs": 3}).training.steps is None
