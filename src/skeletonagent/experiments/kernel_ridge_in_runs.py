"""Late fusion of a run's network with the kernel ridge classifier of its training samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.agents.evidence.claim_prior import ClassClaims
from skeletonagent.agents.guidance_control import controlled_claims
from skeletonagent.agents.settings import OFFLINE
from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.data.placement import OnDiskData
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.described_classes import claims_of_classes
from skeletonagent.experiments.kernel_ridge import MOST_KERNEL_SAMPLES, KernelRidge
from skeletonagent.models.settings import ClaimSource
from skeletonagent.training.run_directory import RunDirectory


def with_usable_kernel_ridge(config: Config, data: SkeletonData) -> tuple[Config, list[str]]:
    """Return a configuration without the classifier where it cannot be fitted, and the reason."""
    samples = _num_training_samples(config, data)
    on_disk = isinstance(data, OnDiskData)
    if not config.kernel_ridge.weight or (samples <= MOST_KERNEL_SAMPLES and not on_disk):
        return config, []
    alone = replace(config, kernel_ridge=replace(config.kernel_ridge, weight=0.0))
    reason = "frames stay on disk" if on_disk else f"{samples} training samples"
    remark = f"{reason}: the network recognizes alone, without the kernel ridge classifier"
    return alone, [f"{remark}, which is for up to {MOST_KERNEL_SAMPLES} samples in memory"]


def fit_kernel_ridge(
    config: Config,
    data: SkeletonData,
    train: Int[Tensor, " n"],
    guidance: Guidance,
    run: RunDirectory,
) -> KernelRidge | None:
    """Fit the classifier of a run's training samples and write it; None where there is none.

    Args:
        config: Configuration of the run.
        data: Data set, preprocessed.
        train: Positions of all samples that were learned.
        guidance: Guidance that the training ended with.
        run: Run directory.
    """
    weight = config.kernel_ridge.weight
    if not weight or len(data.store.labels[train.cpu()].unique()) < 2:
        return None
    claims: ClassClaims = ()
    if config.kernel_ridge.claims is ClaimSource.AUTO:
        answered = None if config.agents.chat in OFFLINE else guidance
        own = claims_of_classes(data.store.class_names, answered)
        claims = controlled_claims(own, config.agents.control, config.seed)
    classifier = KernelRidge.fit(data.store, train.cpu(), config.seed, claims, weight)
    classifier.save(run.kernel_ridge)
    return classifier


def join_kernel_ridge(
    classifier: KernelRidge, config: Config, loader: ClipLoader, network: ClassProbabilities
) -> ClassProbabilities:
    """Return the probabilities of network and classifier together, for samples of a loader."""
    samples = loader.store.indices(network.sample_ids)
    return classifier.join(network, whole_samples(loader, samples), config.kernel_ridge.weight)


def whole_samples(
    loader: ClipLoader, samples: Int[Tensor, " n"], at_once: int = 500
) -> Iterator[ClipStore]:
    """Yield preprocessed samples on the host, in order, some at a time."""
    for sampler, indices, _ in iterate_batches(loader, samples.split(at_once)):
        yield sampler.store.subset(indices).to(torch.device("cpu"), torch.float32)


def _num_training_samples(config: Config, data: SkeletonData) -> int:
    """Return the number of samples that a run learns, or a little more."""
    _, split = choose_split(data, config.data.split)
    drawn = config.data.clips_per_class
    most = len(split.train)
    return most if drawn is None else min(most, drawn * data.store.num_classes)
