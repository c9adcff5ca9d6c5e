"""What every test relies on: checked shapes, one thread, no private caches, shared data."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

if any(name.partition(".")[0] == "skeletonagent" for name in sys.modules):
    raise RuntimeError("skeletonagent was imported before its shapes could be checked")
# An int where a float is declared is right by PEP 484.
install_import_hook(
    "skeletonagent",
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

torch.set_num_threads(1)

settings.register_profile("local", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def private_caches() -> Iterator[Path]:
    """Keep caches out of the home folder, for this process and for those that tests start."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", folder)
        yield Path(folder)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real data and reference results, which are no part of the repository."""
    folder = Path(os.environ.get("SKELETONAGENT_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set SKELETONAGENT_SHARED to where they are")
    return folder
