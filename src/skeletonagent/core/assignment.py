"""Assignment of rows to columns at the least cost, such as of bodies to earlier ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.core.errors import ConfigError


def least_cost_pairs(
    cost: Float[np.ndarray, "r c"],
) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
    """Return the rows and columns of the pairs whose costs sum up to least.

    Args:
        cost: Cost of each pair; as many pairs are made as there are rows or columns at least.

    Raises:
        ConfigError: If SciPy is needed, which it is for several rows and columns, and missing.
    """
    if min(cost.shape) == 0:
        none = np.zeros(0, dtype=np.int64)
        return none, none
    if min(cost.shape) == 1:
        row, column = np.unravel_index(cost.argmin(), cost.shape)
        return np.array([row], dtype=np.int64), np.array([column], dtype=np.int64)
    try:
        from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigError(
            "several persons are followed from frame to frame by SciPy, which is not installed; "
            "pip install scipy"
        ) from error
    rows, columns = linear_sum_assignment(cost)
    return rows, columns
