"""Absent joints: zeros of a file that stand for what was not seen become NaN."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from skeletonagent.core.errors import DataError
from skeletonagent.data.keypoints.remarks import remark


def zeros_as_absent(
    joints: Float[np.ndarray, "*frames v c"], where: object
) -> Float[np.ndarray, "*frames v c"]:
    """Return joints in which those whose coordinates are all zero are NaN.

    A single joint that is zero wherever others are not is the origin of the coordinates, as in
    skeletons that are centred on it, and stays.

    Args:
        joints: Joints of a recording, frame by frame.
        where: File that a warning names.
    """
    zero = (joints == 0).all(axis=-1)
    somebody = ~(zero | np.isnan(joints).any(axis=-1)).all(axis=-1)
    always = zero[somebody].all(axis=0) if somebody.any() else np.zeros(zero.shape[-1], bool)
    if always.sum() == 1 and joints.shape[-2] > 1:
        origin = int(np.flatnonzero(always)[0])
        remark(
            where,
            f"joint {origin} (counted from 0) is 0 in all coordinates of every frame: "
            "taken as the origin of the coordinates, not as absent",
        )
        zero[somebody, origin] = False
    return np.where(zero[..., None], np.nan, joints)


def require_finite_coordinates(joints: Float[np.ndarray, "*frames v c"], where: object) -> None:
    """Check that no coordinate is infinite.

    Raises:
        DataError: If one is.
    """
    if np.isinf(joints).any():
        raise DataError(f"{where}: holds infinite coordinates; write NaN where nothing was seen")


def split_confidence(
    joints: Float[np.ndarray, "*frames v c"], where: object
) -> tuple[Float[np.ndarray, "*frames v k"], Float[np.ndarray, "*frames v"] | None]:
    """Return coordinates and the confidence in the last channel, where there is one.

    Four channels are x, y, z and confidence. The third of three is a confidence if it is between 0
    and 1 everywhere while x and y are not, as in pixels.

    Args:
        joints: Joints with 2 to 4 channels.
        where: File that a warning names.

    Raises:
        DataError: If there are fewer or more channels.
    """
    channels = joints.shape[-1]
    if not 2 <= channels <= 4:
        raise DataError(f"{where}: joints have {channels} channels; 2 to 4 can be read")
    if channels == 2:
        return joints, None
    last = joints[..., -1][~np.isnan(joints[..., -1])]
    within = bool(len(last)) and bool(((last >= 0) & (last <= 1)).all())
    if channels == 4:
        if not within:
            raise DataError(
                f"{where}: the fourth channel is no confidence, it goes beyond 0 to 1; keep x, y, z"
            )
        return joints[..., :3], joints[..., 3]
    largest = np.nanmax(np.abs(joints[..., :2]), initial=0.0)
    if within and largest > _PIXELS:
        remark(where, "the third channel is between 0 and 1 and x, y are not: taken as confidence")
        return joints[..., :2], joints[..., 2]
    return joints, None


_PIXELS = 10.0
"""Coordinates beyond it are taken for pixels beside a third channel between 0 and 1."""
