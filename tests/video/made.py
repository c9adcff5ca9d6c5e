"""Videos that tests make."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

CLOCKWISE = (0, 1, -1, 0)
"""Upper left part of the display matrix by which phones turn a picture by 90 degrees."""


def picture(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Return a grey picture of one level with a red upper half."""
    image = np.full((height, width, 3), level, np.uint8)
    image[: height // 2] = (200, 0, 0)
    return image


def write_times(path: Path, times: Sequence[float]) -> list[int]:
    """Write a picture for each time, and return their grey levels."""
    import av

    levels = [20 + 10 * number for number in range(len(times))]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for level, time in zip(levels, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture(level), format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return levels


def turn(path: Path, matrix: Sequence[int]) -> None:
    """Have an MP4 file ask for another orientation."""
    content = bytearray(path.read_bytes())
    a, b, c, d = (value * 0x10000 for value in matrix)
    start = content.index(b"tkhd") + 4 + 40
    struct.pack_into(">9i", content, start, a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path.write_bytes(content)


def write_sound(path: Path) -> None:
    """Write a file with sound and no picture."""
    with path.open("wb") as file:
        samples = np.zeros(800, "<i2").tobytes()
        header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16,
                             1, 1, 8000, 16000, 2, 16)  # fmt: skip
        file.write(header + struct.pack("<4sI", b"data", len(samples)) + samples)
