"""Known skeleton layouts, by name.

Any other layout is read from a skeleton archive's JSON or from a layout file. Pairs and limbs are
derived from the joint names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.joint_names import LIMBS as LIMBS
from skeletonagent.core.skeleton_layout import SkeletonLayout as SkeletonLayout


def _chain(*paths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return the bones of several paths, each listed from the root outwards."""
    return tuple((child, parent) for path in paths for parent, child in pairwise(path))


_KINECT_ARM = ("shoulder", "elbow", "wrist", "hand")
_KINECT_LEG = ("hip", "knee", "ankle", "foot")


def _both(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{side} {name}" for side in ("left", "right") for name in names)


KINECT_25 = SkeletonLayout(
    name="kinect-25",
    joints=(
        "base of spine", "middle of spine", "neck", "head",
        *_both(_KINECT_ARM), *_both(_KINECT_LEG),
        "spine", "left hand tip", "left thumb", "right hand tip", "right thumb",
    ),
    bones=_chain(
        (20, 2, 3), (20, 1, 0), (20, 4, 5, 6, 7, 22, 21), (20, 8, 9, 10, 11, 24, 23),
        (0, 12, 13, 14, 15), (0, 16, 17, 18, 19),
    ),
    center=1,
)  # fmt: skip
"""Kinect v2, NTU RGB+D. Source: joint order and parents of NTU RGB+D, spec 2.2."""

KINECT_20 = SkeletonLayout(
    name="kinect-20",
    joints=(
        "hip center", "spine", "shoulder center", "head",
        *_both(_KINECT_ARM), *_both(_KINECT_LEG),
    ),
    bones=_chain(
        (2, 3), (2, 1, 0), (2, 4, 5, 6, 7), (2, 8, 9, 10, 11),
        (0, 12, 13, 14, 15), (0, 16, 17, 18, 19),
    ),
    center=1,
)  # fmt: skip
"""Kinect v1."""

_COCO_FACE = ("nose", "left eye", "right eye", "left ear", "right ear")
_COCO_BODY = tuple(
    f"{side} {name}"
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)

COCO_17 = SkeletonLayout(
    name="coco-17",
    joints=(*_COCO_FACE, *_COCO_BODY),
    bones=_chain(
        (0, 1, 3), (0, 2, 4), (0, 5, 7, 9), (0, 6, 8, 10), (5, 11, 13, 15), (6, 12, 14, 16)
    ),
)  # fmt: skip
"""COCO keypoints, as most pose estimators return them."""

COCO_20 = SkeletonLayout(
    name="coco-20",
    joints=(*_COCO_FACE, *_COCO_BODY, "middle of hips", "thorax", "middle of shoulders"),
    bones=_chain(
        (19, 0, 1, 3), (0, 2, 4), (19, 5, 7, 9), (19, 6, 8, 10),
        (19, 18, 17, 11, 13, 15), (17, 12, 14, 16),
    ),
    center=19,
)  # fmt: skip
"""COCO-17 with mid-hip, thorax and mid-shoulder (Kinetics-Skeleton, FineGYM), spec 2.2."""

UAV_17 = SkeletonLayout(
    name="uav-17",
    joints=(
        "nose",
        *(f"{side} {name}" for side in ("right", "left") for name in _KINECT_ARM[:3]),
        *(f"{side} {name}" for side in ("right", "left") for name in _KINECT_LEG[:3]),
        "right eye", "left eye", "right ear", "left ear",
    ),
    bones=_chain((1, 2, 3), (1, 4, 5, 6), (1, 7, 8, 9), (7, 10, 11, 12), (0, 13, 15), (0, 14, 16)),
)  # fmt: skip
"""UAV-Human. Two trees, body and face, as its released parents have it, spec 2.2."""

_OPENPOSE_SIDES = ("right", "left")
_OPENPOSE_ARMS = tuple(f"{side} {name}" for side in _OPENPOSE_SIDES for name in _KINECT_ARM[:3])
_OPENPOSE_LEGS = tuple(f"{side} {name}" for side in _OPENPOSE_SIDES for name in _KINECT_LEG[:3])

BODY_25 = SkeletonLayout(
    name="body-25",
    joints=(
        "nose", "neck", *_OPENPOSE_ARMS, "mid hip", *_OPENPOSE_LEGS,
        "right eye", "left eye", "right ear", "left ear",
        "left big toe", "left small toe", "left heel",
        "right big toe", "right small toe", "right heel",
    ),
    bones=_chain(
        (1, 0, 15, 17), (0, 16, 18), (1, 2, 3, 4), (1, 5, 6, 7),
        (1, 8, 9, 10, 11, 22, 23), (11, 24), (8, 12, 13, 14, 19, 20), (14, 21),
    ),
    center=8,
)  # fmt: skip
"""OpenPose's BODY_25, its output by default."""

OPENPOSE_18 = SkeletonLayout(
    name="openpose-18",
    joints=(
        "nose", "neck", *_OPENPOSE_ARMS, *_OPENPOSE_LEGS,
        "right eye", "left eye", "right ear", "left ear",
    ),
    bones=_chain(
        (1, 0, 14, 16), (0, 15, 17), (1, 2, 3, 4), (1, 5, 6, 7), (1, 8, 9, 10), (1, 11, 12, 13)
    ),
    center=1,
)  # fmt: skip
"""OpenPose's COCO model: COCO's keypoints and a neck. Kinetics-Skeleton of ST-GCN has it too."""

OPENPOSE_15 = SkeletonLayout(
    name="openpose-15",
    joints=("head", "neck", *_OPENPOSE_ARMS, *_OPENPOSE_LEGS, "chest"),
    bones=_chain((1, 0), (1, 2, 3, 4), (1, 5, 6, 7), (1, 14, 8, 9, 10), (14, 11, 12, 13)),
    center=14,
)
"""OpenPose's MPI model."""

MEDIAPIPE_33 = SkeletonLayout(
    name="mediapipe-33",
    joints=(
        "nose", "left eye inner", "left eye", "left eye outer",
        "right eye inner", "right eye", "right eye outer",
        "left ear", "right ear", "mouth left", "mouth right",
        *(
            f"{side} {name}"
            for name in (
                "shoulder", "elbow", "wrist", "pinky", "index", "thumb",
                "hip", "knee", "ankle", "heel", "foot index",
            )
            for side in ("left", "right")
        ),
    ),
    bones=_chain(
        (0, 1, 2, 3, 7), (0, 4, 5, 6, 8), (0, 9), (0, 10),
        (0, 11, 13, 15, 17), (15, 19), (15, 21), (0, 12, 14, 16, 18), (16, 20), (16, 22),
        (11, 23, 25, 27, 29), (27, 31), (12, 24, 26, 28, 30), (28, 32),
    ),
)  # fmt: skip
"""MediaPipe's pose landmarks (BlazePose)."""

HALPE_26 = SkeletonLayout(
    name="halpe-26",
    joints=(
        *_COCO_FACE, *_COCO_BODY, "head", "neck", "hip",
        "left big toe", "right big toe", "left small toe", "right small toe",
        "left heel", "right heel",
    ),
    bones=_chain(
        (18, 17), (18, 0, 1, 3), (0, 2, 4), (18, 5, 7, 9), (18, 6, 8, 10),
        (18, 19, 11, 13, 15, 20, 22), (15, 24), (19, 12, 14, 16, 21, 23), (16, 25),
    ),
    center=19,
)  # fmt: skip
"""Halpe's 26 keypoints of the body, as AlphaPose and RTMPose return them."""

H36M_17 = SkeletonLayout(
    name="h36m-17",
    joints=(
        "pelvis", *(f"{side} {name}" for side in _OPENPOSE_SIDES for name in _KINECT_LEG[:3]),
        "spine", "thorax", "neck", "head",
        *(f"{side} {name}" for side in ("left", "right") for name in _KINECT_ARM[:3]),
    ),
    bones=_chain(
        (0, 1, 2, 3), (0, 4, 5, 6), (0, 7, 8, 9, 10), (8, 11, 12, 13), (8, 14, 15, 16)
    ),
)  # fmt: skip
"""Human3.6M's 17 joints, as networks that lift poses into space return them."""

_SMPL_JOINTS = (
    "pelvis", "left hip", "right hip", "lower spine", "left knee", "right knee", "middle spine",
    "left ankle", "right ankle", "upper spine", "left foot", "right foot", "neck",
    "left collar", "right collar", "head", "left shoulder", "right shoulder",
    "left elbow", "right elbow", "left wrist", "right wrist", "left hand", "right hand",
)  # fmt: skip

SMPL_24 = SkeletonLayout(
    name="smpl-24",
    joints=_SMPL_JOINTS,
    bones=_chain(
        (0, 1, 4, 7, 10), (0, 2, 5, 8, 11), (0, 3, 6, 9, 12, 15),
        (9, 13, 16, 18, 20, 22), (9, 14, 17, 19, 21, 23),
    ),
)  # fmt: skip
"""Joints of the body model SMPL."""

SMPL_22 = SkeletonLayout(
    name="smpl-22",
    joints=_SMPL_JOINTS[:22],
    bones=tuple(bone for bone in SMPL_24.bones if bone[0] < 22),
)
"""Joints of SMPL-H and SMPL-X without hands and face, as in HumanML3D."""

LAYOUTS = {
    layout.name: layout
    for layout in (
        KINECT_25, KINECT_20, COCO_17, COCO_20, UAV_17, BODY_25, OPENPOSE_18, OPENPOSE_15,
        MEDIAPIPE_33, HALPE_26, H36M_17, SMPL_22, SMPL_24,
    )
}  # fmt: skip
"""Layouts by name."""

LAYOUT_ALIASES = {
    "ntu-25": KINECT_25, "kinect-v2": KINECT_25, "kinect-v1": KINECT_20,
    "alphapose-17": COCO_17, "yolo-17": COCO_17, "openpose-25": BODY_25,
    "coco-18": OPENPOSE_18, "mpi-15": OPENPOSE_15, "blazepose-33": MEDIAPIPE_33,
    "human36m-17": H36M_17,
}  # fmt: skip
"""Layouts by other names that are usual for them."""


def layout_by_name(name: str) -> SkeletonLayout:
    """Return a known layout by its name or an alias; ``BODY_25`` is ``body-25``.

    Raises:
        ConfigError: If no layout has that name.
    """
    known = {re.sub(r"[\W_]", "", key): value for key, value in (LAYOUTS | LAYOUT_ALIASES).items()}
    layout = known.get(re.sub(r"[\W_]", "", name.lower()))
    if layout is None:
        raise ConfigError(f"no layout {name!r}; there are {', '.join(LAYOUTS)}")
    return layout
