"""Claims of effects: which part, which side, more or less."""

from __future__ import annotations

import numpy as np
import pytest

from skeletonagent.agents.evidence.effect_claims import effect_claims
from skeletonagent.agents.evidence.effect_sizes import EffectSizes
from skeletonagent.core.layout import KINECT_25
from skeletonagent.core.motion_feature import MotionFeature

NAMES = [KINECT_25.display_name(v) for v in range(25)]


def claimed(
    feature: MotionFeature, size: float, *names: str, either: bool = False, most: int = 8
) -> list[str]:
    joints = [NAMES.index(name) for name in names]
    sizes = np.zeros((25, len(MotionFeature)))
    sizes[joints, list(MotionFeature).index(feature)] = size
    effects = EffectSizes(sizes, (sizes != 0) & either, sizes != 0, np.ones(25, dtype=bool))
    return list(map(str, effect_claims(KINECT_25, effects, joints, "walk", most)))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("right wrist",), ["right wrist height more"]),
        (("right hand", "right wrist"), ["right hand height more"]),
        (("right hand", "right wrist", "right elbow"), ["right arm height more"]),
        (("right hand", "left hand"), ["both hands height more"]),
        (
            ("right hand", "left hand", "left foot"),
            ["both hands height more", "left foot height more"],
        ),
        (("head",), ["head height more"]),
        (("right thumb",), []),
    ],
)
def test_joints_claim_the_parts_that_they_make_up(
    names: tuple[str, ...], expected: list[str]
) -> None:
    assert claimed(MotionFeature.HEIGHT, 1.5, *names) == expected


def test_less_is_less_and_either_side_is_no_side() -> None:
    hands = ("left hand", "right hand")
    assert claimed(MotionFeature.SPEED, -1.5, *hands) == ["both hands speed less"]
    assert claimed(MotionFeature.SPEED, 1.5, *hands, either=True) == ["hand speed more"]
    assert claimed(MotionFeature.GAP, 1.5, *hands) == ["both hands gap more"]
    assert claimed(MotionFeature.GAP, 1.5, "left hand") == []
    assert claimed(MotionFeature.SPEED, 1.5, *hands, most=0) == []
