"""Fusing streams: which runs are fused, their weights, and fitted weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream
from skeletonagent.evaluation.ensemble import (
    EnsembleMember,
    align_samples,
    fit_weights,
    fitted_ensemble,
    fuse,
    paper_ensembles,
    paper_weights,
    require_one_task,
)


def make_predictions(n: int, y: int, seed: int, sharpness: float = 2.0) -> ClassProbabilities:
    """Return random probabilities; the samples, but not the labels, are the same for all seeds."""
    labels = np.random.default_rng(n).integers(0, y, size=n)
    logits = sharpness * np.random.default_rng(seed + 1000).normal(size=(n, y))
    logits[np.arange(n), labels] += 1
    rows = np.exp(logits)
    return ClassProbabilities(
        tuple(f"s{i}" for i in range(n)), labels, rows / rows.sum(axis=1, keepdims=True)
    )


def shuffled(predictions: ClassProbabilities, seed: int) -> ClassProbabilities:
    order = np.random.default_rng(seed).permutation(len(predictions.sample_ids))
    ids = tuple(predictions.sample_ids[i] for i in order)
    entropies = predictions.network_entropies
    return ClassProbabilities(
        ids,
        predictions.labels[order],
        predictions.probs[order],
        None if entropies is None else entropies[order],
    )


def likelihood(weights: np.ndarray, several: list[ClassProbabilities]) -> float:
    """Return the mean log-probability of the true classes, sample by sample."""
    fused = [
        sum(w * s.probs[i, s.labels[i]] for w, s in zip(weights, several, strict=True))
        for i in range(len(several[0].labels))
    ]
    return float(np.mean(np.log(fused)))


@given(n=st.integers(1, 8), y=st.integers(1, 5), s=st.integers(1, 4), seed=st.integers(0, 99))
def test_fused_probabilities_equal_a_loop_over_samples(n: int, y: int, s: int, seed: int) -> None:
    several = [make_predictions(n, y, seed + i) for i in range(s)]
    weights = np.random.default_rng(seed).uniform(0.1, 3, size=s)
    fused = fuse(
        [several[0], *(shuffled(member, seed) for member in several[1:])], weights.tolist()
    )
    for i in range(n):
        for c in range(y):
            total = sum(w * e.probs[i, c] for w, e in zip(weights, several, strict=True))
            assert fused.probs[i, c] == pytest.approx(total / weights.sum())
    assert fused.sample_ids == several[0].sample_ids
    np.testing.assert_array_equal(fused.labels, several[0].labels)


@given(scale=st.floats(0.01, 100), seed=st.integers(0, 99))
def test_rows_stay_probabilities_on_any_scale_of_weights(scale: float, seed: int) -> None:
    several = [make_predictions(6, 4, seed + i) for i in range(3)]
    fused = fuse(several, [2 * scale, 2 * scale, scale])
    np.testing.assert_allclose(fused.probs.sum(axis=1), 1)
    np.testing.assert_allclose(fused.probs, fuse(several, [2, 2, 1]).probs)
    np.testing.assert_allclose(fuse(several[:1] * 3, [1, 5, 2]).probs, several[0].probs)
    np.testing.assert_array_equal(fuse(several, [0, 3, 0]).probs, several[1].probs)


def test_entropies_of_networks_are_averaged_like_their_probabilities() -> None:
    one, other = make_predictions(4, 3, 0), make_predictions(4, 3, 1)
    assert fuse([one, other], [1, 1]).network_entropies is None
    beside = replace(other, network_entropies=np.array([0.1, 0.2, 0.3, 0.4]))
    fused = fuse([one, shuffled(beside, 3)], [3, 1])
    wanted = (3 * one.entropies + np.array([0.1, 0.2, 0.3, 0.4])) / 4
    np.testing.assert_allclose(fused.entropies, wanted)


def test_two_members_correct_different_errors() -> None:
    ids, labels = ("a", "b"), np.array([0, 1])
    one = ClassProbabilities(ids, labels, np.array([[0.9, 0.1], [0.6, 0.4]]))
    other = ClassProbabilities(ids, labels, np.array([[0.4, 0.6], [0.1, 0.9]]))
    assert (one.topk_accuracy(1), other.topk_accuracy(1)) == (0.5, 0.5)
    fused = fuse([one, other], [1, 1])
    np.testing.assert_allclose(fused.probs, [[0.65, 0.35], [0.35, 0.65]])
    assert fused.topk_accuracy(1) == 1


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan], []])
def test_wrong_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="2 runs need as many weights"):
        fuse([make_predictions(3, 2, 0), make_predictions(3, 2, 1)], weights)


def test_predictions_of_other_samples_are_refused() -> None:
    first = make_predictions(4, 3, 0)
    fewer = ClassProbabilities(first.sample_ids[:3], first.labels[:3], first.probs[:3])
    renamed = replace(first, sample_ids=("s0", "s1", "s2", "other"))
    relabelled = replace(first, labels=(first.labels + np.array([0, 0, 1, 0])) % 3)
    for other, message in (
        (fewer, "1 sample.* 's3'"),
        (renamed, "2 sample.* 'other'"),
        (make_predictions(4, 2, 0), "of 3 and of 2 classes"),
        (relabelled, "'s2': has label"),
        (replace(first, sample_ids=("s0", "s1", "s2", "s2")), "'s3'"),
    ):
        with pytest.raises(DataError, match=message):
            align_samples([first, other])
    repeated = replace(first, sample_ids=("s0", "s1", "s2", "s2"))
    with pytest.raises(DataError, match="'s2': is predicted twice"):
        align_samples([repeated, repeated])
    doubled = ClassProbabilities(
        (*first.sample_ids, "s0"), np.r_[first.labels, first.labels[:1]],
        np.r_[first.probs, first.probs[:1]],
    )  # fmt: skip
    with pytest.raises(DataError, match="of 4 and of 5 samples"):
        align_samples([first, doubled])


J, B, K = Stream.JOINT, Stream.BONE, Stream.KBONE
JM, BM, KM = Stream.JOINT_MOTION, Stream.BONE_MOTION, Stream.KBONE_MOTION


def test_paper_weights() -> None:
    assert paper_weights([J, B]) == (2, 2)  # 1:1 on another scale
    assert paper_weights([J, B, JM, BM]) == (2, 2, 1, 1)
    assert paper_weights([J, B, K, JM, BM, KM]) == (2, 2, 2, 1, 1, 1)
    assert paper_weights([KM, J, J, KM, J, J]) == (0.5,) * 6


@given(streams=st.lists(st.sampled_from(list(Stream)), min_size=1, max_size=9))
def test_a_stream_counts_the_same_however_many_runs_it_has(streams: list[Stream]) -> None:
    weights = paper_weights(streams)
    for stream in set(streams):
        of_label = [w for w, s in zip(weights, streams, strict=True) if s is stream]
        assert sum(of_label) == pytest.approx(1 if stream.is_motion else 2)


@given(n=st.integers(2, 30), s=st.integers(1, 4), seed=st.integers(0, 99))
def test_no_other_weights_are_likelier_than_the_fitted_ones(n: int, s: int, seed: int) -> None:
    several = [make_predictions(n, 3, seed + i) for i in range(s)]
    weights = fit_weights(several)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    best = likelihood(weights, several)
    rivals = [*np.eye(s), *np.random.default_rng(seed).dirichlet(np.ones(s), size=50)]
    assert max(likelihood(np.array(rival), several) for rival in rivals) <= best + 1e-6


def test_fitted_weights_equal_a_search_over_all() -> None:
    several = [
        make_predictions(40, 4, seed, sharpness=sharpness) for seed, sharpness in ((0, 1), (1, 2))
    ]
    grid = np.linspace(0, 1, 2001)
    best = max(grid, key=lambda w: likelihood(np.array([w, 1 - w]), several))
    assert 0.05 < best < 0.95
    assert fit_weights(several, tolerance=1e-9)[0] == pytest.approx(best, abs=1e-3)


def test_fitted_weights_in_closed_form() -> None:
    """One recognizer is sure of three samples in four and the other of the rest: 3 to 1."""
    ids, labels = ("a", "b", "c", "d"), np.zeros(4, dtype=np.int64)
    sure = np.array([1.0, 1.0, 1.0, 0.0])
    one = ClassProbabilities(ids, labels, np.stack([sure, 1 - sure], axis=1))
    other = ClassProbabilities(ids, labels, np.stack([1 - sure, sure], axis=1))
    np.testing.assert_allclose(fit_weights([one, other]), [0.75, 0.25], atol=1e-6)
    never = replace(one, probs=one.probs[:, ::-1] * 0 + np.array([0.0, 1.0]))
    assert fit_weights([one, other, never])[2] == pytest.approx(0, abs=1e-6)


def test_the_likelihood_never_falls_while_fitting() -> None:
    several = [make_predictions(25, 3, seed) for seed in range(3)]
    way = [likelihood(fit_weights(several, max_steps=n, tolerance=0), several) for n in range(12)]
    assert way == sorted(way)
    assert way[-1] > way[0]


def member(stream: Stream, name: str = "", **changes: object) -> EnsembleMember:
    predictions = make_predictions(5, 2, list(Stream).index(stream))
    plain = EnsembleMember(name or stream.short, "set", "xsub", stream, ("a", "b"), predictions, {})
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        ([J], {}),
        ([J, K], {}),
        ([B, J], {"2 streams": [B, J]}),
        ([J, JM, B, BM], {"2 streams": [J, B], "4 streams": [J, JM, B, BM]}),
        ([J, J, B], {"2 streams": [J, J, B]}),
        (
            [J, B, K, JM, BM, KM],
            {"2 streams": [J, B], "4 streams": [J, B, JM, BM],
             "6 streams": [J, B, K, JM, BM, KM]},
        ),
    ],
)  # fmt: skip
def test_the_ensembles_that_streams_allow(
    streams: list[Stream], expected: dict[str, list[Stream]]
) -> None:
    fusions = paper_ensembles([member(stream) for stream in streams])
    assert {f.name: [m.stream for m in f.members] for f in fusions} == expected
    for fusion in fusions:
        assert fusion.weights == paper_weights([m.stream for m in fusion.members])
        same = fuse([m.predictions for m in fusion.members], fusion.weights)
        np.testing.assert_array_equal(fusion.predictions.probs, same.probs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "other"}, "j and second differ in their data: 'set' and 'other'"),
        ({"split": "xview"}, "split: 'xsub' and 'xview'"),
        ({"class_names": ("b", "a")}, "class names;"),
    ],
)
def test_runs_of_different_tasks_are_refused(change: dict[str, object], message: str) -> None:
    require_one_task([member(J), member(B), member(J)])
    with pytest.raises(DataError, match=message):
        require_one_task([member(J), member(B), member(B, "second", **change)])


def test_weights_are_fitted_on_the_validation_part_alone() -> None:
    validation = [make_predictions(9, 2, seed) for seed in (50, 51)]
    ids = tuple(f"v{i}" for i in range(9))
    validation = [replace(part, sample_ids=ids) for part in validation]
    members = [member(s, validation_predictions=v) for s, v in zip((J, B), validation, strict=True)]
    fusion = fitted_ensemble(members)
    np.testing.assert_allclose(fusion.weights, fit_weights(validation))
    assert fusion.members == tuple(members)
    with pytest.raises(DataError, match=r"b has no validation predictions.*validation_until=1"):
        fitted_ensemble([members[0], member(B)])
    leaked = replace(validation[1], sample_ids=("s3", *ids[1:]))
    with pytest.raises(
        DataError, match=r"'s3': b has it in its validation set and in its test set"
    ):
        fitted_ensemble([members[0], member(B, validation_predictions=leaked)])
    elsewhere = replace(validation[1], sample_ids=tuple(f"w{i}" for i in range(9)))
    with pytest.raises(DataError, match="18 sample"):
        fitted_ensemble([members[0], member(B, validation_predictions=elsewhere)])
