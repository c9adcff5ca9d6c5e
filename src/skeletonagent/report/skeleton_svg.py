"""A skeleton as a drawing, laid out from nothing but the names of its joints and its bones."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from html import escape
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.layout import SkeletonLayout

_PLACES = {
    "head": (0, 1.72), "face": (0, 1.7), "nose": (0, 1.67), "eye": (0.05, 1.73),
    "ear": (0.115, 1.7), "neck": (0, 1.53),
    "shoulder center": (0, 1.46), "middle of shoulders": (0, 1.46), "mid shoulder": (0, 1.46),
    "shoulder": (0.19, 1.44), "elbow": (0.32, 1.2), "wrist": (0.42, 0.98), "hand": (0.47, 0.88),
    "hand tip": (0.5, 0.78), "thumb": (0.4, 0.85),
    "hip center": (0, 0.98), "middle of hips": (0, 0.98), "mid hip": (0, 0.98),
    "base of spine": (0, 0.98), "pelvis": (0, 0.98),
    "hip": (0.1, 0.95), "knee": (0.14, 0.53), "ankle": (0.17, 0.1), "heel": (0.15, 0.02),
    "foot": (0.24, 0.02), "big toe": (0.24, 0.02), "small toe": (0.28, 0.04),
}  # fmt: skip
"""Where a joint of a standing person is, outward and up, in metres."""
_HEAD = ("head", "face", "nose", "eye", "ear")
_SIDE_WORDS = re.compile(r"\b(?:left|right|l|r)\b|^(?:left|right)|[-.]")
STEP = 0.14
"""Length of a bone to a joint of which nothing is known."""
LEAF, LEVEL = 0.16, 0.22
"""Breadth of a leaf and height of a level where the skeleton is drawn as a tree."""
MARGIN = 0.16
_UNITS = 100
"""Units of a drawing in a metre."""


def positions(layout: SkeletonLayout) -> Float[np.ndarray, "v 2"]:
    """Return where to draw each joint: right and up, in metres, no two at the same place.

    Joints of known names make a person who stands and faces the viewer, so left is on the right of
    the picture; all others lie between or beyond those. A skeleton of mostly unknown names is
    drawn as the tree it is, roots above.
    """
    figure = _figure(layout)
    return _tree(layout) if figure is None else figure


def skeleton_svg(
    layout: SkeletonLayout, highlighted: Collection[int] = (), description: str = ""
) -> str:
    """Return an inline SVG of the skeleton, each joint's label as its tooltip.

    Colours are the CSS variables ``--body``, ``--bone`` and ``--salient`` of the page, if set.

    Args:
        layout: The skeleton.
        highlighted: Joints to bring out.
        description: What the drawing shows, for those who cannot see it; by default the
            highlighted joints.
    """
    places = positions(layout) * (_UNITS, -_UNITS)
    low = places.min(axis=0) - MARGIN * _UNITS
    width, height = places.max(axis=0) + MARGIN * _UNITS - low
    named = ", ".join(layout.display_name(joint) for joint in sorted(highlighted))
    told = escape(description or f"Skeleton, {named or 'no joint'} highlighted", quote=True)
    return (
        f'<svg class="skeleton" role="img" aria-label="{told}" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="{low[0]:.0f} {low[1]:.0f} {width:.0f} {height:.0f}">'
        f"{''.join(_lines(layout, places, set(highlighted)))}"
        f"{''.join(_dots(layout, places, set(highlighted)))}</svg>"
    )


def layout_drawing(layout: SkeletonLayout) -> dict[str, Any]:
    """Return a skeleton as plain values: where to draw its joints, its bones and its names."""
    return {
        "places": positions(layout).round(4).tolist(),
        "bones": [list(bone) for bone in layout.bones],
        "names": [layout.display_name(joint) for joint in range(layout.num_joints)],
    }


def _lines(
    layout: SkeletonLayout, places: Float[np.ndarray, "v 2"], highlighted: set[int]
) -> Iterator[str]:
    """Give the body as broad pale strokes, then its bones as thin ones."""

    def path(bones: list[tuple[int, int]]) -> str:
        ends = [(places[child], places[parent]) for child, parent in bones]
        return "".join(f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" for a, b in ends)

    style = 'fill="none" stroke-linecap="round" stroke-linejoin="round"'
    every = list(layout.bones)
    bright = [bone for bone in every if highlighted.issuperset(bone)]
    yield f'<path d="{path(every)}" {style} style="stroke:var(--body,#e6e9ee);stroke-width:11"/>'
    head = [joint for joint in range(layout.num_joints) if _kind(layout, joint) in _HEAD]
    if head and _figure(layout) is not None:
        x, y = places[head].mean(axis=0)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="14" style="fill:var(--body,#e6e9ee)"/>'
    yield f'<path d="{path(every)}" {style} style="stroke:var(--bone,#8d96a5);stroke-width:1.6"/>'
    if bright:
        line = "stroke:var(--salient,#c2410c);stroke-width:3.2"
        yield f'<path d="{path(bright)}" {style} style="{line}"/>'


def _dots(
    layout: SkeletonLayout, places: Float[np.ndarray, "v 2"], highlighted: set[int]
) -> Iterator[str]:
    """Give the joints, those brought out last so that nothing covers them."""
    for joint in sorted(range(layout.num_joints), key=lambda joint: joint in highlighted):
        x, y = places[joint]
        radius, colour = (4.6, "salient,#c2410c") if joint in highlighted else (2.3, "bone,#8d96a5")
        state = ' class="salient"' if joint in highlighted else ""
        yield (
            f"<g{state}><title>{escape(layout.label(joint))}</title>"
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="transparent"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" style="fill:var(--{colour})"/></g>'
        )


def _figure(layout: SkeletonLayout) -> Float[np.ndarray, "v 2"] | None:
    """Return the joints of a standing person; None if too few are known or two coincide."""
    known = _known(layout)
    if 2 * len(known) < layout.num_joints:
        return None
    _beyond(layout, _between(layout, known), known)
    places = np.array([known[joint] for joint in range(layout.num_joints)], dtype=np.float64)
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    apart = distances[~np.eye(len(places), dtype=bool)].min(initial=1.0)
    return places if apart > 1e-3 else None


def _kind(layout: SkeletonLayout, joint: int) -> str:
    """Return a joint's name without its side."""
    return " ".join(_SIDE_WORDS.sub(" ", layout.display_name(joint)).split())


