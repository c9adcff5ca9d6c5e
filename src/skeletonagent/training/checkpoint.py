"""Checkpoints: everything a run needs to go on, in one directory, written atomically.

All tensors lie in one safetensors file and all else in one JSON file, so that reading a
checkpoint can run no code. Random numbers need no state: they are derived from the seed and the
epoch.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from skeletonagent.core.errors import CheckpointError
from skeletonagent.core.files import write_text

TENSORS = "tensors.safetensors"
STATE = "state.json"
FORMAT = 2
"""2: dialogues keep outcomes and attempts, and a round under way is part of it."""
DRAFT = ".draft_"
"""Beginning of the names of checkpoints not yet complete; a killed run leaves one."""


@dataclass(frozen=True)
class Checkpoint:
    """A training run between two epochs.

    Args:
        epoch: Number of epochs done.
        tensors: Weights, buffers, optimizer state and counts, by dotted names.
        facts: All else as plain JSON values: configuration, class names, guidance.
    """

    epoch: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors below a dotted prefix, under the rest of their names."""
        start = f"{prefix}."
        return {n.removeprefix(start): t for n, t in self.tensors.items() if n.startswith(start)}


@dataclass(frozen=True)
class CheckpointFolder:
    """The checkpoints of one run.

    Args:
        path: The directory they lie in, one directory each.
        keep: How many of the newest are kept.
    """

    path: Path
    keep: int = 2

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint; until it is complete the earlier ones stay the newest.

        Raises:
            CheckpointError: If it cannot be written; earlier checkpoints are untouched.
        """
        target = self.path / f"epoch_{checkpoint.epoch:04d}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=self.path, prefix=DRAFT))
            try:
                _write(checkpoint, draft)
                shutil.rmtree(target, ignore_errors=True)
                os.replace(draft, target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        except OSError as error:
            raise CheckpointError(
                f"cannot write {target}: {error}; make room or choose another --out, then --resume"
            ) from error
        for old in [*self._all()[: -self.keep], *self.path.glob(f"{DRAFT}*")]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def latest(self) -> Path | None:
        """Return the newest checkpoint, or None."""
        return self._all()[-1] if self._all() else None

    def clear(self) -> None:
        """Remove all checkpoints and what killed runs left behind."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _all(self) -> list[Path]:
        return sorted(self.path.glob("epoch_*"), key=lambda path: (len(path.name), path.name))


def load_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in a directory.

    Raises:
        CheckpointError: If it is missing, damaged or of another format.
    """
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        content = (path / TENSORS).read_bytes()
        if state["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has format {state['format']}; this version reads {FORMAT}"
            )
        if sha256(content).hexdigest() != state["sha256"]:
            raise CheckpointError(f"{path / TENSORS} is damaged: its checksum does not match")
        tensors = safetensors.torch.load(content)
        return Checkpoint(epoch=int(state["epoch"]), tensors=tensors, facts=dict(state["facts"]))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error


def _write(checkpoint: Checkpoint, folder: Path) -> None:
    tensors = {name: t.detach().cpu().contiguous() for name, t in checkpoint.tensors.items()}
    content = safetensors.torch.save(tensors)
    with (folder / TENSORS).open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    state = {
        "format": FORMAT,
        "epoch": checkpoint.epoch,
        "sha256": sha256(content).hexdigest(),
        "facts": dict(checkpoint.facts),
    }
    write_text(folder / STATE, json.dumps(state))
