"""Preprocessing, streams, rotation and test frames equal those of the authors' code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_25, UAV_17, SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.data.augmentation import augment_clips, rotation_matrices
from skeletonagent.data.clip_frames import sample_test_frames
from skeletonagent.data.clip_sampler import ClipSampler
from skeletonagent.data.preprocessing import add_coco20_joints, center_sequence
from skeletonagent.data.settings import AugmentSettings, ClipSettings, SamplingRule
from skeletonagent.data.streams import bone_vectors

TOLERANCE = 1e-5
LENGTHS = (1, 7, 23, 64, 99, 100, 101, 150, 199, 200, 201, 300, 417)

layouts = pytest.mark.parametrize(
    ("name", "layout"), [("nturgbd", KINECT_25), ("coco_new", COCO_20), ("uav", UAV_17)]
)


@pytest.fixture(scope="module")
def golden(shared: Path) -> Mapping[str, np.ndarray]:
    path = shared / "reference" / "golden" / "preprocessing.npz"
    if not path.is_file():
        pytest.skip(f"needs shared data: nothing at {path}")
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("case", ["prenorm", "prenorm1"])
def test_centring_equals_the_released_code(golden: Mapping[str, np.ndarray], case: str) -> None:
    centred = center_sequence(golden[f"{case}_in"], KINECT_25.center)
    assert centred.shape == golden[f"{case}_out"].shape
    np.testing.assert_allclose(centred, golden[f"{case}_out"], atol=TOLERANCE)


def agreeing(layout: SkeletonLayout, stream: Stream) -> list[int]:
    """Return the joints whose released partner follows the released rule: all but one."""
    slip = 11 if layout is UAV_17 and stream.base is Stream.KBONE else None
    return [joint for joint in range(layout.num_joints) if joint != slip]


@layouts
@pytest.mark.parametrize("stream", [Stream.BONE, Stream.KBONE])
def test_bones_equal_the_released_code(
    golden: Mapping[str, np.ndarray], name: str, layout: SkeletonLayout, stream: Stream
) -> None:
    joints = torch.from_numpy(golden[f"streams_{name}_in"])
    ours = bone_vectors(joints[None], layout, stream)[0].numpy()
    kept = agreeing(layout, stream)
    np.testing.assert_allclose(
        ours[:, :, kept], golden[f"streams_{name}_{stream.short}"][:, :, kept], atol=TOLERANCE
    )


def test_one_released_k_bone_contradicts_its_own_rule(golden: Mapping[str, np.ndarray]) -> None:
    """UAV-Human's left knee: its grandparent is joint 7, the released table says joint 4."""
    joints = golden["streams_uav_in"]
    ours = bone_vectors(torch.from_numpy(joints)[None], UAV_17, Stream.KBONE)[0].numpy()
    np.testing.assert_allclose(ours[:, :, 11], joints[:, :, 11] - joints[:, :, 7], atol=TOLERANCE)
    np.testing.assert_allclose(
        golden["streams_uav_k"][:, :, 11], joints[:, :, 11] - joints[:, :, 4], atol=TOLERANCE
    )


def test_coco_20_equals_the_released_code(golden: Mapping[str, np.ndarray]) -> None:
    joints = np.concatenate([golden["coco17_in"], golden["coco17_score"][..., None]], axis=-1)
    store = ClipStore.from_sequences(
        [SkeletonSequence(joints, 0, "only")], COCO_17, ("class",), has_confidence=True
    )
    ours = add_coco20_joints(store).sequence(0).joints
    np.testing.assert_allclose(ours, golden["coco20_out"], atol=TOLERANCE)


PARTS = {
    KINECT_25: "0-3,20 | 4-7,21,22 | 8-11,23,24 | 12-15 | 16-19",
    COCO_20: "0-4,17-19 | 5,7,9 | 6,8,10 | 11,13,15 | 12,14,16",
    UAV_17: "0,13-16 | 4-6 | 1-3 | 10-12 | 7-9",
}
"""Joints of trunk, arms and legs in the released code (spec 2.2, Part_Drop and Mixup)."""


