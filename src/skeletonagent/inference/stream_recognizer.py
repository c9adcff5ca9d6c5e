"""Recognizer of one stream as predictions use it, of a run or of an exported file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from skeletonagent.core.guidance import Guidance
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.metadata import RecognizerMetadata

if TYPE_CHECKING:
    from skeletonagent.core.clips import SkeletonData


@runtime_checkable
class StreamRecognizer(Protocol):
    """Recognizer of one stream, and how its clips are made."""

    @property
    def metadata(self) -> RecognizerMetadata:
        """Shapes, names and settings."""

    @property
    def guidance(self) -> Guidance:
        """Guidance that the training ended with."""

    @property
    def epoch(self) -> int:
        """Number of epochs it was trained for."""

    @property
    def config(self) -> Config:
        """Configuration of the run."""

    @property
    def device(self) -> object:
        """Device of the weights, whose text is its name."""

    @property
    def feature_width(self) -> int:
        """Number of features of a clip."""

    @property
    def held_out(self) -> ClassProbabilities | None:
        """Class probabilities of held-out clips that came with the weights, if some did."""

    def predict_samples(
        self,
        samples: Sequence[SkeletonSequence],
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> ClassProbabilities:
        """Return the class probabilities of samples in memory."""

    def sample_features(
        self,
        samples: Sequence[SkeletonSequence],
        batch_size: int | None = None,
        num_clips: int | None = None,
    ) -> Float[np.ndarray, "n d"]:
        """Return the features of samples in memory."""

    def predict_data(
        self, data: SkeletonData, sample_ids: Sequence[str], batch_size: int | None = None
    ) -> ClassProbabilities:
        """Return the class probabilities of samples of a preprocessed data set."""
