"""Samples of any layout as one common body."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.layout import COCO_17, KINECT_20, KINECT_25, LAYOUTS
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.data.common_body import (
    COMMON_BODY,
    as_common_body,
    common_joints,
    join_stores,
)
from skeletonagent.data.synthetic.body_tree import BODY
from skeletonagent.models.inputs import distance_targets


def store_of(layout: SkeletonLayout, channels: int, samples: int = 2) -> ClipStore:
    """Return samples of one frame each, in which no joint is at zero."""
    return ClipStore(
        frames=1 + torch.rand(samples, layout.num_joints, channels),
        starts=torch.arange(samples),
        lengths=torch.ones(samples, dtype=torch.long),
        persons=torch.ones(samples, dtype=torch.long),
        labels=torch.arange(samples) % 2,
        sample_ids=tuple(f"{layout.name}-{n}" for n in range(samples)),
        subjects=None,
        layout=layout,
        class_names=("sit", "stand"),
    )


def test_every_joint_of_the_common_body_is_generated_and_a_target_of_distances() -> None:
    assert all(joint is not None for joint in common_joints(BODY)[0])
    assert len(COMMON_BODY.pairs) == 8
    assert distance_targets(COMMON_BODY) == tuple(range(COMMON_BODY.num_joints))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_every_known_layout_has_both_arms_and_legs(layout: SkeletonLayout) -> None:
    joints, left_out = common_joints(layout)
    named = {COMMON_BODY.joints[v]: j for v, j in enumerate(joints)}
    for side in ("left", "right"):
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
            assert named[f"{side} {part}"] == layout.joints.index(f"{side} {part}")
    assert set(left_out) <= set(layout.joints)


def test_a_kinect_has_all_joints_but_neck_and_nose() -> None:
    joints, left_out = common_joints(KINECT_20)
    assert left_out == ()
    missing = [COMMON_BODY.joints[v] for v, joint in enumerate(joints) if joint is None]
    assert missing == ["neck", "nose"]


def test_joints_keep_their_places_and_those_that_are_lacking_are_absent() -> None:
    store = store_of(COCO_17, 2)
    common = as_common_body(store)
    assert common.layout is COMMON_BODY and common.frames.shape == (2, 22, 3)
    wrist = COMMON_BODY.joints.index("left wrist")
    mine = store.frames[:, COCO_17.joints.index("left wrist")]
    torch.testing.assert_close(common.frames[:, wrist, :2], mine, atol=0, rtol=0)
    assert not common.frames[..., 2].any()  # joints of pictures have no depth
    marked = as_common_body(replace(store, present=torch.ones(2, 17, dtype=torch.bool)))
    assert marked.present is not None and marked.present.equal(common.frames.ne(0).any(dim=-1))
    for name in ("head", "left hand", "middle of hips"):
        assert not common.frames[:, COMMON_BODY.joints.index(name)].any()


def test_confidence_is_no_coordinate() -> None:
    store = replace(store_of(COCO_17, 3), has_confidence=True)
    common = as_common_body(store)
    assert not common.has_confidence and not common.frames[..., 2].any()


def test_stores_are_joined_one_after_another() -> None:
    stores = [as_common_body(store_of(layout, 3)) for layout in (KINECT_20, KINECT_25)]
    joined = join_stores(stores, ["a", "b", "c", "d"], [0, 2])
    assert joined.labels.tolist() == [0, 1, 2, 3] and len(joined.sample_ids) == 4
    for n in range(4):
        of_store = stores[n // 2].sequence(n % 2)
        assert (joined.sequence(n).joints == of_store.joints).all()
