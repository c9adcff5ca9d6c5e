"""Formats of keypoint files, one row each, and the format of a file by what is inside."""

from __future__ import annotations

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.data.keypoints.alphapose import ALPHAPOSE
from skeletonagent.data.keypoints.arrays import NUMPY_ARCHIVES, NUMPY_ARRAYS
from skeletonagent.data.keypoints.bvh import BVH
from skeletonagent.data.keypoints.c3d_files import C3D
from skeletonagent.data.keypoints.coco import COCO_JSON
from skeletonagent.data.keypoints.deeplabcut import DEEPLABCUT_CSV, DEEPLABCUT_HDF5
from skeletonagent.data.keypoints.matlab import MATLAB
from skeletonagent.data.keypoints.mediapipe import MEDIAPIPE
from skeletonagent.data.keypoints.mmpose import MMPOSE
from skeletonagent.data.keypoints.ntu_files import NTU_FILES
from skeletonagent.data.keypoints.openpose import OPENPOSE
from skeletonagent.data.keypoints.pickles import PICKLES
from skeletonagent.data.keypoints.recorded import RECORDED_KEYPOINTS
from skeletonagent.data.keypoints.sleap import SLEAP_ANALYSIS
from skeletonagent.data.keypoints.sleap_project import SLEAP_PROJECT
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource
from skeletonagent.data.keypoints.stgcn_kinetics import STGCN_KINETICS
from skeletonagent.data.keypoints.tables import TABLES
from skeletonagent.data.keypoints.trc import TRC
from skeletonagent.data.keypoints.ts_files import TIME_SERIES
from skeletonagent.data.keypoints.ultralytics import ULTRALYTICS_JSON, ULTRALYTICS_TEXT
from skeletonagent.data.keypoints.unknown import describe_unknown

KEYPOINT_FORMATS = {
    each.name: each
    for each in (
        RECORDED_KEYPOINTS, OPENPOSE, COCO_JSON, ALPHAPOSE, MMPOSE, ULTRALYTICS_JSON,
        STGCN_KINETICS, MEDIAPIPE, ULTRALYTICS_TEXT, DEEPLABCUT_CSV, DEEPLABCUT_HDF5, SLEAP_PROJECT,
        SLEAP_ANALYSIS, BVH, C3D, TRC, NTU_FILES, TIME_SERIES, PICKLES, MATLAB,
        NUMPY_ARRAYS, NUMPY_ARCHIVES, TABLES,
    )
}  # fmt: skip
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


def readable_formats() -> str:
    """Return the names of all formats, in a sentence."""
    return f"What can be read: {', '.join(KEYPOINT_FORMATS)}; see docs/guides/keypoint_files.md"


def unknown_format(source: KeypointSource, *, in_brief: bool = False) -> DataError:
    """Return the error for a file or folder of no format, which says what it looks like.

    Args:
        source: The file or folder.
        in_brief: Whether to leave out what can be read.
    """
    looks = f"looks like {describe_unknown(source)}"
    return DataError(looks if in_brief else f"{looks}. {readable_formats()}", path=source.path)
