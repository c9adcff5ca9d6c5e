"""NTU RGB+D's ``.skeleton`` files as they are, one recording each, with all tracked bodies.

``skeletonagent data convert`` reads them for the benchmark instead: it drops noise and keeps at
most two bodies.
"""

from __future__ import annotations

import numpy as np

from skeletonagent.core.layout import KINECT_25
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.benchmarks import BENCHMARKS, NTU_NAME
from skeletonagent.data.keypoints.bodies import NobodySeenError
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource
from skeletonagent.data.readers.ntu import read_bodies

_FPS = 30.0
"""Frame rate of the Kinect v2."""


def _matches(source: KeypointSource) -> bool:
    """Return whether a file begins with the numbers of frames and of bodies in the first."""
    if source.suffix != ".skeleton" or not source.is_text:
        return False
    lines = source.head.split(b"\n")
    return len(lines) > 1 and all(line.strip().isdigit() for line in lines[:2])


def _read(source: KeypointSource) -> list[KeypointRecording]:
    bodies = read_bodies(source.path, joints=KINECT_25.num_joints, channels=3)
    frames = int(source.text.split(None, 1)[0])
    if not len(bodies.frame):
        raise NobodySeenError(frames, source.path, source.name)
    identities, person = np.unique(bodies.identity, return_inverse=True)
    joints = np.full((len(identities), frames, KINECT_25.num_joints, 3), np.nan, np.float32)
    joints[person, bodies.frame] = bodies.joints
    name = NTU_NAME.fullmatch(source.path.stem)
    actions = BENCHMARKS["ntu120"].class_names
    action = int(name["action"]) - 1 if name else len(actions)
    return [
        KeypointRecording(
            name=source.name,
            joints=joints,
            layout=KINECT_25,
            fps=_FPS,
            person_ids=tuple(map(str, identities.tolist())),
            source=source.path,
            label=actions[action] if 0 <= action < len(actions) else None,
            subject=str(int(name["subject"])) if name else None,
        )
    ]


NTU_FILES = KeypointFormat(
    name="ntu",
    title="NTU RGB+D's .skeleton files",
    matches=_matches,
    read=_read,
)
"""Skeleton files of NTU RGB+D."""
