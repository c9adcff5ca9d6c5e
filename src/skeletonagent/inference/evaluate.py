"""Accuracy of a trained recognizer on the test part of a data set."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.splits import choose_split, evaluation_parts, evaluation_samples
from skeletonagent.evaluation.metrics import evaluate_parts
from skeletonagent.inference.predictor import Predictor
from skeletonagent.inference.source_check import SourceCheck


@dataclass(frozen=True)
class Evaluation:
    """Accuracy on the test part of a split.

    Args:
        split: Name of the split.
        parts: Number of samples and accuracies of each test part that the split has.
        probabilities: Class probabilities of all tested samples, with their labels.
    """

    split: str
    parts: Mapping[str, Mapping[str, Any]]
    probabilities: ClassProbabilities

    @property
    def top1(self) -> float:
        """Share of samples whose most probable class is the true one."""
        return float(self.parts[self.split]["top1"])

    @property
    def top5(self) -> float:
        """Share of samples whose true class is among the five most probable."""
        return float(self.parts[self.split]["top5"])

    @property
    def mean_class(self) -> float:
        """Mean of the per-class accuracies."""
        return float(self.parts[self.split]["mean_class"])

    def __repr__(self) -> str:
        """Return the accuracies in words."""
        samples = self.parts[self.split]["samples"]
        return (
            f"Evaluation of {samples} samples of {self.split}: top-1 {self.top1:.2%}, "
            f"top-5 {self.top5:.2%}, mean per-class accuracy {self.mean_class:.2%}"
        )


def evaluate_split(
    predictor: Predictor, data: SkeletonData, split: str | None = None
) -> Evaluation:
    """Return the accuracy on the test part of a preprocessed data set.

    A data set of another frame rate than that of the training clips is warned of.

    Args:
        predictor: A trained recognizer.
        data: A data set as :func:`~skeletonagent.experiments.datasets.prepare_dataset` returns it.
        split: Name of the split; by default the data set's own default.

    Raises:
        CheckpointError: If the data set has other classes, joints or channels.
        ConfigError: If it has no such split.
    """
    if problem := SourceCheck(predictor.models[0].metadata).of_rate(data.fps):
        warnings.warn(problem, stacklevel=2)
    name, _ = choose_split(data, split)
    parts = evaluation_parts(data, name)
    samples = evaluation_samples(data.store, parts)
    ids = [data.store.sample_ids[index] for index in samples.tolist()]
    probabilities = predictor.predict_data(data, ids)
    return Evaluation(name, evaluate_parts(probabilities, parts), probabilities)
