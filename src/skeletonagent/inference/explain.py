"""Explanation of a segment: joints, runner-up, and the sentences that tell the two apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from skeletonagent.core.guidance import Guidance
from skeletonagent.inference.predictions import ClassShare
from skeletonagent.inference.segments import Explanation, JointWeight

MOST_JOINTS = 5
"""Joints listed where the guidance names none."""


def explain_label(
    label: int | None,
    top: Sequence[ClassShare],
    movement: Float[np.ndarray, " v"],
    joint_names: Sequence[str],
    guidance: Guidance,
) -> Explanation:
    """Return what speaks for a label.

    Args:
        label: Index of the class; None for an unknown action.
        top: At least the two most probable classes, best first, if there are two.
        movement: Movement of each joint of the input.
        joint_names: Names of these joints.
        guidance: Guidance that the training ended with.
    """
    salient = [] if label is None else _salient(label, joint_names, guidance)
    listed = salient or list(np.argsort(-movement, kind="stable")[:MOST_JOINTS])
    total = float(movement[listed].sum())
    weights = [
        JointWeight(joint_names[joint], float(movement[joint]) / total if total > 0 else 0.0)
        for joint in sorted(listed, key=lambda joint: -movement[joint])
    ]
    names = [name for name, share in top[:2] if share > 0]
    return Explanation(
        joints=tuple(weights),
        from_guidance=bool(salient),
        runner_up=top[1] if len(top) > 1 and top[1][1] > 0 else None,
        sentences={
            of_class.action: of_class.sentence
            for name in names
            for of_class in guidance.classes
            if of_class.action == name and of_class.sentence != name
        },
    )


def _salient(label: int, joint_names: Sequence[str], guidance: Guidance) -> list[int]:
    """Return the salient joints of a class that are joints of the input; [] if all count."""
    named = {guidance.layout.joints[joint] for joint in guidance.classes[label].joints}
    return [joint for joint, name in enumerate(joint_names) if name in named]
