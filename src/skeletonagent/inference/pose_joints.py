"""Joints that pose estimation finds, for a recognizer."""

from __future__ import annotations

import numpy as np

from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.inference.recording_input import fit_recording


def require_pose_joints(input_format: InputFormat) -> None:
    """Raise an error unless a recognizer takes the joints that are found in pictures.

    Args:
        input_format: Joints and channels of the recognizer.

    Raises:
        DataError: If too many of its joints are not among them.
    """
    shape = (1, 1, MEDIAPIPE_33.num_joints)
    somebody = KeypointRecording(
        name="video",
        joints=np.ones((*shape, input_format.coordinates)),
        layout=MEDIAPIPE_33,
        confidence=np.ones(shape),
    )
    fit_recording(somebody, input_format)
