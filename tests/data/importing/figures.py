"""Recordings of a figure with 13 joints that no known layout has, as files and as values."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skeletonagent.core.recording import KeypointRecording

NAMES = (
    "skull", "sternum", "l shoulder", "l elbow", "l palm", "r shoulder", "r elbow", "r palm",
    "root", "l knee", "l sole", "r knee", "r sole",
)  # fmt: skip
BONES = {
    ("skull", "sternum"), ("l shoulder", "sternum"), ("l elbow", "l shoulder"),
    ("l palm", "l elbow"), ("r shoulder", "sternum"), ("r elbow", "r shoulder"),
    ("r palm", "r elbow"), ("sternum", "root"), ("l knee", "root"), ("l sole", "l knee"),
    ("r knee", "root"), ("r sole", "r knee"),
}  # fmt: skip
REST = np.array(
    [
        [0, 0.75, 0.02], [0, 0.5, 0], [0.2, 0.5, 0], [0.25, 0.25, 0], [0.3, 0.05, 0.05],
        [-0.2, 0.5, 0], [-0.25, 0.25, 0], [-0.3, 0.05, 0.05],
        [0, 0, 0], [0.12, -0.42, 0.02], [0.14, -0.85, 0], [-0.12, -0.42, 0.02], [-0.14, -0.85, 0],
    ]
)  # fmt: skip
"""The figure at rest in metres: its left along x, upright along y."""
ACTIONS = ("lift_left", "lift_right", "kick")
ONE_MORE = "lift_both"
"""An action that recordings have only where it is asked for."""
_LEFT_ARM, _RIGHT_ARM, _LEFT_LEG = (2, [3, 4]), (5, [6, 7]), (8, [9, 10])
_SWUNG = {
    "lift_left": (_LEFT_ARM,), "lift_right": (_RIGHT_ARM,), "kick": (_LEFT_LEG,),
    ONE_MORE: (_LEFT_ARM, _RIGHT_ARM),
}  # fmt: skip
"""Joints that limbs hang from, and those that swing, for each action."""


def figure(action: int, seed: int, frames: int = 24) -> np.ndarray:
    """Return a figure that swings arms or a leg about its shoulders or hip; (T, 13, 3)."""
    rng = np.random.default_rng((action, seed))
    joints = np.repeat(REST[None], frames, axis=0)
    angle = rng.uniform(1.5, 2.2) * np.sin(np.linspace(0, np.pi, frames)) + 0.1
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    for pivot, moved in _SWUNG[(*ACTIONS, ONE_MORE)[action]]:
        limb = REST[moved] - REST[pivot]
        joints[:, moved, 1] = REST[pivot, 1] + limb[:, 1] * cos - limb[:, 2] * sin
        joints[:, moved, 2] = REST[pivot, 2] + limb[:, 1] * sin + limb[:, 2] * cos
    heading = rng.uniform(-0.6, 0.6)
    turn = np.array([[np.cos(heading), 0, np.sin(heading)], [0, 1, 0],
                     [-np.sin(heading), 0, np.cos(heading)]])  # fmt: skip
    breathing = rng.normal(scale=0.004, size=joints.shape)
    sway = 0.05 * np.sin(np.linspace(0, 4, frames))[:, None, None] * np.array([1, 0.2, 1])
    return (joints + breathing) @ turn.T + [0, 1, 3] + sway


def recording(name: str, joints: np.ndarray, **fields: object) -> KeypointRecording:
    """Return a recording of one body (T, V, C), or of several (M, T, V, C)."""
    bodies = joints[None] if joints.ndim == 3 else joints
    return KeypointRecording(name, bodies.astype(np.float32), **fields)  # type: ignore[arg-type]


def write_csv(path: Path, joints: np.ndarray, names: tuple[str, ...] | None = NAMES) -> Path:
    """Write a body (T, V, C) as a wide table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = ",".join(f"{n}_{c}" for n in names for c in "xyz") if names else ""
    np.savetxt(path, joints.reshape(len(joints), -1), "%.5f", ",", header=header, comments="")
    return path


def write_recordings(
    folder: Path,
    subjects: int = 4,
    takes: int = 2,
    names: tuple[str, ...] | None = NAMES,
    actions: tuple[str, ...] = ACTIONS,
) -> Path:
    """Write files such as ``lift_left_p03_1.csv``."""
    for label in actions:
        action = (*ACTIONS, ONE_MORE).index(label)
        for who in range(subjects):
            for take in range(takes):
                joints = figure(action, 10 * who + take)
                write_csv(folder / f"{label}_p{who:02d}_{take}.csv", joints, names)
    return folder
