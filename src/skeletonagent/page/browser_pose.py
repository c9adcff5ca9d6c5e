"""Pose estimation for the engine in the browser: models in ONNX, and the constants around them."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.inference.pose_joints import require_pose_joints
from skeletonagent.pose import covered, detector, estimate, estimator, landmarks, regions, tracker
from skeletonagent.pose.fetch import find_pose_models
from skeletonagent.pose.lite_to_onnx import lite_to_onnx

NO_POSE = (
    "this page recognizes keypoints alone; for videos and the camera, use 'skeletonagent serve'"
)
"""What a page without pose estimation says."""

_LANDMARKS, _PRESENCE, _HEAT, _WORLD = 0, 1, 3, 4
"""Outputs of the landmark model that are needed; the one between is a picture of the body."""


@dataclass(frozen=True)
class BrowserPose:
    """Pose models for the engine in the browser.

    Args:
        detector: Model that finds persons, in ONNX.
        landmarks: Model that finds the landmarks of a person, in ONNX.
        licence: Licence of both.
    """

    detector: bytes
    landmarks: bytes
    licence: str

    @classmethod
    def of(cls, input_format: InputFormat) -> BrowserPose:
        """Return the pose models that were fetched, for a recognizer.

        Args:
            input_format: Joints and channels of the recognizer.

        Raises:
            ConfigError: If they were not fetched, or a package is missing.
            DataError: If the recognizer does not take the joints that they find.
        """
        require_pose_joints(input_format)
        files = find_pose_models()
        return cls(
            lite_to_onnx(files.detector.read_bytes()),
            lite_to_onnx(files.landmarks.read_bytes(), (_LANDMARKS, _PRESENCE, _HEAT, _WORLD)),
            files.licence.read_text(encoding="utf-8"),
        )


def pose_facts() -> dict[str, Any]:
    """Return the constants of pose estimation, by module, and the layout of its joints."""
    modules = (covered, detector, estimate, estimator, landmarks, regions, tracker)
    facts = {module.__name__.rpartition(".")[2]: _constants(module) for module in modules}
    joints, trunk = list(MEDIAPIPE_33.joints), facts["covered"]["trunk"]
    facts["covered"]["trunk"] = [joints.index(name) for name in trunk if name in joints]
    facts["estimate"]["min_confidence"] = estimate.PoseOptions().min_confidence
    facts["layout"] = {
        "name": MEDIAPIPE_33.name,
        "joints": joints,
        "bones": [list(bone) for bone in MEDIAPIPE_33.bones],
    }
    return facts


def _constants(module: ModuleType) -> dict[str, Any]:
    """Return the numbers, and lists of them, that a module computes with."""
    return {
        name.strip("_").lower(): value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float | tuple)
    }
