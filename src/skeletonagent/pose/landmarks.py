"""Landmark model of BlazePose: 33 landmarks of the person in a region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

from skeletonagent.pose.regions import Region, crop, person_region
from skeletonagent.pose.runtime import ImageModel

_SIDE = 256
"""Side of the model's picture in pixels."""
_LANDMARKS = 33
_MIDDLE, _RIM = 33, 34
"""Further landmarks: middle of the hips, and the circle around it that holds the body."""
MIN_PRESENCE = 0.5
"""Score from which a region holds a person. Source: MediaPipe's graph."""
_WINDOW = 3
"""Cells on each side of a landmark whose heat counts. Source: MediaPipe's graph, kernel of 7."""
_MIN_HEAT = 0.5
"""Heat from which a landmark moves to the middle of the heat. Source: MediaPipe's graph."""


@dataclass(frozen=True)
class BodyLandmarks:
    """Landmarks of one person in one picture.

    Args:
        points: Position of each landmark in pixels.
        world: Position in metres from the middle of the hips: x to the right, y down, z away from
            the camera.
        confidence: Probability that a landmark is visible, from 0 to 1.
        score: Probability that there is a person.
        region: Region in which to look for the person in the next picture.
    """

    points: Float[np.ndarray, "v 2"]
    world: Float[np.ndarray, "v 3"] | None
    confidence: Float[np.ndarray, " v"]
    score: float
    region: Region


class LandmarkModel:
    """Model of the landmarks of a person.

    Args:
        model: BlazePose's landmark model.
    """

    def __init__(self, model: ImageModel) -> None:
        self._model = model

    def locate(self, image: UInt8[np.ndarray, "h w 3"], region: Region) -> BodyLandmarks | None:
        """Return the landmarks of the person in a region, None if there is no person."""
        if not region.valid:
            return None
        square = crop(image, region, _SIDE, border="edge").astype(np.float32)
        landmarks, presence, _, heat, world = self._model.run((square / 255)[None])
        score = float(presence.reshape(-1)[0])
        if not score >= MIN_PRESENCE:
            return None
        return decode_landmarks(landmarks[0], heat[0], world[0], score, region)


def decode_landmarks(
    landmarks: Float32[np.ndarray, " a"],
    heat: Float32[np.ndarray, "h w n"],
    world: Float32[np.ndarray, " b"],
    score: float,
    region: Region,
) -> BodyLandmarks:
    """Return landmarks in the picture from the outputs of the model.

    Args:
        landmarks: x, y, z in pixels of the model, and logits of visibility and presence.
        heat: Logits of where each landmark is.
        world: x, y, z in metres, in the turned region.
        score: Probability that there is a person.
        region: Region that the model has looked at.
    """
    values = landmarks.astype(float).reshape(-1, 5)
    shares = refine(values[:, :2] / _SIDE, heat)
    points = region.to_image(shares)
    metres = world.astype(float).reshape(-1, 3)
    metres[:, :2] = metres[:, :2] @ region.rotation.T
    return BodyLandmarks(
        points=points[:_LANDMARKS],
        world=metres[:_LANDMARKS],
        confidence=_sigmoid(values[:_LANDMARKS, 3:5].min(axis=1)),
        score=min(score, 1.0),
        region=person_region(points[_MIDDLE], points[_RIM]),
    )


def refine(
    shares: Float[np.ndarray, "n 2"], heat: Float32[np.ndarray, "h w n"]
) -> Float[np.ndarray, "n 2"]:
    """Return landmarks moved to the middle of the heat around them, where that is hot enough.

    Args:
        shares: Position of each landmark as a share of the region's sides.
        heat: Logits of where each landmark is.
    """
    height, width, number = heat.shape
    size = np.array([width, height])
    with np.errstate(invalid="ignore"):  # a place may be NaN
        cells = (shares * size).astype(int)
    inside = ((cells >= 0) & (cells < size)).all(axis=1) & ~np.isnan(shares).any(axis=1)
    steps = np.arange(-_WINDOW, _WINDOW + 1)
    x, y = cells[:, :1] + steps, cells[:, 1:] + steps
    exists = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    rows, columns = np.clip(y, 0, height - 1)[:, :, None], np.clip(x, 0, width - 1)[:, None, :]
    around = _sigmoid(heat[rows, columns, np.arange(number)[:, None, None]]) * exists
    hot = inside & (around.max(axis=(1, 2)) >= _MIN_HEAT)
    weights = around[hot] / around[hot].sum(axis=(1, 2), keepdims=True)
    refined = shares.copy()
    refined[hot, 0] = (weights.sum(axis=1) * x[hot]).sum(axis=1) / width
    refined[hot, 1] = (weights.sum(axis=2) * y[hot]).sum(axis=1) / height
    return refined


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits.astype(float), -100, 100))))
