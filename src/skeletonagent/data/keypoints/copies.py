"""Copies of a recording in another format beside it, as DeepLabCut and SLEAP write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.remarks import remark


def without_copies(recordings: Sequence[KeypointRecording], root: Path) -> list[KeypointRecording]:
    """Return recordings without those that another file of the folder has in another format.

    Copies have the same name, lie in the same folder, in files of different endings, and have the
    same joints. The first of them is kept, and a remark says which it is.

    Args:
        recordings: Recordings with the files that they come from.
        root: File or folder that was read.
    """
    kept: list[KeypointRecording] = []
    of_name: dict[tuple[Path, str], list[KeypointRecording]] = defaultdict(list)
    copies = []
    for recording in recordings:
        file = recording.source
        same = [] if file is None else of_name[file.parent, recording.name]
        first = next((other for other in same if _is_copy(recording, other)), None)
        if first is None:
            kept.append(recording)
            same.append(recording)
        else:
            copies.append((recording, first))
    if copies:
        copy, original = (one.source.name for one in copies[0] if one.source is not None)
        remark(
            root,
            f"{len(copies)} file(s) hold the same as another in another format, and are left out, "
            f"such as {copy}, which is as {original}",
        )
    return kept


def _is_copy(recording: KeypointRecording, other: KeypointRecording) -> bool:
    """Return whether two recordings of one name come from files of two kinds and are alike."""
    files = recording.source, other.source
    return (
        None not in files
        and len({file.suffix.lower() for file in files if file is not None}) == 2
        and recording.label == other.label
        and recording.joints.shape == other.joints.shape
        and np.allclose(recording.joints, other.joints, rtol=1e-5, atol=1e-6, equal_nan=True)
    )
