"""Reader of UAV-Human's skeleton files: text in Kinect's format, with 17 joints in the image.

The files have no description. Assumptions: their format is that of NTU RGB+D
(:func:`skeletonagent.data.readers.ntu.read_bodies`), the first two columns of a joint are its x
and y in pixels, the tracker's numbers of bodies have no meaning, and names like
``P000S00G10B10H10UC022000LC021000A000R0_08241716.txt`` begin with the subject and have the action
after ``A``, both counted from 0. Source: spec section 4, "UAV".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.benchmarks import BENCHMARKS, UAV_NAME
from skeletonagent.data.convert.pipeline import DatasetReader
from skeletonagent.data.readers.ntu import raw_files, read_bodies

_MAX_PERSONS = 2
"""Number of bodies kept of each frame, the first ones, as the benchmark's recognizers use."""


def uav_reader(folder: Path) -> DatasetReader:
    """Return a reader of the ``.txt`` files of UAV-Human in a folder and below it, by name.

    Raises:
        DataError: If there is none.
    """
    benchmark = BENCHMARKS["uav-human"]
    return DatasetReader(
        name=benchmark.name,
        title=benchmark.title,
        layout=benchmark.layout,
        class_names=benchmark.class_names,
        items=raw_files(folder, ".txt"),
        read=read_uav_file,
        splits=benchmark.splits,
        default_split=benchmark.default_split,
        has_confidence=True,
    )


def read_uav_file(path: Path) -> SkeletonSequence:
    """Return the one or two bodies of a file: x and y in pixels, and a confidence of 1.

    Frames of nobody are dropped; a body that is not in a frame is all zeros in it.

    Raises:
        DataError: If the file is damaged, has no action in its name or contains nobody.
    """
    name = UAV_NAME.match(path.stem)
    if name is None:
        raise DataError(
            "is not named like P000S00G10B10H10UC022000LC021000A000R0_08241716.txt", path=path
        )
    bodies = read_bodies(path, joints=17, channels=2)
    if not len(bodies.frame):
        raise DataError("holds no body in any frame; leave it out", path=path)
    frame = np.unique(bodies.frame, return_inverse=True)[1]
    body = np.arange(len(frame)) - np.searchsorted(frame, frame)  # its number within its frame
    kept = body < _MAX_PERSONS
    joints = np.zeros((body[kept].max() + 1, frame.max() + 1, 17, 3), dtype=np.float32)
    joints[body[kept], frame[kept], :, :2] = bodies.joints[kept]
    joints[body[kept], frame[kept], :, 2] = 1
    return SkeletonSequence(
        joints=joints,
        label=int(name["action"]),
        sample_id=path.stem,
        subject=int(name["subject"]),
    )
