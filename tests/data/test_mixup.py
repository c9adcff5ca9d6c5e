"""Mixup against a loop over clips, frames and joints, and its shares by counting."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skeletonagent.core.layout import COCO_20, KINECT_25, LAYOUTS, LIMBS, SkeletonLayout
from skeletonagent.data.mixup import MixupBatch, body_part_mixup

STICK = SkeletonLayout("stick", ("a", "b", "c"), ((1, 0), (2, 1)))
"""A skeleton without limbs: all of it is torso."""

seeds = st.integers(0, 9999)
layouts = pytest.mark.parametrize(
    "layout", [*LAYOUTS.values(), STICK], ids=lambda layout: layout.name
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered_clips(n: int, t: int, layout: SkeletonLayout) -> Tensor:
    """Return clips in which each number encodes its clip, frame and joint."""
    clip, frame = torch.arange(n)[:, None, None], torch.arange(t)[:, None]
    joint = torch.arange(layout.num_joints)
    numbers = (clip * 1000 + frame) * 100 + joint + 1.0
    return numbers[:, None, :, :, None]


def sources_of(clips: Tensor) -> tuple[Tensor, Tensor]:
    """Return the clip and the frame that each number comes from."""
    numbers = (clips[:, 0, :, :, 0] - 1).long() // 100
    return numbers // 1000, numbers % 1000


def literally_mixed(
    clips: Tensor, labels: list[int], layout: SkeletonLayout, seed: int, classes: int
) -> tuple[Tensor, Tensor]:
    """Return clips and targets by the words of spec 2.2, from the numbers drawn for them."""
    n, _, t, v, _ = clips.shape
    generator = seeded(seed)
    numbers = torch.rand(8, generator=generator)
    parts = [joints for joints in layout.parts.values() if joints]
    order = torch.rand(len(parts), generator=generator).tolist()

    def between(position: int, low: int, high: int) -> int:
        return low + int(numbers[position] * (high - low + 1))

    step = 4 if t % 4 == 0 else 2 if t % 2 == 0 else 1
    whole = t // step
    shortest = -(-13 * whole // 25)
    length = between(1, shortest, max(20 * whole // 25, shortest))
    start = between(2, 0, whole - length)
    theirs = between(3, length, whole)
    first = between(4, 0, whole - theirs)
    chosen = sorted(range(len(parts)), key=order.__getitem__)[: between(5, 2, 3)]
    joints = [joint for part in chosen for joint in parts[part]]
    pasting, blend = float(numbers[6]) < 0.75, float(numbers[7])
    share = length * len(joints) / (whole * v) if pasting else blend

    made, targets = clips.clone(), torch.zeros(n, classes)
    for i in range(n):
        partner = (i + between(0, 1, n - 2)) % n
        targets[i, labels[i]] += 1 - share
        targets[i, labels[partner]] += share
        if not pasting:
            made[i] = (1 - share) * clips[i] + share * clips[partner]
            continue
        for frame in range(step * length):
            source = step * first + math.floor(frame * theirs / length)
            for joint in joints:
                made[i, :, step * start + frame, joint] = clips[partner, :, source, joint]
    return made, targets


@layouts
@given(n=st.integers(3, 5), t=st.sampled_from([1, 5, 18, 20, 100]), seed=seeds)
def test_body_part_mixup_equals_a_loop(layout: SkeletonLayout, n: int, t: int, seed: int) -> None:
    clips = torch.randn(n, 2, t, layout.num_joints, 2, generator=seeded(seed))
    labels = [(3 * i + seed) % 4 for i in range(n)]
    expected, targets = literally_mixed(clips, labels, layout, seed, 4)
    mixed_batch = body_part_mixup(clips, torch.tensor(labels), layout, seeded(seed), 4)
    torch.testing.assert_close(mixed_batch.clips, expected)
    torch.testing.assert_close(mixed_batch.targets, targets)


def draws(layout: SkeletonLayout, n: int, t: int, count: int) -> Iterator[tuple[MixupBatch, bool]]:
    """Yield batches of numbered clips, and whether parts were pasted."""
    clips, labels, generator = numbered_clips(n, t, layout), torch.arange(n), seeded(0)
    for _ in range(count):
        batch = body_part_mixup(clips, labels, layout, generator, n)
        yield batch, bool(torch.isin(batch.clips, clips).all())


@pytest.mark.parametrize("layout", [KINECT_25, COCO_20], ids=lambda layout: layout.name)
def test_windows_of_a_hundred_frames_are_those_of_the_released_code(
    layout: SkeletonLayout,
) -> None:
    clips, mine = numbered_clips(4, 100, layout), torch.arange(4)[:, None, None]
    parts = {limb: set(joints) for limb, joints in layout.parts.items()}
    lengths, starts, counts, sources, pastings = set(), set(), set(), set(), 0
    for batch, pasting in draws(layout, 4, 100, 300):
        if not pasting:
            continue
        pastings += 1
        whose, frames = sources_of(batch.clips)
        foreign = (whose != mine)[0]
        places = foreign.any(dim=1).nonzero().flatten().tolist()
        joints = set(foreign.any(dim=0).nonzero().flatten().tolist())
        assert foreign.sum() == len(places) * len(joints)
        assert places == list(range(places[0], places[-1] + 1))
        inside = [limb for limb in LIMBS if parts[limb] <= joints]
        assert set().union(*(parts[limb] for limb in inside)) == joints
        source = frames[0, places][:, sorted(joints)[0]].tolist()
        assert source == sorted(source)
        lengths.add(len(places))
        starts.add(places[0])
        counts.add(len(inside))
        sources.add(source[0])
        torch.testing.assert_close(
            batch.targets.diagonal(),
            torch.full((4,), 1 - len(places) * len(joints) / (100 * layout.num_joints)),
        )
    assert lengths == set(range(52, 81, 4))
    assert counts == {2, 3}
    for places in (starts, sources):
        assert {0, 36} <= places <= set(range(0, 49, 4))
    assert 0.65 < pastings / 300 < 0.85
    torch.testing.assert_close(clips, numbered_clips(4, 100, layout))  # the batch itself stays


@pytest.mark.parametrize("t", [1, 2, 3, 7, 20, 32, 64, 250])
def test_the_share_in_the_target_is_the_share_in_the_clip(t: int) -> None:
    for batch, pasting in draws(KINECT_25, 3, t, 20):
        torch.testing.assert_close(batch.targets.sum(dim=1), torch.ones(3))
        assert int((batch.targets > 0).sum(dim=1).max()) <= 2
        if pasting:
            whose, frames = sources_of(batch.clips)
            foreign = (whose != torch.arange(3)[:, None, None]).float().mean(dim=(1, 2))
            torch.testing.assert_close(1 - batch.targets.diagonal(), foreign)
            assert int(frames.max()) < t


def test_every_clip_but_itself_and_the_previous_one_can_be_the_partner() -> None:
    partners = {
        int((batch.targets[0] * (torch.arange(5) != 0)).argmax())
        for batch, _ in draws(KINECT_25, 5, 20, 100)
    }
    assert partners == {1, 2, 3}


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_clips_are_not_mixed(n: int) -> None:
    clips, labels = numbered_clips(n, 20, KINECT_25), torch.arange(n)
    batch = body_part_mixup(clips, labels, KINECT_25, seeded(0), 3)
    torch.testing.assert_close(batch.clips, clips)
    torch.testing.assert_close(batch.targets, torch.eye(3)[:n])


@given(seed=seeds)
def test_body_part_mixup_depends_on_the_generator_alone(seed: int) -> None:
    clips, labels = numbered_clips(4, 20, COCO_20), torch.tensor([0, 1, 1, 0])
    first = body_part_mixup(clips, labels, COCO_20, seeded(seed), 2)
    torch.manual_seed(seed + 1)
    again = body_part_mixup(clips, labels, COCO_20, seeded(seed), 2)
    torch.testing.assert_close(again.clips, first.clips, atol=0, rtol=0)
    torch.testing.assert_close(again.targets, first.targets, atol=0, rtol=0)
