"""Late fusion of a run's network with the kernel ridge classifier of its training samples."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.agents.evidence.claim_prior import ClassClaims
from skeletonagent.agents.guidance_control import controlled_claims
from skeletonagent.agents.settings import OFFLINE
from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.data.common_body import FEWEST_COMMON_JOINTS, common_joints
from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.data.placement import OnDiskData
from skeletonagent.data.splits import choose_split
from skeletonagent.data.training_draw import training_and_validation
from skeletonagent.evaluation.predict import sample_features
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.experiments.base_kernel import BaseKernel
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.described_classes import claims_of_classes
from skeletonagent.experiments.fine_tuning import PACKAGED_BASE, read_source
from skeletonagent.experiments.kernel_ridge import MOST_KERNEL_SAMPLES, KernelRidge
from skeletonagent.models.settings import ClaimSource
from skeletonagent.training.run_directory import RunDirectory

NO_BASE, AUTO_BASE = "none", "auto"
"""Values of ``kernel_ridge.base`` that name no base."""

FEW_SAMPLES = 10
"""Training samples of a class, on average, up to which the base of the package is used."""

_ABOUT_BASE = (
    "few clips of a class: the base of the package counts beside them; kernel_ridge.base=none "
    "leaves it out"
)


def with_usable_kernel_ridge(config: Config, data: SkeletonData) -> tuple[Config, list[str]]:
    """Return a configuration without the classifier where it cannot be fitted, and the reason.

    Where the classifier has the base of the package without having been asked, that is the remark.
    """
    samples = _num_training_samples(config, data)
    on_disk = isinstance(data, OnDiskData)
    if not config.kernel_ridge.weight:
        return config, []
    if samples <= MOST_KERNEL_SAMPLES and not on_disk:
        return config, [_ABOUT_BASE] if _takes_packaged_base(config, data.store, samples) else []
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
    loader: ClipLoader,
) -> KernelRidge | None:
    """Fit the classifier of a run's training samples and write it; None where there is none.

    Args:
        config: Configuration of the run.
        data: Data set, preprocessed.
        train: Positions of all samples that were learned.
        guidance: Guidance that the training ended with.
        run: Run directory.
        loader: Clips of the data set as the run's recognizer takes them.
    """
    weight = config.kernel_ridge.weight
    if not weight or len(data.store.labels[train.cpu()].unique()) < 2:
        return None
    claims: ClassClaims = ()
    if config.kernel_ridge.claims is ClaimSource.AUTO:
        answered = None if config.agents.chat in OFFLINE else guidance
        own = claims_of_classes(data.store.class_names, answered)
        claims = controlled_claims(own, config.agents.control, config.seed)
    base = fit_base_kernel(config, loader, train)
    classifier = KernelRidge.fit(data.store, train.cpu(), config.seed, claims, weight, base)
    classifier.save(run.kernel_ridge)
    return classifier


def fit_base_kernel(
    config: Config, loader: ClipLoader, train: Int[Tensor, " n"]
) -> BaseKernel | None:
    """Return the kernel on the features of a base; None where there is none, or it cannot be used.

    Args:
        config: Configuration of the run.
        loader: Clips of the data set as the run's recognizer takes them.
        train: Positions of the training samples.

    Raises:
        CheckpointError: If the base that the configuration names cannot be read.
    """
    name, store = config.kernel_ridge.base, loader.store
    if name == NO_BASE:
        return None
    problem = _why_no_base(config, store)
    if name == AUTO_BASE:
        if not _takes_packaged_base(config, store, len(train)):
            return None
        name = PACKAGED_BASE
    if problem:
        warnings.warn(f"the base {name} is not used: {problem}", stacklevel=2)
        return None
    encoder = BaseEncoder.of_base(read_source(name), next(whole_samples(loader, train)))
    kernel = BaseKernel.fit(encoder, loader, train, 2 * config.training.batch_size)
    return replace(kernel, name=name)


def _takes_packaged_base(config: Config, store: ClipStore, samples: int) -> bool:
    """Return whether the base of the package is used without having been named."""
    few = samples <= FEW_SAMPLES * store.num_classes
    return config.kernel_ridge.base == AUTO_BASE and few and not _why_no_base(config, store)


def _why_no_base(config: Config, store: ClipStore) -> str:
    """Return why no base can encode the clips of a run; nothing if one can."""
    if config.clips.stream is not Stream.JOINT:
        return f"it takes joints, and the stream is {config.clips.stream}"
    if store.has_confidence:
        return "it takes no confidence of joints"
    joints, _ = common_joints(store.layout)
    if sum(joint is not None for joint in joints) < FEWEST_COMMON_JOINTS:
        return "it knows hardly a joint of these samples"
    return ""


def join_kernel_ridge(
    classifier: KernelRidge,
    config: Config,
    loader: ClipLoader,
    network: ClassProbabilities,
    num_clips: int | None = None,
    of_base: Float[Tensor, "n d"] | None = None,
) -> ClassProbabilities:
    """Return the probabilities of network and classifier together, for samples of a loader.

    Args:
        classifier: The classifier.
        config: Configuration of the run.
        loader: Clips as the run's recognizer takes them.
        network: Probabilities of the network.
        num_clips: Test clips of a sample; by default those of the run.
        of_base: Features of the samples as the base returns them, if they are known already;
            otherwise the classifier's own encoder makes them.
    """
    samples = loader.store.indices(network.sample_ids)
    if classifier.base is not None and of_base is None:
        encode = classifier.base.encoder
        assert encode is not None, "the base is missing"
        size = 2 * config.training.batch_size
        of_base = sample_features(encode, loader, samples, batch_size=size, num_clips=num_clips)
    stores = whole_samples(loader, samples)
    return classifier.join(network, stores, config.kernel_ridge.weight, of_base)


def whole_samples(
    loader: ClipLoader, samples: Int[Tensor, " n"], at_once: int = 500
) -> Iterator[ClipStore]:
    """Yield preprocessed samples on the host, in order, some at a time."""
    for sampler, indices, _ in iterate_batches(loader, samples.split(at_once)):
        yield sampler.store.subset(indices).to(torch.device("cpu"), torch.float32)


def _num_training_samples(config: Config, data: SkeletonData) -> int:
    """Return the number of samples that a run learns, as those are counted that it is fitted to."""
    _, split = choose_split(data, config.data.split)
    share = config.training.validation_share
    train, validation = training_and_validation(
        data.store, data.store.indices(split.train), config.data, share, config.seed
    )
    unseen = config.training.validation_until == 1
    return len(train) + (0 if unseen else len(validation))
