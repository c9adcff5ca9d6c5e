"""Poses of videos and cameras, at a constant frame rate."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from skeletonagent.core.recording import KeypointRecording
from skeletonagent.pose.estimate import PoseOptions, VideoPoses, estimate_poses
from skeletonagent.video.camera import read_camera
from skeletonagent.video.reading import VideoFrame, describe_video, frames_at_rate, read_frames

CAMERA_FPS = 30.0
"""Frame rate at which the pictures of a camera are taken by default."""

FrameProgress = Callable[[int, int], None]
"""Function that is called with the number of pictures seen, and in all; 0 if that is unknown."""


def recording_of_video(
    path: Path | str,
    options: PoseOptions | None = None,
    *,
    fps: float | None = None,
    max_frames: int | None = None,
) -> KeypointRecording:
    """Return the joints of the persons in a video file; see :func:`poses_of_video`."""
    options = options or PoseOptions()
    poses = poses_of_video(path, options, fps=fps, max_frames=max_frames)
    return poses.recording(world=options.world)


def poses_of_video(
    path: Path | str,
    options: PoseOptions | None = None,
    *,
    fps: float | None = None,
    max_frames: int | None = None,
    progress: FrameProgress = lambda done, total: None,
) -> VideoPoses:
    """Return the persons in a video file.

    A variable frame rate becomes a constant one: at each moment the picture that is shown.

    Args:
        path: Video file.
        options: Options; None for the defaults.
        fps: Pictures a second to look at; None for the average rate of the file.
        max_frames: Number of pictures after which to stop; None for all.
        progress: Called after each picture.

    Raises:
        ConfigError: If PyAV or the models are missing.
        DataError: If the file is no video.
    """
    path = Path(path)
    info = describe_video(path)
    rate = fps or info.fps
    pictures = _CountedFrames(read_frames(path), lambda done: progress(done, info.frames or 0))
    frames = _CountedFrames(islice(frames_at_rate(pictures, rate), max_frames))
    poses = estimate_poses(frames, rate, options, name=path.stem, source=path)
    repeated, left_out = frames.number - frames.different, pictures.number - frames.different
    if fps is None and max_frames is None and (repeated or left_out):
        warnings.warn(
            f"{path}: the frame rate varies; at {rate:.4g} frames a second, {repeated} are "
            f"repeated and {left_out} picture(s) are left out",
            stacklevel=2,
        )
    return poses


class _CountedFrames:
    """Pictures that are counted while they pass."""

    def __init__(
        self, frames: Iterable[VideoFrame], counted: Callable[[int], None] = lambda number: None
    ) -> None:
        self._frames = frames
        self._counted = counted
        self.number = self.different = 0

    def __iter__(self) -> Iterator[VideoFrame]:
        last = None
        for frame in self._frames:
            self.number += 1
            self.different += frame.image is not last
            last = frame.image
            self._counted(self.number)
            yield frame


def constant_rate_frames(
    path: Path, fps: float, max_frames: int | None = None
) -> Iterator[VideoFrame]:
    """Return the pictures of a video that belong to the frames of its recording."""
    return islice(frames_at_rate(read_frames(path), fps), max_frames)


def poses_of_camera(
    index: int, seconds: float, options: PoseOptions | None = None, *, fps: float = CAMERA_FPS
) -> VideoPoses:
    """Return the persons before a camera, for some seconds.

    Args:
        index: Number of the camera, 0 for the first.
        seconds: Time after which to stop.
        options: Options; None for the defaults.
        fps: Pictures a second to look at.

    Raises:
        ConfigError: If PyAV or the models are missing.
        DataError: If the camera cannot be opened.
    """
    frames = frames_at_rate(read_camera(index, seconds), fps)
    return estimate_poses(frames, fps, options, name=f"camera {index}")
