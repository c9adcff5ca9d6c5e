"""Kernel ridge classifier of whole samples, whose probabilities join those of a network.

A network sees short clips of a sample and learns features; this classifier sees the whole sample
in fixed features and is fitted in closed form, so that the two err differently. Its kernel is the
sum of a linear one on MultiRocket's features (arXiv 2102.00457) and a Gaussian one on the motion
features of the joints. Its ridge and the sharpness of its probabilities are chosen by leaving out
the subjects of the training samples in turn, which the closed form gives without another fit.

Where something is claimed about the classes, how well the claims hold of a sample counts beside
the decision values, with a weight that is chosen in the same way: none if claims are wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from torch import Tensor

from skeletonagent.agents.evidence.claim_prior import ClaimPrior, ClassClaims
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.outside_files import read_outside_bytes
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.projection import as_clips_show
from skeletonagent.experiments.base_encoder import described_encoder
from skeletonagent.experiments.base_kernel import BaseKernel
from skeletonagent.experiments.described_classes import fit_claim_prior, scores_by_claims
from skeletonagent.experiments.kernel_ridge_fit import solve_kernel_ridge, subject_groups
from skeletonagent.experiments.multirocket import MultiRocket
from skeletonagent.experiments.sample_features import (
    sample_motion,
    sample_series,
    with_neutral_channels,
)
from skeletonagent.experiments.standardizer import Standardizer, gaussian, median_square_distance
from skeletonagent.runtime.ridge import require_ridge_shapes

MOST_KERNEL_SAMPLES = 3000
"""Training samples that the classifier is fitted to at most: its time grows with their cube."""

_DAMAGED = (SafetensorError, CheckpointError, ConfigError, KeyError, ValueError, RuntimeError)
"""Errors of a file that is no such classifier."""

_NUM_FEATURES = 1512
"""Features of MultiRocket for each pooling operator; four times as many were no better."""


@dataclass(frozen=True)
class KernelRidge:
    """Kernel ridge classifier of samples.

    Args:
        rocket: MultiRocket's transform.
        channel_means: Mean of each channel of the series, in place of channels that are not seen.
        of_rocket: Standardizer of MultiRocket's features.
        weights: Weights of MultiRocket's features for each class.
        of_motion: Standardizer of the motion features.
        motion: Standardized motion features of the training samples.
        reach: Squared distance of motion features at which their kernel falls to 1/e.
        dual: Weight of each training sample for each class.
        intercept: Mean target of each class.
        sharpness: Factor of the decision values in the softmax.
        claim_prior: Prior scores by what is claimed of each class; None if they do not count.
        claim_weight: Factor of these scores in the softmax: as much as left-out samples decide
            for, after the network's probabilities have joined.
        base: Kernel on the features of a base, which adds to the other two; None if there is none.
    """

    rocket: MultiRocket
    channel_means: Float[Tensor, " k"]
    of_rocket: Standardizer
    weights: Float[Tensor, "f y"]
    of_motion: Standardizer
    motion: Float[Tensor, "n q"]
    reach: float
    dual: Float[Tensor, "n y"]
    intercept: Float[Tensor, " y"]
    sharpness: float
    claim_prior: ClaimPrior | None = None
    claim_weight: float = 0.0
    base: BaseKernel | None = None

    @classmethod
    def fit(
        cls,
        store: ClipStore,
        samples: Int[Tensor, " n"],
        seed: int = 0,
        claims: ClassClaims = (),
        weight: float = 1.0,
        base: BaseKernel | None = None,
    ) -> KernelRidge:
        """Return the classifier of training samples.

        Args:
            store: Preprocessed samples.
            samples: Positions of the training samples, at most :data:`MOST_KERNEL_SAMPLES`.
            seed: Seed of MultiRocket's channels and biases.
            claims: Claims about each class; none at all if empty.
            weight: Weight with which the classifier is to join a network's probabilities.
            base: Kernel on the features of a base of the same samples in the same order.
        """
        train = as_clips_show(store.subset(samples))
        series, seen = sample_series(train)
        means = (series.mean(dim=2) * seen).sum(dim=0) / seen.sum(dim=0).clamp(min=1)
        series = with_neutral_channels(series, seen, means)
        rocket = MultiRocket.fit(series, torch.Generator().manual_seed(seed), _NUM_FEATURES)
        features = rocket.transform(series)
        of_rocket = Standardizer.of(features)
        features = of_rocket(features)
        motion = sample_motion(train)
        of_motion = Standardizer.of(motion)
        motion = of_motion(motion)
        reach = median_square_distance(motion)
        linear = (features @ features.T).double() / features.shape[1]
        kernel = linear + gaussian(motion, motion, reach)
        if base is not None:
            kernel += base.of_training()
        targets = (
            2 * torch.nn.functional.one_hot(train.labels.cpu(), train.num_classes).double() - 1
        )
        intercept = targets.mean(dim=0)
        prior, scores = fit_claim_prior(claims, train) if any(claims) else (None, None)
        solution = solve_kernel_ridge(kernel, targets, subject_groups(train), scores)
        dual = solution.dual.float()
        return cls(
            rocket=rocket,
            channel_means=means,
            of_rocket=of_rocket,
            weights=features.T @ dual / features.shape[1],
            of_motion=of_motion,
            motion=motion,
            reach=reach,
            dual=dual,
            intercept=intercept.float(),
            sharpness=solution.sharpness,
            claim_prior=prior if solution.prior_weight else None,
            claim_weight=solution.prior_weight * (1 + weight) / weight,
            base=base,
        )

    def log_probabilities(
        self, store: ClipStore, of_base: Float[Tensor, "n d"] | None = None
    ) -> Float[Tensor, "n y"]:
        """Return the logarithms of the class probabilities of preprocessed samples, on the host.

        Args:
            store: Samples.
            of_base: Their features as the base returns them, if there is a base.

        Raises:
            DataError: If the samples have other joints or bodies than those of the training.
        """
        features, motion = self.features(store)
        similar = gaussian(motion, self.motion, self.reach)
        if self.base is not None:
            assert of_base is not None, "features of the base are missing"
            similar += self.base.between(of_base)
        decisions = features @ self.weights + similar.float() @ self.dual + self.intercept
        logs = (self.sharpness * decisions).log_softmax(dim=1)
        if self.claim_prior is None:
            return logs
        scores = scores_by_claims(self.claim_prior, as_clips_show(store))
        return (logs + self.claim_weight * scores).log_softmax(dim=1)

    def features(self, store: ClipStore) -> tuple[Float[Tensor, "n f"], Float[Tensor, "n q"]]:
        """Return the standardized features of preprocessed samples, MultiRocket's and of motion.

        Raises:
            DataError: If the samples have other joints or bodies than those of the training.
        """
        store = as_clips_show(store)
        series, seen = sample_series(store)
        motion = sample_motion(store)
        if series.shape[1] != len(self.channel_means) or motion.shape[1] != self.motion.shape[1]:
            raise DataError(
                f"the kernel ridge classifier was fitted to {len(self.channel_means)} time series "
                f"of a sample, got {series.shape[1]}"
            )
        series = with_neutral_channels(series, seen, self.channel_means)
        return self.of_rocket(self.rocket.transform(series)), self.of_motion(motion)

    def join(
        self,
        network: ClassProbabilities,
        stores: Iterable[ClipStore],
        weight: float,
        of_base: Float[Tensor, "n d"] | None = None,
    ) -> ClassProbabilities:
        """Return the weighted geometric mean of a network's probabilities and those of this.

        Classes that this does not know, which come last, keep their odds against the most probable
        of the others: whether one of them is recognized is the network's say.

        Args:
            network: Probabilities of the network.
            stores: The same preprocessed samples in the same order, in parts.
            weight: Weight of this where the network's is 1.
            of_base: Features of the samples as the base returns them, if there is a base.
        """
        known = len(self.intercept)
        probs = torch.from_numpy(np.array(network.probs))
        mass = probs[:, :known].sum(dim=1, keepdim=True)
        best = probs[:, :known].amax(dim=1, keepdim=True).clamp(min=1e-12)
        logs = (probs[:, :known] / mass.clamp(min=1e-12)).clamp(min=1e-6).log()
        own = torch.cat(list(self._by_part(stores, of_base))).to(logs)
        both = (logs + weight * own) / (1 + weight)
        probs[:, :known] = mass * both.softmax(dim=1)
        if probs.shape[1] > known:
            probs[:, known:] *= probs[:, :known].amax(dim=1, keepdim=True) / best
            probs /= probs.sum(dim=1, keepdim=True)
        return replace(network, probs=probs.numpy(), network_entropies=network.entropies)

    def _by_part(
        self, stores: Iterable[ClipStore], of_base: Float[Tensor, "n d"] | None
    ) -> Iterator[Float[Tensor, "k y"]]:
        """Yield the logarithms of the class probabilities of each part of the samples."""
        start = 0
        for store in stores:
            end = start + len(store)
            yield self.log_probabilities(store, None if of_base is None else of_base[start:end])
            start = end

    def save(self, path: Path) -> None:
        """Write the classifier to a safetensors file."""
        with write_atomically(path) as file:
            file.write(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the classifier in the form of safetensors."""
        tensors = {
            "channel_means": self.channel_means,
            "of_rocket.mean": self.of_rocket.mean,
            "of_rocket.scale": self.of_rocket.scale,
            "weights": self.weights,
            "of_motion.mean": self.of_motion.mean,
            "of_motion.scale": self.of_motion.scale,
            "motion": self.motion,
            "reach": torch.tensor(self.reach, dtype=torch.float64),
            "dual": self.dual,
            "intercept": self.intercept,
            "sharpness": torch.tensor(self.sharpness, dtype=torch.float64),
            **self.rocket.to_tensors(),
        }
        if self.claim_prior is not None:
            tensors |= self.claim_prior.to_tensors()
            tensors["claim_weight"] = torch.tensor(self.claim_weight, dtype=torch.float64)
        texts = {}
        if self.base is not None:
            tensors |= self.base.to_tensors()
            if self.base.encoder is not None:
                texts["encoder"] = self.base.encoder.to_text()
        parts = {name: part.contiguous() for name, part in tensors.items()}
        return safetensors.torch.save(parts, metadata=texts)

    @classmethod
    def load(cls, path: Path) -> KernelRidge:
        """Return the classifier of a file.

        Raises:
            DataError: If it cannot be read.
        """
        return cls.from_bytes(read_outside_bytes(path), path)

    @classmethod
    def from_bytes(cls, content: bytes, path: Path) -> KernelRidge:
        """Return the classifier of :meth:`to_bytes`.

        Args:
            content: The bytes.
            path: File that they are from.

        Raises:
            DataError: If they are none.
        """
        try:
            tensors = safetensors.torch.load(content)
            classifier = cls._from_tensors(tensors, described_encoder(content))
        except _DAMAGED as error:
            raise DataError(f"is no kernel ridge classifier: {error}", path=path) from error
        return classifier

    @property
    def facts(self) -> dict[str, Any]:
        """What counts beside the samples, for a run's summary."""
        facts: dict[str, Any] = {}
        if self.claim_prior:
            facts["claimed_classes"] = sum(map(bool, self.claim_prior.claims))
        if self.base:
            facts["base"] = self.base.name
        return facts

    def without_encoder(self) -> KernelRidge:
        """Return the classifier for something that has the base itself, if there is one."""
        return self if self.base is None else replace(self, base=self.base.without_encoder())

    def require_classes(self, count: int, path: Path) -> None:
        """Check that a recognizer has all classes of this; actions that were added follow them.

        Args:
            count: Number of classes of the recognizer.
            path: File that this is from.

        Raises:
            DataError: If it has fewer.
        """
        if len(self.intercept) > count:
            raise DataError(
                f"has a kernel ridge classifier of {len(self.intercept)} classes for {count}",
                path=path,
            )

    @classmethod
    def _from_tensors(cls, tensors: Mapping[str, Tensor], encoder: str | None) -> KernelRidge:
        rocket = MultiRocket.from_tensors(tensors)
        require_ridge_shapes(tensors, rocket.num_features)
        scores = ClaimPrior.from_tensors(tensors)
        if scores is not None and len(scores.claims) != len(tensors["intercept"]):
            raise ValueError(f"claims about {len(scores.claims)} classes")
        return cls(
            rocket=rocket,
            channel_means=tensors["channel_means"],
            of_rocket=Standardizer(tensors["of_rocket.mean"], tensors["of_rocket.scale"]),
            weights=tensors["weights"],
            of_motion=Standardizer(tensors["of_motion.mean"], tensors["of_motion.scale"]),
            motion=tensors["motion"],
            reach=float(tensors["reach"]),
            dual=tensors["dual"],
            intercept=tensors["intercept"],
            sharpness=float(tensors["sharpness"]),
            claim_prior=scores,
            claim_weight=0.0 if scores is None else float(tensors["claim_weight"]),
            base=BaseKernel.from_tensors(tensors, encoder),
        )
