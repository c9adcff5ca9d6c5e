"""Video reader: upright pictures with the moments at which they are shown."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from skeletonagent.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

INSTALL_VIDEO = "pip install 'skeletonagent[video]'"
"""Command that installs what videos need."""

FALLBACK_FPS = 30.0
"""Frame rate of a video that does not say its own."""

_SHORTEST = 1e-3
"""Seconds between two pictures whose times in the file do not follow each other."""


VIDEO_SUFFIXES = frozenset(
    (".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
     ".ogv", ".ts", ".webm", ".wmv")
)  # fmt: skip
"""Ends of the names of videos."""

_TRANSPORT_SYNC = b"G"
"""First byte of MPEG's ``.ts``, by which it differs from a time series of that ending."""


@dataclass(frozen=True)
class VideoFrame:
    """Picture of a video.

    Args:
        image: The picture in RGB, turned upright.
        time: Moment at which it is shown, in seconds from the first picture.
    """

    image: UInt8[np.ndarray, "h w 3"]
    time: float


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself.

    Args:
        width: Width of the upright picture in pixels.
        height: Height of the upright picture in pixels.
        fps: Pictures a second, on average.
        frames: Number of pictures, None if the file does not say it.
        codec: Name of the compression.
    """

    width: int
    height: int
    fps: float
    frames: int | None
    codec: str


def is_video(path: Path) -> bool:
    """Return whether a file is a video, by its name."""
    if path.suffix.lower() == ".ts" and path.is_file():
        with path.open("rb") as file:
            return file.read(1) == _TRANSPORT_SYNC
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def import_av() -> Any:
    """Return PyAV.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise ConfigError(f"videos need PyAV; install it with {INSTALL_VIDEO}") from error
    return av


def read_frames(path: Path | str) -> Iterator[VideoFrame]:
    """Yield the pictures of a video in the order in which they are shown.

    A rotation that the file asks for is applied, and the times are those of the file, so that a
    variable frame rate stays what it is. Sound is left out.

    Args:
        path: Video file of any format that FFmpeg reads.

    Raises:
        ConfigError: If PyAV is not installed.
        DataError: If the file is missing, is no video, or has no picture.
    """
    path = Path(path)
    with _open(path) as (container, stream):
        yield from decoded_frames(container, stream, path)


def decoded_frames(
    container: InputContainer, stream: VideoStream, path: Path
) -> Iterator[VideoFrame]:
    """Yield the pictures of an open video; ``path`` is named in messages.

    Raises:
        DataError: If there is no picture.
    """
    av = import_av()
    fps = _fps(stream)
    first, last, damaged = None, -1.0, 0
    for packet in container.demux(stream):
        try:
            pictures = packet.decode()
        except (av.error.InvalidDataError, av.error.EOFError):
            damaged += 1
            continue
        for picture in pictures:
            moment = picture.time
            if first is None:
                first = moment or 0.0
            time = last + 1 / fps if moment is None else moment - first
            last = max(time, last + _SHORTEST) if last >= 0 else 0.0
            yield VideoFrame(_upright(picture), last)
    if first is None:
        raise DataError("has no picture that can be decoded", path=path)
    if damaged:
        warnings.warn(
            f"{path}: {damaged} part(s) are damaged, their pictures are left out", stacklevel=2
        )


def describe_video(path: Path | str) -> VideoInfo:
    """Return size, frame rate and length of a video, after its first picture is decoded.

    Raises:
        ConfigError: If PyAV is not installed.
        DataError: If the file is missing, is no video, or has no picture.
    """
    path = Path(path)
    with _open(path) as (container, stream):
        frames = decoded_frames(container, stream, path)
        height, width, _ = next(frames).image.shape
        codec = str(stream.codec_context.name)
        return VideoInfo(width, height, _fps(stream), stream.frames or None, codec)


def frames_at_rate(frames: Iterable[VideoFrame], fps: float) -> Iterator[VideoFrame]:
    """Yield the picture that is shown at each moment of a constant rate.

    Pictures that last are repeated, as the same array; those between two moments are left out.
    Frames of a video with that very rate pass as they are, for their times may be rounded by up
    to half a frame.

    Args:
        frames: Pictures in the order of their times.
        fps: Moments a second.

    Raises:
        ConfigError: If the rate is not positive.
    """
    if not fps > 0:
        raise ConfigError(f"a frame rate must be positive, got {fps:g}")
    shown, tick = None, 0
    for frame in frames:
        while shown is not None and tick + 0.5 <= frame.time * fps:
            yield VideoFrame(shown.image, tick / fps)
            tick += 1
        shown = frame
    if shown is not None and tick <= shown.time * fps + 0.5:
        yield VideoFrame(shown.image, tick / fps)


@contextmanager
def _open(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    av = import_av()
    if not path.is_file():
        raise DataError("there is no such file", path=path)
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, ValueError) as error:
        raise DataError(f"cannot be read as a video: {_reason(error)}", path=path) from error
    with container:
        if not container.streams.video:
            raise DataError("has no video stream, only sound or data", path=path)
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _fps(stream: VideoStream) -> float:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else FALLBACK_FPS


def _upright(picture: Any) -> UInt8[np.ndarray, "h w 3"]:
    image: UInt8[np.ndarray, "h w 3"] = picture.to_ndarray(format="rgb24")
    turns = round(picture.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
