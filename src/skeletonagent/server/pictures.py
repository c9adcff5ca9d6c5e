"""Videos and single pictures of clients, if the pose models are there."""

from __future__ import annotations

from importlib.util import find_spec

from skeletonagent.core.errors import SkeletonAgentError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.inference.pose_joints import require_pose_joints
from skeletonagent.pose.fetch import FETCH_COMMAND, find_pose_models
from skeletonagent.video.reading import INSTALL_VIDEO

_NEEDED = ("av", "ai_edge_litert", "PIL", "scipy")


def why_no_pictures(input_format: InputFormat) -> str:
    """Return why joints cannot be found in pictures for a recognizer; nothing if they can.

    Args:
        input_format: Joints and channels of the recognizer.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        return f"videos are not taken: {', '.join(missing)} are missing here; {INSTALL_VIDEO}"
    try:
        find_pose_models()
    except SkeletonAgentError:  # its text names a folder of this machine
        return f"videos are not taken: the pose models are not there; {FETCH_COMMAND}"
    try:
        require_pose_joints(input_format)
    except SkeletonAgentError as error:
        return f"videos are not taken: what is found in them {error}"
    return ""
