"""Miniature data sets in the formats the real ones come in, written file by file."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np

Body = tuple[int, np.ndarray]
"""The tracker's number of a body and its joints (V, C) in one frame."""


def person(
    action: int, seed: int, *, frames: int = 20, joints: int = 25, channels: int = 3
) -> np.ndarray:
    """Return somebody upright (frames, joints, channels), in metres.

    Actions differ in the joint that swings, and how fast.
    """
    rng = np.random.default_rng((action, seed))
    rest = np.stack(
        [rng.uniform(-0.2, 0.2, joints), np.linspace(0.9, -0.9, joints), np.full(joints, 3.0)], -1
    )
    motion = rest + rng.normal(0, 0.005, (frames, joints, 3))
    swing = np.sin(0.3 * (1 + action % 3) * np.arange(frames) + rng.uniform(0, 6))
    motion[:, action % joints, 0] += 0.3 * swing
    motion[:, action % joints, 1] += 0.1 * swing
    return motion[..., :channels]


def write_bodies(path: Path, frames: Sequence[Sequence[Body]]) -> Path:
    """Write the bodies of each frame as text in Kinect's format: 12 numbers for each joint."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for identity, joints in bodies:
            lines += [f"{identity} 0 1 1 0 0 0 0.0132 -0.1204 2", str(len(joints))]
            for joint in joints:
                x, y, z = [*joint, 0.0][:3]
                rest = "277.419 191.8218 1036.233 519.1677 -0.2059 0.05349 0.9692 -0.1239 2"
                lines.append(f"{x:.7g} {y:.7g} {z:.7g} {rest}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def write_ntu(
    folder: Path,
    *,
    actions: Sequence[int] = (1, 2, 50),
    subjects: Sequence[int] = (1, 2, 3),
    cameras: Sequence[int] = (1, 2),
    setups: Sequence[int] = (1,),
    frames: int = 20,
) -> list[Path]:
    """Write one NTU RGB+D file for each combination; from action 50 on there are two persons.

    Of the subjects, 1 and 2 are trained on in X-Sub, 3 is not; camera 1 is tested on in X-View,
    even setups are trained on in X-Set.
    """
    paths = []
    for seed, (setup, camera, subject, action) in enumerate(
        (s, c, p, a) for s in setups for c in cameras for p in subjects for a in actions
    ):
        name = f"S{setup:03d}C{camera:03d}P{subject:03d}R001A{action:03d}"
        first = person(action, seed, frames=frames)
        bodies = [(72057594037931000 + seed, first)]
        if 50 <= action <= 60 or action >= 106:
            other = person(action + 1, seed, frames=frames) + np.array([1.0, 0.0, 0.0])
            bodies.append((72057594037931001 + seed, other))
        shown = [[(identity, joints[t]) for identity, joints in bodies] for t in range(frames)]
        paths.append(write_bodies(folder / f"{name}.skeleton", [[], *shown]))
    return paths


def write_uav(
    folder: Path,
    *,
    actions: Sequence[int] = (0, 1, 154),
    subjects: Sequence[int] = (0, 1, 2, 3),
    frames: int = 20,
) -> list[Path]:
    """Write one UAV-Human file for each combination; the last action has a second person at times.

    Subject 0 is trained on in both protocols, 1 in neither, 2 in the first and 3 in the second.
    """
    paths = []
    for seed, (subject, action) in enumerate((p, a) for p in subjects for a in actions):
        name = f"P{subject:03d}S00G10B10H10UC022000LC021000A{action:03d}R0_08241716"
        pixels = [
            300 * person(action, seed + other, frames=frames, joints=17, channels=2) + 600
            for other in (0, 100)
        ]
        shown = [
            [(0, joints[t]) for joints in pixels[: 1 + (action == actions[-1] and t % 3 > 0)]]
            for t in range(frames)
        ]
        paths.append(write_bodies(folder / f"{name}.txt", shown))
    return paths


def write_kinetics(
    folder: Path,
    *,
    actions: Sequence[int] = (0, 1, 399),
    clips: int = 4,
    frames: int = 20,
    persons: int = 3,
) -> tuple[Path, Path]:
    """Write a table of contents and its kpfiles, two clips in each; return pickle and folder.

    Every fourth clip is tested on. Clips have up to ``persons`` people, who come and go.
    """
    kpfiles = folder / "kpfiles"
    kpfiles.mkdir(parents=True)
    names = [(f"clip_{action:03d}_{n}", action, n) for action in actions for n in range(clips)]
    annotations, contents = [], dict[str, dict[str, dict[str, np.ndarray]]]()
    for seed, (name, action, _) in enumerate(names):
        rng = np.random.default_rng(seed)
        there = rng.random((frames, persons)) < 0.7
        there[::2, 0] = True
        there[frames // 2] = False  # nobody is found in the middle
        at, who = np.nonzero(there)
        pixels = 100 + 80 * np.stack(
            [person(action, seed + m, frames=frames, joints=17, channels=2) for m in range(persons)]
        )
        scores = rng.uniform(0.3, 1, (len(at), 17, 1))
        keypoint = np.concatenate([pixels[who, at], scores], axis=-1).astype(np.float16)
        file = f"k400_{seed // 2:03d}.pkl"
        contents.setdefault(file, {})[name] = {"keypoint": keypoint}
        annotations.append(
            {
                "frame_dir": name,
                "label": action,
                "img_shape": (256, 340),
                "original_shape": (256, 340),
                "total_frames": frames,
                "raw_file": f"/elsewhere/k400/kpfiles/{file}",
                "frame_inds": (at + 1).astype(np.int16),
                "box_score": rng.uniform(0.5, 1, len(at)).astype(np.float16),
                "valid": {0.5: len(at)},
            }
        )
    for file, clip in contents.items():
        (kpfiles / file).write_bytes(pickle.dumps(clip))
    split = {
        "train": [name for name, _, n in names if n % 4 != 3],
        "val": [name for name, _, n in names if n % 4 == 3],
    }
    table = folder / "k400_hrnet.pkl"
    table.write_bytes(pickle.dumps({"split": split, "annotations": annotations}))
    return table, kpfiles
