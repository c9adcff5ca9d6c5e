"""Input streams of the paper: quantities of the skeleton that a recognizer is trained on."""

from __future__ import annotations

from enum import StrEnum


class Stream(StrEnum):
    """Input stream, one of six (paper section 4.2, after InfoGCN).

    ``bone`` is a joint minus its parent, ``kbone`` a joint minus its grandparent, and the
    ``*_motion`` streams are the forward differences of the three over time.
    """

    JOINT = "joint"
    BONE = "bone"
    KBONE = "kbone"
    JOINT_MOTION = "joint_motion"
    BONE_MOTION = "bone_motion"
    KBONE_MOTION = "kbone_motion"

    @property
    def short(self) -> str:
        """Short form used on the command line: j, b, k, jm, bm or km."""
        return self.value[0] + ("m" if self.is_motion else "")

    @property
    def is_motion(self) -> bool:
        """Whether the stream is a difference over time."""
        return self.value.endswith("_motion")

    @property
    def base(self) -> Stream:
        """Stream without the difference over time; K is the same for both."""
        return Stream(self.value.removesuffix("_motion"))

    @classmethod
    def parse(cls, name: str) -> Stream:
        """Return the stream of a full or short name.

        >>> Stream.parse("bm")
        <Stream.BONE_MOTION: 'bone_motion'>

        Raises:
            ValueError: If there is none of that name; the message lists them all.
        """
        for stream in cls:
            if name in (stream.value, stream.short):
                return stream
        names = ", ".join(f"{stream.value} ({stream.short})" for stream in cls)
        raise ValueError(f"no stream {name!r}; there are {names}")
