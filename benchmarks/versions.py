"""Versions, device and memory that figures belong to.

Example:
  python -m benchmarks.versions --json versions.json
"""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.measuring import print_rows, write_facts

PACKAGES = ("numpy", "triton", "jaxtyping", "safetensors", "scipy")


def main(
    json: Annotated[Path | None, typer.Option(help="File for the facts.")] = None,
) -> None:
    """Print them."""
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        **{name: _version(name) for name in PACKAGES},
    }
    if torch.cuda.is_available():
        device = torch.cuda.get_device_properties(0)
        facts |= {
            "device": device.name,
            "compute_capability": f"{device.major}.{device.minor}",
            "multiprocessors": device.multi_processor_count,
            "megabytes": device.total_memory // 2**20,
            "cudnn": torch.backends.cudnn.version(),
        }
    print_rows("versions", [{"what": name, "is": str(value)} for name, value in facts.items()])
    write_facts(facts, json)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    typer.run(main)
