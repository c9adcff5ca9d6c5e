"""Miniature PYSKL pickles, as the real ones are made."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skeletonagent.core.layout import COCO_17, KINECT_25

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
            "keypoint": _motion(seed, action, 1 + (action >= 50), frames + seed % 5, 25, 3),
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
        motion = _motion(seed, label, 1 + n % persons, frames, 17, 2)
        score = np.random.default_rng(seed).uniform(0.3, 1, motion.shape[:3])
        annotations.append(
            {
                "frame_dir": name,
                "label": label,
                "img_shape": (720, 1280),
                "original_shape": (720, 1280),
                "total_frames": frames,
                "keypoint": (300 + 100 * motion).astype(np.float16),
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


def _motion(seed: int, action: int, m: int, t: int, v: int, c: int) -> np.ndarray:
    """Return somebody (M, T, V, C) one of whose joints swings, another one for each action."""
    rng = np.random.default_rng(seed)
    rest = _body(v) + rng.normal(0, 0.01, (v, 3))
    motion = np.arange(1, 1 + m)[:, None, None, None] * 0.5 + rest + np.zeros((m, t, v, 3))
    motion[:, :, action % v, 0] += 0.3 * np.sin(0.3 * (1 + action % 3) * np.arange(t))
    return (motion + rng.normal(0, 0.005, motion.shape))[..., :c].astype(np.float16)


def _body(v: int) -> np.ndarray:
    """Return joints (V, 3) that lie along the bones of the usual layout, left beside right."""
    layout = next(layout for layout in (KINECT_25, COCO_17) if layout.num_joints == v)
    places = np.tile([0.0, 0.0, 3.0], (v, 1))
    placed = set(layout.roots)
    while len(placed) < v:
        for child, parent in layout.bones:
            if parent in placed and child not in placed:
                side = {"left": -0.15, "right": 0.15}.get(
                    layout.joints[child].split("_")[0].split()[0], 0.03
                )
                below = (
                    -0.3 if layout.joints[child].endswith(("hip", "knee", "ankle", "foot")) else 0.2
                )
                places[child] = places[parent] + (side, below, 0.02 * child)
                placed.add(child)
    return places
