"""Landmarks that MediaPipe itself finds in a video, as the reference of ``pose_agreement.py``.

Run it by the Python of another environment, since MediaPipe pins an old NumPy:

  python -m venv /tmp/reference && /tmp/reference/bin/pip install mediapipe==0.10.21
  /tmp/reference/bin/python benchmarks/mediapipe_reference.py demo.mp4 reference.npz
"""

import sys

import numpy as np


def main(video: str, out: str, step: int = 10) -> None:
    """Write the landmarks of every tenth frame, each taken as a picture of its own."""
    import cv2  # type: ignore[import-not-found]
    import mediapipe  # type: ignore[import-not-found]

    capture, frames, landmarks = cv2.VideoCapture(video), [], []
    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1)
    number = 0
    while (read := capture.read())[0]:
        if number % step == 0:
            image = cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
            found = pose.process(image).pose_landmarks
            height, width, _ = image.shape
            places = [(p.x * width, p.y * height) for p in found.landmark] if found else None
            landmarks.append(places or [(np.nan, np.nan)] * 33)
            frames.append(number)
        number += 1
    np.savez(out, frames=np.array(frames), landmarks=np.array(landmarks))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
