"""Classifier beside the network in NumPy, and what it is made of, against PyTorch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from tests.data.random_bodies import SMALL_BODY, body_store, random_bodies
from tests.runtime.both_ways import in_numpy, in_torch
from tests.runtime.test_preparation import COMPACT, samples

from skeletonagent.agents.evidence.motion_features import measure_motion
from skeletonagent.core.claims import parse_claims
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.experiments.base_kernel import BaseKernel
from skeletonagent.experiments.described_classes import fit_claim_prior
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.experiments.standardizer import Standardizer
from skeletonagent.runtime.body_motion import motion_of_body
from skeletonagent.runtime.ridge import FittedRidge

HERE = Path("ridge.safetensors")
CLASSES = 3


def learned() -> ClipStore:
    store = in_torch([*samples(40), *samples(50), *samples(60)], COMPACT, SMALL_BODY)
    labels = torch.arange(len(store)) % CLASSES
    return replace(store, labels=labels, class_names=tuple("abc"), person_slots=2, subjects=None)


@pytest.fixture(scope="module")
def fitted() -> KernelRidge:
    store = learned()
    return KernelRidge.fit(store, torch.arange(len(store)))


@pytest.fixture(scope="module")
def with_claims(fitted: KernelRidge) -> KernelRidge:
    """Return the classifier with claims, of which some are about parts that the skeleton lacks."""
    lines = (
        ["right foot height more", "head speed less"],
        [],
        ["both feet speed more", "left hand reach less"],
    )
    claims = tuple(parse_claims(of_class) for of_class in lines)
    prior, _ = fit_claim_prior(claims, learned())
    return replace(fitted, claim_prior=prior, claim_weight=0.5)


@pytest.fixture(scope="module")
def with_base(fitted: KernelRidge) -> KernelRidge:
    """Return the classifier with a base of five features, which something else has."""
    raw = torch.randn(len(fitted.dual), 5, generator=torch.Generator().manual_seed(0))
    standardize = Standardizer.of(raw)
    return replace(fitted, base=BaseKernel(standardize, standardize(raw), reach=3.0))


BASE_FEATURES = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)


@pytest.mark.parametrize("name", ["fitted", "with_claims", "with_base"])
def test_probabilities_are_those_of_torch(name: str, request: pytest.FixtureRequest) -> None:
    fitted = request.getfixturevalue(name)
    ours = FittedRidge.from_bytes(fitted.to_bytes(), HERE, persons=2)
    given = samples(70)
    store = replace(in_torch(given, COMPACT, SMALL_BODY), person_slots=2)
    prepared = [in_numpy(sample, COMPACT, SMALL_BODY) for sample in given]
    features = np.resize(BASE_FEATURES, (len(given), 5)) if name == "with_base" else None
    in_torch_too = None if features is None else torch.from_numpy(features)
    wanted = fitted.log_probabilities(store, in_torch_too).numpy()
    rows = [None] * len(given) if features is None else features
    found = np.stack([ours.log_probabilities(*pair) for pair in zip(prepared, rows, strict=True)])
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    raw = np.random.default_rng(0).random((len(given), CLASSES + 1)).astype(np.float32)
    probs = raw / raw.sum(axis=1, keepdims=True)
    labels = np.zeros(len(given), dtype=np.int64)
    network = ClassProbabilities(store.sample_ids, labels, probs)
    both = fitted.join(network, [store], 0.7, in_torch_too)
    np.testing.assert_allclose(ours.join(probs, prepared, 0.7, features), both.probs, atol=1e-3)


@pytest.mark.parametrize("layout", [SMALL_BODY, COCO_17, KINECT_25], ids=lambda x: x.name)
def test_motion_features_are_those_of_torch(layout: SkeletonLayout) -> None:
    rng = np.random.default_rng(2)
    for number in range(4):
        joints = rng.normal(size=(1, 9 + number, layout.num_joints, 3)).astype(np.float32)
        if layout is SMALL_BODY:
            joints = random_bodies(number, 1, 9 + number)
        joints[rng.random(joints.shape[:-1]) < 0.15] = 0
        if number == 3:
            joints[..., layout.num_joints // 2, :] = 0
        store = body_store([joints], layout)
        wanted = measure_motion(store, torch.arange(1))
        values, known = motion_of_body(joints[0], layout)
        assert (known == wanted.known[0].numpy()).all()
        np.testing.assert_allclose(values, wanted.values[0].numpy(), rtol=1e-4, atol=2e-5)


def test_what_is_no_classifier_is_refused(fitted: KernelRidge) -> None:
    arrays = safetensors.numpy.load(fitted.to_bytes())
    for damage in (
        {"weights": np.zeros((2, 2), np.float32)},
        {"rocket.series.0.padded": np.array([999])},
        {"rocket.series.0.biases": np.zeros(3, np.float32)},
        {"claims.lines": np.frombuffer(b"[" * 100_000, dtype=np.uint8)},
    ):
        with pytest.raises(DataError, match="is no kernel ridge classifier"):
            FittedRidge.from_bytes(safetensors.numpy.save(arrays | damage), HERE, 2)
    with pytest.raises(DataError, match="is no kernel ridge classifier"):
        FittedRidge.from_bytes(b"no tensors", HERE, 2)
    further = safetensors.numpy.save(arrays | {"temperature": np.ones(1)})
    with pytest.raises(DataError, match="this version does not read temperature"):
        FittedRidge.from_bytes(further, HERE, 2)
    wide = FittedRidge.from_bytes(fitted.to_bytes(), HERE, persons=3)
    with pytest.raises(DataError, match="was fitted to 48 time series of a sample, got 72"):
        wide.log_probabilities(in_numpy(samples(1)[0], COMPACT, SMALL_BODY))
