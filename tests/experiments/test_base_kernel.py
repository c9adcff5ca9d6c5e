"""Features of a base in the kernel ridge classifier: when they count, and their file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.small_run import samples, small_archive, small_run

from skeletonagent.api import Run
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import AugmentSettings, ClipSettings
from skeletonagent.experiments.base_encoder import BaseEncoder
from skeletonagent.experiments.base_kernel import BaseKernel
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.fine_tuning import PACKAGED_BASE, read_source
from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.experiments.kernel_ridge_in_runs import fit_base_kernel
from skeletonagent.inference.predictor import load_predictor
from skeletonagent.models.settings import KernelRidgeSettings

SINGLE = [replace(one, joints=one.joints[:1]) for one in samples()]
SMALL = {
    "model__backbone": "tiny-gcn", "model__width": 4, "model__readout": "mean",
    "kernel_ridge__weight": 1.0, "agents__chat": "none",
}  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_archive(tmp_path_factory.mktemp("base_kernel") / "single", SINGLE)


@pytest.fixture(scope="module")
def run(archive: Path) -> Run:
    return small_run(archive, archive.parent / "run", **SMALL)


def clips_of(store: ClipStore) -> ClipSampler:
    return ClipSampler(store, ClipSettings(frames=16, test_clips=2), AugmentSettings())


@pytest.fixture(scope="module")
def store() -> ClipStore:
    return Preprocessor()(ClipStore.from_sequences(SINGLE, COCO_17, ("wave", "jump", "squat")))


@pytest.fixture(scope="module")
def kernel(store: ClipStore) -> BaseKernel:
    encoder = BaseEncoder.of_base(read_source(PACKAGED_BASE), store)
    return BaseKernel.fit(encoder, clips_of(store), torch.arange(8), batch_size=8)


def test_few_clips_use_the_base_of_the_package(run: Run) -> None:
    """The run, its file and its predictions have the base, and predictions are the run's."""
    assert run.config.kernel_ridge.base == "auto"
    model = load_predictor(run.path, "cpu").models[0]
    assert model.kernel_ridge is not None and model.kernel_ridge.base is not None
    assert run.evaluate().top1 == run.summary["top1"]
    assert run.summary["base"] == "base"


def test_decisions_are_sums_over_training_samples(store: ClipStore, kernel: BaseKernel) -> None:
    train, test = torch.arange(8), torch.arange(8, 12)
    classifier = KernelRidge.fit(store, train, base=kernel)
    raw = torch.cat([kernel.encoder(batch.clips, batch.bodies).unflatten(0, (-1, 2)).mean(dim=1)
        for batch in clips_of(store).test_batches(test, 4, 2)])  # fmt: skip
    features, motion = (part.double().numpy() for part in classifier.features(store.subset(test)))
    own = kernel.standardize(raw).double().numpy()
    decisions = features @ classifier.weights.double().numpy()
    for row in range(len(test)):
        for place in range(len(train)):
            away = ((classifier.motion[place].double().numpy() - motion[row]) ** 2).sum()
            of_base = ((kernel.features[place].double().numpy() - own[row]) ** 2).sum()
            similar = np.exp(-away / classifier.reach) + 0.5 * np.exp(-of_base / kernel.reach)
            decisions[row] += similar * classifier.dual[place].double().numpy()
    decisions += classifier.intercept.double().numpy()
    scores = np.exp(classifier.sharpness * decisions)
    found = classifier.log_probabilities(store.subset(test), raw).exp()
    np.testing.assert_allclose(found, scores / scores.sum(axis=1, keepdims=True), rtol=1e-4)


def test_pictures_are_turned_upright(store: ClipStore) -> None:
    """Clips whose y points down have the features of those whose y points up."""
    upright = torch.tensor([1.0, -1.0])
    height = store.layout.joints.index("left ankle"), store.layout.joints.index("nose")
    frames = store.frames.clone()
    frames[:, height[0], 1], frames[:, height[1], 1] = -4, 4
    down = replace(store, frames=frames * upright)
    encoders = [
        BaseEncoder.of_base(read_source(PACKAGED_BASE), one)
        for one in (replace(store, frames=frames), down)
    ]
    assert [one.reverses_y for one in encoders] == [False, True]
    clips = torch.randn(3, 1, 16, store.layout.num_joints, 2)
    up, turned = encoders
    torch.testing.assert_close(up(clips), turned(clips * upright))


def test_a_file_keeps_the_base(store: ClipStore, kernel: BaseKernel, tmp_path: Path) -> None:
    classifier = KernelRidge.fit(store, torch.arange(8), base=kernel)
    classifier.save(tmp_path / "ridge.safetensors")
    base = KernelRidge.load(tmp_path / "ridge.safetensors").base
    assert base is not None and base.encoder is not None and kernel.encoder is not None
    clips = torch.randn(3, 1, 16, store.layout.num_joints, 2)
    torch.testing.assert_close(base.encoder(clips), kernel.encoder(clips), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(base.between(torch.ones(2, 384)), kernel.between(torch.ones(2, 384)))
    without = KernelRidge.from_bytes(classifier.without_encoder().to_bytes(), tmp_path)
    assert without.base is not None and without.base.encoder is None


@pytest.mark.parametrize("damage", ["tensors", "text"])
def test_a_damaged_base_is_a_damaged_file(
    store: ClipStore, kernel: BaseKernel, tmp_path: Path, damage: str
) -> None:
    content = KernelRidge.fit(store, torch.arange(8), base=kernel).to_bytes()
    old, new = {
        "tensors": (b'"encoder.readout.maps.0.weight"', b'"encoder.readout.maps.0.weighs"'),
        "text": (b'\\"reverses_y\\": false', b'\\"reverses_x\\": false'),
    }[damage]
    assert content.count(old) == 1
    with pytest.raises(DataError, match="is no kernel ridge classifier: "):
        KernelRidge.from_bytes(content.replace(old, new), tmp_path)


def test_where_no_base_is_used(archive: Path, tmp_path: Path) -> None:
    """Other streams and who wants none go without, which is said of one that was named."""
    with pytest.warns(UserWarning, match="the base base is not used: it takes joints, and"):
        run = small_run(
            archive, tmp_path / "bones", **SMALL, clips__stream="bone", kernel_ridge__base="base"
        )
    assert "base" not in run.summary
    none = small_run(archive, tmp_path / "none", **SMALL, kernel_ridge__base="none")
    assert load_predictor(none.path, "cpu").models[0].kernel_ridge.base is None


def test_layouts_of_other_bodies_go_without(store: ClipStore) -> None:
    names = tuple(f"marker {n}" for n in range(store.layout.num_joints))
    other = replace(store, layout=replace(store.layout, joints=names, name="markers"))
    config = Config(kernel_ridge=KernelRidgeSettings(weight=1.0, base="base"))
    with pytest.warns(UserWarning, match="is not used: it knows hardly a joint of these samples"):
        assert fit_base_kernel(config, clips_of(other), torch.arange(8)) is None


def test_trainings_begin_with_the_base_of_the_package(archive: Path, tmp_path: Path) -> None:
    from skeletonagent.api import train

    run = train(
        init_from="base",
        data=archive,
        out=tmp_path / "run",
        overrides={"training.steps": 2, "agents.chat": "none", "device": "cpu"},
    )
    assert run.summary["base"] == "base"
    assert [s["name"] for s in run.summary["initial_weights"]["pretrained_on"]] == ["generated"]
