"""Claims about an action that a machine can check.

A claim says that a part of the body has more, or less, of a motion feature than in another action,
or than in other actions on the whole: "right hand height more". It is about body parts rather than
joints, so that it holds for every skeleton layout that has the part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from types import MappingProxyType

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature

_SIDES = ("left", "right")

_PART_JOINTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "head": (r"^head$", r"^(nose|face)$"),
        "neck": (r"^neck$", r"^(shoulder center|middle of shoulders|thorax|chest)$"),
        "trunk": (r"spine|trunk|torso|thorax|chest", r"shoulder|hip"),
        "pelvis": (r"^(pelvis|hip center|base of spine|mid hip|middle of hips|hip)$", r"\bhip$"),
        "shoulder": (r"\bshoulder$",),
        "elbow": (r"\belbow$",),
        "wrist": (r"\bwrist$",),
        "hand": (r"\bhand$", r"\bwrist$"),
        "arm": (r"\b(elbow|wrist|hand)$",),
        "hip": (r"\bhip$",),
        "knee": (r"\bknee$",),
        "ankle": (r"\bankle$",),
        "foot": (r"\bfoot$", r"\b(toe|heel)$", r"\bankle$"),
        "leg": (r"\b(knee|ankle|foot)$",),
    }
)
"""Patterns of the joints of each body part; the first that some joint matches counts."""

CENTRAL_PARTS = ("head", "neck", "trunk", "pelvis")
"""Parts that have no side."""
CLAIMED_PARTS = tuple(_PART_JOINTS)
"""Body parts that claims are about."""

_BODY_PARTS = ("trunk", "pelvis")
_RANGES = (MotionFeature.SPEED, MotionFeature.VERTICAL_RANGE, MotionFeature.HORIZONTAL_RANGE)
"""How trunk and pelvis move is measured at the center, which alone moves in the world: their other
joints keep their place relative to it."""

_PLURALS = {"foot": "feet"}
_SINGULARS = {_PLURALS.get(part, f"{part}s"): part for part in CLAIMED_PARTS}
_FEATURES = sorted(MotionFeature, key=lambda feature: -len(feature))


@dataclass(frozen=True)
class Claim:
    """Claim that a class has more or less of a motion feature than another.

    Args:
        part: Body part, one of :data:`CLAIMED_PARTS`.
        side: ``left``, ``right`` or ``both``; empty for a central part, and for whichever of the
            two sides shows it.
        feature: Motion feature.
        more: Whether the class has more of it; less otherwise.
        rival: Name of the class it is compared with; empty for all others.

    Raises:
        ValueError: If there is no such part, or it has no such side.

    Examples:
        >>> claim = Claim.parse("right hand height more")
        >>> claim.part, claim.side, claim.feature.value, claim.more
        ('hand', 'right', 'height', True)
        >>> str(Claim.parse("both feet vertical range less"))
        'both feet vertical range less'
    """

    part: str
    side: str
    feature: MotionFeature
    more: bool
    rival: str = ""

    def __post_init__(self) -> None:
        """Check part and side."""
        if self.part not in CLAIMED_PARTS:
            raise ValueError(f"no body part {self.part!r}; there are {', '.join(CLAIMED_PARTS)}")
        sides = ("",) if self.part in CENTRAL_PARTS else ("", *_SIDES, "both")
        if self.side not in sides:
            raise ValueError(f"the {self.part} has no side {self.side!r}")

    @classmethod
    def parse(cls, text: str, rival: str = "") -> Claim:
        """Return the claim of a line such as ``both hands head distance less``.

        Args:
            text: Side, part, feature, and ``more`` or ``less``.
            rival: Name of the class it is compared with; empty for all others.

        Raises:
            ValueError: If it is no such line.
        """
        claim = _parsed(text)
        if not rival:
            return claim
        return cls(claim.part, claim.side, claim.feature, claim.more, rival)

    @property
    def subject(self) -> str:
        """Side and part, such as ``both feet``."""
        part = _PLURALS.get(self.part, f"{self.part}s") if self.side == "both" else self.part
        return f"{self.side} {part}".strip()

    @property
    def sign(self) -> int:
        """1 for more, -1 for less."""
        return 1 if self.more else -1

    def __str__(self) -> str:
        """Return the line that :meth:`parse` reads; the rival is not in it."""
        return f"{self.subject} {self.feature} {'more' if self.more else 'less'}"


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Claim:
    """Return the claim of a line, against all others.

    Raises:
        ValueError: If it is no such line.
    """
    words = " ".join(re.findall(r"[a-z]+", text.lower()))
    rest, _, direction = words.rpartition(" ")
    feature = next((f for f in _FEATURES if rest.endswith(f" {f}")), None)
    if direction not in ("more", "less") or feature is None:
        raise ValueError(
            f"{text!r:.60} is no claim: write a body part, one of {', '.join(MotionFeature)}, "
            "and 'more' or 'less'"
        )
    named = rest.removesuffix(f" {feature}").split()
    side = named[0] if named[0] in (*_SIDES, "both") else ""
    part = " ".join(named[1:] if side else named)
    return Claim(_SINGULARS.get(part, part), side, feature, direction == "more")


@dataclass(frozen=True)
class ClaimJoints:
    """Joints that show a claim.

    Args:
        groups: Joints of each side that the claim is about, or of the central part.
        highest: Whether the higher of the sides' values counts, else the lower: to have more,
            whichever side may have it, but of both sides each must.
    """

    groups: tuple[tuple[int, ...], ...]
    highest: bool

    @cached_property
    def joints(self) -> tuple[int, ...]:
        """All joints, ascending."""
        return tuple(sorted({joint for group in self.groups for joint in group}))


def claim_joints(claim: Claim, layout: SkeletonLayout) -> ClaimJoints | None:
    """Return the joints that show a claim; None if the layout lacks the part or its sides."""
    ranges = claim.part in _BODY_PARTS and claim.feature in _RANGES
    return _joints(claim.part, claim.side, ranges, claim.more, layout)


@cache
def _joints(
    part: str, side: str, ranges: bool, more: bool, layout: SkeletonLayout
) -> ClaimJoints | None:
    """Return the joints of a claim about a part and side, whatever the rival."""
    if ranges:
        return ClaimJoints(((layout.center,),), highest=more)
    groups = _part_groups(part, layout)
    wanted = _SIDES if side in ("", "both") else (side,)
    if part in CENTRAL_PARTS:
        wanted = ("",)
    if not all(groups.get(wanted_side) for wanted_side in wanted):
        return None
    chosen = tuple(groups[wanted_side] for wanted_side in wanted)
    return ClaimJoints(chosen, highest=more != (side == "both"))


@cache
def _part_groups(part: str, layout: SkeletonLayout) -> Mapping[str, tuple[int, ...]]:
    """Return the joints of a part on each side, and of a central part under an empty side."""
    names = [layout.display_name(joint) for joint in range(layout.num_joints)]
    lefts, rights = {left for left, _ in layout.pairs}, {right for _, right in layout.pairs}
    central = part in CENTRAL_PARTS
    sides = {"": set(range(len(names)))} if central else {"left": lefts, "right": rights}
    for pattern in _PART_JOINTS[part]:
        groups = {
            side: tuple(v for v in sorted(members) if re.search(pattern, names[v]))
            for side, members in sides.items()
        }
        if all(groups.values()):
            return groups
    return {}


def parse_claims(lines: Sequence[str], rival: str = "") -> tuple[Claim, ...]:
    """Return the claims of some lines, each once.

    Raises:
        ValueError: If a line is no claim.
    """
    return tuple(dict.fromkeys(Claim.parse(line, rival) for line in lines))
