"""Miniature PYSKL pickles, as the real ones are made."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout

SUBJECTS = (1, 2, 3, 6)
"""Of NTU RGB+D; the first two are trained on in X-Sub."""


def ntu_annotations(
    *, actions: Sequence[int] = (1, 2, 50), cameras: Sequence[int] = (1, 2), frames: int = 20
) -> list[dict[str, Any]]:
    """Return annotations in space, float16; from action 50 on there are two persons."""
    names = [
        (f"S001C{camera:03d}P{subject:03d}R001A{action:03d}", action)
        for action in actions
        for camera in cameras
        for subject in SUBJECTS
    ]
    return [
        {
            "frame_dir": name,
            "label": action - 1,
            "keypoint": motion(seed, action, 1 + (action >= 50), frames + seed % 5, 25, 3),
            "total_frames": frames + seed % 5,
        }
        for seed, (name, action) in enumerate(names)
    ]


def ntu_split(annotations: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the parts of NTU RGB+D 60's pickle."""
    names = [annotation["frame_dir"] for annotation in annotations]
    return {
        "xsub_train": [name for name in names if int(name[9:12]) in SUBJECTS[:2]],
        "xsub_val": [name for name in names if int(name[9:12]) not in SUBJECTS[:2]],
        "xview_train": [name for name in names if name[5:8] != "001"],
        "xview_val": [name for name in names if name[5:8] == "001"],
    }


def image_annotations(
    *, labels: Sequence[int] = (0, 1, 98), clips: int = 4, frames: int = 20, persons: int = 2
) -> list[dict[str, Any]]:
    """Return annotations of COCO's joints in an image with their scores, float16."""
    names = [(f"clip_{label:03d}_{n}", label, n) for label in labels for n in range(clips)]
    annotations = []
    for seed, (name, label, n) in enumerate(names):
        joints = motion(seed, label, 1 + n % persons, frames, 17, 2)
        score = np.random.default_rng(seed).uniform(0.3, 1, joints.shape[:3])
        annotations.append(
            {
                "frame_dir": name,
                "label": label,
                "img_shape": (720, 1280),
                "original_shape": (720, 1280),
                "total_frames": frames,
                "keypoint": (300 + 100 * joints).astype(np.float16),
                "keypoint_score": score.astype(np.float16),
            }
        )
    return annotations


def image_split(annotations: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the parts of FineGYM's pickle; every fourth clip is tested on."""
    names = [annotation["frame_dir"] for annotation in annotations]
    return {
        "train": [name for name in names if not name.endswith("3")],
        "val": [name for name in names if name.endswith("3")],
    }


def plain_pickle(
    v: int,
    c: int,
    *,
    clips: int = 6,
    has_confidence: bool = False,
    change: Callable[[int, dict[str, Any]], Any] = lambda n, fields: None,
) -> dict[str, Any]:
    """Return the contents of a pickle of one's own: three classes, annotations changed at will.

    The last third of the clips is tested on.
    """
    rng = np.random.default_rng(0)
    annotations = []
    for n in range(clips):
        fields = {
            "frame_dir": f"clip {n}",
            "label": n % 3,
            "keypoint": rng.normal(size=(1, 4, v, c)),
        }
        if has_confidence:
            fields["keypoint_score"] = rng.random((1, 4, v))
        change(n, fields)
        annotations.append(fields)
    names = [f"clip {n}" for n in range(clips)]
    tested = clips - clips // 3
    return {
        "split": {"train": names[:tested], "val": names[tested:]},
        "annotations": annotations,
    }


def write_pickle(path: Path, contents: Any, protocol: int = 4) -> Path:
    """Write a pickle of anything."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(contents, protocol))
    return path


def write_ntu60(path: Path, protocol: int = 4, **options: Any) -> Path:
    """Write a pickle such as ``ntu60_3danno.pkl``; for options see :func:`ntu_annotations`."""
    annotations = ntu_annotations(**options)
    split = ntu_split(annotations)
    return write_pickle(path, {"split": split, "annotations": annotations}, protocol)


def write_finegym(path: Path, protocol: int = 4, **options: Any) -> Path:
    """Write a pickle such as ``gym_hrnet.pkl``; for options see :func:`image_annotations`."""
    annotations = image_annotations(**options)
    split = image_split(annotations)
    return write_pickle(path, {"split": split, "annotations": annotations}, protocol)


def motion(
    seed: int, action: int, m: int, t: int, v: int, c: int, layout: SkeletonLayout | None = None
) -> np.ndarray:
    """Return somebody (M, T, V, C) one of whose joints swings, another one for each action."""
    rng = np.random.default_rng(seed)
    usual = KINECT_25 if v == 25 else COCO_17
    rest = _body(layout or usual) + rng.normal(0, 0.01, (v, 3))
    moved = np.arange(1, 1 + m)[:, None, None, None] * 0.5 + rest + np.zeros((m, t, v, 3))
    moved[:, :, action % v, 0] += 0.3 * np.sin(0.3 * (1 + action % 3) * np.arange(t))
    return (moved + rng.normal(0, 0.005, moved.shape))[..., :c].astype(np.float16)


def _body(layout: SkeletonLayout) -> np.ndarray:
    """Return joints (V, 3) that lie along the bones of a layout, left beside right."""
    places = np.tile([0.0, 0.0, 3.0], (layout.num_joints, 1))
    placed = set(layout.roots)
    while len(placed) < layout.num_joints:
        for child, parent in layout.bones:
            if parent in placed and child not in placed:
                name = layout.joints[child]
                side = {"left": -0.15, "right": 0.15}.get(name.split()[0], 0.03)
                leg = name.endswith(("hip", "knee", "ankle", "foot"))
                places[child] = places[parent] + (side, -0.3 if leg else 0.2, 0.02 * child)
                placed.add(child)
    return places
