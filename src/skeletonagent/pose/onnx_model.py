"""Top-down pose model of a user in ONNX, with SimCC or heatmap output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from skeletonagent.core.errors import DataError
from skeletonagent.pose.landmarks import BodyLandmarks
from skeletonagent.pose.regions import PERSON_SCALE, Region, crop
from skeletonagent.pose.runtime import OnnxModel

_MEAN, _DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Mean and standard deviation of ImageNet's colours, by which these models are trained."""
_DEFAULT_SIZE = (256, 192)
"""Height and width of the input where the model leaves them open."""
_MIN_CONFIDENCE = 0.3
"""Mean confidence of the joints from which a region holds a person."""

FORMS = (
    "one input (1, 3, H, W) in RGB, normalised as for ImageNet, and as output either two SimCC "
    "tensors (1, V, k W) and (1, V, k H), as RTMPose has them, or one heatmap (1, V, H / k, W / k)"
)
"""Forms of models that can be used."""


class TopDownModel:
    """Model of the joints of a single person.

    Args:
        path: The ``.onnx`` file, in one of the :data:`FORMS`.
        joints: Number of joints V of its layout.

    Raises:
        ConfigError: If ONNX Runtime is not installed.
        DataError: If the file is no such model, or has another number of joints.
    """

    def __init__(self, path: Path, joints: int) -> None:
        self._model = OnnxModel(path)
        _, channels, height, width = self._model.input_shape
        if isinstance(channels, int) and channels != 3:
            raise DataError(f"takes {channels} channels instead of 3; {_allowed()}", path=path)
        self.height = height if isinstance(height, int) else _DEFAULT_SIZE[0]
        self.width = width if isinstance(width, int) else _DEFAULT_SIZE[1]
        self._check(joints)

    def locate(self, image: UInt8[np.ndarray, "h w 3"], region: Region) -> BodyLandmarks | None:
        """Return the joints of the person in a region, None if there is no person."""
        upright = Region(region.x, region.y, region.size)
        if not upright.valid:
            return None
        side = max(self.height, self.width)
        top, left = (side - self.height) // 2, (side - self.width) // 2
        square = crop(image, upright, side, border="black")
        part = square[top : top + self.height, left : left + self.width]
        normalised = (part - np.array(_MEAN)) / np.array(_DEVIATION)
        outputs = self._model.run(normalised.transpose(2, 0, 1)[None].astype(np.float32))
        places, confidence = decode_joints(outputs, self.height, self.width)
        score = float(confidence.mean())
        if not score >= _MIN_CONFIDENCE:
            return None
        points = upright.to_image((places + np.array([left, top])) / side)
        return BodyLandmarks(
            points=points,
            world=None,
            confidence=confidence,
            score=score,
            region=self._next_region(points[confidence >= _MIN_CONFIDENCE]),
        )

    def _next_region(self, points: Float[np.ndarray, "n 2"]) -> Region:
        """Return the square in which to look for the person in the next picture."""
        low, high = points.min(axis=0), points.max(axis=0)
        (x, y), (width, height) = (low + high) / 2, high - low
        side = max(self.height, self.width)
        needed = max(height * side / self.height, width * side / self.width)
        return Region(float(x), float(y), float(PERSON_SCALE * needed))

    def _check(self, joints: int) -> None:
        """Check the outputs by those of an empty picture."""
        path = self._model.path
        empty = np.zeros((1, 3, self.height, self.width), np.float32)
        outputs = self._model.run(empty)
        places, _ = decode_joints(outputs, self.height, self.width, path)
        if len(places) != joints:
            raise DataError(
                f"finds {len(places)} joints, its layout has {joints}; give the layout that it was "
                "trained with",
                path=path,
            )


def decode_joints(
    outputs: Sequence[np.ndarray], height: int, width: int, path: Path | None = None
) -> tuple[Float[np.ndarray, "v 2"], Float[np.ndarray, " v"]]:
    """Return places in pixels of the model's input, and confidences from 0 to 1.

    Args:
        outputs: Two SimCC tensors, or a heatmap first.
        height: Height of the input.
        width: Width of the input.
        path: File that an error names.

    Raises:
        DataError: If the outputs are of another form.
    """
    shapes = [output.shape for output in outputs]
    if len(outputs) == 2 and all(len(shape) == 3 for shape in shapes):
        x, y = outputs[0][0], outputs[1][0]
        if len(x) == len(y) and x.shape[1] % width == 0 and y.shape[1] % height == 0:
            return _from_simcc(x, y, height, width)
    if outputs and len(shapes[0]) == 4:
        return _from_heatmap(outputs[0][0], height, width)
    raise DataError(f"outputs of the shapes {shapes} cannot be used; {_allowed()}", path=path)


def _allowed() -> str:
    return f"a model has {FORMS}"


def _from_simcc(
    x: Float[np.ndarray, "v a"], y: Float[np.ndarray, "v b"], height: int, width: int
) -> tuple[Float[np.ndarray, "v 2"], Float[np.ndarray, " v"]]:
    """Return joints from a score for every column and one for every row."""
    columns, rows = x.argmax(axis=1), y.argmax(axis=1)
    places = np.stack([columns * width / x.shape[1], rows * height / y.shape[1]], axis=1)
    score = np.minimum(x.max(axis=1), y.max(axis=1))
    return places, np.clip(score.astype(float), 0, 1)


def _from_heatmap(
    heat: Float[np.ndarray, "v h w"], height: int, width: int
) -> tuple[Float[np.ndarray, "v 2"], Float[np.ndarray, " v"]]:
    """Return joints from the hottest cells, moved a quarter of a cell to the hotter neighbour."""
    joints, rows, columns = heat.shape
    y, x = np.divmod(heat.reshape(joints, -1).argmax(axis=1), columns)
    all_joints = np.arange(joints)

    def shift(dy: int, dx: int) -> np.ndarray:
        before = heat[all_joints, np.maximum(y - dy, 0), np.maximum(x - dx, 0)]
        after = heat[all_joints, np.minimum(y + dy, rows - 1), np.minimum(x + dx, columns - 1)]
        return np.asarray(0.25 * np.sign(after - before))

    cells = np.stack([x + shift(0, 1), y + shift(1, 0)], axis=1)
    places = (cells + 0.5) * np.array([width / columns, height / rows]) - 0.5
    return places, np.clip(heat.reshape(joints, -1).max(axis=1).astype(float), 0, 1)
