"""Configuration of a run: typed, checked as a whole, and saved with the run."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from annotated_types import Interval
from pydantic import TypeAdapter, ValidationError

from skeletonagent.agents.settings import AgentSettings
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_text
from skeletonagent.core.outside_text import printable_line
from skeletonagent.core.suggestions import nearest_name
from skeletonagent.core.yaml_text import parse_yaml
from skeletonagent.data.compatible_settings import require_compatible
from skeletonagent.data.settings import (
    AugmentSettings,
    ClipSettings,
    DataSettings,
)
from skeletonagent.models.settings import KernelRidgeSettings, ModelSettings
from skeletonagent.training.settings import (
    DistributedSettings,
    LossSettings,
    Precision,
    TrainSettings,
)


@dataclass(frozen=True)
class Config:
    """Configuration of a run, a section for the settings of each stage.

    Args:
        data: Data set and its storage.
        clips: Input clips: frames, stream, test clips.
        augment: Random changes of training clips.
        model: Recognizer.
        kernel_ridge: Classifier in closed form whose probabilities join the recognizer's.
        loss: Weights and forms of the losses.
        training: Length, optimizer, validation, speed.
        agents: Source of the guidance, and limits of its cost.
        distributed: Ranks that train one recognizer.
        seed: Seed of all random numbers: initial weights, order of batches, augmentation.
        device: ``auto`` for the first GPU, or the CPU where there is none; or ``cpu``, ``cuda`` or
            ``cuda:N``.
        precision: Number format of the computation: ``32`` for single precision throughout,
            ``bf16`` for bfloat16 where autocast considers it safe.
    """

    data: DataSettings = field(default_factory=DataSettings)
    clips: ClipSettings = field(default_factory=ClipSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    kernel_ridge: KernelRidgeSettings = field(default_factory=KernelRidgeSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    training: TrainSettings = field(default_factory=TrainSettings)
    agents: AgentSettings = field(default_factory=AgentSettings)
    distributed: DistributedSettings = field(default_factory=DistributedSettings)
    seed: Annotated[int, Interval(ge=0, lt=2**32)] = 0
    device: str = "auto"
    precision: Precision = "32"

    def __post_init__(self) -> None:
        """Check settings of different sections against each other.

        Raises:
            ConfigError: If two of them cannot be used together.
        """
        require_compatible(self.clips, self.augment)


_ADAPTER = TypeAdapter(Config)
_RETIRED: Mapping[str, Mapping[str, Any]] = {
    "loss": {"shuffle_guidance": False},
    "training": {"class_head": "taken"},
}
"""Settings that there are no longer, with the values by which they changed nothing."""
_LONGEST_PROBLEM = 2000
"""Characters of a line about a mistake, which may list all keys of a section."""


def config_to_dict(config: Config) -> dict[str, Any]:
    """Return a configuration as plain values, a dictionary for each section."""
    plain: dict[str, Any] = _ADAPTER.dump_python(config, mode="json")
    return plain


def config_from_dict(values: Mapping[str, Any], source: str = "config") -> Config:
    """Return the configuration of plain values; settings that are missing have their defaults.

    Args:
        values: Values by section and key.
        source: Origin of the values, for messages.

    Raises:
        ConfigError: Listing every unknown key, with the nearest valid one, and every wrong value.
    """
    values = _without_retired(values)
    problems = _unknown_keys(values, Config)
    try:
        config = _ADAPTER.validate_python(_with_choices(values, Config))
    except ValidationError as error:
        problems += map(_error_line, error.errors())
    if problems:
        lines = [printable_line(problem, _LONGEST_PROBLEM) for problem in problems]
        raise ConfigError(f"{source} has {len(lines)} mistake(s):\n  " + "\n  ".join(lines))
    return config


def _without_retired(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values without settings of older runs that changed nothing."""
    kept = dict(values)
    for section, retired in _RETIRED.items():
        if isinstance(found := kept.get(section), dict):
            kept[section] = {
                key: value
                for key, value in found.items()
                if key not in retired or value != retired[key]
            }
    return kept


