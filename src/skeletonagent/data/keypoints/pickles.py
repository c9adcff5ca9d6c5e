"""Pickles of keypoints in PYSKL's and MMAction2's forms, read without running anything in them.

They are ``{"split", "annotations"}``, a list of annotations (MMAction2 0.x) or one annotation, as
MMAction2's extraction script writes for a video.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.absence import require_finite_coordinates, zeros_as_absent
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text
from skeletonagent.data.readers.pyskl_pickle import read_annotations
from skeletonagent.data.validation import UNLABELLED

_PROTOCOLS = range(2, 6)


def _matches(source: KeypointSource) -> bool:
    head = source.head
    if source.suffix in (".pkl", ".pickle") and head[:1] in (b"(", b"]", b"}", b"c"):
        return True
    return head[:1] == b"\x80" and head[1:2] != b"" and head[1] in _PROTOCOLS


def _read(source: KeypointSource) -> list[KeypointRecording]:
    try:
        annotations = read_annotations(source.path, require_labels=False)
    except DataError as error:
        if str(error).endswith("annotations must be a list of samples"):
            raise DataError(
                "is a pickle without annotations; a dictionary with split and annotations, a list "
                "of annotations or one with frame_dir, keypoint and label is expected",
                path=source.path,
            ) from error
        raise
    return [_recording(annotation, source) for annotation in annotations]


def _recording(annotation: Mapping[str, Any], source: KeypointSource) -> KeypointRecording:
    name = clean_text(annotation["frame_dir"])
    keypoint: Any = annotation.get("keypoint")
    score: Any = annotation.get("keypoint_score")
    where = f"{source.path}: {name}"
    if not _is_numbers(keypoint) or keypoint.ndim != 4 or keypoint.shape[3] not in (2, 3):
        raise DataError(
            "has no keypoint (M, T, V, 2 or 3); for Kinetics' table of contents use data convert "
            "with its kpfiles",
            path=source.path,
            sample=name,
        )
    if score is not None and (not _is_numbers(score) or score.shape != keypoint.shape[:3]):
        raise DataError("keypoint_score does not fit keypoint", path=source.path, sample=name)
    require_finite_coordinates(keypoint, where)
    joints = zeros_as_absent(keypoint.astype(np.float32), where)
    label = int(annotation["label"])
    return KeypointRecording(
        name=name,
        joints=joints,
        confidence=None
        if score is None
        else np.clip(np.nan_to_num(score), 0, 1).astype(np.float32),
        image_size=_image_size(annotation.get("img_shape")),
        person_ids=tuple(str(number) for number in range(len(joints))),
        source=source.path,
        label=None if label == UNLABELLED else str(label),
    )


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.size > 0


def _image_size(shape: Any) -> tuple[float, float] | None:
    """Return width and height of an image's shape (height, width)."""
    if not isinstance(shape, tuple | list | np.ndarray) or len(shape) < 2:
        return None
    height, width = (float(each) for each in shape[:2])
    return (width, height) if width > 0 and height > 0 else None


PICKLES = KeypointFormat(
    name="pickle",
    title="pickles in PYSKL's and MMAction2's forms",
    matches=_matches,
    read=_read,
)
"""Pickles of keypoints."""
