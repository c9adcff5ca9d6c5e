"""Facts about a skeleton that the engine in the browser computes with."""

from __future__ import annotations

from typing import Any

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.measured_joints import (
    axis_joints,
    bone_ends,
    foot_joints,
    nth_neighbors,
    unseen_bone_sources,
)
from skeletonagent.runtime.body_motion import head_joint


def layout_facts(layout: SkeletonLayout) -> dict[str, Any]:
    """Return what is derived from a skeleton, as plain values."""
    upper, lower, trunk = axis_joints(layout)
    return {
        "name": layout.name,
        "joints": list(layout.joints),
        "names": [layout.display_name(joint) for joint in range(layout.num_joints)],
        "bones": [list(bone) for bone in layout.bones],
        "center": layout.center,
        "parents": list(layout.parents),
        "grandparents": list(layout.grandparents),
        "mirror": list(layout.mirror),
        "pairs": [list(pair) for pair in layout.pairs],
        "bone_ends": [list(ends) for ends in bone_ends(layout)],
        "unseen_bone_sources": [list(joints) for joints in unseen_bone_sources(layout)],
        "axis_joints": {
            "upper": list(upper),
            "lower": list(lower),
            "trunk": [list(pair) for pair in trunk],
        },
        "nth_neighbors": nth_neighbors(layout),
        "foot_joints": list(foot_joints(layout)),
        "head": head_joint(layout),
    }
