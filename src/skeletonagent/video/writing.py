"""Video writer: MP4 files that browsers play."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import user_mode
from skeletonagent.video.reading import import_av

_QUALITY = "23"
"""Constant rate factor of x264: its default, at which losses are hardly seen."""


def write_video(path: Path | str, images: Iterable[UInt8[np.ndarray, "h w 3"]], fps: float) -> int:
    """Write pictures as an MP4 file and return their number.

    H.264 in yuv420p with its index in front, which every browser plays. Odd sizes grow by one
    row or column, since the format stores colours for two by two pixels. The file appears under
    its name when it is complete; one that was there before is replaced.

    Args:
        path: File to write, ``.mp4``.
        images: Pictures in RGB, all of one size.
        fps: Pictures a second.

    Raises:
        ConfigError: If PyAV is not installed, the name does not end in ``.mp4``, or the frame rate
            is not positive.
        DataError: If there is no picture, sizes differ, or the file cannot be written.
    """
    path = Path(path)
    av = import_av()
    if path.suffix.lower() != ".mp4":
        raise ConfigError(f"videos are written as .mp4, got {path.name!r}")
    if not fps > 0:
        raise ConfigError(f"a frame rate must be positive, got {fps:g}")
    draft: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".draft")
        os.close(handle)
        draft = Path(name)
        with av.open(name, "w", format="mp4", options={"movflags": "+faststart"}) as container:
            written = _encode(container, images, fps, path)
        draft.chmod(user_mode(0o666))
        draft.replace(path)
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot be written: {reason}", path=path) from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)
    return written


def _encode(
    container: Any, images: Iterable[UInt8[np.ndarray, "h w 3"]], fps: float, path: Path
) -> int:
    av = import_av()
    stream, size, written = None, (0, 0), 0
    for image in images:
        if stream is None:
            size = image.shape[:2]
            stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            stream.height, stream.width = (side + side % 2 for side in size)
            stream.pix_fmt = "yuv420p"
            stream.options = {"crf": _QUALITY, "preset": "veryfast"}
        if image.shape[:2] != size:
            raise DataError(
                f"picture {written + 1} has {image.shape[1]} x {image.shape[0]} pixels, the first "
                f"has {size[1]} x {size[0]}; all must have one size",
                path=path,
            )
        even = np.pad(image, [(0, size[0] % 2), (0, size[1] % 2), (0, 0)], mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        container.mux(stream.encode(frame))
        written += 1
    if stream is None:
        raise DataError("there is no picture to write", path=path)
    container.mux(stream.encode())
    return written
