"""Picture of a layout, as text and as SVG, and the layout file beside an archive."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import yaml
from jaxtyping import Float

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.data.bone_check import absent_as_nan

_SIZE = 480
_MARGIN = 60
_HEADS = ("head", "nose", "skull")
_COLOURS = {"left": "#1f5f9f", "right": "#c8590d", "": "#6b7280"}


def layout_tree(layout: SkeletonLayout) -> list[str]:
    """Return lines that draw the bones as a tree, with the names of joints."""
    children: dict[int, list[int]] = {joint: [] for joint in range(layout.num_joints)}
    for child, parent in layout.bones:
        children[parent].append(child)
    lines: list[str] = []
    pending = [(root, "", "", "") for root in sorted(layout.roots, reverse=True)]
    while pending:
        joint, line, before, below = pending.pop()
        chain = [joint]
        while len(children[chain[-1]]) == 1:
            chain.append(children[chain[-1]][0])
        names = [layout.joints[n] for n in chain]
        if layout.center in chain:
            names[chain.index(layout.center)] += " (centre)"
        lines.append(f"{line}{before}{' - '.join(names)}")
        others = children[chain[-1]]
        for n in reversed(range(len(others))):
            last = n == len(others) - 1
            mark, continued = ("└ ", "  ") if last else ("├ ", "│ ")
            pending.append((others[n], line + below, mark, continued))
    return lines


def pose_svg(clips: Sequence[Float[np.ndarray, "_ _ v c"]], layout: SkeletonLayout) -> str:
    """Return an SVG of a body in the data with the bones of a layout; left is blue, right orange.

    It is the frame in which most joints are seen, from the side on which the body is broadest.

    Args:
        clips: Coordinates; a joint that was not seen is NaN, or zero in all of them.
        layout: The layout.
    """
    pose = _fullest_pose(clips)
    flat = _projected(pose, layout)
    seen = ~np.isnan(flat).any(axis=-1)
    if seen.any():
        low, high = flat[seen].min(axis=0), flat[seen].max(axis=0)
        scale = (_SIZE - 2 * _MARGIN) / max(float((high - low).max()), 1e-9)
        flat = (flat - (low + high) / 2) * scale + _SIZE / 2
    side = {left: "left" for left, _ in layout.pairs} | {r: "right" for _, r in layout.pairs}
    parts = []
    for child, parent in layout.bones:
        if seen[child] and seen[parent]:
            (x1, y1), (x2, y2) = flat[child].tolist(), flat[parent].tolist()
            parts.append(
                f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                f'stroke="{_COLOURS[side.get(child, "")]}" stroke-width="3"/>'
            )
    for joint in np.flatnonzero(seen).tolist():
        x, y = flat[joint].tolist()
        name = escape(layout.joints[joint])
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{_COLOURS[side.get(joint, "")]}"/>'
            f'<text x="{x + 7:.1f}" y="{y + 4:.1f}" font-size="11" fill="#1b1f27">{name}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {_SIZE}" width="{_SIZE}" '
        f'height="{_SIZE}" font-family="sans-serif"><rect width="100%" height="100%" '
        f'fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _fullest_pose(clips: Sequence[Float[np.ndarray, "_ _ v c"]]) -> Float[np.ndarray, "v c"]:
    best, most = None, -1
    for clip in clips:
        joints = absent_as_nan(clip)
        counts = (~np.isnan(joints).any(axis=-1)).sum(axis=-1)
        if counts.size and counts.max() > most:
            body, frame = np.unravel_index(int(counts.argmax()), counts.shape)
            best, most = joints[body, frame], int(counts.max())
    if best is None:
        raise ValueError("there are no clips")
    pose: Float[np.ndarray, "v c"] = best
    return pose


def _projected(pose: Float[np.ndarray, "v c"], layout: SkeletonLayout) -> Float[np.ndarray, "v 2"]:
    """Return a pose as right and down in a picture, a head above where names say which it is."""
    spread = np.nan_to_num(np.nanmax(pose, axis=0) - np.nanmin(pose, axis=0))
    if pose.shape[1] == 2:
        across, along = 0, 1
    else:
        along, across = (int(axis) for axis in np.argsort(-spread, kind="stable")[:2])
    flat: Float[np.ndarray, "v 2"] = pose[:, [across, along]]
    heads = [j for j, n in enumerate(layout.joints) if any(w in n.lower() for w in _HEADS)]
    top = [joint for joint in heads if not np.isnan(flat[joint]).any()]
    upside_down = bool(top) and np.nanmean(flat[top, 1]) > np.nanmean(flat[:, 1])
    if upside_down or (not top and pose.shape[1] == 3):
        flat = flat * [1, -1]
    return flat


def layout_yaml(layout: SkeletonLayout, comments: Sequence[str] = ()) -> str:
    """Return a layout as the text of a layout file, with comments before it.

    Args:
        layout: The layout.
        comments: Lines of the comments.
    """
    names = layout.joints
    fields: dict[str, Any] = {
        "name": layout.name,
        "joints": list(names),
        "bones": [[names[child], names[parent]] for child, parent in layout.bones],
        "center": names[layout.center],
    }
    if layout.given_pairs is not None:
        fields["pairs"] = [[names[left], names[right]] for left, right in layout.given_pairs]
    head = "".join(f"# {' '.join(line.split())}\n" for line in comments)
    lines = [  # a line for each joint and each pair, to be changed by hand
        yaml.safe_dump(
            {key: value},
            sort_keys=False,
            allow_unicode=True,
            width=1000,
            default_flow_style=None if key in ("bones", "pairs") else False,
        )
        for key, value in fields.items()
    ]
    return head + "".join(lines)
