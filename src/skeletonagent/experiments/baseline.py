"""Baselines without deep learning: what simple classifiers reach on the same data and split.

Each is fitted on the whole training set and tested once. No hyperparameter is chosen on the test
set: the strength of the ridge is chosen by leave-one-out cross-validation, all others are fixed.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.experiments.multirocket import MultiRocket
from skeletonagent.experiments.sample_features import motion_features_of_bodies, resampled_series

RIDGE_STRENGTHS = tuple(np.logspace(-3, 3, 10).tolist())
"""Regularization strengths that the ridge classifier chooses from (as in the MultiRocket paper)."""
NUM_TREES = 500
"""Trees of the forest on motion features."""
MOST_TRAINING_SAMPLES = 5000
"""Training samples whose MultiRocket features still fit in memory, about 4 GB."""

_TEST_CHUNK = 500


@dataclass(frozen=True)
class BaselineResult:
    """Predictions of a baseline.

    Args:
        method: Its name in :data:`BASELINE_METHODS`.
        predictions: Class probabilities of the test samples.
        processor_seconds: Processor time of features, fit and prediction, in seconds.
    """

    method: str
    predictions: ClassProbabilities
    processor_seconds: float


def predict_baseline(
    method: str,
    store: ClipStore,
    train: Int[Tensor, " n"],
    test: Int[Tensor, " m"],
    seed: int = 0,
) -> BaselineResult:
    """Return a baseline's predictions of the test samples, after a fit on the training samples.

    Args:
        method: A name in :data:`BASELINE_METHODS`.
        store: All samples, preprocessed, on the host; of their channels only the coordinates count.
        train: Positions of the training samples.
        test: Positions of the test samples.
        seed: Seed of the kernels or the trees.

    Raises:
        ConfigError: If scikit-learn is not installed.
        DataError: If there are no test samples, fewer than two classes to learn, or more training
            samples than memory is sure to hold.
    """
    require_sklearn()
    _require_usable(store, train, test)
    began = time.process_time()
    probs = BASELINE_METHODS[method](store, train, test, seed)
    ids = tuple(store.sample_ids[index] for index in test.tolist())
    predictions = ClassProbabilities(ids, store.labels[test].numpy(), probs)
    return BaselineResult(method, predictions, time.process_time() - began)


def require_sklearn() -> None:
    """Check that scikit-learn is installed.

    Raises:
        ConfigError: If it is not, with how to install it.
    """
    try:
        import sklearn  # type: ignore[import-untyped]  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "baselines need scikit-learn; install it with \"pip install 'skeletonagent[baseline]'\""
        ) from error


def _require_usable(store: ClipStore, train: Int[Tensor, " n"], test: Int[Tensor, " m"]) -> None:
    classes = len(store.labels[train].unique())
    if classes < 2 or not len(test):
        raise DataError(
            f"a baseline needs two classes to learn and a test set, got {classes} class(es) and "
            f"{len(test)} test samples; choose another --split"
        )
    if len(train) > MOST_TRAINING_SAMPLES:
        raise DataError(
            f"has {len(train)} training samples; baselines hold the features of all in memory and "
            f"are for up to {MOST_TRAINING_SAMPLES}, see data.clips_per_class"
        )


def _multirocket_ridge(
    store: ClipStore, train: Int[Tensor, " n"], test: Int[Tensor, " m"], seed: int
) -> Float[np.ndarray, "m y"]:
    """Return the softmax of the ridge's decision function: an order of classes, not calibrated."""
    from sklearn.linear_model import RidgeClassifierCV  # type: ignore[import-untyped]
    from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

    series, seen = resampled_series(store.subset(torch.cat([train, test])))
    fitted, shown = series[: len(train)], seen[: len(train)]
    # A channel that was never seen is neutral: it is constant at the mean of the training set.
    means = fitted.mean(axis=2).sum(axis=0) / np.maximum(shown.sum(axis=0), 1)
    series += ((1 - seen) * means)[..., None].astype(np.float32)
    every = torch.from_numpy(series)
    rocket = MultiRocket.fit(every[: len(train)], torch.Generator().manual_seed(seed))
    ridge = make_pipeline(StandardScaler(copy=False), RidgeClassifierCV(alphas=RIDGE_STRENGTHS))
    ridge.fit(rocket.transform(every[: len(train)]).numpy(), store.labels[train].numpy())
    scores = np.concatenate(
        [
            ridge.decision_function(rocket.transform(part).numpy())
            for part in every[len(train) :].split(_TEST_CHUNK)
        ]
    )
    if scores.ndim == 1:  # two classes have one decision function
        scores = np.stack([-scores, scores], axis=1)
    shares = torch.from_numpy(scores).double().softmax(dim=1).numpy()
    return _of_all_classes(shares, ridge.classes_, store.num_classes)


def _with_motion_features(build: Callable[[int], Any]) -> BaselineFunction:
    """Return a baseline that fits a classifier of scikit-learn on motion features."""

    def predict(
        store: ClipStore, train: Int[Tensor, " n"], test: Int[Tensor, " m"], seed: int
    ) -> Float[np.ndarray, "m y"]:
        classifier = build(seed)
        features, _ = motion_features_of_bodies(store.subset(torch.cat([train, test])))
        with warnings.catch_warnings():
            # LDA is fine with a class of one sample, whose covariance is zero.
            warnings.filterwarnings("ignore", "Only one sample available", UserWarning)
            classifier.fit(features[: len(train)], store.labels[train].numpy())
        shares = classifier.predict_proba(features[len(train) :])
        return _of_all_classes(shares, classifier.classes_, store.num_classes)

    return predict


def _extra_trees(seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier  # type: ignore[import-untyped]

    return ExtraTreesClassifier(NUM_TREES, random_state=seed, n_jobs=1)


def _linear_discriminant(seed: int) -> Any:
    from sklearn.discriminant_analysis import (  # type: ignore[import-untyped]
        LinearDiscriminantAnalysis,
    )
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    del seed
    return make_pipeline(
        StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    )


def _of_all_classes(
    shares: Float[np.ndarray, "m z"], classes: Int[np.ndarray, " z"], num_classes: int
) -> Float[np.ndarray, "m y"]:
    """Return probabilities with zeros for the classes that have no training sample."""
    probs = np.zeros((len(shares), num_classes))
    probs[:, classes] = shares
    return probs


BaselineFunction = Callable[
    [ClipStore, Int[Tensor, " n"], Int[Tensor, " m"], int], Float[np.ndarray, "m y"]
]
"""Function of a store, training samples, test samples and a seed, returning probabilities."""

_LDA = "motion features + LDA"

BASELINE_METHODS: Mapping[str, BaselineFunction] = {
    "MultiRocket + ridge": _multirocket_ridge,
    "motion features + extra trees": _with_motion_features(_extra_trees),
    _LDA: _with_motion_features(_linear_discriminant),
}
"""Baselines by name; the first is the one that results are shown beside."""


def fitting_methods(store: ClipStore, train: Int[Tensor, " n"]) -> list[str]:
    """Return the baselines that so few samples can be fitted with: LDA takes two of some class."""
    one_shot = len(train) <= len(store.labels[train].unique())
    return [method for method in BASELINE_METHODS if not (one_shot and method == _LDA)]
