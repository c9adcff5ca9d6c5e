import numpy as np

from skeletonagent.core.recording import KeypointRecording


def test_a_joint_with_a_missing_coordinate_was_not_seen():
    joints = np.zeros((2, 5, 3, 2), dtype=np.float32)
    joints[1, 4, 2, 0] = np.nan
    recording = KeypointRecording("walk", joints)
    assert recording.seen.sum() == 29 and not recording.seen[1, 4, 2]
    assert (recording.num_frames, recording.num_joints, recording.coordinates) == (5, 3, 2)
