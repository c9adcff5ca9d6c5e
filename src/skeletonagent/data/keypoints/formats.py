"""Formats of keypoint files, one row each, and the format of a file by what is inside."""

from __future__ import annotations

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.data.keypoints.arrays import NUMPY_ARCHIVES, NUMPY_ARRAYS
from skeletonagent.data.keypoints.openpose import OPENPOSE
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource
from skeletonagent.data.keypoints.tables import TABLES
from skeletonagent.data.keypoints.unknown import describe_unknown

KEYPOINT_FORMATS = {each.name: each for each in (OPENPOSE, NUMPY_ARRAYS, NUMPY_ARCHIVES, TABLES)}
"""Formats by name; of several that match a file, the first is taken."""


def keypoint_format(name: str) -> KeypointFormat:
    """Return a format by its name.

    Raises:
        ConfigError: If there is none of that name.
    """
    if name not in KEYPOINT_FORMATS:
        raise ConfigError(f"no format {name!r}; there are {', '.join(KEYPOINT_FORMATS)}")
    return KEYPOINT_FORMATS[name]


def detect_keypoint_format(source: KeypointSource) -> KeypointFormat | None:
    """Return the format of a file, or of a folder whose files are frames; None if there is none.

    Raises:
        DataError: If the file cannot be read.
    """
    return next((each for each in KEYPOINT_FORMATS.values() if each.matches(source)), None)


def unknown_format(source: KeypointSource) -> DataError:
    """Return the error for a file or folder of no format, which says what it looks like."""
    titles = "; ".join(each.title for each in KEYPOINT_FORMATS.values())
    return DataError(
        f"looks like {describe_unknown(source)}, no keypoints. What can be read: {titles}. "
        "docs/guides/own_data.md says more",
        path=source.path,
    )
