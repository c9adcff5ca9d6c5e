"""Streams computed from joints: bones and frame differences against literal loops."""

from __future__ import annotations

import pytest
import torch
from tests.data.random_clips import layouts, random_clips

from skeletonagent.core.layout import KINECT_20, LIMBS, SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.data.streams import bone_vectors, frame_differences, joint_indices, limb_masks


@layouts
def test_bone_vectors_equal_a_loop_over_joints(layout: SkeletonLayout) -> None:
    joints = random_clips(layout)
    parent = dict(layout.bones)
    for stream in (Stream.BONE, Stream.BONE_MOTION, Stream.KBONE, Stream.KBONE_MOTION):
        expected = torch.zeros_like(joints)
        for v in range(layout.num_joints):
            if v not in parent:
                continue
            end = parent[v]
            if stream.base is Stream.KBONE:
                end = parent.get(end, v)  # below a root the partner is the joint itself
            expected[..., v, :] = joints[..., v, :] - joints[..., end, :]
        torch.testing.assert_close(bone_vectors(joints, layout, stream), expected)
    for stream in (Stream.JOINT, Stream.JOINT_MOTION):
        torch.testing.assert_close(bone_vectors(joints, layout, stream), joints)


@layouts
@pytest.mark.parametrize("stream", [Stream.BONE, Stream.KBONE])
def test_the_confidence_of_a_bone_is_the_mean_of_both_ends(
    layout: SkeletonLayout, stream: Stream
) -> None:
    joints = random_clips(layout)
    ends = layout.parents if stream is Stream.BONE else layout.grandparents
    seen = bone_vectors(joints, layout, stream, coordinates=2)
    torch.testing.assert_close(seen[..., :2], bone_vectors(joints, layout, stream)[..., :2])
    for joint, end in enumerate(ends):
        mean = (joints[..., joint, 2] + joints[..., end, 2]) / 2
        torch.testing.assert_close(seen[..., joint, 2], mean)


@pytest.mark.parametrize("clips_per_sequence", [1, 2, 4])
@pytest.mark.parametrize("coordinates", [None, 2])
def test_frame_differences_equal_a_loop(clips_per_sequence: int, coordinates: int | None) -> None:
    clips = random_clips(KINECT_20)
    n, _, t, _, _ = clips.shape
    expected = torch.zeros_like(clips)
    for clip in range(n):
        for frame in range(t):
            following = (clip, frame + 1) if frame + 1 < t else (clip + 1, 0)
            if following[0] // clips_per_sequence != clip // clips_per_sequence:
                following = (clip, frame)  # the last frame of all
            here, after = clips[clip, :, frame], clips[following[0], :, following[1]]
            expected[clip, :, frame] = after - here
            if coordinates:
                expected[clip, :, frame, :, 2] = (after + here)[..., 2] / 2
    torch.testing.assert_close(frame_differences(clips, coordinates, clips_per_sequence), expected)


@layouts
@pytest.mark.parametrize("stream", [Stream.BONE, Stream.KBONE])
def test_bone_vectors_ignore_a_translation(layout: SkeletonLayout, stream: Stream) -> None:
    joints = random_clips(layout)
    moved = joints + torch.tensor([1.0, -2.0, 3.0])
    torch.testing.assert_close(
        bone_vectors(moved, layout, stream), bone_vectors(joints, layout, stream), atol=1e-5, rtol=0
    )


@layouts
def test_limbs_are_masks_over_the_joints(layout: SkeletonLayout) -> None:
    masks = limb_masks(layout, LIMBS, torch.device("cpu"))
    assert masks.sum(dim=0).tolist() == [1] * layout.num_joints
    assert [row.nonzero().flatten().tolist() for row in masks] == [
        list(joints) for joints in layout.parts.values() if joints
    ]


@layouts
def test_joint_indices_are_a_tensor_made_once(layout: SkeletonLayout) -> None:
    indices = joint_indices(layout.parents, torch.device("cpu"))
    assert tuple(indices.tolist()) == layout.parents
    assert joint_indices(layout.parents, torch.device("cpu")) is indices
