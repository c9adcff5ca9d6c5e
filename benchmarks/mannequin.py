"""Pose estimation of a rendered person who moves as a sensor has recorded it.

Clips of an archive of Kinect skeletons (20 joints in metres, as the sensor has them) move a
clothed figure in a room, pictures of which are drawn on the CPU. Persons are looked for in the
pictures, and their joints are compared with those of the figure. Two folders of keypoint files are
written, with the same clips, labels and split: ``pose``, what was estimated from the pictures, and
``sensor``, the sensor's joints where that camera sees them, in pixels. What recognizers learn from
either is compared by the commands that import and train on both. Clips whose files are there
already are not drawn again. Needs ``skeletonagent pose fetch``.

Example:
  python -m benchmarks.mannequin skeletons/utd_mhad --out rendered --only '_t0[12]$'
  skeletonagent data import rendered/pose --labels rendered/labels.csv --out skeletons/pose
  skeletonagent data import rendered/sensor --labels rendered/labels.csv --out skeletons/sensor
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from jaxtyping import Float, UInt8

from benchmarks.mannequin_figure import HEAD_SIZE, SOLE, Clothes, Figure
from benchmarks.mannequin_picture import PinholeCamera, Room, draw
from benchmarks.measuring import print_rows, write_facts
from skeletonagent.cli.console import warnings_on_console
from skeletonagent.core.clips import SkeletonData
from skeletonagent.core.joint_matching import match_joints
from skeletonagent.core.layout import KINECT_20, MEDIAPIPE_33
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.reading import read_keypoints
from skeletonagent.data.keypoints.recorded import write_keypoints
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.pose.estimate import PoseOptions, recording_of_frames
from skeletonagent.video.writing import write_video

COMPARED = tuple(
    f"{side} {joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
"""Joints that both skeletons have in the same place of the body."""
_NEAR = 0.05
"""Distance over the height of a person up to which a joint counts as found."""


@dataclass(frozen=True)
class Performance:
    """Clip that the figure performs before a camera.

    Args:
        name: Name of the clip.
        joints: Joints of a Kinect in metres: x to the right, y down, z away from the camera.
        subject: Number of the person.
        fps: Pictures a second.
        camera: Camera.
        seed: Seed of the room and the noise.
    """

    name: str
    joints: Float[np.ndarray, "t v 3"]
    subject: int
    fps: float
    camera: PinholeCamera
    seed: int

    def pictures(self) -> list[UInt8[np.ndarray, "h w 3"]]:
        """Return a picture of each frame."""
        rng, clothes = np.random.default_rng(self.seed), Clothes(self.subject)
        room = Room(self.camera, self.floor, self.seed)
        bodies = (dict(zip(KINECT_20.joints, frame, strict=True)) for frame in self.joints)
        return [draw(Figure(body, clothes).surfaces(), room, rng) for body in bodies]

    @property
    def floor(self) -> float:
        """Height of the camera above the floor, on which the ankles are lowest."""
        return float(np.quantile(self._path("ankle")[..., 1], 0.9)) + SOLE

    def _path(self, joint: str) -> Float[np.ndarray, "n t 3"]:
        """Return where a joint goes: the joints of both sides if there are two."""
        names = [name for name in KINECT_20.joints if name.split(" ", 1)[-1] == joint] or [joint]
        return np.stack([self.joints[:, KINECT_20.joints.index(name)] for name in names])

    @property
    def height(self) -> float:
        """Height in pixels of the person when standing, at the usual distance from the camera."""
        path = [self._path(name) for name in
                ("ankle", "knee", "hip", "hip center", "shoulder center", "head")]  # fmt: skip
        path[2] = path[2].mean(axis=0, keepdims=True)  # of the hips, the middle
        lengths = [float(np.median(np.linalg.norm(b - a, axis=-1)))
                   for a, b in pairwise(path)]  # fmt: skip
        metres = SOLE + sum(lengths) + HEAD_SIZE[1]
        return self.camera.focal * metres / float(np.median(self.joints[..., 2]))

    def seen_by_camera(self) -> KeypointRecording:
        """Return the sensor's joints in pixels of the camera."""
        return KeypointRecording(
            name=self.name,
            joints=self.camera.project(self.joints)[None],
            joint_names=KINECT_20.joints,
            layout=KINECT_20,
            fps=self.fps,
            image_size=(float(self.camera.width), float(self.camera.height)),
        )


