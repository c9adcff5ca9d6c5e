from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from skeletonagent.agents.evidence import effect_sizes, feature_moments
from skeletonagent.agents.evidence.effect_sizes import Evidence, measure_evidence
from skeletonagent.agents.evidence.feature_moments import FeatureMoments
from skeletonagent.agents.evidence.motion_features import compute_motion_features
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import COCO_17, SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature

WRIST = COCO_17.joints.index("right wrist")


@pytest.fixture(scope="module")
def store(bodies: ModuleType) -> ClipStore:
    angles = [bodies.raised("left"), bodies.swung("right", 0.3), bodies.swung("right", 0.9)]
    made: ClipStore = bodies.people(COCO_17, angles, clips=5)
    return made


def literal(values: np.ndarray, labels: np.ndarray, own: int, weights: dict[int, float]) -> float:
    """Return Cohen's d of one quantity of one joint, but for the floor."""
    typical = np.mean([np.var(values[labels == y]) for y in np.unique(labels)])

    def within(y: int) -> float:
        clips = values[labels == y]
        return float(np.sum((clips - clips.mean()) ** 2) + 2 * typical) / (len(clips) + 2)

    total = sum(weights.values())
    mean = sum(w * values[labels == y].mean() for y, w in weights.items()) / total
    mixed = 0.0
    for y, w in weights.items():
        mixed += w / total * (within(y) + (values[labels == y].mean() - mean) ** 2)
    return float((values[labels == own].mean() - mean) / np.sqrt((within(own) + mixed) / 2))


@pytest.mark.parametrize(
    "quantity", [MotionFeature.HEIGHT, MotionFeature.SPEED, MotionFeature.REACH]
)
def test_effects_are_cohens_d_against_the_weighted_mixture(
    store: ClipStore, quantity: MotionFeature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_moments, "FLOOR", 0.0)
    monkeypatch.setattr(effect_sizes, "ONE_SIDED", 1e9)
    column = list(MotionFeature).index(quantity)
    values = compute_motion_features(store, torch.arange(15))[:, WRIST, column].double().numpy()
    labels = store.labels.numpy()
    against = measure_evidence(store, torch.arange(15)).against("class 0", ["class 2", "class 1"])
    expected = literal(values, labels, 0, {2: 1.0, 1: 0.5})
    assert against.size[WRIST, column].item() == pytest.approx(expected, rel=0.02)
    against_all = measure_evidence(store, torch.arange(15)).against_all("class 1")
    expected = literal(values, labels, 1, {0: 1.0, 2: 1.0})
    assert against_all.size[WRIST, column].item() == pytest.approx(expected, rel=0.02)


def table(means: list[float], deviation: float, layout: SkeletonLayout = COCO_17) -> Evidence:
    """Return evidence in which one quantity of one joint has known moments."""
    shape = (len(means), layout.num_joints, len(MotionFeature))
    mean: Tensor = torch.zeros(shape, dtype=torch.double)
    mean[:, 0, 0] = torch.tensor(means, dtype=torch.double)
    variance = torch.full(shape, deviation**2, dtype=torch.double)
    moments = FeatureMoments(mean, variance, torch.full(shape, 10))
    names = tuple(f"class {n}" for n in range(len(means)))
    return Evidence(layout, names, torch.full((len(means),), 10), moments, moments)


def test_means_two_deviations_apart_are_an_effect_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_moments, "FLOOR", 0.0)
    effects = table([3.0, 1.0], 1.0).against("class 0", ["class 1"])
    assert effects.size[0, 0].item() == pytest.approx(2.0)
    assert np.count_nonzero(effects.size) == 1 and not effects.either.any()


