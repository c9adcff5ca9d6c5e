"""Options of a training command, and what is refused of them before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.streams import Stream
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.experiments.datasets import SYNTHETIC
from skeletonagent.experiments.recipes import PresetSize, Recipe

ANY_ARCHIVE = ("default", "paper")
"""Presets for any archive, which name none themselves."""

_HOW_TO_NAME_DATA = (
    "name an archive with 'train --data ARCHIVE', a preset and its archive with "
    "'train utd-mhad --data ARCHIVE', or generated data with 'train synthetic'"
)


@dataclass(frozen=True)
class TrainingRequest:
    """Options of a training command.

    Args:
        config: Preset or YAML file; ``default`` if none, or the settings of ``init_from``.
        archive: Skeleton archive, in place of the one that the configuration names.
        stream: Streams by name, separated by commas, or ``all``.
        split: Splits by name, separated by commas, or ``all``.
        seeds: Number of runs that differ in the seed alone, one if none.
        size: Size of the preset.
        recipe: Recipe of the preset.
        assignments: Settings as ``section.key=value``.
        init_from: Run or checkpoint whose weights the runs begin with.
        begins_with_base: Whether that is a base, whose settings are among the assigned ones.
    """

    config: str | None = None
    archive: Path | None = None
    stream: str | None = None
    split: str | None = None
    seeds: int | None = None
    size: PresetSize | None = None
    recipe: Recipe | None = None
    assignments: Sequence[str] = ()
    init_from: Path | None = None
    begins_with_base: bool = False

    @property
    def source(self) -> str | None:
        """Run or checkpoint whose weights the runs begin with, as an option or as a setting."""
        return self._assigned("training.init_from", self.init_from)

    @property
    def named_archive(self) -> str | None:
        """Archive that is named, as an option or as a setting."""
        return self._assigned("data.archive", self.archive)

    def _assigned(self, setting: str, option: Path | None) -> str | None:
        """Return the value that is last assigned to a setting, or else that of its option."""
        values = [] if option is None else [str(option)]
        for text in self.assignments:
            name, _, value = text.partition("=")
            values += [value.strip()] if name.strip() == setting else []
        return values[-1] if values else None


def ask_for_data(out: Path, *, resume: bool, is_begun: bool) -> str:
    """Return what to do where no data are named.

    Args:
        out: Directory of the run.
        resume: Whether it was to be resumed.
        is_begun: Whether it holds a run.
    """
    if resume:
        return f"{out} holds no run to resume; {_HOW_TO_NAME_DATA}"
    if is_begun:
        return (
            f"{out} already holds a run; add --resume to continue it as it was planned, or train "
            f"on from its weights with 'train --from {out} --out ANOTHER'"
        )
    return f"nothing to train on; {_HOW_TO_NAME_DATA}"


def require_archive(request: TrainingRequest, archive: str) -> None:
    """Refuse a request that names no data, where its configuration has none that are there.

    Args:
        request: Options of the command.
        archive: Archive of the configuration.

    Raises:
        ConfigError: If there are none.
    """
    if request.named_archive is not None:
        return
    if request.config in ANY_ARCHIVE and request.source is None:
        raise ConfigError(
            f"preset {request.config!r} is for any archive; name one with --data ARCHIVE, or "
            "generated data with 'train synthetic'"
        )
    path = Path(archive)
    files = (path, path.with_name(f"{path.name}.npz"), path.with_name(f"{path.name}.json"))
    if archive != SYNTHETIC and not any(file.exists() for file in files):
        raise ConfigError(
            f"{request.config or request.source} trains on the archive {archive!r}, which is not "
            "in this folder; name it with --data ARCHIVE"
        )


def requested_again(
    request: TrainingRequest, begun: Mapping[Path, Config], out: Path
) -> dict[Path, Config]:
    """Return runs with the settings that are assigned, which are checked when they are resumed.

    Args:
        request: Options of the command.
        begun: Configuration of each run.
        out: Directory of the only run, or folder of the runs.

    Raises:
        ConfigError: If an option differs from what the runs were begun with.
    """
    if request.size or request.recipe:
        raise ConfigError("--preset-size and --recipe choose among a preset's variants; name it")
    configs = list(begun.values())
    sources = {str(Path(request.source).expanduser().resolve())} if request.source else set()
    present: dict[str, tuple[set[str | None], set[str]]] = {
        "--stream": ({config.clips.stream.value for config in configs}, _streams(request)),
        "--split": ({config.data.split for config in configs}, _splits(request)),
        "--from": ({config.training.init_from for config in configs}, sources),
    }
    seeds = len({config.seed for config in configs})
    differing = [
        option for option, (those, wanted) in present.items() if wanted and wanted != those
    ]
    differing += ["--seeds"] if request.seeds not in (None, seeds) else []
    if differing:
        raise ConfigError(f"{out} was begun with another {', '.join(differing)}; leave it out")
    return {path: with_overrides(config, request.assignments) for path, config in begun.items()}


def _streams(request: TrainingRequest) -> set[str]:
    if request.stream == "all":
        return {stream.value for stream in Stream}
    return {Stream.parse(name).value for name in (request.stream or "").split(",") if name}


def _splits(request: TrainingRequest) -> set[str]:
    return set() if request.split in (None, "all") else set(str(request.split).split(","))
