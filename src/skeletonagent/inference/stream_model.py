"""Trained recognizer of one stream, with the settings that its clips are made with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence
from skeletonagent.core.errors import CheckpointError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.imputation import PoseImputation
from skeletonagent.data.loader import ClipLoader
from skeletonagent.data.pose_distribution import PoseDistribution
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.evaluation.predict import predict, sample_features
from skeletonagent.experiments.build import build_loader, load_recognizer
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.experiments.fine_tuning import PACKAGED_BASE
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.experiments.kernel_ridge_in_runs import join_kernel_ridge, whole_samples
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.inference.described_actions import ActionDescription, join_descriptions
from skeletonagent.inference.samples import stored_as_in_training
from skeletonagent.models.fused import FusedRecognizer, fuse_for_inference
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.training.checkpoint import STATE, Checkpoint, load_checkpoint
from skeletonagent.training.distributed import pick_device
from skeletonagent.training.run_directory import RunDirectory


@dataclass(frozen=True)
class StreamModel:
    """Recognizer of one stream on a device, and how its clips are made.

    Args:
        recognizer: The recognizer in evaluation mode.
        metadata: Shapes, names and settings.
        guidance: Guidance that the training ended with.
        epoch: Number of epochs it was trained for.
        kernel_ridge: Classifier whose probabilities join the recognizer's, if there is one.
        descriptions: Description of each action that was added to the classes, where any has one;
            those without examples come last, and the recognizer does not know them.
    """

    recognizer: Recognizer = field(repr=False)
    metadata: RecognizerMetadata = field(repr=False)
    guidance: Guidance = field(repr=False)
    epoch: int
    kernel_ridge: KernelRidge | None = field(default=None, repr=False)
    descriptions: tuple[ActionDescription | None, ...] = field(default=(), repr=False)

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Checkpoint, *, device: str | None = None, overrides: Sequence[str] = ()
    ) -> StreamModel:
        """Return the recognizer of a checkpoint, which needs no data set.

        Args:
            checkpoint: A checkpoint that training wrote.
            device: Name of a device, or ``auto``; None takes the configuration's.
            overrides: ``section.key=value`` settings in place of the checkpoint's.

        Raises:
            CheckpointError: If the weights do not fit the settings.
            ConfigError: If a setting or the device cannot be used.
        """
        metadata = RecognizerMetadata.from_json(checkpoint.metadata)
        metadata = replace(metadata, config=with_overrides(metadata.config, overrides))
        recognizer = load_recognizer(checkpoint, metadata).eval()
        return cls(
            recognizer=recognizer.to(pick_device(device or metadata.config.device)),
            metadata=metadata,
            guidance=checkpoint.guidance(metadata.layout),
            epoch=checkpoint.epoch,
        )

    def beside_kernel_ridge(self, place: Path) -> StreamModel:
        """Return the recognizer with the classifier that its run directory holds, if it has one.

        Args:
            place: Run directory, or one checkpoint's folder, which has none, as a warning says.

        Raises:
            DataError: If its file is damaged, or of other classes.
        """
        file = RunDirectory(place).kernel_ridge
        if not self.config.kernel_ridge.weight:
            return self
        if not file.exists():
            warnings.warn(
                f"{file} is not there, as in runs that are not finished and in folders of one "
                "checkpoint: the network recognizes alone",
                stacklevel=3,
            )
            return self
        classifier = KernelRidge.load(file)
        classifier.require_classes(len(self.metadata.class_names), file)
        return replace(self, kernel_ridge=classifier)

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.metadata.config

    @property
    def held_out(self) -> ClassProbabilities | None:
        """Class probabilities of held-out clips that came with the weights: none."""
        return None

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.recognizer.parameters()).device

    @cached_property
    def fused(self) -> FusedRecognizer:
        """Recognizer as inference runs it, fused once."""
        return fuse_for_inference(self.recognizer)

    @property
    def preprocessor(self) -> Preprocessor:
        """Preprocessing of samples before clips are taken of them."""
        return Preprocessor.from_settings(self.config.data)

    def preprocessed(self, samples: Sequence[SkeletonSequence]) -> ClipStore:
        """Return samples preprocessed as those of training were; their names are positions.

        Raises:
            DataError: If the size of a sample's image is needed and not known.
        """
        given = self.metadata.input_format
        named = stored_as_in_training(samples, self.metadata)
        names = self.metadata.class_names
        store = ClipStore.from_sequences(named, given.layout, names, given.has_confidence)
        store = self.preprocessor(store)
        return self.imputation(store) if self.imputation else store

    @cached_property
    def imputation(self) -> PoseImputation | None:
        """Imputation of absent joints; None if they stay absent."""
        poses = self.metadata.poses
        if poses is None:
            return None
        return PoseImputation(PoseDistribution.from_model(poses), self.preprocessor)

    def with_person_slots(self, store: ClipStore) -> ClipStore:
        """Return samples whose clips have room for as many bodies as the recognizer takes.

        Its first norm is of as many bodies as there were in training, however many these have.
        """
        return replace(store, person_slots=self.metadata.persons)

    def loader(self, data: SkeletonData) -> ClipLoader:
        """Return the clips of a preprocessed data set, as the recognizer takes them.

        Raises:
            CheckpointError: If the data set has other classes, joints or channels.
        """
        self.metadata.require_same_task(data)
        data = self.imputation.of_data(data) if self.imputation else data
        room = replace(data, store=self.with_person_slots(data.store))
        return build_loader(self.config, room, self.device)

    def sampler(self, store: ClipStore) -> ClipSampler:
        """Return the clips of preprocessed samples in memory, as the recognizer takes them."""
        dtype = getattr(torch, self.config.data.storage_dtype)
        room = self.with_person_slots(store).to(self.device, dtype)
        return ClipSampler(room, self.config.clips, self.config.augment)

    def predict_loader(
        self,
        loader: ClipLoader,
        samples: Int[Tensor, " n"],
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> ClassProbabilities:
        """Return the class probabilities of samples, each a mean over its test clips.

        Args:
            loader: Clips as :meth:`loader` or :meth:`sampler` returns them.
            samples: Positions in the loader's store.
            batch_size: Clips in a batch; by default twice that of training.
            num_clips: Test clips of a sample; by default ``clips.test_clips``.
        """
        size = batch_size or self.default_batch_size
        found, of_base = self.predict_network(loader, samples, size, num_clips)
        if not len(samples):
            return found
        if self.kernel_ridge is not None:
            found = join_kernel_ridge(
                self.kernel_ridge, self.config, loader, found, num_clips, of_base
            )
        if self.descriptions:
            of_training = len(self.metadata.class_names) - len(self.descriptions)
            stores = whole_samples(loader, samples)
            found = join_descriptions(self.descriptions, found, stores, of_training)
        return found

    def predict_samples(
        self,
        samples: Sequence[SkeletonSequence],
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> ClassProbabilities:
        """Return the class probabilities of samples in memory; see :meth:`predict_loader`."""
        order = torch.arange(len(samples))
        return self.predict_loader(
            self.sampler(self.preprocessed(samples)), order, batch_size, num_clips
        )

    def predict_data(
        self, data: SkeletonData, sample_ids: Sequence[str], batch_size: int | None = None
    ) -> ClassProbabilities:
        """Return the class probabilities of samples of a preprocessed data set.

        Raises:
            CheckpointError: If the data set has other classes, joints or channels.
        """
        loader = self.loader(data)
        return self.predict_loader(loader, loader.store.indices(sample_ids), batch_size)

    def predict_network(
        self,
        loader: ClipLoader,
        samples: Int[Tensor, " n"],
        batch_size: int,
        num_clips: int | None,
    ) -> tuple[ClassProbabilities, Float[Tensor, "n e"] | None]:
        """Return the network's probabilities, and features of a base where it makes them, too."""
        return predict(
            self.fused, loader, samples, batch_size=batch_size, num_clips=num_clips
        ), None

    @property
    def feature_width(self) -> int:
        """Number of features of a clip."""
        return self.recognizer.backbone.out_channels

    def sample_features(
        self,
        samples: Sequence[SkeletonSequence],
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> Float[np.ndarray, "n d"]:
        """Return the features of samples in memory; see :meth:`features`."""
        size, order = batch_size or self.default_batch_size, torch.arange(len(samples))
        sampler = self.sampler(self.preprocessed(samples))
        features: np.ndarray = self.features(sampler, order, size, num_clips).numpy()
        return features

    @property
    def default_batch_size(self) -> int:
        """Clips in a batch: twice as many as in training, since no gradients are kept."""
        return 2 * self.config.training.batch_size

    def features(
        self, loader: ClipLoader, samples: Int[Tensor, " n"], batch_size: int, num_clips: int | None
    ) -> Float[Tensor, "n d"]:
        """Return the features of samples, each a mean over its test clips.

        Args:
            loader: Clips as :meth:`loader` or :meth:`sampler` returns them.
            samples: Positions in the loader's store.
            batch_size: Clips in a batch.
            num_clips: Test clips of a sample; by default ``clips.test_clips``.
        """
        return sample_features(
            self.fused.features, loader, samples, batch_size=batch_size, num_clips=num_clips
        )


def newest_checkpoint(path: Path) -> Checkpoint | None:
    """Return the newest checkpoint of a run that can be read, or the one in a folder of its own."""
    if (path / STATE).exists():
        return load_checkpoint(path)
    latest = RunDirectory(path).checkpoints.latest()
    for problem in latest.corrupt:
        warnings.warn(f"passed over: {problem}", stacklevel=3)
    return latest.checkpoint


def no_run(path: Path) -> CheckpointError:
    """Return the error of a path without a trained run, with what to do."""
    if str(path) == PACKAGED_BASE:
        return CheckpointError(
            "the base of the package has no actions of its own; give a copy of it examples "
            "of yours: skeletonagent actions add runs/actions NAME --examples FILE --base base"
        )
    return CheckpointError(
        f"{path} holds no trained run; train one with 'skeletonagent train --out {path}'"
    )