def test_the_first_rival_weighs_most() -> None:
    known = table([0.0, 1.0, -1.0], 1.0)
    assert known.against("class 0", ["class 1", "class 2"]).size[0, 0] < 0
    assert known.against("class 0", ["class 2", "class 1"]).size[0, 0] > 0
    assert known.against_all("class 0").size[0, 0] == 0


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_effects_against_all_are_those_against_each_other_class(shift: float) -> None:
    """The sums over all classes give what the mixture of the others gives, class by class."""
    generator = torch.Generator().manual_seed(3)
    shape = (7, COCO_17.num_joints, len(MotionFeature))

    def moments() -> FeatureMoments:
        clips = torch.randint(0, 4, shape, generator=generator)
        clips[2] = 0  # a class without clips
        clips[1:, 3, 4], clips[:, 5, 6] = 0, 0  # one class alone, and none, shows a feature
        mean, variance = torch.rand((2, *shape), generator=generator, dtype=torch.double)
        return FeatureMoments((shift + mean) * (clips > 0), variance * (clips > 0), clips)

    counts = torch.tensor([3, 3, 0, 3, 3, 3, 3])
    names = ("a", "b", "c", "d", "a", "e", "f")
    evidence = Evidence(COCO_17, names, counts, moments(), moments())
    for label, name in enumerate(names):
        others = np.array([other for other in range(7) if counts[other] and other != label])
        weights = np.ones(len(others))
        if name in ("a", "c") and label:
            continue
        plain, ordered = evidence._moments.against(label, others, weights).size
        against = evidence.against_all(name)
        for left, right in COCO_17.pairs:
            pair = [left, right]
            for quantity in range(len(MotionFeature)):
                larger, smaller = ordered[pair, quantity].tolist()
                sharpest = max(max(larger, 0.0), min(smaller, 0.0), key=abs)
                either = (
                    abs(sharpest) > effect_sizes.ONE_SIDED * np.abs(plain[pair, quantity]).max()
                )
                either = bool(either) and len(set(evidence.ranging[label, pair].tolist())) == 1
                assert against.either[pair, quantity].tolist() == [either, either]
                if either:
                    plain[pair, quantity] = sharpest
        np.testing.assert_allclose(against.size, plain, rtol=1e-9, atol=1e-6 if shift else 1e-12)
        assert ((against.size == 0) == (plain == 0)).all()


def test_effects_that_are_asked_for_again_are_those_of_the_rivals_named() -> None:
    known = table([0.0, 1.0, -1.0], 1.0)
    first = known.against("class 0", ["class 1"])
    assert known.against("class 0", ["class 1"]) is first
    assert known.against("class 0", ["class 2"]).size[0, 0] == -first.size[0, 0]


def test_effects_against_each_rival_are_those_against_it_alone(store: ClipStore) -> None:
    frames, rows = store.frames.clone(), store.rows(torch.arange(5, 10))
    frames[rows, WRIST] = 0  # a joint that one rival lacks
    evidence = measure_evidence(replace(store, frames=frames), torch.arange(15))
    rivals = ["class 2", "class 1"]
    for rival, effects in zip(rivals, evidence.against_each("class 0", rivals), strict=True):
        alone = evidence.against("class 0", [rival])
        np.testing.assert_allclose(effects.size, alone.size, atol=1e-12)
        for name in ("either", "beyond", "moves"):
            assert np.array_equal(getattr(effects, name), getattr(alone, name))
    mixture, *each = evidence.against_and_each("class 0", rivals, rivals[:1])
    assert len(each) == 1
    assert np.array_equal(each[0].size, evidence.against_each("class 0", rivals)[0].size)
    assert evidence.against("class 0", rivals) is mixture
    with pytest.raises(KeyError):
        evidence.against_each("class 0", ["yoga"])


def test_without_other_classes_there_are_no_effects(store: ClipStore) -> None:
    alone = measure_evidence(store, torch.arange(5)).against_all("class 0")
    assert not alone.size.any()


@pytest.mark.parametrize("name", ["yoga", "class 2"])
def test_classes_unknown_or_without_clips_are_errors(store: ClipStore, name: str) -> None:
    known = measure_evidence(store, torch.arange(10))
    with pytest.raises(KeyError):
        known.against_all(name)
    with pytest.raises(KeyError):
        known.against("class 0", [name])


def test_single_clips_give_finite_effects(store: ClipStore) -> None:
    effects = measure_evidence(store, torch.tensor([0, 5])).against("class 0", ["class 1"])
    assert np.isfinite(effects.size).all()


def test_one_side_throughout_is_that_side(bodies: ModuleType, layout: SkeletonLayout) -> None:
    store = bodies.people(layout, [bodies.raised("right"), bodies.swung("right", 0.0)])
    effects = measure_evidence(store, torch.arange(16)).against("class 0", ["class 1"])
    height = effects.size[:, list(MotionFeature).index(MotionFeature.HEIGHT)]
    hand = bodies.hand_of(layout, "right")
    assert height[list(hand)].min() > 4 * np.abs(height[list(bodies.hand_of(layout, "left"))]).max()
    assert not effects.either[list(hand), 0].any()


def test_either_side_from_clip_to_clip_is_both(bodies: ModuleType, layout: SkeletonLayout) -> None:
    def either(n: int, time: np.ndarray) -> tuple[str, np.ndarray]:
        angle: tuple[str, np.ndarray] = bodies.raised(["left", "right"][n % 2])(n, time)
        return angle

    store = bodies.people(layout, [either, lambda n, time: ("left", 0 * time)])
    effects = measure_evidence(store, torch.arange(16)).against("class 0", ["class 1"])
    hands = [*bodies.hand_of(layout, "left"), *bodies.hand_of(layout, "right")]
    assert effects.either[hands, 0].all() and (effects.size[hands, 0] > 3).all()


