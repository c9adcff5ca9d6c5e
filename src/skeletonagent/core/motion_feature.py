"""Names of the motion features that are measured and that claims speak about."""

from __future__ import annotations

from enum import StrEnum


class MotionFeature(StrEnum):
    """Motion feature of a joint; positions are relative to the layout's center.

    Of how much a joint moves relative to the center and how much it moves in the world, the
    smaller counts. The order is that of the last axis of all arrays of features.
    """

    HEIGHT = "height"
    """Mean position along the body's up."""
    REACH = "reach"
    """Mean distance from the center."""
    OUTWARD = "outward"
    """Mean position to the joint's own side; 0 for joints of no side."""
    HEAD_DISTANCE = "head distance"
    """Mean distance from the head; 0 for skeletons without one."""
    GAP = "gap"
    """Mean distance from the joint of the other side."""
    SPEED = "speed"
    """Mean displacement from frame to frame."""
    VERTICAL_RANGE = "vertical range"
    """Spread of positions along the body's up."""
    HORIZONTAL_RANGE = "horizontal range"
    """Spread of positions across the body's up."""
    NET_RISE = "net vertical"
    """Mean height in the world of the last third of the clip minus that of the first."""
    NET_LATERAL = "net lateral"
    """Mean position to the joint's own side of the last third minus that of the first."""
    SIGNED_AREA = "signed area"
    """Area that the path encloses seen from the front, positive if it turns inward at the top."""
    SYMMETRY = "symmetry"
    """Agreement of the speeds of a joint and its mirror joint, 0 to 1; 0 for joints of no side."""


PAIR_FEATURES = (MotionFeature.GAP, MotionFeature.SYMMETRY)
"""Features of both joints of a pair at once, which cannot tell the two joints apart."""
