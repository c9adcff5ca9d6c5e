"""Labels of ST-GCN's arrays, which are in a pickle beside them.

``train_data.npy`` or ``train_data_joint.npy`` has samples, ``train_label.pkl`` their names and
labels, as a pair of lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.remarks import remark
from skeletonagent.data.keypoints.source import KeypointSource, clean_text
from skeletonagent.data.readers.safe_pickle import load_restricted

_DATA = "_data"


def with_stgcn_labels(
    recordings: list[KeypointRecording], source: KeypointSource
) -> list[KeypointRecording]:
    """Return the recordings of an array with the names and labels beside it, if there are any.

    Raises:
        DataError: If the file beside it is damaged, or holds more than names and labels.
    """
    part, found, _ = source.path.stem.partition(_DATA)
    path = source.path.with_name(f"{part}_label.pkl")
    if not found or len(recordings) < 2 or not path.is_file():
        return recordings
    pair = load_restricted(path)
    is_pair = isinstance(pair, Sequence) and len(pair) == 2
    if not is_pair or {len(each) for each in pair} != {len(recordings)}:
        remark(
            path, f"does not list names and labels of {len(recordings)} samples, and is not used"
        )
        return recordings
    remark(source.path, f"names and labels of the samples are from {path.name}")
    return [
        replace(recording, name=_name(name, recording), label=clean_text(label) or None)
        for recording, name, label in zip(recordings, *pair, strict=True)
    ]


def _name(name: object, recording: KeypointRecording) -> str:
    return clean_text(PurePath(str(name)).stem) or recording.name
