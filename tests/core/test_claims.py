"""Claims: their lines, and the joints that show them."""

from __future__ import annotations

import pytest

from skeletonagent.core.claims import CLAIMED_PARTS, Claim, claim_joints, parse_claims
from skeletonagent.core.layout import LAYOUTS, SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature


@pytest.mark.parametrize("side", ["", "left", "right", "both"])
@pytest.mark.parametrize("feature", list(MotionFeature))
def test_a_claim_is_read_from_its_own_line(side: str, feature: MotionFeature) -> None:
    claim = Claim("foot", side, feature, more=False)
    assert Claim.parse(str(claim)) == claim


def test_words_of_a_claim_are_read_however_they_are_written() -> None:
    assert Claim.parse("Both HANDS, head-distance: less") == Claim(
        "hand", "both", MotionFeature.HEAD_DISTANCE, more=False
    )
    assert Claim.parse("head net vertical less", rival="jump").rival == "jump"
    assert Claim.parse("trunk net vertical less").sign == -1


@pytest.mark.parametrize(
    "line",
    ["", "more", "hand more", "hand height", "tail speed more", "left head height more",
     "speed more", "left speed less", "both height more"],
)  # fmt: skip
def test_other_lines_are_no_claims(line: str) -> None:
    with pytest.raises(ValueError, match=r"claim|part|side"):
        Claim.parse(line)


def test_a_claim_counts_once() -> None:
    assert len(parse_claims(["hand speed more", "Hand speed more.", "hand speed less"])) == 2


def test_joints_of_either_and_of_both_sides() -> None:
    layout = LAYOUTS["coco-17"]
    names = layout.display_name
    either = claim_joints(Claim.parse("hand height more"), layout)
    both = claim_joints(Claim.parse("both hands height more"), layout)
    right = claim_joints(Claim.parse("right arm speed less"), layout)
    assert either is not None
    assert both is not None
    assert right is not None
    assert [names(joint) for joint in either.joints] == ["left wrist", "right wrist"]
    assert (either.highest, both.highest) == (True, False)
    assert [names(joint) for joint in right.joints] == ["right elbow", "right wrist"]
    assert claim_joints(Claim.parse("neck speed more"), layout) is None


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_every_layout_has_most_parts_and_no_joint_of_the_other_side(layout: SkeletonLayout) -> None:
    rights = {right for _, right in layout.pairs}
    lacking = []
    for part in CLAIMED_PARTS:
        side = "" if part in ("head", "neck", "trunk", "pelvis") else "left"
        about = claim_joints(Claim(part, side, MotionFeature.SPEED, more=True), layout)
        if about is None:
            lacking.append(part)
        elif side:
            assert not rights & set(about.joints)
    assert set(lacking) <= {"neck"}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_trunk_and_pelvis_move_as_the_center_does(layout: SkeletonLayout) -> None:
    for line in ("pelvis vertical range more", "trunk horizontal range less", "trunk speed more"):
        about = claim_joints(Claim.parse(line), layout)
        assert about is not None and about.joints == (layout.center,)


def test_where_the_pelvis_is_is_measured_at_its_own_joints() -> None:
    about = claim_joints(Claim.parse("pelvis height more"), LAYOUTS["kinect-20"])
    assert about is not None and about.joints == (0,)
