"""Joints that are absent by chance: frequencies, and occlusion one body at a time."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.random_clips import layouts, random_clips, seeded

from skeletonagent.core.layout import COCO_20, KINECT_20, LIMBS, SkeletonLayout
from skeletonagent.data.augmentation import augment_clips
from skeletonagent.data.joint_dropout import drop_joints, occluded_joints
from skeletonagent.data.settings import AugmentSettings
from skeletonagent.data.streams import limb_masks

STILL = AugmentSettings(rotation=0.0)


@layouts
def test_at_most_one_arm_or_leg_is_dropped_from_a_clip(layout: SkeletonLayout) -> None:
    clips = random_clips(layout, n=400)
    changed = augment_clips(clips, layout, AugmentSettings(rotation=0.0, part_drop=0.5), seeded(0))
    limbs = [set(layout.parts[limb]) for limb in LIMBS if limb != "torso"]
    dropped = [{v for v in range(layout.num_joints) if not clip[:, :, v].any()} for clip in changed]
    assert all(joints in limbs for joints in dropped if joints)
    assert all(limb in dropped for limb in limbs)
    assert 0.4 < sum(map(bool, dropped)) / len(dropped) < 0.6
    kept = changed != 0
    torch.testing.assert_close(changed[kept], clips[kept], atol=0, rtol=0)


def test_without_arms_and_legs_nothing_is_dropped() -> None:
    trunk = SkeletonLayout("trunk", ("a", "b", "c", "d"), ((1, 0), (2, 1), (3, 2)))
    clips = random_clips(trunk)
    augment = AugmentSettings(rotation=0.0, part_drop=1.0, occlusion=1.0)
    torch.testing.assert_close(augment_clips(clips, trunk, augment, seeded(0)), clips)


def test_joints_are_dropped_from_whole_clips_one_by_one() -> None:
    clips = random_clips(KINECT_20, n=200)
    changed = drop_joints(clips, KINECT_20, AugmentSettings(joint_drop=0.2), seeded(0))
    gone = ~changed.any(dim=-1)
    assert torch.equal(gone.any(dim=2), gone.all(dim=2))  # in all frames or in none
    kept = ~gone[..., None].expand_as(clips)
    torch.testing.assert_close(changed[kept], clips[kept], atol=0, rtol=0)
    shares = gone[:, :, 0].float()  # n m v
    assert 0.17 < float(shares.mean()) < 0.23
    assert float(shares.mean(dim=(0, 1)).min()) > 0.1 and float(shares.mean(dim=(0, 1)).max()) < 0.3
    together = torch.corrcoef(shares.flatten(1).mT)
    assert float((together - torch.eye(len(together))).mean().abs()) < 0.01


@given(
    frames=st.integers(1, 9),
    probability=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 9999),
)
def test_occlusion_equals_a_loop_over_bodies(frames: int, probability: float, seed: int) -> None:
    random = torch.rand(6, 2, 3, generator=seeded(seed))
    parts = limb_masks(COCO_20, LIMBS[1:], torch.device("cpu"))
    hidden = occluded_joints(parts, frames, probability, random)
    half = math.ceil(frames / 2)
    for n in range(6):
        for m in range(2):
            chosen, limb, start = random[n, m].tolist()
            expected = torch.zeros(frames, COCO_20.num_joints, dtype=torch.bool)
            if chosen < probability:
                joints = COCO_20.parts[LIMBS[1 + int(limb * 4)]]
                first = int(start * (frames - half + 1))
                for t in range(first, first + half):
                    expected[t, list(joints)] = True
            assert torch.equal(hidden[n, m], expected)


@layouts
def test_a_limb_of_some_bodies_is_hidden_in_half_of_the_frames(layout: SkeletonLayout) -> None:
    clips = torch.randn(300, 2, 8, layout.num_joints, 3, generator=seeded(0))
    changed = drop_joints(clips, layout, AugmentSettings(occlusion=0.5), seeded(1))
    gone = ~changed.any(dim=-1)
    torch.testing.assert_close(changed, clips.masked_fill(gone[..., None], 0), atol=0, rtol=0)
    hidden = gone.any(dim=(2, 3))
    assert 0.4 < float(hidden.float().mean()) < 0.6
    assert bool((gone.any(dim=3).sum(dim=2)[hidden] == 4).all())
    limbs = {tuple(sorted(layout.parts[limb])) for limb in LIMBS[1:] if layout.parts[limb]}
    seen = {tuple(row.nonzero().flatten().tolist()) for row in gone.any(dim=2)[hidden]}
    assert seen == limbs
    starts = gone.any(dim=3)[hidden].int().argmax(dim=1)
    assert set(starts.tolist()) == {0, 1, 2, 3, 4}


def test_bodies_of_a_clip_are_hidden_independently() -> None:
    clips = random_clips(KINECT_20, n=400)
    gone = ~drop_joints(clips, KINECT_20, AugmentSettings(occlusion=0.5), seeded(0)).any(dim=-1)
    first, second = gone.any(dim=(2, 3)).unbind(1)
    assert abs(float((first & second).float().mean()) - 0.25) < 0.08


def test_without_dropout_clips_are_unchanged() -> None:
    clips = random_clips(KINECT_20)
    assert drop_joints(clips, KINECT_20, STILL, seeded(0)) is clips
