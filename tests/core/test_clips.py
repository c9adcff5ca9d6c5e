"""The ragged store against sequences one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout

CHAIN = SkeletonLayout("chain", ("a", "b", "c"), ((1, 0), (2, 1)))

sizes = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 6)), min_size=1, max_size=5)
"""Persons and frames of some samples."""


def make_sequences(
    shapes: list[tuple[int, int]], seed: int = 0, subjects: bool = True
) -> list[SkeletonSequence]:
    rng = np.random.default_rng(seed)
    return [
        SkeletonSequence(
            joints=rng.normal(size=(m, t, 3, 2)).astype(np.float32),
            label=index % 2,
            sample_id=f"sample {index}",
            subject=index // 2 if subjects else None,
        )
        for index, (m, t) in enumerate(shapes)
    ]


def make_store(sequences: list[SkeletonSequence]) -> ClipStore:
    return ClipStore.from_sequences(sequences, CHAIN, ("one", "two"))


@given(shapes=sizes, t=st.integers(1, 7), seed=st.integers(0, 99))
def test_gather_equals_a_loop_over_samples(
    shapes: list[tuple[int, int]], t: int, seed: int
) -> None:
    sequences = make_sequences(shapes, seed)
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, len(shapes), size=4)
    frames = np.stack([rng.integers(0, shapes[sample][1], size=t) for sample in samples])

    expected = np.zeros((4, max(m for m, _ in shapes), t, 3, 2), dtype=np.float32)
    for n, sample in enumerate(samples):
        for m in range(shapes[sample][0]):
            for i in range(t):
                expected[n, m, i] = sequences[sample].joints[m, frames[n, i]]

    clips = make_store(sequences).gather(torch.from_numpy(samples), torch.from_numpy(frames))
    np.testing.assert_array_equal(clips.numpy(), expected)


@given(shapes=sizes, subjects=st.booleans())
def test_sequences_come_out_as_they_went_in(shapes: list[tuple[int, int]], subjects: bool) -> None:
    sequences = make_sequences(shapes, subjects=subjects)
    store = make_store(sequences)
    assert len(store) == len(sequences)
    for index, sequence in enumerate(sequences):
        again = store.sequence(index)
        np.testing.assert_array_equal(again.joints, sequence.joints)
        assert (again.label, again.sample_id, again.subject) == (
            sequence.label,
            sequence.sample_id,
            sequence.subject,
        )


def test_rows_lie_as_documented() -> None:
    sequences = make_sequences([(2, 3), (1, 4)])
    store = make_store(sequences)
    assert store.starts.tolist() == [0, 6]
    assert store.frames.shape == (10, 3, 2)
    row = 0 + 1 * 3 + 2  # start of sample 0, person 1, frame 2
    np.testing.assert_array_equal(store.frames[row].numpy(), sequences[0].joints[1, 2])
    np.testing.assert_array_equal(store.frames[6:].numpy(), sequences[1].joints[0])


@given(shapes=sizes, slots=st.sampled_from([None, 1, 4]), seed=st.integers(0, 99))
def test_a_subset_is_its_samples_one_by_one(
    shapes: list[tuple[int, int]], slots: int | None, seed: int
) -> None:
    sequences = make_sequences(shapes, seed)
    store = replace(make_store(sequences), person_slots=slots)
    samples = torch.from_numpy(np.random.default_rng(seed).integers(0, len(shapes), size=4))
    chosen = [sequences[i] for i in samples.tolist()]
    for part in (store.subset(samples), store.subset(samples, store.frames[store.rows(samples)])):
        expected = make_store(chosen)
        assert torch.equal(part.frames, expected.frames)
        for fact in ("starts", "lengths", "persons", "labels"):
            assert torch.equal(getattr(part, fact), getattr(expected, fact))
        assert (part.sample_ids, part.subjects) == (expected.sample_ids, expected.subjects)
        assert part.max_persons == store.max_persons


def test_rows_are_those_of_the_samples_in_turn() -> None:
    store = make_store(make_sequences([(2, 3), (1, 4), (1, 2)]))
    assert store.rows(torch.tensor([2, 0])).tolist() == [10, 11, 0, 1, 2, 3, 4, 5]
    assert store.rows(torch.tensor([], dtype=torch.long)).tolist() == []
    nobody = store.subset(torch.tensor([], dtype=torch.long))
    assert (len(nobody), nobody.max_persons, nobody.subjects) == (0, 2, ())


def test_counts() -> None:
    store = make_store(make_sequences([(1, 2), (3, 1), (2, 2)]))
    assert (store.max_persons, store.channels, store.num_classes) == (3, 2, 2)
    assert store.device == torch.device("cpu")
    assert store.indices(["sample 2", "sample 0"]).tolist() == [2, 0]
    assert store.subjects == (0, 0, 1)


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_clips_have_room_for_as_many_bodies_as_said(slots: int) -> None:
    store = make_store(make_sequences([(1, 2), (3, 2), (2, 2)]))
    samples, frames = torch.arange(3), torch.tensor([[0, 1]] * 3)
    whole = store.gather(samples, frames)
    roomy = replace(store, person_slots=slots).gather(samples, frames)
    assert roomy.shape[1] == slots
    shared = min(slots, 3)
    assert torch.equal(roomy[:, :shared], whole[:, :shared])
    assert not roomy[:, shared:].any()


def test_scores_come_after_the_coordinates_and_stay_scores() -> None:
    sequences = make_sequences([(1, 2), (2, 3)])
    plain = make_store(sequences)
    assert (plain.has_confidence, plain.channels, plain.coordinates) == (False, 2, 2)
    has_confidence = ClipStore.from_sequences(sequences, CHAIN, ("one", "two"), has_confidence=True)
    for store in (has_confidence, has_confidence.to(torch.device("cpu"), torch.float16)):
        assert (store.has_confidence, store.channels, store.coordinates) == (True, 2, 1)


def test_image_sizes_are_kept_if_known_for_all_samples() -> None:
    sequences = make_sequences([(1, 2), (2, 3)])
    assert make_store(sequences).image_sizes is None
    sized = [
        replace(sequence, image_size=size)
        for sequence, size in zip(sequences, [(640.0, 480.0), (320.0, 240.0)], strict=True)
    ]
    store = make_store(sized).to(torch.device("cpu"), torch.float16)
    assert store.image_sizes is not None
    assert store.image_sizes.dtype == torch.float32
    assert store.image_sizes.tolist() == [[640, 480], [320, 240]]
    assert [store.sequence(index).image_size for index in (0, 1)] == [(640, 480), (320, 240)]
    assert make_store([sized[0], sequences[1]]).image_sizes is None


def test_an_unknown_sample_is_an_error() -> None:
    with pytest.raises(KeyError, match="sample 9"):
        make_store(make_sequences([(1, 2)])).indices(["sample 9"])


def test_subjects_are_given_for_all_samples_or_none() -> None:
    mixed = [*make_sequences([(1, 2)]), make_sequences([(1, 2), (1, 2)], subjects=False)[1]]
    assert make_store(mixed).subjects is None


def test_half_precision_is_kept_in_memory_and_widened_in_clips() -> None:
    store = make_store(make_sequences([(1, 2)]))
    half = store.to(torch.device("cpu"), torch.float16)
    clips = half.gather(torch.tensor([0]), torch.tensor([[0, 1]]))
    assert half.frames.dtype == torch.float16
    assert clips.dtype == torch.float32
    torch.testing.assert_close(clips[0, 0], store.frames, rtol=1e-3, atol=1e-3)
