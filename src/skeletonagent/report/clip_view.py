"""Page that plays clips as they are stored: one file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from jaxtyping import Bool
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.bone_check import absent_as_nan
from skeletonagent.report.clip_player import Axes, depth_sign, shown_joints
from skeletonagent.report.serialize import escape_for_script, pack_json, quantize
from skeletonagent.report.skeleton_svg import layout_drawing

VIEW_SCRIPTS = ("base", "colours", "player", "view")
"""Parts of the page's script, in the order in which they are joined."""

_TOPS = ("head", "nose", "skull", "eye", "neck")
_BOTTOMS = ("foot", "ankle", "toe", "heel", "sole", "knee")
_LONGER = 1.3
"""Factor by which a body must be longer along another axis than y to stand along it."""


@dataclass(frozen=True)
class ViewedClip:
    """Clip as a page shows it.

    Args:
        sequence: Joints, zeros where nothing was seen.
        label: Name of its class; empty where unknown.
        part: Set of the default split that it is in; empty for none.
        fps: Frames a second; None if unknown.
    """

    sequence: SkeletonSequence
    label: str = ""
    part: str = ""
    fps: float | None = None


def clip_view_page(
    title: str,
    layout: SkeletonLayout,
    clips: Sequence[ViewedClip],
    coordinates: int,
    remark: str = "",
) -> str:
    """Return the page: HTML with style, script and clips inside.

    Args:
        title: Name of what is shown.
        layout: Skeleton of the clips.
        clips: Clips.
        coordinates: Number of channels that are coordinates.
        remark: Sentence about what is shown.
    """
    bodies = [clip.sequence for clip in clips]
    axes = stored_axes(bodies, layout, coordinates)
    sides = {left: 1 for left, _ in layout.pairs} | {right: 2 for _, right in layout.pairs}
    data = {
        "classes": sorted({clip.label for clip in clips}),
        "layout": {
            **layout_drawing(layout),
            "sides": [sides.get(joint, 0) for joint in range(layout.num_joints)],
        },
        "clips": [_clip(clip, axes, coordinates) for clip in clips],
        "remark": remark,
        "sections": {},
    }
    environment = Environment(
        loader=PackageLoader("skeletonagent.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = resources.files("skeletonagent.report") / "templates"
    parts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in VIEW_SCRIPTS]
    return environment.get_template("view.html.jinja").render(
        title=title,
        style=Markup((folder / "report.css").read_text(encoding="utf-8")),
        script=Markup("\n".join(parts)),
        data=escape_for_script(data),
    )


def stored_axes(
    sequences: Sequence[SkeletonSequence], layout: SkeletonLayout, coordinates: int
) -> Axes:
    """Return which coordinate is drawn to the right, upwards and towards the viewer, with signs.

    Up is y unless bodies are clearly longer along z; heads are above feet where names say which
    these are, and otherwise y grows upwards in space and downwards in an image.

    Args:
        sequences: Some clips.
        layout: Their skeleton.
        coordinates: Number of their channels that are coordinates.
    """
    rows = [sequence.joints[..., :coordinates].reshape(-1, *sequence.joints.shape[2:3], coordinates)
            for sequence in sequences]  # fmt: skip
    joints = absent_as_nan(np.concatenate([bodies[:: 1 + len(bodies) // 50] for bodies in rows]))
    joints = joints[~np.isnan(joints).any(axis=(1, 2))]
    up, sign = 1, 1 if coordinates == 3 else -1
    if len(joints):
        extents = np.median(joints.max(axis=1) - joints.min(axis=1), axis=0)
        up = 2 if coordinates == 3 and extents[2] > _LONGER * extents[1] else 1
        tops, bottoms = (_named(layout, words) for words in (_TOPS, _BOTTOMS))
        if tops and bottoms:
            higher = joints[:, tops, up].mean() > joints[:, bottoms, up].mean()
            sign = 1 if higher else -1
    axes: list[tuple[int, int]] = [(0, 1), (up, sign)]
    if coordinates == 3:
        axes.append((3 - up, depth_sign(axes, 3 - up)))
    return tuple(axes)


def _named(layout: SkeletonLayout, words: Sequence[str]) -> list[int]:
    return [
        joint
        for joint, name in enumerate(layout.joints)
        if any(word in name.lower() for word in words)
    ]


def _clip(clip: ViewedClip, axes: Axes, coordinates: int) -> dict[str, Any]:
    sequence = clip.sequence
    joints = shown_joints(sequence, axes)
    seen = _seen(sequence, coordinates)
    middle = joints[seen].mean(axis=0) if seen.any() else np.zeros(3, dtype=np.float32)
    return {
        "id": sequence.sample_id,
        "label": clip.label,
        "part": clip.part,
        "subject": sequence.subject,
        "fps": clip.fps,
        "frames": int(sequence.joints.shape[1]),
        "joints": quantize(np.where(seen[..., None], joints - middle, 0), "int16"),
        "seen": pack_json(seen.astype(np.uint8)),
    }


def _seen(sequence: SkeletonSequence, coordinates: int) -> Bool[np.ndarray, "m t v"]:
    """Return which joints of the shown frames were seen."""
    axes = tuple((axis, 1) for axis in range(min(coordinates, 3)))
    return np.asarray(shown_joints(sequence, axes).any(axis=-1))
