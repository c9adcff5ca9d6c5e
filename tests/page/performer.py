"""A drawn person who lifts one hand or both: clips to learn from, pictures to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.mannequin_figure import Clothes, Figure
from benchmarks.mannequin_picture import PinholeCamera, Room, draw
from PIL import Image
from tests.drawn_person import standing

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.layout import KINECT_20, SkeletonLayout
from skeletonagent.experiments.datasets import write_dataset

LIMBS = tuple(
    f"{side} {joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
LAYOUT = SkeletonLayout(
    "limbs-12",
    LIMBS,
    ((0, 6), (1, 7), (7, 6), (2, 0), (4, 2), (3, 1), (5, 3), (8, 6), (10, 8), (9, 7), (11, 9)),
    6,
)  # fmt: skip
"""Joints that both a Kinect and the pose model have."""
CLASSES = ("lift left hand", "lift right hand", "lift both hands")
FPS, STILL, ACTED = 10, 8, 20
CAMERA, FLOOR = PinholeCamera(), 1.0


def pose(left: float, right: float) -> np.ndarray:
    """Return the joints of a Kinect in metres while hands are raised by so much."""
    lifted, other = standing(left), standing(right)
    for place, name in enumerate(KINECT_20.joints):
        if name.startswith("right "):
            lifted[place] = other[KINECT_20.joints.index(name.replace("right", "left"))] * (
                -1,
                1,
                1,
            )
    return lifted


def performed(label: int, height: float = 0.7) -> np.ndarray:
    """Return the poses of an action in (T, V, 3)."""
    lift = height * (1 - np.abs(np.linspace(-1, 1, ACTED)))
    return np.stack([pose(up * (label != 1), up * (label != 0)) for up in lift])


def acted(labels: Sequence[int]) -> np.ndarray:
    """Return the poses of actions one after another, with stillness around them."""
    still = np.repeat(pose(0, 0)[None], STILL, axis=0)
    return np.concatenate(
        [still, *(part for label in labels for part in (performed(label), still))]
    )


def in_pixels(poses: np.ndarray) -> np.ndarray:
    """Return where the camera sees the limbs."""
    order = [KINECT_20.joints.index(name) for name in LIMBS]
    return CAMERA.project(poses[:, order] * (-1, -1, 1))


def drawn(poses: np.ndarray, seed: int = 3) -> list[np.ndarray]:
    """Return a picture of each pose."""
    rng, clothes, room = np.random.default_rng(seed), Clothes(seed), Room(CAMERA, FLOOR, seed)
    bodies = (dict(zip(KINECT_20.joints, one * (-1, -1, 1), strict=True)) for one in poses)
    return [draw(Figure(body, clothes).surfaces(), room, rng) for body in bodies]


def write_camera(path: Path, pictures: Sequence[np.ndarray]) -> None:
    """Write pictures as YUV4MPEG2, which a browser takes for its camera, again and again."""
    with path.open("wb") as file:
        file.write(
            b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n" % (CAMERA.width, CAMERA.height, FPS)
        )
        for picture in pictures:
            luma, blue, red = np.moveaxis(
                np.asarray(Image.fromarray(picture).convert("YCbCr")), -1, 0
            )
            halved = [
                part.reshape(CAMERA.height // 2, 2, -1, 2).mean(axis=(1, 3)) for part in (blue, red)
            ]
            file.write(b"FRAME\n")
            for part in (luma, *halved):
                file.write(part.astype(np.uint8).tobytes())


def performer_archive(path: Path, count: int = 36) -> Path:
    """Write clips of persons of several sizes and places."""
    rng = np.random.default_rng(0)
    clips = []
    for number in range(count):
        pixels = in_pixels(performed(number % 3, rng.uniform(0.5, 0.9)))
        size, place = rng.uniform(0.8, 1.2, 2), rng.uniform(-100, 100, 2)
        other = rng.normal(0, 8, pixels.shape[1:])  # nobody has the same proportions
        noisy = size * (pixels + other + rng.normal(0, 2, pixels.shape)) + place
        clips.append(SkeletonSequence(noisy[None].astype(np.float32), number % 3, f"clip{number}"))
    names = [clip.sample_id for clip in clips]
    third = count // 3
    return write_dataset(
        clips, layout=LAYOUT, class_names=CLASSES, path=path,
        splits={"main": (names[third:], names[:third])},
    )  # fmt: skip
