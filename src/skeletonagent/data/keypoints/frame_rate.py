"""Frame rate, from the times of frames."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from skeletonagent.data.keypoints.remarks import remark

_SHORTEST, _LONGEST = 1 / 2000, 2.0
"""Times between two frames that are plausible, in seconds."""


def frame_rate_of_times(times: Float[np.ndarray, " k"], where: object) -> float | None:
    """Return frames a second, from times in seconds, milli-, micro- or nanoseconds.

    The unit is the largest in which frames follow each other within two seconds.

    Args:
        times: Times of the frames, in their order.
        where: File that a warning names.

    Returns:
        None if there are fewer than two frames, if times only count the frames, or no unit fits.
    """
    if len(times) < 2 or (np.diff(times) == 1).all():
        return None
    step = float(np.median(np.diff(times)))
    for unit in (1.0, 1e3, 1e6, 1e9):
        if _SHORTEST <= step / unit <= _LONGEST:
            return unit / step
    remark(
        where,
        f"times {step:g} apart fit neither seconds nor milli-, micro- or nanoseconds: the "
        "frame rate stays unknown",
    )
    return None
