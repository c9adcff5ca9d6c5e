"""Batches of clips by hand, in every stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)

from skeletonagent.core.clips import Batch, ClipStore, SkeletonSequence
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.data.augmentation import horizontal_flip
from skeletonagent.data.clip_frames import sample_test_frames, sample_test_positions
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.frame_sampling import (
    interpolate_frames,
    sample_train_frames,
    sample_train_positions,
)
from skeletonagent.data.settings import (
    AugmentSettings,
    ClipSettings,
    ConfidenceRule,
    FrameSampling,
    MotionRule,
    SamplingRule,
)
from skeletonagent.data.streams import bone_vectors

FORK = SkeletonLayout(
    "fork",
    ("spine", "left hand", "right hand", "left thumb", "right thumb"),
    ((1, 0), (2, 0), (3, 1), (4, 2)),
)
STILL = AugmentSettings(rotation=0.0)

seeds = st.integers(0, 9999)
streams = pytest.mark.parametrize("stream", list(Stream))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_store(shapes: Sequence[tuple[int, int]], seed: int = 0, c: int = 3) -> ClipStore:
    """Return a store of samples with so many persons and frames."""
    rng = np.random.default_rng(seed)
    sequences = [
        SkeletonSequence(rng.normal(size=(m, t, 5, c)).astype(np.float32), i % 3, f"sample {i}")
        for i, (m, t) in enumerate(shapes)
    ]
    return ClipStore.from_sequences(sequences, FORK, ("a", "b", "c"))


def literal_clip(store: ClipStore, sample: int, frames: Sequence[int], stream: Stream) -> Tensor:
    """Return a clip by the definition: the stream of the whole sequence, then its frames."""
    joints = torch.from_numpy(store.sequence(sample).joints)
    whole = bone_vectors(joints[None], store.layout, stream)[0]
    if stream.is_motion:
        motion = torch.zeros_like(whole)
        for t in range(whole.shape[1] - 1):
            motion[:, t] = whole[:, t + 1] - whole[:, t]
        whole = motion
    clip = torch.zeros(store.max_persons, len(frames), *joints.shape[2:])
    for position, frame in enumerate(frames):
        clip[: len(joints), position] = whole[:, frame]
    return clip


SHAPES = [(1, 4), (2, 7), (1, 1), (2, 9), (1, 25)]
"""Persons and frames: shorter than a clip of six, of every rule, and a single frame."""


@streams
@pytest.mark.parametrize("c", [2, 3])
def test_train_batches_equal_the_stream_of_the_sequence(stream: Stream, c: int) -> None:
    store = random_store(SHAPES, c=c)
    samples = torch.tensor([4, 0, 2, 1, 3, 1])
    batch = ClipSampler(store, ClipSettings(6, stream), STILL).train_batch(samples, seeded(5))
    frames = sample_train_frames(store.lengths[samples], 6, seeded(5)).tolist()
    expected = [
        literal_clip(store, sample, row, stream)
        for sample, row in zip(samples.tolist(), frames, strict=True)
    ]
    torch.testing.assert_close(batch.clips, torch.stack(expected), atol=1e-6, rtol=0)
    assert batch.labels.tolist() == [sample % 3 for sample in samples.tolist()]


@streams
def test_test_batches_have_the_clips_of_a_sample_in_a_row(stream: Stream) -> None:
    store = random_store(SHAPES)
    samples = torch.tensor([3, 0, 4])
    sampler = ClipSampler(
        store, ClipSettings(6, stream, test_clips=2), AugmentSettings(mirror=1.0, crop=0.5)
    )
    (batch,) = sampler.test_batches(samples, batch_size=8)
    expected = [
        literal_clip(store, sample, row, stream)
        for sample in samples.tolist()
        for row in sample_test_frames(SHAPES[sample][1], 6, 2).tolist()
    ]
    torch.testing.assert_close(batch.clips, torch.stack(expected), atol=1e-6, rtol=0)
    assert batch.labels.tolist() == [0, 0, 0, 0, 1, 1]


def joined(batches: Sequence[Batch]) -> Tensor:
    return torch.cat([batch.clips for batch in batches])


def test_test_clips_do_not_depend_on_the_batch_they_are_in() -> None:
    sampler = ClipSampler(random_store(SHAPES), ClipSettings(6, test_clips=3), STILL)
    samples = torch.tensor([3, 0, 4, 2, 1])
    whole = list(sampler.test_batches(samples, 5))
    parts = list(sampler.test_batches(samples, 2))
    assert [len(batch.labels) for batch in parts] == [6, 6, 3]
    torch.testing.assert_close(joined(parts), joined(whole), atol=0, rtol=0)


def test_another_number_of_clips_can_be_asked_for() -> None:
    sampler = ClipSampler(random_store(SHAPES), ClipSettings(6, test_clips=3), STILL)
    samples = torch.tensor([4, 1])
    more = joined(list(sampler.test_batches(samples, 2)))
    one = joined(list(sampler.test_batches(samples, 2, clips=1)))
    torch.testing.assert_close(one, more[[0, 3]], atol=0, rtol=0)


motions = pytest.mark.parametrize("stream", [stream for stream in Stream if stream.is_motion])


def literal_stream_of_clips(clips: Sequence[Tensor], stream: Stream) -> Tensor:
    """Return joints already sampled, joined in time, as bones and then differenced."""
    whole = bone_vectors(torch.cat(list(clips), dim=1)[None], FORK, stream)[0]
    moved = torch.zeros_like(whole)
    for frame in range(whole.shape[1] - 1):
        moved[:, frame] = whole[:, frame + 1] - whole[:, frame]
    return torch.stack(moved.split(clips[0].shape[1], dim=1))


@motions
def test_differences_can_be_taken_after_sampling(stream: Stream) -> None:
    store, samples = random_store(SHAPES), torch.tensor([4, 0, 3])
    settings = ClipSettings(6, stream, 2, SamplingRule.FRAMES, MotionRule.AFTER)
    sampler = ClipSampler(store, settings, STILL)

    frames = sample_train_frames(store.lengths[samples], 6, seeded(5)).tolist()
    expected = [
        literal_stream_of_clips([literal_clip(store, sample, row, Stream.JOINT)], stream)
        for sample, row in zip(samples.tolist(), frames, strict=True)
    ]
    trained = sampler.train_batch(samples, seeded(5)).clips
    torch.testing.assert_close(trained, torch.cat(expected), atol=1e-6, rtol=0)

    expected = []
    for sample in samples.tolist():
        rows = sample_test_frames(SHAPES[sample][1], 6, 2, SamplingRule.FRAMES).tolist()
        clips = [literal_clip(store, sample, row, Stream.JOINT) for row in rows]
        expected.append(literal_stream_of_clips(clips, stream))
    (batch,) = sampler.test_batches(samples, 3)
    torch.testing.assert_close(batch.clips, torch.cat(expected), atol=1e-6, rtol=0)


@streams
@pytest.mark.parametrize("motion", list(MotionRule))
def test_streams_of_interpolated_clips_are_taken_of_each_clip(
    stream: Stream, motion: MotionRule
) -> None:
    store, samples = random_store(SHAPES), torch.tensor([4, 0, 3, 2])
    settings = ClipSettings(6, stream, 3, motion_rule=motion, sampling=FrameSampling.LINEAR)
    sampler = ClipSampler(store, settings, replace(STILL, crop=0.5))

    def literal(positions: Tensor, sample: int) -> Tensor:
        (clip,) = interpolate_frames(store, torch.tensor([sample]), positions[None])
        bones = bone_vectors(clip[None], FORK, stream)[0]
        if not stream.is_motion:
            return bones
        steps = [bones[:, t + 1] - bones[:, t] for t in range(5)]
        return torch.stack([*steps, torch.zeros_like(bones[:, 0])], dim=1)

    rows = sample_train_positions(store.lengths[samples], 6, 0.5, seeded(5))
    expected = [literal(row, int(s)) for row, s in zip(rows, samples, strict=True)]
    batch = sampler.train_batch(samples, seeded(5))
    torch.testing.assert_close(batch.clips, torch.stack(expected), atol=1e-6, rtol=0)

    expected = [
        literal(torch.from_numpy(row), sample)
        for sample in samples.tolist()
        for row in sample_test_positions(SHAPES[sample][1], 6, 3)
    ]
    (batch,) = sampler.test_batches(samples, 4)
    torch.testing.assert_close(batch.clips, torch.stack(expected), atol=1e-6, rtol=0)
    assert batch.bodies is not None
    assert batch.bodies.tolist() == [0, 2, 4, 6, 8, 10, 12, 13, 14, 15, 16, 17, 18, 20, 22]


@streams
def test_labels_of_mirrored_clips_are_of_the_other_side(stream: Stream) -> None:
    store = random_store([(2, 9), (1, 9), (2, 9), (2, 7)])
    store = replace(store, class_names=("left kick", "right kick", "right wave"))
    samples = torch.arange(4).repeat(50)
    for sampling in FrameSampling:
        settings = ClipSettings(9, stream, sampling=sampling)
        augment = AugmentSettings(rotation=0.0, mirror=0.3)
        plain = ClipSampler(store, settings, STILL).train_batch(samples, seeded(1))
        batch = ClipSampler(store, settings, augment).train_batch(samples, seeded(1))
        assert plain.labels.tolist() == [0, 1, 2, 0] * 50
        image = horizontal_flip(plain.clips, FORK)
        mirrored = (batch.clips == image).flatten(1).all(dim=1)
        same = (batch.clips == plain.clips).flatten(1).all(dim=1)
        assert torch.equal(mirrored, ~same)
        other = torch.tensor([1, 0, 2])[plain.labels]
        assert torch.equal(batch.labels, torch.where(mirrored, other, plain.labels))
        assert not mirrored[plain.labels == 2].any()
        assert 0.2 < float(mirrored[plain.labels != 2].float().mean()) < 0.4


def test_clips_are_mirrored_as_before_where_no_class_names_a_side() -> None:
    store, samples = random_store([(2, 9)] * 3), torch.arange(3).repeat(50)
    augment = AugmentSettings(rotation=0.0, mirror=0.5)
    plain = ClipSampler(store, ClipSettings(9), STILL).train_batch(samples, seeded(1))
    batch = ClipSampler(store, ClipSettings(9), augment).train_batch(samples, seeded(1))
    drawn = seeded(1)
    sample_train_frames(store.lengths[samples], 9, drawn)
    chosen = torch.rand(150, 5, generator=drawn)[:, 0] < 0.5
    expected = torch.where(
        chosen[:, None, None, None, None], horizontal_flip(plain.clips, FORK), plain.clips
    )
    torch.testing.assert_close(batch.clips, expected, atol=0, rtol=0)
    assert torch.equal(batch.labels, plain.labels)


def test_speed_changes_within_interpolated_clips() -> None:
    settings = ClipSettings(20, sampling=FrameSampling.LINEAR)
    augment = AugmentSettings(rotation=0.0, crop=0.6, warp=0.8)
    sampler = ClipSampler(counting_store([40]), settings, augment)
    samples = torch.zeros(8, dtype=torch.long)
    clips = sampler.train_batch(samples, seeded(2)).clips
    positions = sample_train_positions(sampler.store.lengths[samples], 20, 0.6, seeded(2), 0.8)
    expected = (positions + 1)[:, None, :, None, None].expand_as(clips)
    torch.testing.assert_close(clips, expected)


def test_parts_are_dropped_before_bones_are_taken() -> None:
    store, samples = random_store([(1, 9)]), torch.zeros(50, dtype=torch.long)
    augment = AugmentSettings(rotation=0.0, part_drop=0.5)
    for motion in MotionRule:
        joints, seen = (
            ClipSampler(store, ClipSettings(9, stream, motion_rule=motion), augment)
            .train_batch(samples, seeded(3))
            .clips
            for stream in (Stream.JOINT, Stream.BONE)
        )
        torch.testing.assert_close(seen, bone_vectors(joints, FORK, Stream.BONE))
        gone = ~joints[..., [1, 3], :].flatten(1).any(dim=1)  # left hand and thumb
        assert 0 < int(gone.sum()) < 50
        torch.testing.assert_close(seen[gone][..., 1, :], -joints[gone][..., 0, :])


@streams
@pytest.mark.parametrize("motion", list(MotionRule))
def test_confidence_is_the_mean_of_both_ends(stream: Stream, motion: MotionRule) -> None:
    store, samples = replace(random_store(SHAPES), has_confidence=True), torch.tensor([4, 3])
    settings = ClipSettings(9, stream, motion_rule=motion)
    augment = AugmentSettings(rotation=0.5, scale=0.2)
    clips = ClipSampler(store, settings, augment).train_batch(samples, seeded(5)).clips
    frames = sample_train_frames(store.lengths[samples], 9, seeded(5))
    nexts = torch.minimum(frames + 1, store.lengths[samples, None] - 1)
    if motion is MotionRule.AFTER:
        nexts = torch.cat([frames[:, 1:], frames[:, -1:]], dim=1)
    scores = [store.gather(samples, rows)[..., 2] for rows in (frames, nexts)]
    expected = sum(scores) / 2 if stream.is_motion else scores[0]
    ends = {Stream.BONE: FORK.parents, Stream.KBONE: FORK.grandparents}.get(
        stream.base, range(FORK.num_joints)
    )
    expected = (expected + expected[..., list(ends)]) / 2
    torch.testing.assert_close(clips[..., 2], expected)


@streams
def test_confidence_rule_difference_subtracts_confidence(stream: Stream) -> None:
    store, samples = random_store(SHAPES), torch.arange(len(SHAPES))
    settings = ClipSettings(6, stream, 2, confidence_rule=ConfidenceRule.DIFFERENCE)
    has_confidence = ClipSampler(replace(store, has_confidence=True), settings, STILL).train_batch(
        samples, seeded(1)
    )
    plain = ClipSampler(store, settings, STILL).train_batch(samples, seeded(1))
    torch.testing.assert_close(has_confidence.clips, plain.clips, atol=0, rtol=0)


@streams
@pytest.mark.parametrize("motion", list(MotionRule))
def test_pixels_are_flipped_within_their_images(stream: Stream, motion: MotionRule) -> None:
    store = random_store([(1, 9), (2, 9)], c=2)
    sizes = torch.tensor([[640.0, 480.0], [100.0, 50.0]])
    store = replace(store, frames=store.frames.abs() + 1, image_sizes=sizes)
    samples = torch.tensor([0, 1])
    settings = ClipSettings(9, stream, motion_rule=motion)
    plain, image = (
        ClipSampler(store, settings, AugmentSettings(rotation=0.0, mirror=p)).train_batch(
            samples, seeded(1)
        )
        for p in (0.0, 1.0)
    )
    expected = plain.clips[..., list(FORK.mirror), :] * torch.tensor([-1.0, 1.0])
    if stream is Stream.JOINT:
        expected[..., 0] += sizes[:, 0, None, None, None]
    expected[0, 1] = 0  # nobody
    torch.testing.assert_close(image.clips, expected, atol=1e-3, rtol=0)


def test_the_bone_of_the_motion_is_the_motion_of_the_bone() -> None:
    store, samples = random_store(SHAPES), torch.arange(len(SHAPES))
    augment = AugmentSettings(rotation=0.5, scale=0.2, mirror=0.5, crop=0.6)
    batches = {
        stream: ClipSampler(store, ClipSettings(6, stream), augment).train_batch(samples, seeded(3))
        for stream in Stream
    }
    for base in (Stream.BONE, Stream.KBONE):
        torch.testing.assert_close(
            batches[Stream(f"{base}_motion")].clips,
            bone_vectors(batches[Stream.JOINT_MOTION].clips, FORK, base),
        )
        torch.testing.assert_close(
            batches[base].clips, bone_vectors(batches[Stream.JOINT].clips, FORK, base)
        )


def test_a_still_body_has_no_motion_and_a_steady_one_the_same_until_the_end() -> None:
    pose = np.random.default_rng(0).normal(size=(1, 1, 5, 3))
    velocity = np.array([1.0, -2.0, 3.0])
    steady = pose + velocity * np.arange(9)[None, :, None, None]
    store = ClipStore.from_sequences(
        [
            SkeletonSequence(np.repeat(pose, 9, axis=1).astype(np.float32), 0, "still"),
            SkeletonSequence(steady.astype(np.float32), 0, "steady"),
        ],
        FORK,
        ("only",),
    )
    for stream in (stream for stream in Stream if stream.is_motion):
        sampler = ClipSampler(store, ClipSettings(9, stream, test_clips=1), STILL)
        (batch,) = sampler.test_batches(torch.tensor([0, 1]), 2)
        assert not batch.clips[0].any()
        moving, last = batch.clips[1, 0, :-1], batch.clips[1, 0, -1]
        expected = velocity if stream.base is Stream.JOINT else np.zeros(3)
        np.testing.assert_allclose(
            moving.numpy(), np.broadcast_to(expected, moving.shape), atol=1e-5
        )
        assert not last.any()


def counting_store(lengths: Sequence[int]) -> ClipStore:
    """Return a store in whose frame ``t`` every coordinate is ``t + 1``."""
    sequences = [
        SkeletonSequence(
            np.broadcast_to(
                np.arange(1, n + 1, dtype=np.float32)[None, :, None, None], (1, n, 5, 3)
            ).copy(),
            0,
            f"sample {i}",
        )
        for i, n in enumerate(lengths)
    ]
    return ClipStore.from_sequences(sequences, FORK, ("only",))


def windows(length: int, crop: float, draws: int = 400) -> list[tuple[int, int]]:
    """Return first and last frame of the windows a sample was cropped to."""
    sampler = ClipSampler(
        counting_store([length]), ClipSettings(32), AugmentSettings(rotation=0.0, crop=crop)
    )
    batch = sampler.train_batch(torch.zeros(draws, dtype=torch.long), seeded(0))
    found = []
    for clip in (batch.clips[:, 0, :, 0, 0] - 1).long().tolist():
        frames = sorted(set(clip))
        assert frames == list(range(frames[0], frames[-1] + 1))
        found.append((frames[0], frames[-1]))
    return found


@pytest.mark.parametrize("length", [1, 2, 9, 20, 32])
@pytest.mark.parametrize("crop", [0.3, 0.5, 0.75])
def test_crops_are_windows_of_every_allowed_size_and_place(length: int, crop: float) -> None:
    found = windows(length, crop)
    sizes = {last - first + 1 for first, last in found}
    smallest = max(1, math.ceil(length * crop))
    assert sizes <= set(range(smallest, length + 1))
    assert length < 9 or (min(sizes) <= smallest + 1 and max(sizes) == length)
    cut = [(first, last) for first, last in found if last - first + 1 < length]
    assert not cut or min(first for first, _ in cut) == 0
    assert not cut or max(last for _, last in cut) == length - 1


def test_without_a_crop_all_frames_of_a_short_sample_are_seen() -> None:
    assert set(windows(20, 1.0)) == {(0, 19)}


@streams
def test_absent_bodies_stay_zero(stream: Stream) -> None:
    store = random_store([(1, 9), (2, 9)])
    augment = AugmentSettings(rotation=0.5, scale=0.3, mirror=0.5, crop=0.7)
    batch = ClipSampler(store, ClipSettings(6, stream), augment).train_batch(
        torch.tensor([0, 1, 0, 1]), seeded(0)
    )
    assert not batch.clips[[0, 2], 1].any()
    assert batch.clips[[1, 3], 1].any()


def test_train_batches_depend_on_the_generator_alone() -> None:
    sampler = ClipSampler(
        random_store(SHAPES), ClipSettings(6), AugmentSettings(0.5, scale=0.2, mirror=0.5, crop=0.5)
    )
    samples = torch.arange(len(SHAPES))
    first = sampler.train_batch(samples, seeded(7)).clips
    torch.manual_seed(123)
    torch.testing.assert_close(sampler.train_batch(samples, seeded(7)).clips, first, atol=0, rtol=0)
    assert not torch.equal(sampler.train_batch(samples, seeded(8)).clips, first)


@given(
    shapes=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), min_size=1, max_size=5),
    slots=st.sampled_from([None, 1, 2, 4]),
    counted=st.booleans(),
    seed=seeds,
)
def test_batches_list_which_bodies_are_there(
    shapes: list[tuple[int, int]], slots: int | None, counted: bool, seed: int
) -> None:
    store = replace(random_store(shapes), person_slots=slots)
    samples = torch.randint(len(shapes), (6,), generator=seeded(seed))
    sampler = ClipSampler(store, ClipSettings(4, test_clips=2), STILL)
    room = store.max_persons
    expected = [
        n * room + m
        for n, sample in enumerate(samples.tolist())
        for m in range(min(shapes[sample][0], room))
    ]
    assert sampler.count_bodies(samples) == len(expected)
    batch = sampler.train_batch(samples, seeded(seed), len(expected) if counted else None)
    if room == 1:
        assert batch.bodies is None
        return
    assert batch.bodies is not None
    assert batch.bodies.tolist() == expected
    there = batch.clips.flatten(2).any(dim=2).flatten().nonzero().flatten()
    assert there.tolist() == expected
    for test_batch in sampler.test_batches(samples, 4):
        assert test_batch.bodies is not None
        there = test_batch.clips.flatten(2).any(dim=2).flatten().nonzero().flatten()
        assert test_batch.bodies.tolist() == there.tolist()


def test_a_given_number_of_bodies_needs_no_synchronization() -> None:
    """A tensor without contents cannot be read by the host."""
    sampler = ClipSampler(random_store(SHAPES), ClipSettings(6), STILL)
    samples = torch.tensor([1, 0, 3])
    store = replace(sampler.store.to(torch.device("meta"), torch.float32), person_slots=2)
    meta = ClipSampler(store, ClipSettings(6), STILL)
    count = sampler.count_bodies(samples)
    bodies = meta._present_bodies(samples.to("meta"), count)
    assert bodies is not None
    assert bodies.shape == (5,)


@pytest.mark.parametrize("sampling", list(FrameSampling))
def test_no_augmentation_waits_for_the_device(sampling: FrameSampling) -> None:
    """Tensors without contents have no values that the host, or a shape, could depend on."""
    store = replace(random_store(SHAPES), class_names=("left kick", "right kick", "wave"))
    linear = sampling is FrameSampling.LINEAR
    augment = AugmentSettings(
        0.3, 0.1, mirror=0.5, crop=0.7, swap=0.1, part_drop=0.1, yaw=0.3, axis_scale=0.1,
        warp=0.3 if linear else 0.0, jitter=0.1, joint_drop=0.1, occlusion=0.2, person_swap=0.5,
    )  # fmt: skip
    settings, samples = ClipSettings(6, sampling=sampling), torch.arange(len(SHAPES))
    sampler = ClipSampler(replace(store, person_slots=2), settings, augment)
    real = sampler.train_batch(samples, seeded(0), 7)  # also fills the caches
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    contents = ("frames", "starts", "lengths", "persons", "labels")
    empty = {name: mode.from_tensor(getattr(sampler.store, name)) for name in contents}
    hollow = ClipSampler(replace(sampler.store, **empty), settings, augment)
    with mode:
        batch = hollow.train_batch(mode.from_tensor(samples), seeded(0), 7)
        with pytest.raises(DynamicOutputShapeException):
            batch.labels.nonzero()
    assert isinstance(batch.clips, FakeTensor) and batch.clips.shape == real.clips.shape


def test_no_test_batch_waits_for_the_device() -> None:
    """With its samples on the host, too, a batch of test clips reads nothing back."""
    sampler = ClipSampler(replace(random_store(SHAPES), person_slots=2), ClipSettings(6), STILL)
    samples = torch.arange(len(SHAPES))
    real = list(sampler.test_batches(samples, 2, 3))  # also computes what is computed once
    device = torch.device("meta")
    store = replace(sampler.store.to(device, torch.float32), person_slots=2)
    hollow = ClipSampler(store, ClipSettings(6), STILL)
    vars(hollow).update(
        _body_counts=sampler._body_counts,
        _length_row=sampler._length_row.to(device),
        _test_frames_cache={3: sampler._test_frames(3).to(device)},
    )
    batches = list(hollow.test_batches(samples.to(device), 2, 3, samples))
    assert [b.clips.shape for b in batches] == [b.clips.shape for b in real]


def test_a_larger_number_of_bodies_is_filled_up_with_absent_ones() -> None:
    sampler = ClipSampler(random_store(SHAPES), ClipSettings(6), STILL)
    batch = sampler.train_batch(torch.tensor([0, 1]), seeded(0), 4)
    assert batch.bodies is not None
    assert batch.bodies.tolist() == [0, 2, 3, 1]


def lacking(store: ClipStore, seed: int, share: float = 0.2) -> ClipStore:
    """Return a preprocessed store some of whose joints are absent, and one that lies at zero."""
    random = torch.rand(store.frames.shape[:2], generator=seeded(seed))
    absent = random < share
    frames = store.frames.masked_fill(absent[..., None], 0)
    frames[::3, 0] = 0  # present, as a center joint is in the frame that it is the origin of
    absent[::3, 0] = False
    return replace(store, frames=frames, present=~absent)


def literal_masked_clip(
    store: ClipStore, sample: int, frames: Sequence[int], stream: Stream
) -> Tensor:
    """Return a clip whose bones and motions are absent where one of their ends is, one by one."""
    m, t = int(store.persons[sample]), int(store.lengths[sample])
    rows = slice(int(store.starts[sample]), int(store.starts[sample]) + m * t)
    assert store.present is not None
    joints, there = (
        store.frames[rows].unflatten(0, (m, t)),
        store.present[rows].unflatten(0, (m, t)),
    )
    ends = {Stream.BONE: FORK.parents, Stream.KBONE: FORK.grandparents}.get(stream.base)
    clip = torch.zeros(store.max_persons, len(frames), *joints.shape[2:])
    for body in range(m):
        for position, frame in enumerate(frames):
            for joint in range(FORK.num_joints):
                following = min(frame + 1, t - 1)
                times = (frame, following) if stream.is_motion else (frame,)
                points = [(time, joint) for time in times]
                points += [(time, ends[joint]) for time in times] if ends else []
                if not all(there[body, time, v] for time, v in points):
                    continue
                values = [
                    joints[body, time, joint] - (joints[body, time, ends[joint]] if ends else 0)
                    for time in times
                ]
                clip[body, position, joint] = (
                    values[-1] - values[0] if stream.is_motion else values[0]
                )
    return clip


@streams
def test_bones_and_motions_with_an_absent_end_are_absent(stream: Stream) -> None:
    store, samples = lacking(random_store(SHAPES), 1), torch.tensor([4, 0, 3, 1])
    batch = ClipSampler(store, ClipSettings(6, stream), STILL).train_batch(samples, seeded(5))
    frames = sample_train_frames(store.lengths[samples], 6, seeded(5)).tolist()
    expected = [
        literal_masked_clip(store, sample, row, stream)
        for sample, row in zip(samples.tolist(), frames, strict=True)
    ]
    torch.testing.assert_close(batch.clips, torch.stack(expected), atol=1e-6, rtol=0)


@streams
@pytest.mark.parametrize("sampling", list(FrameSampling))
def test_where_nothing_is_absent_marks_change_nothing(
    stream: Stream, sampling: FrameSampling
) -> None:
    store, samples = random_store(SHAPES), torch.arange(len(SHAPES))
    linear = sampling is FrameSampling.LINEAR
    augment = AugmentSettings(
        0.3, 0.1, mirror=0.5, crop=0.7, yaw=0.3, axis_scale=0.1, person_swap=0.5,
        jitter=0.1 if linear else 0.0,
    )  # fmt: skip
    settings = ClipSettings(6, stream, 2, sampling=sampling)
    marked = replace(store, present=torch.ones(store.frames.shape[:2], dtype=torch.bool))
    plain, ours = (ClipSampler(one, settings, augment) for one in (store, marked))
    one, other = (sampler.train_batch(samples, seeded(3)).clips for sampler in (plain, ours))
    assert torch.equal(one, other)
    assert torch.equal(*(joined(list(s.test_batches(samples, 8))) for s in (plain, ours)))


@streams
@pytest.mark.parametrize("sampling", list(FrameSampling))
def test_no_augmentation_moves_an_absent_joint(stream: Stream, sampling: FrameSampling) -> None:
    """A joint that is absent in all frames is absent in all clips, and so are its bones."""
    store = random_store(SHAPES)
    frames = store.frames.clone()
    frames[:, 1] = 0
    store = replace(store, frames=frames, present=frames.ne(0).any(dim=-1), image_sizes=None)
    linear = sampling is FrameSampling.LINEAR
    augment = AugmentSettings(
        0.3, 0.1, crop=0.7, yaw=0.3, axis_scale=0.1, person_swap=0.5, part_drop=0.1,
        joint_drop=0.1, occlusion=0.2, jitter=0.1 if linear else 0.0,
    )  # fmt: skip
    settings = ClipSettings(6, stream, 2, sampling=sampling)
    clips = ClipSampler(store, settings, augment).train_batch(torch.arange(5), seeded(0)).clips
    assert not clips[..., 1, :].any()
    assert stream.base is not Stream.BONE or not clips[..., 3, :].any()  # its bone begins there
    assert clips[..., 2:, :].any()


@pytest.mark.parametrize("stream", [Stream.BONE, Stream.KBONE_MOTION])
def test_bones_of_dropped_joints_are_absent(stream: Stream) -> None:
    store, samples = random_store([(1, 9)]), torch.zeros(50, dtype=torch.long)
    marked = replace(store, present=torch.ones(store.frames.shape[:2], dtype=torch.bool))
    augment = AugmentSettings(rotation=0.0, joint_drop=0.3)
    joints, bones = (
        ClipSampler(marked, ClipSettings(9, kind), augment).train_batch(samples, seeded(3)).clips
        for kind in (Stream.JOINT, stream)
    )
    gone = ~joints[:, 0].flatten(3).any(dim=1).any(dim=-1)
    ends = FORK.parents if stream is Stream.BONE else FORK.grandparents
    either = gone | gone[:, list(ends)]
    assert either.any() and not bones[:, 0].transpose(1, 2)[either].any()
