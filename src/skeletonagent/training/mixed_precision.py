"""Forward pass in bfloat16 where autocast considers it safe."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class MixedPrecision(nn.Module):
    """Module whose forward pass runs in bfloat16 where autocast considers it safe.

    Args:
        module: Module with positional tensor arguments that returns a tensor or a tuple of them.
        device_type: Type of the device it runs on.
    """

    def __init__(self, module: nn.Module, device_type: str) -> None:
        super().__init__()
        self.module = module
        self._device_type = device_type

    def forward(self, *inputs: Tensor | None) -> Any:
        """Return the module's output in single precision."""
        with torch.autocast(self._device_type, dtype=torch.bfloat16):
            output = self.module(*(_cast(value, torch.bfloat16) for value in inputs))
        if isinstance(output, tuple):
            return tuple(_cast(value, torch.float32) for value in output)
        return _cast(output, torch.float32)


def _cast(value: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Return the value, cast if it is a floating-point tensor."""
    return value.to(dtype) if value is not None and value.is_floating_point() else value
