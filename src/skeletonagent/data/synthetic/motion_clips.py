"""Generated motions as samples of the layouts that sensors and pose estimators have."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Generator

from skeletonagent.core.clips import ClipStore
from skeletonagent.core.joint_matching import match_joints
from skeletonagent.core.layout import (
    BODY_25,
    COCO_17,
    H36M_17,
    KINECT_20,
    KINECT_25,
    OPENPOSE_15,
    SkeletonLayout,
)
from skeletonagent.data.synthetic.body_tree import BODY
from skeletonagent.data.synthetic.random_motions import MotionPrograms

SEEN_AS: tuple[SkeletonLayout, ...] = tuple(
    replace(layout, center=layout.joints.index(center))
    for layout, center in (
        (KINECT_20, "shoulder center"), (OPENPOSE_15, "neck"), (KINECT_20, "spine"),
        (COCO_17, "nose"), (KINECT_25, "middle of spine"), (KINECT_20, "hip center"),
        (H36M_17, "pelvis"), (KINECT_25, "spine"), (BODY_25, "mid hip"),
        (KINECT_20, "shoulder center"), (OPENPOSE_15, "chest"), (KINECT_25, "base of spine"),
    )
)  # fmt: skip
"""Layouts and centers in which one performance after the other is seen, so that none is new.

That of COCO becomes the middle of the shoulders when it is preprocessed.
"""

FRAMES = 48
"""Frames of a generated clip."""

_AT_ONCE = 512


def motion_stores(
    programs: MotionPrograms, performances: int, generator: Generator
) -> list[ClipStore]:
    """Return performances of programs as samples, a store for each layout, in metres.

    The label of a sample is the number of its program. Joints that the body lacks are absent.

    Args:
        programs: Programs of the motions.
        performances: Number of performances of each of them, each in the next layout.
        generator: Random numbers.
    """
    numbers = torch.arange(len(programs)).repeat(performances)
    rounds = torch.arange(performances).repeat_interleave(len(programs))
    layouts = list(dict.fromkeys(SEEN_AS))
    seen_as = torch.tensor([layouts.index(layout) for layout in SEEN_AS])[rounds % len(SEEN_AS)]
    return [
        _performed(programs, numbers[seen_as == n], rounds[seen_as == n], layout, generator)
        for n, layout in enumerate(layouts)
        if (seen_as == n).any()
    ]


def _performed(
    programs: MotionPrograms,
    numbers: torch.Tensor,
    rounds: torch.Tensor,
    layout: SkeletonLayout,
    generator: Generator,
) -> ClipStore:
    """Return a performance of each of the programs named, in a layout."""
    joints = match_joints(BODY, layout)
    index = torch.tensor([len(BODY.joints) if joint is None else joint for joint in joints])
    frames = torch.empty(len(numbers), FRAMES, layout.num_joints, 3)
    for start in range(0, len(numbers), _AT_ONCE):
        chunk = numbers[start : start + _AT_ONCE]
        body = programs.render(chunk, FRAMES, generator)
        body = torch.nn.functional.pad(body, (0, 0, 0, 1))
        frames[start : start + len(chunk)] = body.index_select(2, index)
    count = len(numbers)
    return ClipStore(
        frames=frames.flatten(0, 1),
        starts=FRAMES * torch.arange(count),
        lengths=torch.full((count,), FRAMES),
        persons=torch.ones(count, dtype=torch.long),
        labels=numbers,
        sample_ids=tuple(
            f"motion{n:05d}_{r:02d}" for n, r in zip(numbers.tolist(), rounds.tolist(), strict=True)
        ),
        subjects=None,
        layout=layout,
        class_names=tuple(f"motion {number}" for number in range(len(programs))),
    )
