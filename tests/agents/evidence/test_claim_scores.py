"""Scores of described classes, on values that are laid out by hand."""

from __future__ import annotations

import pytest
import torch

from skeletonagent.agents.evidence.claim_scores import (
    PRIOR_WEIGHT,
    RIVAL_WEIGHT,
    SATURATION,
    ClaimScale,
    ClassDescription,
)
from skeletonagent.agents.evidence.motion_features import MotionFeatures
from skeletonagent.core.claims import Claim
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.motion_feature import MotionFeature

RIGHT_WRIST, RIGHT_ANKLE = 10, 16
HEIGHT, SPEED = (list(MotionFeature).index(f) for f in (MotionFeature.HEIGHT, MotionFeature.SPEED))
NAMES = ("wave", "kick")
LABELS = torch.tensor([0, 0, 0, 1, 1, 1])


def measured(heights: list[float], speeds: list[float]) -> MotionFeatures:
    """Return samples whose right wrist has these heights, and right ankle these speeds."""
    values = torch.zeros(len(heights), COCO_17.num_joints, len(MotionFeature))
    values[:, RIGHT_WRIST, HEIGHT] = torch.tensor(heights)
    values[:, RIGHT_ANKLE, SPEED] = torch.tensor(speeds)
    return MotionFeatures(values, torch.ones_like(values, dtype=torch.bool))


TRAIN = measured([1.0, 2.0, 3.0, -1.0, -2.0, -3.0], [0.0, 0.1, 0.2, 1.0, 1.1, 1.2])


def described(*lines: str, rival: str = "") -> ClassDescription:
    return ClassDescription("new", tuple(Claim.parse(line, rival) for line in lines))


def scale_of(*descriptions: ClassDescription) -> ClaimScale:
    return ClaimScale.fit(COCO_17, TRAIN, LABELS, NAMES, descriptions)


def test_samples_that_bear_out_the_claims_score_higher() -> None:
    new = scale_of().describe(described("right hand height more", "right foot speed more"))
    high, low = new.score(COCO_17, measured([3.0, -3.0], [1.5, 0.0])).tolist()
    assert high > 1 > -1 > low


def test_training_samples_have_scores_of_mean_0_and_deviation_1() -> None:
    new = scale_of().describe(described("right hand height less"))
    scores = new.score(COCO_17, TRAIN)
    assert float(scores.mean()) == pytest.approx(0, abs=1e-5)
    assert float(scores.std()) == pytest.approx(1, abs=1e-5)


def test_a_place_by_hand() -> None:
    spread = torch.tensor([1.0, 2.0, 3.0]).square().mean().sqrt()
    wave = float((SATURATION * (torch.tensor([1.0, 2.0, 3.0]) / spread / SATURATION).tanh()).mean())
    own, against = (Claim.parse("right hand height more", rival) for rival in ("", "wave"))
    new = scale_of().describe(ClassDescription("new", (own, against)))
    wanted = (1 + RIVAL_WEIGHT * (wave + 1)) / (1 + RIVAL_WEIGHT + PRIOR_WEIGHT)
    assert new.place == pytest.approx((wanted,))
    assert new.means == pytest.approx((0.0,))
    assert new.spreads == pytest.approx((float(spread),))


def test_a_claim_against_a_rival_is_about_more_than_that_rival_has() -> None:
    new = scale_of().describe(described("right hand height less", rival="kick"))
    below, above = new.score(COCO_17, measured([-4.0, 4.0], [0.5, 0.5])).tolist()
    assert below > above


def test_values_that_are_not_known_play_no_part() -> None:
    new = scale_of().describe(described("right hand height more", "right foot speed more"))
    features = measured([3.0, 3.0], [0.0, 5.0])
    features.known[:, RIGHT_ANKLE] = False
    one, other = new.score(COCO_17, features).tolist()
    assert one == other


def test_claims_that_hold_for_known_classes_count_more() -> None:
    known = (
        ClassDescription("wave", (Claim.parse("right hand height more"),)),
        ClassDescription("kick", (Claim.parse("right hand height less"),)),
        ClassDescription("wave", (Claim.parse("right foot speed more"),)),  # which is wrong
    )
    reliability = scale_of(*known).reliability
    assert reliability[MotionFeature.HEIGHT] > 1 > reliability[MotionFeature.SPEED]
    assert scale_of(ClassDescription("wave", (Claim.parse("head speed more"),))).reliability == {}


def test_claims_that_cannot_be_measured_are_said() -> None:
    scale = scale_of()
    with pytest.warns(UserWarning, match="new: cannot be measured on coco-17: neck height more"):
        new = scale.describe(described("neck height more", "right hand height more"))
    assert [str(claim) for claim in new.subjects] == ["right hand height more"]
    with (
        pytest.warns(UserWarning, match="left hand height more"),  # which never varies
        pytest.raises(ConfigError, match="no claim can be measured on coco-17"),
    ):
        scale.describe(described("left hand height more"))


def test_an_unknown_rival_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="'jump' is no class to compare with; there are wave, kick"
    ):
        scale_of().describe(described("right hand height more", rival="jump"))
