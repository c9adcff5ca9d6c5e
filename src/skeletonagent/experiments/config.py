"""The configuration of a run: typed, checked all at once, saved with the run."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import yaml
from annotated_types import Interval
from pydantic import TypeAdapter, ValidationError

from skeletonagent.agents.settings import AgentSettings
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_text
from skeletonagent.data.settings import (
    AugmentSettings,
    ClipSettings,
    DataSettings,
)
from skeletonagent.models.settings import ModelSettings
from skeletonagent.training.settings import (
    DistributedSettings,
    LossSettings,
    Precision,
    TrainSettings,
)


@dataclass(frozen=True)
class Config:
    """All of a run's choices; each section is documented with the code that reads it."""

    data: DataSettings = field(default_factory=DataSettings)
    clips: ClipSettings = field(default_factory=ClipSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    training: TrainSettings = field(default_factory=TrainSettings)
    agents: AgentSettings = field(default_factory=AgentSettings)
    distributed: DistributedSettings = field(default_factory=DistributedSettings)
    seed: Annotated[int, Interval(ge=0, lt=2**32)] = 0
    device: str = "auto"
    precision: Precision = "32"


_ADAPTER = TypeAdapter(Config)


def to_dict(config: Config) -> dict[str, Any]:
    """Return a configuration as plain values."""
    plain: dict[str, Any] = _ADAPTER.dump_python(config, mode="json")
    return plain


def from_dict(values: Mapping[str, Any], source: str = "config") -> Config:
    """Return the configuration of plain values; what is not named keeps its default.

    Raises:
        ConfigError: Listing every unknown key, with the nearest valid one, and every wrong value.
    """
    problems = _unknown_keys(values, Config)
    try:
        config = _ADAPTER.validate_python(dict(values))
    except ValidationError as error:
        problems += map(_error_line, error.errors())
    if problems:
        raise ConfigError(f"{source} has {len(problems)} mistake(s):\n  " + "\n  ".join(problems))
    return config


def _error_line(mistake: Mapping[str, Any]) -> str:
    """Return what is wrong with one value; of a whole section, its message alone says it."""
    place = ".".join(str(part) for part in mistake["loc"])
    message = mistake["msg"].removeprefix("Value error, ")
    if isinstance(mistake["input"], dict):
        return f"{place}.{message}"
    return f"{place}: {message}, got {mistake['input']!r}"


def read_config(path: Path) -> Config:
    """Return the configuration in a YAML file.

    Raises:
        ConfigError: If it cannot be read or holds mistakes; all are listed.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error
    if values is not None and not isinstance(values, dict):
        raise ConfigError(
            f"{path} must hold sections such as 'training:', got {type(values).__name__}"
        )
    return from_dict(values or {}, source=str(path))


def write_config(config: Config, path: Path) -> None:
    """Write a configuration as YAML."""
    write_text(path, as_yaml(config))


def as_yaml(config: Config) -> str:
    """Return a configuration as YAML text."""
    return str(yaml.safe_dump(to_dict(config), sort_keys=False))


def with_overrides(config: Config, assignments: Sequence[str]) -> Config:
    """Return the configuration with ``section.key=value`` assignments applied.

    Raises:
        ConfigError: If an assignment is not of that form, or names or sets something wrong.
    """
    values = to_dict(config)
    malformed = [text for text in assignments if "=" not in text]
    if malformed:
        raise ConfigError(f"--set takes section.key=value, got {', '.join(map(repr, malformed))}")
    for text in assignments:
        path, _, value = text.partition("=")
        *sections, key = path.strip().split(".")
        place = values
        for section in sections:
            inner = place.setdefault(section, {})
            place = inner if isinstance(inner, dict) else place
        try:
            place[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {text!r}: {value!r} is not a value: {error}") from error
    return from_dict(values, source="--set" if assignments else "config")


def _unknown_keys(values: Mapping[str, Any], section: type, prefix: str = "") -> list[str]:
    hints = get_type_hints(section)
    valid = [item.name for item in fields(section)]
    problems = []
    for key, value in values.items():
        if key not in valid:
            near = difflib.get_close_matches(str(key), valid, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"there are {', '.join(valid)}"
            problems.append(f"{prefix}{key}: unknown key; {hint}")
        elif isinstance(value, dict) and is_dataclass(inner := _plain_type(hints[key])):
            problems += _unknown_keys(value, inner, f"{prefix}{key}.")
    return problems


def _plain_type(hint: Any) -> type:
    """Return the class in a type hint, without ``| None`` around it."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    return hint if isinstance(hint, type) else object
