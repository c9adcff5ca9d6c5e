"""Kernel ridge classifier: its closed form, what joins a network's probabilities, its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from tests.small_run import CLASSES, samples, small_archive, small_run

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.experiments import kernel_ridge_in_runs
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.experiments.kernel_ridge_fit import solve_kernel_ridge
from skeletonagent.experiments.kernel_ridge_in_runs import with_usable_kernel_ridge
from skeletonagent.inference.predictor import load_predictor
from skeletonagent.models.settings import KernelRidgeSettings
from skeletonagent.training.settings import TrainSettings

TRAIN, TEST = torch.arange(24), torch.arange(24, 36)


@pytest.fixture(scope="module")
def store() -> ClipStore:
    return Preprocessor()(ClipStore.from_sequences(samples(36), COCO_17, CLASSES))


@pytest.fixture(scope="module")
def classifier(store: ClipStore) -> KernelRidge:
    return KernelRidge.fit(store, TRAIN, seed=0)


def test_left_out_groups_are_predicted_as_by_fits_without_them() -> None:
    """The least loss over ridges and sharpnesses is that of fits that never saw the group."""
    rng = np.random.default_rng(3)
    points = rng.normal(size=(12, 5))
    kernel = points @ points.T + np.eye(12)
    labels = np.arange(12) % 3
    targets = 2.0 * np.eye(3)[labels] - 1
    groups = [np.arange(0, 5), np.arange(5, 9), np.arange(9, 12)]
    mean = targets.mean(axis=0)
    losses = {}
    for ridge in 10.0 ** (np.arange(-8, 7) / 2):
        regularizer = ridge * np.diag(kernel).mean()
        predicted = np.zeros_like(targets)
        for group in groups:
            rest = np.setdiff1d(np.arange(12), group)
            block = kernel[np.ix_(rest, rest)] + regularizer * np.eye(len(rest))
            dual = np.linalg.solve(block, targets[rest] - mean)
            predicted[group] = kernel[np.ix_(group, rest)] @ dual + mean
        for sharpness in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0):
            scores = np.exp(sharpness * predicted)
            shares = scores[np.arange(12), labels] / scores.sum(axis=1)
            losses[ridge, sharpness] = -np.log(shares).mean()
    ridge, sharpness = min(losses, key=lambda choice: losses[choice])
    regularizer = ridge * np.diag(kernel).mean()
    expected = np.linalg.solve(kernel + regularizer * np.eye(12), targets - mean)
    fit = solve_kernel_ridge(
        torch.from_numpy(kernel), torch.from_numpy(targets), [torch.from_numpy(g) for g in groups]
    )
    assert fit.sharpness == sharpness
    np.testing.assert_allclose(fit.dual, expected, rtol=1e-6, atol=1e-9)


def test_decisions_are_sums_over_training_samples(
    classifier: KernelRidge, store: ClipStore
) -> None:
    """Weights of features equal the kernel with each training sample times its dual weight."""
    series, motion = classifier.features(store)
    for index in TEST.tolist():
        decision = classifier.intercept.double().numpy().copy()
        for row, train in enumerate(TRAIN.tolist()):
            linear = float(series[index].double() @ series[train].double()) / series.shape[1]
            distance = float((motion[index].double() - motion[train].double()).square().sum())
            similarity = linear + np.exp(-distance / classifier.reach)
            decision += similarity * classifier.dual[row].double().numpy()
        scores = np.exp(classifier.sharpness * (decision - decision.max()))
        found = classifier.log_probabilities(store.subset(torch.tensor([index])))[0].exp()
        np.testing.assert_allclose(found, scores / scores.sum(), atol=1e-3)


def test_classes_are_told_apart_also_where_joints_are_absent(
    classifier: KernelRidge, store: ClipStore
) -> None:
    test = store.subset(TEST)
    assert (classifier.log_probabilities(test).argmax(dim=1) == test.labels).float().mean() > 0.9
    frames = test.frames.clone()
    frames[:, 5] = 0
    probs = classifier.log_probabilities(replace(test, frames=frames)).exp()
    assert probs.isfinite().all()
    assert (probs.argmax(dim=1) == test.labels).float().mean() > 0.8


def test_probabilities_are_a_geometric_mean_and_added_classes_stay(
    classifier: KernelRidge, store: ClipStore
) -> None:
    test = store.subset(TEST)
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(4), size=len(test))
    network = ClassProbabilities(test.sample_ids, test.labels.numpy(), probs)
    joined = classifier.join(network, [test], weight=0.5).probs
    odds = probs[:, 3] / probs[:, :3].max(axis=1)
    np.testing.assert_allclose(joined[:, 3] / joined[:, :3].max(axis=1), odds, rtol=1e-4)
    np.testing.assert_allclose(joined.sum(axis=1), 1)
    own = classifier.log_probabilities(test).double().exp().numpy()
    expected = (probs[:, :3] / probs[:, :3].sum(axis=1, keepdims=True)) ** (2 / 3) * own ** (1 / 3)
    expected *= (1 - joined[:, 3:]) / expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(joined[:, :3], expected, rtol=1e-4)


def test_the_file_holds_the_classifier(
    classifier: KernelRidge, store: ClipStore, tmp_path: Path
) -> None:
    file = tmp_path / "kernel_ridge.safetensors"
    classifier.save(file)
    same = KernelRidge.load(file).log_probabilities(store.subset(TEST))
    torch.testing.assert_close(same, classifier.log_probabilities(store.subset(TEST)))
    classifier.require_classes(4, file)
    with pytest.raises(DataError, match="of 3 classes for 2"):
        classifier.require_classes(2, file)
    whole = safetensors.torch.load_file(file)
    for name, tensor in (
        ("dual", whole["dual"][:-1]),
        ("weights", whole["weights"].T),
        ("reach", torch.ones(2)),
        ("intercept", torch.tensor(1.0)),
        ("rocket.series.0.dilation", torch.tensor(10**12)),
        ("rocket.series.0.padded", torch.tensor([500])),
        ("rocket.series.0.biases", torch.ones(3)),
    ):
        changed = {**whole, name: tensor.contiguous()}
        with pytest.raises(DataError, match="no kernel ridge classifier"):
            KernelRidge.from_bytes(safetensors.torch.save(changed), file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match="no kernel ridge classifier"):
        KernelRidge.load(file)


def test_a_run_is_evaluated_as_it_predicts(tmp_path: Path) -> None:
    archive = small_archive(tmp_path / "mine", samples(24))
    run = small_run(
        archive, tmp_path / "run", kernel_ridge__weight=1.0, agents__chat="none",
        training__validation_share=0,
    )  # fmt: skip
    recorded = ClassProbabilities.load(run.path / "predictions.npz")
    data = open_dataset(archive)
    model = load_predictor(run.path, "cpu")
    again = model.predict([data.store.sequence(i).joints for i in range(12, 24)])
    np.testing.assert_allclose(again.probs, recorded.probs, atol=2e-5)
    prior = KernelRidge.load(run.path / "kernel_ridge.safetensors").claim_prior
    (run.path / "kernel_ridge.safetensors").unlink()
    with pytest.warns(UserWarning, match="the network recognizes alone"):
        alone = load_predictor(run.path, "cpu").predict(data.store.sequence(12).joints)
    assert np.abs(alone.probs - recorded.probs[:1]).max() > 1e-3
    assert run.summary["network_top1"] is not None
    claimed = None if prior is None else sum(map(bool, prior.claims))
    assert run.summary.get("claimed_classes") == claimed


def test_too_many_samples_leave_the_network_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = open_dataset(small_archive(tmp_path / "mine"))
    config = Config(kernel_ridge=KernelRidgeSettings(weight=1.0))
    assert with_usable_kernel_ridge(config, data) == (config, [])
    monkeypatch.setattr(kernel_ridge_in_runs, "MOST_KERNEL_SAMPLES", 5)
    held_out = replace(config, training=TrainSettings(validation_share=0.5, validation_until=1))
    assert with_usable_kernel_ridge(held_out, data)[0] == held_out  # those that are fitted to
    alone, (remark,) = with_usable_kernel_ridge(config, data)
    assert alone.kernel_ridge.weight == 0
    assert remark.startswith("6 training samples: the network recognizes alone")
