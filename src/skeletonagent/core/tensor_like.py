"""Tensors of PyTorch that callers hand over, taken without importing PyTorch."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class TensorLike(Protocol):
    """Tensor of PyTorch."""

    @property
    def shape(self) -> Any:
        """Number of elements of each dimension."""

    def detach(self) -> Any:
        """Return the tensor without its gradient."""


def as_numpy(value: Any) -> Any:
    """Return a tensor as a NumPy array, in single precision if its numbers are of less.

    What is no tensor is returned as it is.
    """
    if isinstance(value, np.ndarray) or not isinstance(value, TensorLike):
        return value  # an array is told at once, a tensor by its attributes
    tensor: Any = value.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
