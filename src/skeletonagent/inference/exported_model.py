"""Recognizer in an exported file, used as that of a run is, by NumPy and ONNX Runtime alone."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Int64

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.outside_files import problem_line
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.experiments.config import Config, with_overrides
from skeletonagent.experiments.metadata import RecognizerMetadata
from skeletonagent.export.description import KERNEL_RIDGE, PROPERTY, ExportDescription
from skeletonagent.export.session import OnnxSession, class_probabilities
from skeletonagent.inference.samples import stored_as_in_training
from skeletonagent.runtime.pose_filling import PoseFilling
from skeletonagent.runtime.preparation import PreparedSample, SamplePreparation
from skeletonagent.runtime.ridge import FittedRidge
from skeletonagent.runtime.sample_clips import SampleClips

if TYPE_CHECKING:
    from skeletonagent.core.clips import SkeletonData

ENGINES = ("auto", "onnx", "torch")
"""Engines that a caller may choose."""

EXPORTED_NAME = "model.onnx"
"""Name of the exported file that is looked for in a run directory."""


@dataclass(frozen=True)
class ExportedModel:
    """Recognizer in an exported file, and how its clips are made; PyTorch is not needed.

    Args:
        metadata: Shapes, names and settings.
        guidance: Guidance that the training ended with.
        session: The graph in ONNX Runtime.
        description: What the file says about itself.
        path: The file.
        ridge: Classifier beside the network in the form of safetensors; None if there is none.
    """

    metadata: RecognizerMetadata = field(repr=False)
    guidance: Guidance = field(repr=False)
    session: OnnxSession = field(repr=False)
    description: ExportDescription = field(repr=False)
    path: Path
    ridge: bytes | None = field(default=None, repr=False)

    @classmethod
    def open(cls, path: Path, overrides: Sequence[str] = ()) -> ExportedModel:
        """Return the recognizer in a file of ONNX.

        Args:
            path: The file.
            overrides: ``section.key=value`` settings in place of the file's.

        Raises:
            ConfigError: If ONNX Runtime is missing, or a setting cannot be changed.
            DataError: If the file is no exported recognizer.
        """
        session = OnnxSession.open(path)
        properties = session.properties
        described = ExportDescription.from_text(properties.get(PROPERTY, ""), path)
        described.require_graph(session.clip_shape, session.num_classes, path)
        metadata = described.metadata
        changed = replace(metadata, config=with_overrides(metadata.config, overrides))
        if changed.config.clips.frames != metadata.config.clips.frames:
            raise ConfigError(
                f"clips.frames is {metadata.config.clips.frames} for good in {path}; export a run "
                "with other clips"
            )
        model = cls(
            metadata=changed,
            guidance=described.guidance,
            session=session,
            description=described,
            path=path,
            ridge=_decoded(properties.get(KERNEL_RIDGE), path),
        )
        model.require_usable_ridge()
        return model

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.metadata.config

    @property
    def epoch(self) -> int:
        """Number of epochs that it was trained for."""
        return self.description.epoch

    @property
    def device(self) -> str:
        """Device of clips and graph."""
        return "cpu"

    @property
    def feature_width(self) -> int:
        """Number of features of a clip."""
        of_base = 0 if self.kernel_ridge is None else self.kernel_ridge.base_width
        return int(self.session.num_features) - of_base

    @cached_property
    def kernel_ridge(self) -> FittedRidge | None:
        """Classifier whose probabilities join the recognizer's, if there is one."""
        if self.ridge is None:
            return None
        return FittedRidge.from_bytes(self.ridge, self.path, self.metadata.persons)

    def require_usable_ridge(self) -> None:
        """Check the classifier beside the network.

        Raises:
            DataError: If it is damaged, knows more classes than the recognizer, or lacks its base.
        """
        count = len(self.metadata.class_names)
        if self.feature_width < 1:
            raise DataError("has a base in its classifier and none in its graph", path=self.path)
        if self.kernel_ridge is not None and self.kernel_ridge.num_classes > count:
            raise DataError(
                f"has a kernel ridge classifier of {self.kernel_ridge.num_classes} classes for "
                f"{count}",
                path=self.path,
            )

    @property
    def held_out(self) -> ClassProbabilities | None:
        """Held-out clips that were recognized rightly, which give the same threshold as the run's.

        Their class counts as the first, and what it lacks of one is spread over the others.
        """
        shares, entropies = self.description.held_out, self.description.held_out_entropies
        if not shares:
            return None
        classes, own = len(self.metadata.class_names), np.array(shares, dtype=np.float32)
        probs = np.tile((1 - own[:, None]) / max(1, classes - 1), classes)
        probs[:, 0] = own
        ids = tuple(map(str, range(len(shares))))
        labels = np.zeros(len(shares), dtype=np.int64)
        return ClassProbabilities(ids, labels, probs, np.array(entropies) if entropies else None)

    def predict_samples(
        self,
        samples: Sequence[SkeletonSequence],
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> ClassProbabilities:
        """Return the class probabilities of samples in memory, each a mean over its test clips.

        Args:
            samples: Samples as stored, at least one.
            batch_size: Clips in a batch; by default twice that of training.
            num_clips: Test clips of a sample; by default ``clips.test_clips``.

        Raises:
            DataError: If the size of a sample's image is needed and not known.
        """
        prepared = self.prepared(samples)
        logits, features = self._run(prepared, batch_size, num_clips)
        count = num_clips or self.config.clips.test_clips
        probs = class_probabilities(logits).reshape(len(samples), count, -1).mean(axis=1)
        ids = tuple(str(number) for number in range(len(samples)))
        labels = np.array([sample.label for sample in samples], dtype=np.int64)
        found = ClassProbabilities(ids, labels, probs)
        if self.kernel_ridge is not None and self.config.kernel_ridge.weight:
            all_features = features.reshape(len(samples), count, -1).mean(axis=1)
            of_base = all_features[:, self.feature_width :]
            weight = self.config.kernel_ridge.weight
            probs = self.kernel_ridge.join(probs, prepared, weight, of_base)
            found = replace(found, probs=probs, network_entropies=found.entropies)
        return found

    def sample_features(
        self,
        samples: Sequence[SkeletonSequence],
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> Float[np.ndarray, "n d"]:
        """Return the features of samples, each a mean over its test clips; see above."""
        _, features = self._run(self.prepared(samples), batch_size, num_clips)
        count = num_clips or self.config.clips.test_clips
        features = features[:, : self.feature_width]
        means: np.ndarray = features.reshape(len(samples), count, -1).mean(axis=1)
        return means

    def predict_data(
        self, data: SkeletonData, sample_ids: Sequence[str], batch_size: int | None = None
    ) -> ClassProbabilities:
        """Return the class probabilities of samples of a preprocessed data set, which is PyTorch's.

        Raises:
            CheckpointError: If the data set has other classes, joints or channels.
        """
        from skeletonagent.inference.exported_in_torch import SessionModel, ridge_in_torch

        model = SessionModel(
            metadata=self.metadata,
            guidance=self.guidance,
            epoch=self.epoch,
            kernel_ridge=ridge_in_torch(self.ridge, self.path),
            session=self.session,
        )
        return model.predict_data(data, sample_ids, batch_size)

    def prepared(self, samples: Sequence[SkeletonSequence]) -> list[PreparedSample]:
        """Return samples preprocessed as those of training were.

        Raises:
            DataError: If the size of a sample's image is needed and not known.
        """
        stored = stored_as_in_training(samples, self.metadata)
        return [self._storable(self._filled(self._prepare(sample))) for sample in stored]

    @cached_property
    def _prepare(self) -> SamplePreparation:
        given = self.metadata.input_format
        return SamplePreparation(self.config.data, given.layout, given.has_confidence)

    def _filled(self, sample: PreparedSample) -> PreparedSample:
        """Return a sample with its absent joints, where they are filled in."""
        poses = self.metadata.poses
        return sample if poses is None else PoseFilling(poses, self._prepare)(sample)

    def _storable(self, sample: PreparedSample) -> PreparedSample:
        """Return a sample with numbers as ``data.storage_dtype`` has them."""
        if self.config.data.storage_dtype == "float32":
            return sample
        frames = sample.bodies.frames.astype(self.config.data.storage_dtype).astype(np.float32)
        return replace(sample, bodies=replace(sample.bodies, frames=frames))

    def _run(
        self, samples: Sequence[PreparedSample], batch_size: int | None, num_clips: int | None
    ) -> tuple[Float[np.ndarray, "n y"], Float[np.ndarray, "n d"]]:
        """Return the logits and the features of all test clips of samples, in order."""
        count = num_clips or self.config.clips.test_clips
        size = batch_size or 2 * self.config.training.batch_size
        at_once = max(1, size // count)
        parts = [
            self.session.run(*self._batch(samples[first : first + at_once], count))
            for first in range(0, len(samples), at_once)
        ]
        logits, features = zip(*parts, strict=True)
        return np.concatenate(logits), np.concatenate(features)

    def _batch(
        self, samples: Sequence[PreparedSample], count: int
    ) -> tuple[Float32[np.ndarray, "n m t v c"], Int64[np.ndarray, " b"]]:
        """Return the clips of samples, and the bodies that are present in them."""
        clips = SampleClips(self.config.clips, self.metadata.persons)
        joints = np.concatenate([clips.of(sample, count) for sample in samples])
        numbers = np.array([clips.num_bodies(sample) for sample in samples]).repeat(count)
        there = np.arange(self.metadata.persons) < numbers[:, None]
        return np.ascontiguousarray(joints, dtype=np.float32), np.flatnonzero(there)


def _decoded(text: str | None, path: Path) -> bytes | None:
    """Return the classifier beside the network that a file carries, None if there is none.

    Raises:
        DataError: If it is damaged.
    """
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise DataError(f"is damaged: {problem_line(error)}", path=path) from error


def exported_file(path: Path, engine: str) -> Path | None:
    """Return the exported file that is to be used; None if a run is, in PyTorch.

    Args:
        path: A run directory or a file.
        engine: One of the :data:`ENGINES`; ``auto`` goes by what the path is.

    Raises:
        ConfigError: If there is no such engine, or the path has no form for it.
    """
    if engine not in ENGINES:
        raise ConfigError(f"no engine {engine!r}; there are {', '.join(ENGINES)}")
    is_file = path.suffix.lower() == ".onnx" and not path.is_dir()
    if path.is_file() and not is_file:
        raise ConfigError(
            f"{path} is a file without the ending .onnx; name a run directory, or give the "
            "exported file this ending"
        )
    if engine == "torch" and is_file:
        raise ConfigError(f"{path} runs in ONNX Runtime; for PyTorch, name the run directory")
    if engine == "onnx" and not is_file:
        file = path / EXPORTED_NAME
        if not file.exists():
            raise ConfigError(
                f"{file} is not there; write it with 'skeletonagent export {path}', or name an "
                "exported file"
            )
        return file
    return path if is_file else None