def performances(
    data: SkeletonData, names: Sequence[str], every: int, fps: float
) -> list[Performance]:
    """Return clips of a Kinect's skeletons for the figure.

    Args:
        data: Data set in the coordinates of the sensor: metres, x to the person's right as it faces
            the sensor, y up, z away from the sensor.
        names: Names of the clips.
        every: Number of frames of which one is taken.
        fps: Frames a second of the data set.

    Raises:
        typer.BadParameter: If the skeleton is another one, or a clip is not before the sensor.
    """
    order = [joint for joint in match_joints(data.store.layout, KINECT_20) if joint is not None]
    if len(order) < KINECT_20.num_joints or data.store.coordinates != 3:
        raise typer.BadParameter(f"{data.name} has no joints of a Kinect in 3D")
    found = []
    for name in names:
        place = data.store.index_of[name]
        sample = data.store.sequence(place)
        joints = sample.joints[0, ::every][:, order].astype(float) * (-1, -1, 1)
        if not (joints[..., 2] > 1).all():
            raise typer.BadParameter(f"{name}: the person must be 1 m or more before the sensor")
        found.append(
            Performance(name, joints, sample.subject or 0, fps / every, PinholeCamera(), place)
        )
    return found


def errors(performance: Performance, found: KeypointRecording) -> Float[np.ndarray, "t k"]:
    """Return the distance of each compared joint over the height; NaN where it is not found."""
    true = performance.seen_by_camera().joints[0]
    places = np.full((len(true), len(COMPARED), 2), np.nan)
    first = found.joints[found.seen.any(axis=2).sum(axis=1).argmax()]
    places[: len(first)] = first[:, [MEDIAPIPE_33.joints.index(name) for name in COMPARED]]
    wanted = true[:, [KINECT_20.joints.index(name) for name in COMPARED]]
    return np.asarray(np.linalg.norm(places - wanted, axis=2) / performance.height)


def main(
    archive: Annotated[Path, typer.Argument(help="Skeleton archive of a Kinect, in 3D.")],
    out: Annotated[Path, typer.Option(help="Folder for the keypoint files.")],
    only: Annotated[str, typer.Option(help="Clips whose names have this pattern in them.")] = "",
    every: Annotated[int, typer.Option(min=1, help="Frames of which one is taken.")] = 2,
    fps: Annotated[float, typer.Option(min=1, help="Frames a second of the archive.")] = 30,
    videos: Annotated[int, typer.Option(min=0, help="Clips of which a video is written.")] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Print how often the figure is found, and how far its joints are from where they should be."""
    data = open_dataset(archive)
    _, split = choose_split(data, None)
    parts = dict.fromkeys(split.train, "train") | dict.fromkeys(split.test, "test")
    names = [name for name in data.store.sample_ids if name in parts and re.search(only, name)]
    rows, taken, frames = [], {"drawing": 0.0, "pose": 0.0}, 0
    for folder in ("pose", "sensor"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for number, performance in enumerate(performances(data, names, every, fps)):
        path = out / "pose" / f"{performance.name}.npz"
        if path.exists() and number >= videos:
            found = read_keypoints(path)[0]
        else:
            begin = time.process_time()
            pictures = performance.pictures()
            drawn = time.process_time()
            found = _estimated(pictures, performance)
            taken["drawing"] += drawn - begin
            taken["pose"] += time.process_time() - drawn
            frames += len(pictures)
            write_keypoints(out / "sensor" / path.name, performance.seen_by_camera())
            write_keypoints(path, found)
            if number < videos:
                write_video(out / f"{performance.name}.mp4", pictures, performance.fps)
        rows.append(errors(performance, found))
    _write_labels(out / "labels.csv", data, {name: parts[name] for name in names})
    facts = {"clips": len(names), **figures(np.concatenate(rows))}
    facts |= {f"{name}_ms_a_frame": 1e3 * value / max(1, frames) for name, value in taken.items()}
    print_rows(str(archive), [{"figure": name, "value": value} for name, value in facts.items()])
    write_facts(facts, json)


def _estimated(
    pictures: Sequence[UInt8[np.ndarray, "h w 3"]], performance: Performance
) -> KeypointRecording:
    with warnings_on_console():
        return recording_of_frames(
            pictures, performance.fps, PoseOptions(max_persons=1), name=performance.name
        )


def figures(distances: Float[np.ndarray, "t k"]) -> dict[str, Any]:
    """Return how often somebody is found and how far the joints are, in shares of the height."""
    found = ~np.isnan(distances).all(axis=1)
    near = np.nan_to_num(distances, nan=np.inf) <= _NEAR
    mean = np.nanmean(distances[found], axis=1)
    return {
        "frames": len(distances),
        "found": float(found.mean()),
        "error": float(mean.mean()),
        "frames_within_5_percent": float((mean <= _NEAR).sum() / len(distances)),
        "joints_within_5_percent": float(near.mean()),
        **{
            f"error_{joint}": float(np.nanmean(distances[:, 2 * place : 2 * place + 2]))
            for place, joint in enumerate(name.split(" ", 1)[1] for name in COMPARED[::2])
        },
    }


def _write_labels(path: Path, data: SkeletonData, parts: dict[str, str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "label", "subject", "split"))
        for name, part in parts.items():
            sample = data.store.sequence(data.store.index_of[name])
            label = data.store.class_names[sample.label]
            table.writerow((f"{name}.npz", label, sample.subject, part))


if __name__ == "__main__":
    typer.run(main)