def _error_line(mistake: Mapping[str, Any]) -> str:
    """Return the message about one value, or about a section, which names its values itself."""
    place = ".".join(str(part) for part in mistake["loc"])
    message = mistake["msg"].removeprefix("Value error, ")
    if isinstance(mistake["input"], dict):
        return f"{place}.{message}"
    return f"{place}: {message}, got {printable_line(repr(mistake['input']), 200)}"


def read_config(path: Path) -> Config:
    """Return the configuration in a YAML file.

    Raises:
        ConfigError: If it cannot be read or has mistakes; all of them are listed.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ConfigError(f"{path} is no file; a configuration is a preset's name or a YAML file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error
    values = parse_yaml(text, str(path))
    if values is not None and not isinstance(values, dict):
        raise ConfigError(
            f"{path} must hold sections such as 'training:', got {type(values).__name__}"
        )
    return config_from_dict(values or {}, source=str(path))


def write_config(config: Config, path: Path) -> None:
    """Write a configuration as YAML."""
    write_text(path, config_to_yaml(config))


def config_to_yaml(config: Config) -> str:
    """Return a configuration as YAML text."""
    return str(yaml.safe_dump(config_to_dict(config), sort_keys=False))


def with_overrides(config: Config, assignments: Sequence[str]) -> Config:
    """Return the configuration with ``section.key=value`` assignments applied.

    Raises:
        ConfigError: If an assignment has another form, an unknown key or a wrong value.
    """
    malformed = [text for text in assignments if "=" not in text]
    if malformed:
        raise ConfigError(f"--set takes section.key=value, got {', '.join(map(repr, malformed))}")
    values: dict[str, Any] = {}
    for text in assignments:
        path, _, value = text.partition("=")
        values[path.strip()] = parse_yaml(value, f"--set {text!r}: the value")
    return with_values(config, values, source="--set" if assignments else "config")


def with_values(config: Config, values: Mapping[str, Any], source: str = "overrides") -> Config:
    """Return the configuration with settings by their dotted names changed.

    A number of epochs takes the place of a number of steps, where that is not among them.

    Args:
        config: Configuration.
        values: Values by dotted names, such as ``training.epochs``.
        source: Origin of the values, for messages.

    Raises:
        ConfigError: If a name is unknown or a value is wrong.
    """
    plain = config_to_dict(config)
    if "training.epochs" in values:
        values = {"training.steps": None, **values}
    for name, value in values.items():
        *sections, key = name.split(".")
        place = plain
        for section in sections:
            inner = place.setdefault(section, {})
            place = inner if isinstance(inner, dict) else place
        place[key] = value
    return config_from_dict(plain, source)


def _unknown_keys(values: Mapping[str, Any], section: type, prefix: str = "") -> list[str]:
    hints = get_type_hints(section)
    valid = [item.name for item in fields(section)]
    problems = []
    for key, value in values.items():
        if key not in valid:
            near = nearest_name(str(key), valid)
            hint = f"did you mean {prefix}{near}?" if near else f"there are {', '.join(valid)}"
            problems.append(f"{prefix}{key}: unknown key; {hint}")
        elif isinstance(value, dict) and is_dataclass(inner := _plain_type(hints[key])):
            problems += _unknown_keys(value, inner, f"{prefix}{key}.")
    return problems


def _with_choices(values: Mapping[str, Any], section: type) -> dict[str, Any]:
    """Return values of which those that are written like a choice are that choice.

    YAML takes digits for a number, and a choice may be a text of digits, or a number.
    """
    hints = get_type_hints(section)
    found = dict(values)
    for key, value in values.items():
        inner = _plain_type(hints[key]) if key in hints else object
        if isinstance(value, dict) and is_dataclass(inner):
            found[key] = _with_choices(value, inner)
        elif isinstance(value, str | int | float) and key in hints:
            choices = [choice for choice in _choices(hints[key]) if str(choice) == str(value)]
            found[key] = choices[0] if choices else value
    return found


def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the values that a type hint lists; none if it lists none."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(choice for part in get_args(hint) for choice in _choices(part))


def _plain_type(hint: Any) -> type:
    """Return the class in a type hint, without ``| None``."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    return hint if isinstance(hint, type) else object