@pytest.mark.parametrize("layout", PARTS, ids=lambda layout: layout.name)
def test_body_parts_are_those_of_the_released_code(layout: SkeletonLayout) -> None:
    expected = []
    for part in PARTS[layout].split("|"):
        joints: list[int] = []
        for piece in part.split(","):
            first, _, last = piece.partition("-")
            joints.extend(range(int(first), int(last or first) + 1))
        expected.append(tuple(joints))
    assert list(layout.parts.values()) == expected


def test_left_and_right_change_places_as_in_the_released_code() -> None:
    """Of NTU's skeleton: spec 2.2, Spatial_Flip."""
    changed = [*range(4), *range(8, 12), *range(4, 8), *range(16, 20), *range(12, 16)]
    assert list(KINECT_25.mirror) == [*changed, 20, 23, 24, 21, 22]


def whole_sequence(joints: np.ndarray, layout: SkeletonLayout, stream: Stream) -> Tensor:
    """Return one clip in which every frame of the sequence is itself."""
    store = ClipStore.from_sequences([SkeletonSequence(joints, 0, "only")], layout, ("class",))
    settings = ClipSettings(frames=joints.shape[1], stream=stream, test_clips=1)
    (batch,) = ClipSampler(store, settings, AugmentSettings(rotation=0.0)).test_batches(
        torch.tensor([0]), 1
    )
    return batch.clips[0]


@layouts
@pytest.mark.parametrize("stream", [stream for stream in Stream if stream.is_motion])
def test_motion_is_the_forward_difference_of_the_released_streams(
    golden: Mapping[str, np.ndarray], name: str, layout: SkeletonLayout, stream: Stream
) -> None:
    """The third channel, confidence in the two 2D layouts, is differenced like a coordinate."""
    key = "in" if stream.base is Stream.JOINT else stream.base.short
    released = golden[f"streams_{name}_{key}"]
    expected = np.zeros_like(released)
    for frame in range(released.shape[1] - 1):
        expected[:, frame] = released[:, frame + 1] - released[:, frame]

    kept = agreeing(layout, stream)
    motion = whole_sequence(golden[f"streams_{name}_in"], layout, stream).numpy()
    np.testing.assert_allclose(motion[:, :, kept], expected[:, :, kept], atol=TOLERANCE)


@layouts
@pytest.mark.parametrize("short", ["j", "b", "k"])
def test_recorded_motion_repeats_the_streams_undifferenced(
    golden: Mapping[str, np.ndarray], name: str, layout: SkeletonLayout, short: str
) -> None:
    """Why the recorded motion is compared with nothing: it holds no differences.

    The rule it was to record (spec 2.2) is a forward difference. Where this test fails, the
    recording has been repaired and can take the place of the loop in the test above.
    """
    del layout
    base = golden[f"streams_{name}_{'in' if short == 'j' else short}"]
    np.testing.assert_array_equal(golden[f"streams_{name}_{short}m"], base)
    assert np.abs(np.diff(base, axis=1)).max() > 0.01


def test_rotation_equals_the_released_code(
    golden: Mapping[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    theta = torch.from_numpy(golden["rot_theta"])
    np.testing.assert_allclose(
        rotation_matrices(theta[None])[0].numpy(), golden["rot_matrix"], atol=TOLERANCE
    )

    limit = 0.2
    draw = torch.cat([torch.tensor([0.5]), (theta.float() / limit + 1) / 2, torch.tensor([0.5])])
    monkeypatch.setattr(torch, "rand", lambda *size, **_: draw.expand(*size))
    turned = augment_clips(
        torch.from_numpy(golden["rot_in"])[None],
        KINECT_25,
        AugmentSettings(limit),
        torch.Generator(),
    )
    np.testing.assert_allclose(turned[0].numpy(), golden["rot_out"], atol=TOLERANCE)


@pytest.mark.parametrize("clips", [1, 10])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (SamplingRule.DECODE, "UniformSampleDecode"),
        (SamplingRule.FRAMES, "UniformSampleFrames"),
    ],
)
def test_test_frames_equal_the_released_code(
    golden: Mapping[str, np.ndarray], length: int, clips: int, rule: SamplingRule, name: str
) -> None:
    ours = sample_test_frames(length, 100, clips, rule)
    released = golden[f"idx_{name}_{length}_{clips}"]
    np.testing.assert_array_equal(ours, released.reshape(clips, 100))
