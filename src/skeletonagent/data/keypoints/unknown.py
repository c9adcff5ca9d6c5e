"""What a file that is no keypoint file looks like, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from skeletonagent.core.errors import DataError
from skeletonagent.data.keypoints.source import KeypointSource, clean_text

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file without known keypoints"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"PK\x03\x04", "a ZIP archive; unpack it"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"PAR1", "a Parquet table; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file; save it as CSV"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a video or sound file"),
    (b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (b"%PDF", "a PDF"),
    (b"Kaydara FBX", "an FBX file; export BVH or C3D"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80", "a pickle without known keypoints"),
)
"""First bytes of files and what they are."""

_SHOWN = 60


def describe_unknown(source: KeypointSource) -> str:
    """Return what a file or folder looks like, such as ``a PNG image``."""
    if source.is_folder:
        return _folder(source)
    head = source.head
    if not head:
        return "an empty file"
    if head[4:8] == b"ftyp":
        return "a video (MP4 or QuickTime)"
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    if source.is_json:
        return _json(source)
    if source.is_text:
        first = clean_text(head[:400].decode("utf-8", errors="replace"))[:_SHOWN]
        return f"text that begins {first!r}"
    return "a binary file of an unknown kind"


def _json(source: KeypointSource) -> str:
    try:
        value = source.json
    except DataError:
        return "damaged JSON"
    kind, item = "JSON", value
    if isinstance(value, list):
        kind, item = f"a JSON list of {len(value)}", value[0] if value else None
    if isinstance(item, Mapping):
        keys = ", ".join(clean_text(key)[:20] for key in list(item)[:8])
        return f"{kind} with the keys {keys}" if keys else f"{kind}, an empty object"
    return kind


def _folder(source: KeypointSource) -> str:
    ends = Counter(path.suffix.lower() or "no end" for path in source.files)
    if not ends:
        return "a folder without files" if not source.folders else "a folder of folders"
    listed = ", ".join(f"{count} with {end}" for end, count in ends.most_common(4))
    return f"a folder of files: {listed}"
