"""Fine-tuning: a run that begins with the weights of another one, and records what it took."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from skeletonagent.core.errors import CheckpointError, DataError
from skeletonagent.core.joint_matching import match_joints
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.sequences import JoinedSource
from skeletonagent.core.streams import Stream
from skeletonagent.data.settings import DataSettings
from skeletonagent.data.validation import locate_archive
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import absolute_archive
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.models.weight_axes import AxisNames
from skeletonagent.training.checkpoint import STATE, Checkpoint, load_checkpoint
from skeletonagent.training.initial_weights import (
    TakenWeights,
    listed,
    take_weights,
    weights_digest,
)
from skeletonagent.training.run_directory import RunDirectory
from skeletonagent.training.settings import Freeze

PACKAGED_BASE = "base"
"""Name of the base that comes with the package, pre-trained on generated motions."""

INITIAL_WEIGHTS = "initial_weights"
"""Key of the record in the metadata of a checkpoint and in ``summary.json``."""


@dataclass(frozen=True)
class SourceRun:
    """Trained recognizer whose weights another run begins with.

    Args:
        path: Run directory, or folder of one checkpoint, as seen from the root.
        checkpoint: Its newest checkpoint that can be read.
        metadata: Shapes, names and settings of its recognizer.
    """

    path: Path
    checkpoint: Checkpoint
    metadata: RecognizerMetadata

    @property
    def is_base(self) -> bool:
        """Whether it was pre-trained, for others to begin with."""
        return bool(self.metadata.sources)


def read_source(path: str | Path, stream: Stream | None = None) -> SourceRun:
    """Return the trained recognizer of a run, or of one checkpoint.

    Args:
        path: Run directory, folder of a run for each stream, or folder of one checkpoint; the name
            of the base of the package, where there is nothing of that name.
        stream: Stream whose run is taken from such a folder.

    Raises:
        CheckpointError: If there is none, or it cannot be read.
    """
    place = Path(path).expanduser().resolve()
    if str(path) == PACKAGED_BASE and not place.exists():
        place = Path(__file__).with_name("resources") / PACKAGED_BASE
    if stream is not None and RunDirectory(place / stream.value).exists:
        place = place / stream.value
    if (place / STATE).exists():
        checkpoint: Checkpoint | None = load_checkpoint(place)
    else:
        latest = RunDirectory(place).checkpoints.latest()
        checkpoint = latest.checkpoint
        for problem in latest.corrupt:
            warnings.warn(f"passed over: {problem}", stacklevel=2)
    if checkpoint is None:
        inner = sorted(config.parent.name for config in place.glob("*/config.yaml"))
        hint = (
            f"it holds the runs {', '.join(inner)}: name one of them"
            if inner
            else "train one first"
        )
        raise CheckpointError(f"{place} holds no trained run to take weights from; {hint}")
    return SourceRun(place, checkpoint, RecognizerMetadata.from_json(checkpoint.metadata))


def fine_tuning_config(
    source: SourceRun, given: Config | None = None, *, archive: str | None = None
) -> Config:
    """Return the configuration of a run that begins with the weights of another one.

    Without a given configuration all settings are those of the source, but for what belongs to its
    data set or machine; of a given one preprocessing, clips and recognizer are the source's, since
    its weights were trained with them.

    Args:
        source: Run that the weights are taken from.
        given: Configuration of a preset, if one was named.
        archive: Archive, in place of the source's.
    """
    trained, plain = source.metadata.config, Config()
    if given is not None:
        data = _with_preprocessing(given.data, trained.data)
        config = replace(given, data=data, clips=trained.clips, model=trained.model)
    else:
        data = trained.data
        if archive is not None and absolute_archive(archive) != trained.data.archive:
            data = _with_preprocessing(plain.data, trained.data)
        config = replace(
            trained,
            data=data,
            training=replace(trained.training, freeze=Freeze.NONE, taken_rate_factor=1.0),
            distributed=plain.distributed,
            seed=plain.seed,
            device=plain.device,
        )
    if archive is not None:
        config = replace(config, data=replace(config.data, archive=archive))
    return replace(config, training=replace(config.training, init_from=str(source.path)))


def _with_preprocessing(data: DataSettings, trained: DataSettings) -> DataSettings:
    """Return settings of a data set with the preprocessing of others."""
    return replace(
        data,
        origin=trained.origin,
        scale=trained.scale,
        orientation=trained.orientation,
        orientation_per=trained.orientation_per,
        gaps=trained.gaps,
        dims=trained.dims,
        confidence=trained.confidence,
    )


@dataclass(frozen=True)
class InitialWeights:
    """Record of where the first weights of a run came from, and which were taken.

    Args:
        source: Path of the run.
        epoch: Number of epochs it was trained for.
        sha256: Digest of its weights.
        classes: Names of its classes.
        layout: Name of its skeleton.
        weights: What was taken of each tensor.
        kept_classes: Names of the classes that both have.
        fresh_classes: Names of the classes that it did not have.
        kept_joints: Names of the joints that both have.
        fresh_joints: Names of the joints that it did not have.
        pretrained_on: Data sets that it was pre-trained on, if it is a base.
        has_seen_archive: Whether the archive of the run is among these, and so its test clips.
    """

    source: str
    epoch: int
    sha256: str
    classes: tuple[str, ...]
    layout: str
    weights: TakenWeights
    kept_classes: tuple[str, ...]
    fresh_classes: tuple[str, ...]
    kept_joints: tuple[str, ...]
    fresh_joints: tuple[str, ...]
    pretrained_on: tuple[JoinedSource, ...] = ()
    has_seen_archive: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        plain = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }
        return {**plain, "weights": self.weights.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> InitialWeights:
        """Return the record of :meth:`to_json`.

        Raises:
            CheckpointError: If something is missing.
        """
        try:
            return cls(
                source=str(value["source"]),
                epoch=int(value["epoch"]),
                sha256=str(value["sha256"]),
                classes=tuple(value["classes"]),
                layout=str(value["layout"]),
                weights=TakenWeights.from_json(value["weights"]),
                kept_classes=tuple(value["kept_classes"]),
                fresh_classes=tuple(value["fresh_classes"]),
                kept_joints=tuple(value["kept_joints"]),
                fresh_joints=tuple(value["fresh_joints"]),
                pretrained_on=tuple(JoinedSource(**s) for s in value.get("pretrained_on", ())),
                has_seen_archive=bool(value.get("has_seen_archive", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint does not say what weights it began with: {error!r}"
            ) from error

    def summary(self) -> str:
        """Return in a line what was taken, and what was not."""
        return (
            f"weights of {self.source}: {self.weights.summary()}; "
            f"{_share('joints', self.kept_joints, self.fresh_joints)}; "
            f"{_share('classes', self.kept_classes, self.fresh_classes)}"
            f"{self._about_sources()}"
        )

    def _about_sources(self) -> str:
        names = [f"{source.name} ({source.clips} clips)" for source in self.pretrained_on]
        text = f"; pre-trained on {', '.join(names)}" if names else ""
        if self.has_seen_archive:
            text += "; the test clips are among these, so that the accuracy will say too much"
        return text


def _share(noun: str, kept: Sequence[str], fresh: Sequence[str]) -> str:
    text = f"{len(kept)} of {len(kept) + len(fresh)} {noun}"
    return f"{text} (fresh: {listed(fresh)})" if fresh else text


def take_from_source(
    recognizer: Recognizer,
    metadata: RecognizerMetadata,
    source: SourceRun,
    trained: Recognizer,
) -> InitialWeights:
    """Copy the weights that fit to a fresh recognizer, and return the record of them.

    Args:
        recognizer: Recognizer whose weights are replaced.
        metadata: Its shapes, names and settings.
        source: Run that the weights are taken from.
        trained: Recognizer of that run, with its averaged weights if it kept any.

    Raises:
        CheckpointError: If nothing fits.
    """
    other = source.metadata
    joints = match_joints(other.layout, metadata.layout)
    names = _axis_names(metadata, [("joint", v) for v in range(metadata.layout.num_joints)])
    place = {joint: v for v, joint in enumerate(joints) if joint is not None}
    of_source = range(other.layout.num_joints)
    others = _axis_names(
        other, [("joint", place[v]) if v in place else ("other", v) for v in of_source]
    )
    alike = {
        "backbone.": metadata.config.model.backbone == other.config.model.backbone,
        "text_head.": metadata.config.agents.text_encoder == other.config.agents.text_encoder,
    }
    fresh_parts = [part for part, same in alike.items() if not same]
    weights = take_weights(recognizer, names, trained, others, fresh_parts)
    if not weights.anything:
        raise CheckpointError(
            f"no weight of {source.path} fits this recognizer ({weights.summary()}); leave out the "
            "settings of model.* and clips.* that differ from the run's, or train without it"
        )
    shared = set(other.class_names)
    return InitialWeights(
        source=str(source.path),
        epoch=source.checkpoint.epoch,
        sha256=weights_digest(trained),
        classes=other.class_names,
        layout=other.layout.name,
        weights=weights,
        kept_classes=tuple(name for name in metadata.class_names if name in shared),
        fresh_classes=tuple(name for name in metadata.class_names if name not in shared),
        kept_joints=_names(metadata.layout, [v for v, j in enumerate(joints) if j is not None]),
        fresh_joints=_names(metadata.layout, [v for v, j in enumerate(joints) if j is None]),
        pretrained_on=other.sources,
        has_seen_archive=_file_of(metadata.config.data.archive)
        in {_file_of(s.archive) for s in other.sources if s.archive},
    )


def _file_of(archive: str) -> Path:
    """Return the file that describes an archive, however the archive is named."""
    try:
        return locate_archive(Path(archive))[0].resolve()
    except DataError:  # it has been moved, or is in memory
        return Path(archive)


def _axis_names(metadata: RecognizerMetadata, joints: Sequence[tuple[str, int]]) -> AxisNames:
    confidence = metadata.config.data.confidence
    coordinates = ("x", "y", "z")[: metadata.channels - confidence]
    return AxisNames(
        joints=tuple(joints),
        channels=(*coordinates, *(["confidence"] if confidence else [])),
        persons=metadata.persons,
        classes=metadata.class_names,
    )


def _names(layout: SkeletonLayout, joints: Sequence[int]) -> tuple[str, ...]:
    return tuple(layout.joints[joint] for joint in joints)


def kept_record(run: RunDirectory) -> InitialWeights | None:
    """Return what weights a run began with, as its newest checkpoint has it; None if it has none.

    Raises:
        CheckpointError: If no checkpoint can be read.
    """
    checkpoint = run.checkpoints.latest().checkpoint if run.exists else None
    record = checkpoint and checkpoint.metadata.get(INITIAL_WEIGHTS)
    return InitialWeights.from_json(record) if record else None
