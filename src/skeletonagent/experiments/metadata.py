"""Metadata of a recognizer: all that a checkpoint says for it to be built and used without data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from skeletonagent.core.errors import CheckpointError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.pose_model import PoseModel
from skeletonagent.core.sequences import JoinedSource
from skeletonagent.experiments.config import Config, config_from_dict, config_to_dict
from skeletonagent.experiments.training_clips import TrainingClips
from skeletonagent.experiments.training_statistics import TrainingStatistics

if TYPE_CHECKING:
    from skeletonagent.core.clips import SkeletonData


@dataclass(frozen=True)
class RecognizerMetadata:
    """Shapes, names and settings of a trained recognizer.

    Args:
        config: Configuration it was trained with.
        class_names: Names in the order of the labels.
        layout: Skeleton of its clips, after preprocessing.
        channels: C of its clips.
        persons: M, bodies that its clips have room for.
        text_dim: D, width of the sentences' vectors in training.
        input_format: Format of samples before preprocessing.
        training_clips: Lengths and persons of the training clips; None of a recognizer that was
            trained without keeping them.
        statistics: Statistics of the training clips as stored; None likewise.
        sources: Data sets that a base was pre-trained on; none of any other recognizer.
        poses: Poses of the training clips, by which absent joints are filled in; None if they stay
            absent.
    """

    config: Config
    class_names: tuple[str, ...]
    layout: SkeletonLayout
    channels: int
    persons: int
    text_dim: int
    input_format: InputFormat
    training_clips: TrainingClips | None = None
    statistics: TrainingStatistics | None = None
    sources: tuple[JoinedSource, ...] = ()
    poses: PoseModel | None = None

    @classmethod
    def of(
        cls,
        config: Config,
        data: SkeletonData,
        text_dim: int,
        poses: PoseModel | None = None,
    ) -> RecognizerMetadata:
        """Return the metadata of a recognizer that is trained on a preprocessed data set."""
        from skeletonagent.data.splits import choose_split

        store = data.store
        stored = data.input_format or store.input_format
        _, split = choose_split(data, config.data.split)
        measures = data.stored_measures
        return cls(
            config=config,
            class_names=tuple(store.class_names),
            layout=store.layout,
            channels=store.clip_channels,
            persons=store.max_persons,
            text_dim=text_dim,
            input_format=stored.in_plane if store.drops_depth else stored,
            training_clips=replace(TrainingClips.of(store, split.train), fps=data.fps),
            statistics=None
            if measures is None
            else TrainingStatistics.of(measures.of_samples(split.train or measures.sample_ids)),
            sources=data.sources,
            poses=poses,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the metadata as plain values."""
        return {
            "config": config_to_dict(self.config),
            "class_names": list(self.class_names),
            "layout": self.layout.to_json(),
            "channels": self.channels,
            "persons": self.persons,
            "text_dim": self.text_dim,
            "input_format": self.input_format.to_json(),
            "training_clips": self.training_clips and self.training_clips.to_json(),
            "training_statistics": self.statistics and self.statistics.to_json(),
            "sources": [asdict(source) for source in self.sources],
            "poses": self.poses and self.poses.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RecognizerMetadata:
        """Return the metadata of :meth:`to_json`.

        Raises:
            CheckpointError: If something is missing.
            ConfigError: If the configuration has unknown keys or wrong values.
        """
        try:
            clips, statistics = value.get("training_clips"), value.get("training_statistics")
            layout, poses = SkeletonLayout.from_json(value["layout"]), value.get("poses")
            return cls(
                config=config_from_dict(value["config"], source="the checkpoint's configuration"),
                class_names=tuple(map(str, value["class_names"])),
                layout=layout,
                channels=int(value["channels"]),
                persons=int(value["persons"]),
                text_dim=int(value["text_dim"]),
                input_format=InputFormat.from_json(value["input_format"]),
                training_clips=None if clips is None else TrainingClips.from_json(clips),
                statistics=None if statistics is None else TrainingStatistics.from_json(statistics),
                sources=tuple(JoinedSource(**source) for source in value.get("sources", ())),
                poses=poses and PoseModel.from_json(poses, layout.num_joints),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"the checkpoint does not describe its recognizer: {error!r}"
            ) from error

    def require_same_task(self, data: SkeletonData) -> None:
        """Refuse data of other classes, joints or channels.

        Raises:
            CheckpointError: If the recognizer was trained on others.
        """
        store = data.store
        trained = (self.class_names, self.layout.joints)
        if trained != (tuple(store.class_names), store.layout.joints):
            raise CheckpointError(
                f"the run was trained on {len(self.class_names)} classes and "
                f"{self.layout.num_joints} joints that are not those of {data.name}; name the "
                "data it was trained on with --data"
            )
        if self.channels != store.clip_channels:
            raise CheckpointError(
                f"the run was trained on {self.channels} channels and {data.name} has "
                f"{store.clip_channels}; set data.confidence as it was in training"
            )