def _known(layout: SkeletonLayout) -> dict[int, tuple[float, float]]:
    """Return the places of the joints whose names say where they are."""
    side = {left: 1 for left, _ in layout.pairs} | {right: -1 for _, right in layout.pairs}
    found: dict[int, tuple[float, float]] = {}
    for joint in range(layout.num_joints):
        outward, up = _PLACES.get(_kind(layout, joint), (0, -1))
        if up >= 0 and bool(outward) == (joint in side):
            found[joint] = (side.get(joint, 0) * outward, up)
    return found


def _between(layout: SkeletonLayout, known: dict[int, tuple[float, float]]) -> list[set[int]]:
    """Place the joints between known ones at the mean of their neighbours; return neighbours."""
    neighbours: list[set[int]] = [set() for _ in range(layout.num_joints)]
    for child, parent in layout.bones:
        neighbours[child].add(parent)
        neighbours[parent].add(child)
    inner = set(range(layout.num_joints))
    while loose := [v for v in inner - known.keys() if len(neighbours[v] & inner) < 2]:
        inner -= set(loose)
    fixed = set(known)
    for _ in range(200 if inner - fixed else 0):
        for joint in sorted(inner - fixed):
            around = [known[other] for other in neighbours[joint] & inner if other in known]
            if around:
                x, y = np.mean(around, axis=0).tolist()
                known[joint] = (x, y)
    return neighbours


def _beyond(
    layout: SkeletonLayout, neighbours: list[set[int]], known: dict[int, tuple[float, float]]
) -> None:
    """Place the rest, each a step beyond the joint it hangs on, several of them fanned out."""
    while len(known) < layout.num_joints:
        edge = [joint for joint in sorted(known) if neighbours[joint] - known.keys()]
        if not edge:
            lost = next(v for v in range(layout.num_joints) if v not in known)
            known[lost] = (max(x for x, _ in known.values()) + 2 * STEP, 1.0)
            continue
        joint = edge[0]
        here = np.array(known[joint])
        behind = [known[other] for other in neighbours[joint] & known.keys()]
        away = here - np.mean(behind, axis=0) if behind else np.array([0.0, 1.0])
        angle = np.arctan2(away[1], away[0])
        new = sorted(neighbours[joint] - known.keys())
        for number, other in enumerate(new):
            turned = angle + 0.7 * (number - (len(new) - 1) / 2)
            x, y = (here + STEP * np.array([np.cos(turned), np.sin(turned)])).tolist()
            known[other] = (x, y)


def _tree(layout: SkeletonLayout) -> Float[np.ndarray, "v 2"]:
    """Return the skeleton as a tree: a place for each leaf, and parents over their children."""
    children: dict[int, list[int]] = {joint: [] for joint in range(layout.num_joints)}
    for child, parent in layout.bones:
        children[parent].append(child)
    places = np.zeros((layout.num_joints, 2))
    leaves = 0
    pending = [(root, 0, False) for root in sorted(layout.roots, reverse=True)]
    while pending:
        joint, depth, visited = pending.pop()
        if not children[joint]:
            places[joint] = leaves * LEAF, -depth * LEVEL
            leaves += 1
        elif visited:
            places[joint] = places[children[joint], 0].mean(), -depth * LEVEL
        else:
            below = [(child, depth + 1, False) for child in reversed(children[joint])]
            pending += [(joint, depth, True), *below]
    return places