def test_a_joint_that_a_clip_lacks_does_not_count_in_it(store: ClipStore) -> None:
    frames = store.frames.clone()
    for sample in (0, 6):
        start = int(store.starts[sample])
        frames[start : start + int(store.lengths[sample]), WRIST] = 0
    lacking = replace(store, frames=frames)
    kept = torch.tensor([n for n in range(15) if n not in (0, 6)])
    ours, without = measure_evidence(lacking, torch.arange(15)), measure_evidence(lacking, kept)
    assert ours.plain.clips[:, WRIST, 0].tolist() == [4, 4, 5]
    assert ours.plain.clips[:, 0, 0].tolist() == [5, 5, 5]
    torch.testing.assert_close(ours.plain.mean[:, WRIST], without.plain.mean[:, WRIST])
    torch.testing.assert_close(ours.plain.variance[:, WRIST], without.plain.variance[:, WRIST])
    speed = list(MotionFeature).index(MotionFeature.SPEED)
    assert (ours.ordered.clips[:, WRIST, speed] == torch.tensor([4, 4, 5])).all()


def test_a_joint_that_a_class_lacks_has_no_effect(store: ClipStore) -> None:
    frames, rows = store.frames.clone(), store.rows(torch.arange(5))
    frames[rows, WRIST] = 0
    evidence = measure_evidence(replace(store, frames=frames), torch.arange(15))
    assert not evidence.plain.known[0, WRIST].any()
    assert not evidence.against("class 0", ["class 1"]).size[WRIST].any()
    alone = measure_evidence(store, torch.arange(5, 15)).against("class 1", ["class 2"])
    mixed = evidence.against("class 1", ["class 2", "class 0"])
    assert np.abs(mixed.size[WRIST]).max() > 0.5 * np.abs(alone.size[WRIST]).max()


def test_of_two_sides_of_which_one_moves_that_one_is_meant() -> None:
    """The other rests, so that nobody acts with whichever side."""
    generator = torch.Generator().manual_seed(0)
    left, right = next(pair for pair in COCO_17.pairs if WRIST in pair)
    means = torch.zeros(2, COCO_17.num_joints, len(MotionFeature), dtype=torch.double)
    height, *ranges = (
        list(map(str, MotionFeature)).index(q)
        for q in ("height", "horizontal range", "vertical range")
    )
    means[..., ranges] = 1.0
    plain, ordered = means.clone(), means.clone()
    plain[0, [left, right], height], ordered[0, left, height] = 0.5, 3.0
    noise = 0.01 * torch.rand(means.shape, generator=generator, dtype=torch.double)

    def either(evidence: Evidence) -> bool:
        effects = evidence.against("class 0", ["class 1"])
        assert effects.either[left, height] == effects.either[right, height]
        return bool(effects.either[left, height])

    def evidence(rest: float) -> Evidence:
        plain[0, left, ranges] = rest
        full = torch.ones_like(means)
        both = (
            FeatureMoments(values + noise, full, torch.full(means.shape, 40))
            for values in (plain, ordered)
        )
        return Evidence(COCO_17, ("class 0", "class 1"), torch.tensor([40, 40]), *both)

    assert either(evidence(1.0))
    assert not either(evidence(0.1))


def test_differences_of_classes_that_do_not_differ_are_chance() -> None:
    """Of 60 pairs of classes drawn alike, few have any joint beyond chance in any feature."""
    generator = torch.Generator().manual_seed(1)
    shape = (120, COCO_17.num_joints, len(MotionFeature))
    draws = torch.randn((12, *shape), generator=generator, dtype=torch.double)
    moments = FeatureMoments(
        draws.mean(dim=0), draws.var(dim=0, unbiased=False), torch.full(shape, 12)
    )
    names = tuple(f"class {n}" for n in range(120))
    evidence = Evidence(COCO_17, names, torch.full((120,), 12), moments, moments)
    pairs = [evidence.against(names[2 * n], [names[2 * n + 1]]) for n in range(60)]
    assert sum(bool(pair.beyond.any()) for pair in pairs) <= 8
    largest = max(float(np.abs(pair.size).max()) for pair in pairs)
    assert largest > 1.0  # uncorrected, much would have looked real
    assert not any(evidence.against_all(name).beyond.all() for name in names)
