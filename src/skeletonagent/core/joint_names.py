"""Joint names: the side and the limb that a name says, in the spellings of many tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

LIMBS = ("torso", "left arm", "right arm", "left leg", "right leg")
"""Body parts of every layout; a joint of no limb belongs to the torso."""

_LEG_WORDS = (
    "hip|knee|ankle|foot|feet|leg|toe|heel|femur|tibia|fibula|thigh|shin|shank|calf|sole|patella|"
    "malleol|trochanter|metatars"
)
_ARM_WORDS = (
    "shoulder|elbow|wrist|hand|thumb|arm|finger|pinky|index|clavicle|collar|scapula|humerus|radius|"
    "ulna|palm|knuckle|fist|acromion|olecranon|metacarp"
)
_LEG = re.compile(rf"{_LEG_WORDS}|^(?:asi|psi|thi|kne|tib|ank|hee)$")
"""Words of a leg; the short ones are the markers of a motion capture."""
_ARM = re.compile(rf"{_ARM_WORDS}|^(?:sho|upa|elb|frm|wra|wrb|fin|middle|ring|little)$")
"""Words of an arm; the short ones are the markers of a motion capture."""

_WORD = re.compile(r"(?:^|[\s_.-])(left|right|l|r)(?=$|[\s_.-])|^(left|right)|(left|right)$")
"""A side that stands alone, or begins or ends the name."""
_LETTER_BEFORE = re.compile(rf"^([lr])(?=(?:{_LEG_WORDS}|{_ARM_WORDS}))")
"""A letter before a word of a limb, as in ``lfemur``."""
_CAPITAL = re.compile(r"^([LR])(?=[A-Z][a-z])|(?<=[a-z0-9])([LR])$")
"""A letter set off by capitals, as in ``LBigToe`` and ``HandL``."""
_SIDES = {"l": "left", "r": "right"}


@lru_cache(maxsize=1024)
def side_and_rest(name: str) -> tuple[str, str]:
    """Return the side that a joint's name says, and the rest of the name.

    Args:
        name: Name of the joint, such as ``left hand``, ``LeftForeArm``, ``wrist_l`` or ``lfemur``.

    Returns:
        ``left``, ``right`` or nothing, and the name without it in small letters.
    """
    bare = name.rsplit(":", 1)[-1].strip()
    lower = bare.lower()
    match = _WORD.search(lower) or _CAPITAL.search(bare) or _LETTER_BEFORE.search(lower)
    if match is None:
        return "", _spaced(lower)
    word = next(group for group in match.groups() if group).lower()
    return _SIDES.get(word, word), _spaced(lower[: match.start()] + " " + lower[match.end() :])


def sides_and_rests(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the side and the rest of each of a skeleton's joint names.

    A first letter ``l`` or ``r`` also is a side where the name is there with both of them, as in
    ``LASI`` and ``RASI``.
    """
    lower = {name.lower() for name in names}
    return tuple(_with_counterpart(name, lower) for name in names)


def _with_counterpart(name: str, lower: set[str]) -> tuple[str, str]:
    side, rest = side_and_rest(name)
    first, others = name[:1].lower(), name[1:].lower()
    if not side and len(others) > 1 and {f"l{others}", f"r{others}"} <= lower:
        return _SIDES.get(first, ""), _spaced(others if first in _SIDES else name.lower())
    return side, rest


def limb_of(side: str, rest: str) -> str:
    """Return the one of the :data:`LIMBS` that a joint belongs to.

    Args:
        side: Side of the joint; without one it belongs to the torso.
        rest: Name of the joint without its side.
    """
    if side and _LEG.search(rest):
        return f"{side} leg"
    if side and _ARM.search(rest):
        return f"{side} arm"
    return "torso"


def canonical_name(name: str) -> str:
    """Return a joint's name in one spelling, so that names of different tools can be compared.

    ``LeftWrist``, ``wrist_l`` and ``left wrist`` all are ``left wrist``.
    """
    side, rest = side_and_rest(name)
    return f"{side} {rest.replace(' ', '')}".strip()


def _spaced(text: str) -> str:
    return re.sub(r"[\s_.-]+", " ", text).strip()
