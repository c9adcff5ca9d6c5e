"""Generated motions as samples of the layouts of sensors and pose estimators."""

from __future__ import annotations

import torch

from skeletonagent.core.layout import H36M_17, KINECT_20
from skeletonagent.data.synthetic.motion_clips import SEEN_AS, motion_stores
from skeletonagent.data.synthetic.random_motions import MotionPrograms


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_motion_is_performed_in_one_layout_after_another() -> None:
    programs = MotionPrograms.draw(3, generator())
    stores = motion_stores(programs, len(SEEN_AS) + 1, generator(1))
    assert len(stores) == len(set(SEEN_AS)) == 11  # one is there twice
    performed = {
        (store.layout.name, store.layout.center): torch.bincount(store.labels).tolist()
        for store in stores
    }
    shoulders = KINECT_20.joints.index("shoulder center")
    assert performed[KINECT_20.name, shoulders] == [3, 3, 3]  # the first of a new round, too
    assert performed[H36M_17.name, 0] == [1, 1, 1]
    names = [name for store in stores for name in store.sample_ids]
    assert len(set(names)) == 3 * (len(SEEN_AS) + 1)


def test_joints_that_the_body_lacks_are_absent_and_all_others_are_there() -> None:
    programs = MotionPrograms.draw(2, generator())
    (store,) = [s for s in motion_stores(programs, 7, generator()) if s.layout == H36M_17]
    seen = store.frames.ne(0).any(dim=-1).any(dim=0)
    assert [H36M_17.joints[v] for v in (~seen).nonzero().flatten().tolist()] == ["thorax"]
    left = store.frames[:, H36M_17.joints.index("left wrist"), 0]
    right = store.frames[:, H36M_17.joints.index("right wrist"), 0]
    assert left.mean() > right.mean()


def test_the_generator_decides() -> None:
    programs = MotionPrograms.draw(2, generator())
    one, again, other = (motion_stores(programs, 2, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(one[0].frames, again[0].frames)
    assert not torch.equal(one[0].frames, other[0].frames)
