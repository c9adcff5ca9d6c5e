"""BVH motion capture: a hierarchy of joints and their rotations, as positions by kinematics.

A joint is at its parent's position plus its offset turned by the parent's rotation; where a joint
has position channels, they take the place of its offset. Rotations are applied in the order of
their channels. End sites that are away from their joint are joints too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text

_AXES = {"x": 0, "y": 1, "z": 2}
_CHANNELS = {f"{axis}{kind}" for axis in _AXES for kind in ("position", "rotation")}


@dataclass
class _BvhJoint:
    """Joint of a hierarchy.

    Args:
        name: Name; that of an end site comes from its joint.
        parent: Index of the parent; -1 for a root.
        offset: Place relative to the parent at rest.
        channels: Channels in the order of the numbers of a frame.
    """

    name: str
    parent: int
    offset: Float[np.ndarray, " 3"]
    channels: list[str] = field(default_factory=list)


def _matches(source: KeypointSource) -> bool:
    return source.is_text and source.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].upper() == b"HIERARCHY"


def _read(source: KeypointSource) -> list[KeypointRecording]:
    hierarchy, marker, motion = source.text.partition("MOTION")
    try:
        joints = _hierarchy(iter(hierarchy.split()))
        frame_time, values = _motion(motion.split(), sum(len(j.channels) for j in joints))
    except (ValueError, IndexError, StopIteration, RuntimeError) as error:
        problem = clean_text(error) or "it ends early"
        raise DataError(f"is damaged BVH: {problem}", path=source.path) from error
    if not marker:
        raise DataError("is BVH without MOTION", path=source.path)
    positions = joint_positions_of_bvh(joints, values)
    kept = [n for n, j in enumerate(joints) if j.channels or np.any(j.offset)]
    names = _different([joints[n].name for n in kept])
    place = {joint: n for n, joint in enumerate(kept)}
    bones = tuple((place[n], place[joints[n].parent]) for n in kept if joints[n].parent >= 0)
    return [
        KeypointRecording(
            name=source.name,
            joints=positions[None, :, kept].astype(np.float32),
            joint_names=names,
            layout=SkeletonLayout(f"bvh-{len(kept)}", names, bones),
            fps=1 / frame_time if frame_time > 0 else None,
            person_ids=("0",),
            source=source.path,
        )
    ]


def _hierarchy(words: Iterator[str]) -> list[_BvhJoint]:
    """Return the joints of a hierarchy, each after its parent."""
    joints: list[_BvhJoint] = []
    open_joints: list[int] = []
    for word in words:
        match word.upper():
            case "ROOT" | "JOINT" | "END":
                parent = open_joints[-1] if open_joints else -1
                name, brace = _name(words)
                if word.upper() == "END":
                    name = f"{joints[parent].name} end"
                if brace != "{":
                    raise ValueError(f"a brace is missing behind {name}")
                open_joints.append(len(joints))
                joints.append(_BvhJoint(name, parent, np.zeros(3)))
            case "OFFSET":
                offset = np.array([float(next(words)) for _ in range(3)])
                joints[open_joints[-1]].offset = offset
            case "CHANNELS":
                channels = [next(words).lower() for _ in range(int(next(words)))]
                if unknown := set(channels) - _CHANNELS:
                    raise ValueError(f"unknown channels {', '.join(sorted(unknown))}")
                joints[open_joints[-1]].channels = channels
            case "}":
                open_joints.pop()
    if open_joints or not joints:
        raise ValueError("the hierarchy is not closed")
    return joints


def _name(words: Iterator[str]) -> tuple[str, str]:
    """Return the words up to the brace that opens a joint, and the brace."""
    parts: list[str] = []
    for word in words:
        if word == "{":
            return clean_text(" ".join(parts)), word
        parts.append(word)
    return "", ""


def _motion(words: list[str], channels: int) -> tuple[float, Float[np.ndarray, "t k"]]:
    """Return the time of a frame in seconds, and the channels of each frame."""
    lower = [word.lower() for word in words[:8]]
    if lower[:1] != ["frames:"] or lower[2:4] != ["frame", "time:"]:
        raise ValueError("MOTION does not begin with Frames: and Frame Time:")
    frames, frame_time = int(words[1]), float(words[4])
    values = np.array(words[5:], dtype=np.float64)
    if not frames or values.size != frames * channels or not np.isfinite(values).all():
        raise ValueError(f"{frames} frames of {channels} channels need {frames * channels} numbers")
    return frame_time, values.reshape(frames, channels)


def joint_positions_of_bvh(
    joints: list[_BvhJoint], values: Float[np.ndarray, "t k"]
) -> Float[np.ndarray, "t v 3"]:
    """Return the position of each joint in each frame.

    Args:
        joints: Joints, each after its parent.
        values: Channels of all joints in their order; angles are in degrees.
    """
    frames, column = len(values), 0
    positions = np.zeros((frames, len(joints), 3))
    rotations = np.zeros((len(joints), frames, 3, 3))
    for n, joint in enumerate(joints):
        local = np.tile(joint.offset, (frames, 1))
        rotation = np.tile(np.eye(3), (frames, 1, 1))
        for channel in joint.channels:
            axis = _AXES[channel[0]]
            if channel.endswith("position"):
                local[:, axis] = values[:, column]
            else:
                rotation = rotation @ _turns(axis, np.radians(values[:, column]))
            column += 1
        if joint.parent < 0:
            positions[:, n], rotations[n] = local, rotation
        else:
            turned = np.einsum("tij,tj->ti", rotations[joint.parent], local)
            positions[:, n] = positions[:, joint.parent] + turned
            rotations[n] = rotations[joint.parent] @ rotation
    return positions


def _turns(axis: int, angles: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t 3 3"]:
    """Return rotations about an axis by angles in radians."""
    out = np.zeros((len(angles), 3, 3))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    out[:, axis, axis] = 1
    out[:, first, first] = out[:, second, second] = np.cos(angles)
    out[:, second, first] = np.sin(angles)
    out[:, first, second] = -np.sin(angles)
    return out


def _different(names: list[str]) -> tuple[str, ...]:
    """Return names of which those that repeat have a number behind them."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return tuple(out)


BVH = KeypointFormat(
    name="bvh",
    title="BVH motion capture",
    matches=_matches,
    read=_read,
)
"""Motion capture as BVH."""
