"""Camera as a source of pictures, for a limited time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from skeletonagent.core.errors import DataError
from skeletonagent.video.reading import VideoFrame, decoded_frames, import_av

_INPUTS = {"linux": "v4l2", "darwin": "avfoundation"}
"""FFmpeg's input of cameras by system; cameras of Windows have names instead of numbers."""


def read_camera(index: int, seconds: float) -> Iterator[VideoFrame]:
    """Yield the pictures of a camera as they come, for some seconds.

    Args:
        index: Number of the camera, 0 for the first.
        seconds: Time after which to stop.

    Raises:
        ConfigError: If PyAV is not installed.
        DataError: If there is no such camera, or it cannot be opened.
    """
    av = import_av()
    kind = _INPUTS.get(sys.platform)
    if kind is None:
        raise DataError(
            f"cameras cannot be opened by number on {sys.platform}; record a file and give that"
        )
    device = Path(f"/dev/video{index}")
    address = str(device) if kind == "v4l2" else str(index)
    try:
        container = av.open(address, format=kind)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        reason = str(getattr(error, "strerror", None) or error).lower()
        raise DataError(
            f"camera {index} cannot be opened: {reason}; connect it, or record a file and give that"
        ) from error
    with container:
        frames = decoded_frames(container, container.streams.video[0], device)
        yield from takewhile(lambda frame: frame.time < seconds, frames)
