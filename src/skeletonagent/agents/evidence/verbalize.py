"""Effect sizes in words: which joints do what, more or less than in other classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from skeletonagent.agents.evidence.effect_sizes import SHARE, EffectSizes
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.motion_feature import PAIR_FEATURES, MotionFeature

NAMED_JOINTS = 3
"""Most kinds of joints named in one clause."""

_VERBS = {
    MotionFeature.HEIGHT: ("stay higher", "stay lower"),
    MotionFeature.REACH: ("reach farther from the body", "stay closer to the body"),
    MotionFeature.OUTWARD: ("stay farther out to the side", "stay more toward the middle"),
    MotionFeature.HEAD_DISTANCE: ("stay farther from the head", "stay closer to the head"),
    MotionFeature.GAP: ("stay farther apart", "stay closer together"),
    MotionFeature.SPEED: ("move faster", "move more slowly"),
    MotionFeature.VERTICAL_RANGE: ("travel more up and down", "travel less up and down"),
    MotionFeature.HORIZONTAL_RANGE: ("sweep more widely", "sweep less widely"),
    MotionFeature.NET_RISE: ("rise more by the end", "sink more by the end"),
    MotionFeature.NET_LATERAL: ("end farther outward", "end farther inward"),
    MotionFeature.SIGNED_AREA: (
        "circle more inward over the top",
        "circle more outward over the top",
    ),
    MotionFeature.SYMMETRY: ("move more in step", "move less in step"),
}
"""Verb phrases for more, and for less, of a feature."""

_SIDES = ("left", "right", "l", "r")
_PLURALS = {"foot": "feet"}


def effect_clauses(
    layout: SkeletonLayout, effects: EffectSizes, joints: Sequence[int], most: int = 3
) -> list[str]:
    """Return what some joints do differently beyond chance, strongest first; one clause a subject.

    Args:
        layout: The skeleton.
        effects: How the class differs from others.
        joints: The joints to speak of.
        most: Largest number of differences.
    """
    predicates: dict[tuple[str, bool], list[str]] = {}
    for feature, members in differences(layout, effects, joints)[:most]:
        either = effects.eithers[feature][members[0]]
        subject = _subject(layout, members, either, feature in PAIR_FEATURES)
        predicates.setdefault(subject, []).append(_verb(effects, members[0], feature, subject[1]))
    return [f"{subject} {_predicate(verbs)}" for (subject, _), verbs in predicates.items()]


def joint_details(effects: EffectSizes, joint: int) -> str:
    """Return what one joint does differently beyond chance, without naming it; it may be empty."""
    sizes = [
        (abs(size[joint]), feature)
        for feature, size in effects.sizes.items()
        if feature not in PAIR_FEATURES and effects.beyonds[feature][joint]
    ]
    sizes.sort(key=lambda item: -item[0])
    features = [q for size, q in sizes if size > SHARE * sizes[0][0]]
    return _predicate([_verb(effects, joint, feature, False) for feature in features[:2]])


def subject_phrase(layout: SkeletonLayout, joints: Sequence[int]) -> str:
    """Return the joints as the subject of a sentence, such as ``the left hand and wrist``."""
    return _subject(layout, joints, False, False)[0]


def join_list(items: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return " and ".join([*([", ".join(items[:-1])] if items[:-1] else []), *items[-1:]])


def _predicate(phrases: Sequence[str]) -> str:
    """Return verb phrases as one, each verb said once."""
    verbs: dict[str, list[str]] = {}
    for verb, _, rest in (phrase.partition(" ") for phrase in phrases):
        verbs.setdefault(verb, []).append(rest)
    joined = [f"{verb} {join_list(rests)}" for verb, rests in verbs.items()]
    return join_list(joined) if len(joined) == len(phrases) else ", and ".join(joined)


def differences(
    layout: SkeletonLayout, effects: EffectSizes, joints: Sequence[int]
) -> list[tuple[MotionFeature, list[int]]]:
    """Return the features that differ most beyond chance, strongest first.

    Returns:
        Each feature with the joints among those given that it is about, strongest first. All of
        them differ in the same direction, and beyond chance.
    """
    found = []
    for feature, beyond in effects.beyonds.items():
        about = [v for v in joints if beyond[v]]
        if feature in PAIR_FEATURES:
            about = [v for v in about if layout.mirror[v] in joints]
        if not about:
            continue
        size, either = effects.sizes[feature], effects.eithers[feature]
        top = max(about, key=lambda v: abs(size[v]))
        alike = [v for v in about if size[v] / size[top] >= SHARE and either[v] == either[top]]
        found.append((abs(size[top]), feature, sorted(alike, key=lambda v: -abs(size[v]))))
    largest = max((size for size, _, _ in found), default=0.0)
    found.sort(key=lambda item: -item[0])
    return [(feature, alike) for size, feature, alike in found if size >= SHARE * largest]


def _verb(effects: EffectSizes, joint: int, feature: MotionFeature, plural: bool) -> str:
    more, less = _VERBS[feature]
    phrase = more if effects.sizes[feature][joint] > 0 else less
    verb, _, rest = phrase.partition(" ")
    return f"{verb if plural else verb + ('es' if verb.endswith('ch') else 's')} {rest}"


def _subject(
    layout: SkeletonLayout, joints: Sequence[int], either: bool, pair: bool
) -> tuple[str, bool]:
    """Return the subject of a clause and whether its verb is plural."""
    sides: dict[str, set[str]] = {}
    kind_of = _kinds(layout)
    for joint in joints:
        sides.setdefault(kind_of[joint], set()).add(_side(layout, joint))
    order = {kind: joint for joint, kind in enumerate(kind_of)}
    named = sorted(list(sides)[:NAMED_JOINTS], key=lambda kind: order[kind])
    kinds = {kind: sides[kind] for kind in named}
    if pair:
        return f"the two {join_list(_plurals(kinds))}", True
    if either:
        return f"the {join_list(list(kinds))} of one side", len(kinds) > 1
    both = [kind for kind, present in kinds.items() if len(present) > 1]
    phrases = [f"both {join_list(_plurals(both))}"] if both else []
    for side in ("left", "right", ""):
        single = [kind for kind, present in kinds.items() if present == {side}]
        if single:
            phrases.append(" ".join(filter(None, ["the", side, join_list(single)])))
    return join_list(phrases), bool(both) or len(kinds) > 1


@cache
def _kinds(layout: SkeletonLayout) -> tuple[str, ...]:
    """Return each joint's name without its side."""
    return tuple(_kind(layout, joint) for joint in range(layout.num_joints))


def _kind(layout: SkeletonLayout, joint: int) -> str:
    words = layout.display_name(joint).split()
    kept = (
        [word for word in words if word not in _SIDES] if layout.mirror[joint] != joint else words
    )
    return " ".join(kept) or layout.display_name(joint)


def _side(layout: SkeletonLayout, joint: int) -> str:
    if layout.mirror[joint] == joint:
        return ""
    return "left" if (joint, layout.mirror[joint]) in layout.pairs else "right"


def _plurals(kinds: Iterable[str]) -> list[str]:
    return [" ".join([*words[:-1], _plural(words[-1])]) for words in map(str.split, kinds)]


def _plural(word: str) -> str:
    return _PLURALS.get(word, f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s")
