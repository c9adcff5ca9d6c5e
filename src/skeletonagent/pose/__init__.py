"""Pose estimation: pictures to keypoint recordings."""
