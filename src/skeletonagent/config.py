"""The configuration of a run: typed, checked all at once, saved with the run."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from annotated_types import Ge, Gt, Interval
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from skeletonagent.agents.verification import Verify
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import write_text
from skeletonagent.data.normalising import Origin, Scale
from skeletonagent.data.residence import Residence
from skeletonagent.data.sampling import ClipSettings
from skeletonagent.data.transforms import Augment
from skeletonagent.llm.settings import ProviderSettings
from skeletonagent.models.recognizer import PersonRule
from skeletonagent.training.engine import Precision
from skeletonagent.training.launch import ProcessSettings
from skeletonagent.training.objective import ObjectiveSettings
from skeletonagent.training.pace import TrainSettings


@dataclass(frozen=True)
class DataSettings:
    """Which data.

    Args:
        archive: Path of a skeleton archive, or ``synthetic`` for the generated data set.
        split: Name of the split; none takes the archive's default.
        origin: Where a sample of several persons is centred.
        scale: By what a sample's coordinates are divided, for joints in pixels.
        score: Whether the detector's confidence is a channel beside the coordinates.
        storage: Number format of the joints in device memory; clips are float32 in any case.
        residence: Where the joints are kept: on the ``device``, in the memory of the ``host``, on
            ``disk`` (an archive that is a folder), or, by itself, the first of these with room.
        shard_megabytes: How many of them are brought to the device at a time, where they are not
            kept there; about five times as much of its memory is taken.
    """

    archive: str = "synthetic"
    split: str | None = None
    origin: Origin = Origin.PERSON
    scale: Scale = Scale.NONE
    score: bool = False
    storage: Literal["float32", "float16"] = "float32"
    residence: Residence = Residence.AUTO
    shard_megabytes: Annotated[float, Gt(0)] = 256


@dataclass(frozen=True)
class ModelSettings:
    """Which recognizer.

    Args:
        backbone: Name in the table of backbones.
        width: Channels of the first stage; none takes the backbone's own.
        person_rule: Whether an absent person counts in the mean over persons.
        dropout: Before the classifier.
    """

    backbone: str = "skeletonagent"
    width: Annotated[int, Ge(1)] | None = None
    person_rule: PersonRule = PersonRule.PAPER
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0


def _unquoted(value: object) -> object:
    """Return the word that YAML takes for a truth value where it is not quoted."""
    return "off" if value is False else value


@dataclass(frozen=True)
class AgentSettings:
    """Who gives guidance, and what it may cost.

    Args:
        chat: ``analyst`` answers from the training clips, offline; ``bundled`` answers from what
            is written about the classes of well-known data sets, and the analyst for any other;
            ``none`` trains without guidance, on the class loss alone; ``recorded:PATH`` answers
            from the dialogues of a run or of ``dialogues import``; ``provider:model``, such as
            ``openai:gpt-4o``, asks a language model, whose key is taken from the environment.
        fallback: Further language models, asked in this order where those before give no answer.
        provider: How language models are asked.
        rivals: k, how many confused classes a question names at most.
        padded_rivals: Whether k rivals are named in any case, as the released code does, if need be
            classes that were never confused, or the class itself.
        rival_share: Smallest share of a class's clips mistaken for another that makes it a rival.
        verify: What is done about joints the training clips speak against: nothing (``off``), a
            remark in the dialogue (``flag``), leave them out (``filter``), or show the evidence,
            ask again and then leave out (``repair``).
        text_encoder: Name in the table of text encoders, ``NAME:PATH`` for files of one's own, or
            the path of a transformers folder.
        concurrency: How many classes are talked about at once.
        wait: Whether the training waits for a round, so that it can be repeated exactly; none
            waits for the analyst and for recorded answers, and goes on beside language models.
        round_seconds: Limit of a round; a class without an answer by then keeps its guidance.
        cache: Whether answers of language models are kept on disk, so that none is paid twice.
        max_requests: Most requests of a run; on reaching a limit guidance stays as it is.
        max_tokens: Most tokens of a run, read and written.
        max_dollars: Highest price of a run's tokens.
    """

    chat: str = "analyst"
    fallback: tuple[str, ...] = ()
    provider: ProviderSettings = field(default_factory=ProviderSettings)
    rivals: Annotated[int, Ge(1)] = 10
    padded_rivals: bool = False
    rival_share: Annotated[float, Interval(ge=0, lt=1)] = 0.01
    verify: Annotated[Verify, BeforeValidator(_unquoted)] = Verify.FLAG
    text_encoder: str = "wordllama"
    concurrency: Annotated[int, Ge(1)] = 8
    wait: bool | None = None
    round_seconds: Annotated[float, Gt(0)] = 600.0
    cache: bool = True
    max_requests: Annotated[int, Ge(1)] | None = None
    max_tokens: Annotated[int, Ge(1)] | None = None
    max_dollars: Annotated[float, Gt(0)] | None = None

    def __post_init__(self) -> None:
        """Refuse a chat that cannot be meant.

        Raises:
            ValueError: Saying what may be.
        """
        named = self.chat in ("analyst", "none", "bundled") or ":" in self.chat
        if not named and self.provider.base_url is None:
            raise ValueError(
                f"chat {self.chat!r} is not known; give analyst, none, bundled, recorded:PATH or "
                "provider:model such as openai:gpt-4o"
            )


@dataclass(frozen=True)
class Config:
    """All of a run's choices; each section is documented with the code that reads it."""

    data: DataSettings = field(default_factory=DataSettings)
    clips: ClipSettings = field(default_factory=ClipSettings)
    augment: Augment = field(default_factory=Augment)
    model: ModelSettings = field(default_factory=ModelSettings)
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    training: TrainSettings = field(default_factory=TrainSettings)
    agents: AgentSettings = field(default_factory=AgentSettings)
    processes: ProcessSettings = field(default_factory=ProcessSettings)
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
        problems += map(_told, error.errors())
    if problems:
        raise ConfigError(f"{source} has {len(problems)} mistake(s):\n  " + "\n  ".join(problems))
    return config


def _told(mistake: Mapping[str, Any]) -> str:
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
