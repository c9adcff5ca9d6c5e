"""Drawing of a skeleton as SVG, laid out by the names of its joints and its bones."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from html import escape
from typing import Any

import numpy as np
from jaxtyping import Float

from skeletonagent.core.layout import SkeletonLayout

_POSITIONS = {
    "head": (0, 1.72), "face": (0, 1.7), "nose": (0, 1.67), "eye": (0.05, 1.73),
    "eye inner": (0.025, 1.725), "eye outer": (0.08, 1.725),
    "ear": (0.115, 1.7), "mouth": (0.03, 1.62), "neck": (0, 1.53), "collar": (0.08, 1.46),
    "shoulder center": (0, 1.46), "middle of shoulders": (0, 1.46), "mid shoulder": (0, 1.46),
    "shoulder": (0.19, 1.44), "elbow": (0.32, 1.2), "wrist": (0.42, 0.98), "hand": (0.47, 0.88),
    "hand tip": (0.5, 0.78), "thumb": (0.4, 0.85), "pinky": (0.52, 0.84), "index": (0.48, 0.78),
    "thorax": (0, 1.4), "chest": (0, 1.25),
    "upper spine": (0, 1.34), "middle spine": (0, 1.22), "lower spine": (0, 1.1),
    "hip center": (0, 0.98), "middle of hips": (0, 0.98), "mid hip": (0, 0.98),
    "base of spine": (0, 0.98), "pelvis": (0, 0.98),
    "hip": (0.1, 0.95), "knee": (0.14, 0.53), "ankle": (0.17, 0.1), "heel": (0.15, 0.02),
    "foot": (0.24, 0.02), "foot index": (0.24, 0.02), "big toe": (0.24, 0.02),
    "small toe": (0.28, 0.04),
}  # fmt: skip
"""Positions of the joints of a standing person, outward and up, in metres."""
_HEAD = ("head", "face", "nose", "eye", "ear")
_SIDE_WORDS = re.compile(r"\b(?:left|right|l|r)\b|^(?:left|right)|[-.]")
UNKNOWN_BONE_LENGTH = 0.14
"""Length of a bone to a joint of unknown name."""
LEAF_WIDTH, LEVEL_HEIGHT = 0.16, 0.22
"""Width of a leaf and height of a level of a skeleton that is drawn as a tree."""
MARGIN = 0.16
_UNITS = 100
"""Units of a drawing in a metre."""


def joint_positions(layout: SkeletonLayout) -> Float[np.ndarray, "v 2"]:
    """Return where to draw each joint: right and up, in metres, no two at the same position.

    Joints with known names form a standing person who faces the viewer, so left is on the right of
    the picture; the others are placed between or beyond them. A skeleton of mostly unknown names
    is drawn as a tree, roots at the top.
    """
    person = _standing_person(layout)
    return _tree(layout) if person is None else person


def skeleton_svg(
    layout: SkeletonLayout, highlighted: Collection[int] = (), description: str = ""
) -> str:
    """Return an inline SVG of the skeleton, each joint's label as its tooltip.

    Colours are the CSS variables ``--body``, ``--bone`` and ``--salient`` of the page, if set.

    Args:
        layout: The skeleton.
        highlighted: Joints to highlight.
        description: Alternative text of the drawing; by default the highlighted joints.
    """
    positions = joint_positions(layout) * (_UNITS, -_UNITS)
    low = positions.min(axis=0) - MARGIN * _UNITS
    width, height = positions.max(axis=0) + MARGIN * _UNITS - low
    names = ", ".join(layout.display_name(joint) for joint in sorted(highlighted))
    label = escape(description or f"Skeleton, {names or 'no joint'} highlighted", quote=True)
    return (
        f'<svg class="skeleton" role="img" aria-label="{label}" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="{low[0]:.0f} {low[1]:.0f} {width:.0f} {height:.0f}">'
        f"{''.join(_lines(layout, positions, set(highlighted)))}"
        f"{''.join(_dots(layout, positions, set(highlighted)))}</svg>"
    )


def layout_drawing(layout: SkeletonLayout) -> dict[str, Any]:
    """Return a skeleton as plain values: positions to draw its joints at, bones and names."""
    return {
        "positions": joint_positions(layout).round(4).tolist(),
        "bones": [list(bone) for bone in layout.bones],
        "names": [layout.display_name(joint) for joint in range(layout.num_joints)],
    }


def _lines(
    layout: SkeletonLayout, positions: Float[np.ndarray, "v 2"], highlighted: set[int]
) -> Iterator[str]:
    """Yield the body as broad pale strokes, then the bones as thin ones."""

    def path(bones: list[tuple[int, int]]) -> str:
        ends = [(positions[child], positions[parent]) for child, parent in bones]
        return "".join(f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" for a, b in ends)

    style = 'fill="none" stroke-linecap="round" stroke-linejoin="round"'
    bones = list(layout.bones)
    bright = [bone for bone in bones if highlighted.issuperset(bone)]
    yield f'<path d="{path(bones)}" {style} style="stroke:var(--body,#e6e9ee);stroke-width:11"/>'
    head = [joint for joint in range(layout.num_joints) if _kind(layout, joint) in _HEAD]
    if head and _standing_person(layout) is not None:
        x, y = positions[head].mean(axis=0)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="14" style="fill:var(--body,#e6e9ee)"/>'
    yield f'<path d="{path(bones)}" {style} style="stroke:var(--bone,#8d96a5);stroke-width:1.6"/>'
    if bright:
        line = "stroke:var(--salient,#c2410c);stroke-width:3.2"
        yield f'<path d="{path(bright)}" {style} style="{line}"/>'


def _dots(
    layout: SkeletonLayout, positions: Float[np.ndarray, "v 2"], highlighted: set[int]
) -> Iterator[str]:
    """Yield the joints, highlighted ones last so that nothing covers them."""
    for joint in sorted(range(layout.num_joints), key=lambda joint: joint in highlighted):
        x, y = positions[joint]
        place = f'cx="{x:.1f}" cy="{y:.1f}"'
        radius, colour, state, ring = 2.3, "bone,#8d96a5", "", ""
        if joint in highlighted:
            radius, colour, state = 4.0, "salient,#c2410c", ' class="salient"'
            style = f"fill:none;stroke:var(--{colour});stroke-width:1.4"
            ring = f'<circle class="ring" {place} r="7.2" style="{style}"/>'
        yield (
            f"<g{state}><title>{escape(layout.label(joint))}</title>"
            f'<circle {place} r="7" fill="transparent"/>'
            f'<circle {place} r="{radius}" style="fill:var(--{colour})"/>{ring}</g>'
        )


def _standing_person(layout: SkeletonLayout) -> Float[np.ndarray, "v 2"] | None:
    """Return positions of a standing person; None if too few names are known or two coincide."""
    placed = _named_joints(layout)
    if 2 * len(placed) < layout.num_joints:
        return None
    _place_outer_joints(layout, _place_inner_joints(layout, placed), placed)
    positions = np.array([placed[joint] for joint in range(layout.num_joints)], dtype=np.float64)
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    smallest = distances[~np.eye(len(positions), dtype=bool)].min(initial=1.0)
    return positions if smallest > 1e-3 else None


def _kind(layout: SkeletonLayout, joint: int) -> str:
    """Return a joint's name without its side."""
    return " ".join(_SIDE_WORDS.sub(" ", layout.display_name(joint)).split())


