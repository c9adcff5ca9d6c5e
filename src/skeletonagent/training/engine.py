"""Devices and precision: the only module that knows how a step is run."""

from __future__ import annotations

import platform
from typing import Literal

import torch
from lightning_fabric import Fabric

from skeletonagent.core.errors import ConfigError

Engine = Fabric
"""What moves, casts and steps; everybody else knows it under this name."""

Precision = Literal["32", "bf16"]
"""Single precision throughout, or bfloat16 where that is safe."""


def pick_device(name: str) -> torch.device:
    """Return the device of a name: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for the fastest.

    Raises:
        ConfigError: If there is none of that name on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"device {name!r} was asked for, but this machine has no usable GPU; use cpu"
        )
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {name!r} is not supported; use auto, cpu, cuda or cuda:N")
    return device


def start_engine(device: torch.device, precision: Precision) -> Engine:
    """Return the engine that moves, casts and steps on one device."""
    index: list[int] | int = [device.index or 0] if device.type == "cuda" else 1
    engine = Fabric(
        accelerator=device.type,
        devices=index,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    return engine


def describe_device(device: torch.device) -> str:
    """Return the device in words, for reports."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