def _named_joints(layout: SkeletonLayout) -> dict[int, tuple[float, float]]:
    """Return the positions of the joints whose names are known."""
    side = {left: 1 for left, _ in layout.pairs} | {right: -1 for _, right in layout.pairs}
    placed: dict[int, tuple[float, float]] = {}
    for joint in range(layout.num_joints):
        outward, up = _POSITIONS.get(_kind(layout, joint), (0, -1))
        if up >= 0 and bool(outward) == (joint in side):
            placed[joint] = (side.get(joint, 0) * outward, up)
    return placed


def _place_inner_joints(
    layout: SkeletonLayout, placed: dict[int, tuple[float, float]]
) -> list[set[int]]:
    """Place joints between placed ones at the mean of their neighbours; return neighbours."""
    neighbours: list[set[int]] = [set() for _ in range(layout.num_joints)]
    for child, parent in layout.bones:
        neighbours[child].add(parent)
        neighbours[parent].add(child)
    inner = set(range(layout.num_joints))
    while loose := [v for v in inner - placed.keys() if len(neighbours[v] & inner) < 2]:
        inner -= set(loose)
    fixed = set(placed)
    for _ in range(200 if inner - fixed else 0):
        for joint in sorted(inner - fixed):
            nearby = [placed[other] for other in neighbours[joint] & inner if other in placed]
            if nearby:
                x, y = np.mean(nearby, axis=0).tolist()
                placed[joint] = (x, y)
    return neighbours


def _place_outer_joints(
    layout: SkeletonLayout, neighbours: list[set[int]], placed: dict[int, tuple[float, float]]
) -> None:
    """Place the other joints beyond their neighbours, several of them fanned out."""
    while len(placed) < layout.num_joints:
        edge = [joint for joint in sorted(placed) if neighbours[joint] - placed.keys()]
        if not edge:
            isolated = next(v for v in range(layout.num_joints) if v not in placed)
            placed[isolated] = (max(x for x, _ in placed.values()) + 2 * UNKNOWN_BONE_LENGTH, 1.0)
            continue
        joint = edge[0]
        position = np.array(placed[joint])
        behind = [placed[other] for other in neighbours[joint] & placed.keys()]
        away = position - np.mean(behind, axis=0) if behind else np.array([0.0, 1.0])
        angle = np.arctan2(away[1], away[0])
        new = sorted(neighbours[joint] - placed.keys())
        for number, other in enumerate(new):
            direction = angle + 0.7 * (number - (len(new) - 1) / 2)
            x, y = (
                position + UNKNOWN_BONE_LENGTH * np.array([np.cos(direction), np.sin(direction)])
            ).tolist()
            placed[other] = (x, y)


def _tree(layout: SkeletonLayout) -> Float[np.ndarray, "v 2"]:
    """Return positions of the skeleton as a tree: parents above the middle of their children."""
    children: dict[int, list[int]] = {joint: [] for joint in range(layout.num_joints)}
    for child, parent in layout.bones:
        children[parent].append(child)
    positions = np.zeros((layout.num_joints, 2))
    leaves = 0
    pending = [(root, 0, False) for root in sorted(layout.roots, reverse=True)]
    while pending:
        joint, depth, visited = pending.pop()
        if not children[joint]:
            positions[joint] = leaves * LEAF_WIDTH, -depth * LEVEL_HEIGHT
            leaves += 1
        elif visited:
            positions[joint] = positions[children[joint], 0].mean(), -depth * LEVEL_HEIGHT
        else:
            below = [(child, depth + 1, False) for child in reversed(children[joint])]
            pending += [(joint, depth, True), *below]
    return positions
