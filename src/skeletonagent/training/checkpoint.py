"""Checkpoints: everything a run needs to resume, in one directory, written atomically.

All tensors lie in one safetensors file and all else in one JSON file, so that reading a
checkpoint can run no code; the dialogues of all checkpoints lie in a file beside them. All have
checksums. Random numbers need no state: they are derived from the seed, the epoch and the step.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from skeletonagent.core.errors import CheckpointError, CorruptCheckpointError
from skeletonagent.core.files import sync_directory, user_mode, write_text
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.skeleton_layout import SkeletonLayout
from skeletonagent.training.dialogue_log import DIALOGUE_LOG, DialoguePosition, LoggedDialogues

TENSORS = "tensors.safetensors"
STATE = "state.json"
FORMAT = 4
"""Version of the format. 4: tensors and metadata have the names of this version's modules."""
DRAFT = ".draft_"
"""Start of the names of incomplete checkpoints; a killed run leaves one."""
REPLACED = "_replaced"
"""End of the name of a checkpoint that is being replaced."""

_NAME = re.compile(rf"epoch_(\d+)(?:_step_(\d+))?({REPLACED})?")
_SEAL = ', "seal": "'


@dataclass(frozen=True)
class Checkpoint:
    """State of a training run between two steps.

    Args:
        epoch: Number of epochs done.
        tensors: Tensors by dotted names: ``recognizer.``, ``ema.`` and ``loss.`` are weights,
            their average and the loss's parameters; ``momentum.``, or ``exp_avg.``,
            ``exp_avg_sq.`` and ``optimizer_step.``, the optimizer's state; ``best.`` the best
            epoch, where training may end early; ``ema_steps`` counts the steps averaged,
            ``confusions`` the latest epoch's predictions. Within an epoch ``epoch_state.`` is its
            progress; while the agents are asked, ``pending`` is the confusions they are asked
            about.
        metadata: All else as plain JSON values: configuration, class names, guidance, and as
            ``dialogues`` the position of its dialogues in the file beside the checkpoints.
        step: Number of steps done of the epoch under way; 0 between two epochs.
        dialogues: Dialogues that the guidance was taken from; None where they are in the guidance,
            or the file is missing, as beside a copy of the checkpoint alone.
    """

    epoch: int
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, Any]
    step: int = 0
    dialogues: LoggedDialogues | None = None

    @property
    def name(self) -> str:
        """Name of its directory."""
        step = f"_step_{self.step:06d}" if self.step else ""
        return f"epoch_{self.epoch:04d}{step}"

    def tensors_under(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors below a dotted prefix, under the rest of their names."""
        start = f"{prefix}."
        return {n.removeprefix(start): t for n, t in self.tensors.items() if n.startswith(start)}

    def guidance(self, layout: SkeletonLayout) -> Guidance:
        """Return the guidance that training had, for a skeleton of ``layout``.

        Its dialogues are empty where their file is missing.

        Raises:
            CheckpointError: If the checkpoint has none, or it is damaged.
        """
        try:
            value = self.metadata["guidance"]
            if self.dialogues is not None:
                value = {**value, "classes": _with_dialogues(value["classes"], self.dialogues)}
            return Guidance.from_json(value, layout)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise CheckpointError(
                f"the checkpoint {self.name} has no guidance that can be read: {error!r}"
            ) from error


def _with_dialogues(
    classes: Sequence[Mapping[str, Any]], dialogues: LoggedDialogues
) -> list[dict[str, Any]]:
    """Return the guidance of all classes, as plain values, with the dialogues."""
    return [
        {**item, "dialogue": {"action": item["action"], "exchanges": exchanges}}
        for item, exchanges in zip(classes, dialogues.to_json(), strict=True)
    ]


@dataclass(frozen=True)
class LatestCheckpoint:
    """Latest readable checkpoint of a run.

    Args:
        checkpoint: Newest checkpoint that can be read; None if there is none at all.
        corrupt: Problems of the newer ones that cannot be read, newest first.
    """

    checkpoint: Checkpoint | None
    corrupt: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckpointFolder:
    """Checkpoints of one run.

    Args:
        path: Directory they lie in, one directory each.
        keep: Number of the newest ones that are kept.
    """

    path: Path
    keep: int = 2
    _readable: dict[Path, _FileStates] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint; until it is complete the earlier ones stay untouched.

        Raises:
            CheckpointError: If it cannot be written; earlier checkpoints are untouched.
        """
        target = self.path / checkpoint.name
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            sync_directory(self.path.parent)
            draft = Path(tempfile.mkdtemp(dir=self.path, prefix=DRAFT))
            try:
                _write(checkpoint, draft)
                _put(draft, target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        except OSError as error:
            raise unwritable(target, error) from error
        self._readable[target] = _file_states(target)
        self._prune(target)
        return target

    def latest(self) -> LatestCheckpoint:
        """Return the newest checkpoint that can be read, and the problems of newer ones.

        Raises:
            CheckpointError: If there are checkpoints but none can be read, or the newest is of
                another format.
        """
        corrupt: list[str] = []
        for path in reversed(self._all()):
            try:
                return LatestCheckpoint(load_checkpoint(path), tuple(corrupt))
            except CorruptCheckpointError as error:
                corrupt.append(str(error))
        if corrupt:
            raise CheckpointError(
                f"no checkpoint in {self.path} can be read ({'; '.join(corrupt)}); put one back "
                "from a copy, then --resume, or begin anew with another --out"
            )
        return LatestCheckpoint(None)

    def remove_leftovers(self, newest: Checkpoint | None) -> None:
        """Remove what a killed process left: drafts, and checkpoints beyond those that are kept.

        Newer ones that could not be read stay until the next is saved.

        Args:
            newest: Newest checkpoint that can be read; None if there is none.
        """
        self._remove_drafts()
        for aside in self.path.glob(f"*{REPLACED}"):
            target = aside.with_name(aside.name.removesuffix(REPLACED))
            if not target.exists():
                os.replace(aside, target)
            elif self._is_readable(target):
                shutil.rmtree(aside, ignore_errors=True)
        if newest is not None:
            self._prune(self.path / newest.name, keep_newer=True)

    def _all(self) -> list[Path]:
        """Return the directories of all checkpoints, in the order of (epoch, step)."""
        named = ((_NAME.fullmatch(path.name), path) for path in self.path.glob("epoch_*"))
        order = {
            path: (int(match[1]), int(match[2] or 0), match[3] is None)
            for match, path in named
            if match
        }
        return sorted(order, key=order.__getitem__)

    def _prune(self, written: Path, *, keep_newer: bool = False) -> None:
        """Remove all but the checkpoint just written and the newest readable ones of the others.

        Corrupt ones do not count, lest they take the place of the last that can be read.

        Args:
            written: Checkpoint that is kept in any case.
            keep_newer: Whether newer ones are kept, too.
        """
        kept, every = 1, self._all()
        newer = every[every.index(written) + 1 :] if keep_newer else []
        for path in reversed(every):
            if path == written or path in newer:
                continue
            if kept < self.keep and self._is_readable(path):
                kept += 1
            else:
                shutil.rmtree(path, ignore_errors=True)
        self._remove_drafts()

    def _is_readable(self, path: Path) -> bool:
        """Return whether a checkpoint can be read; one that is as it was is not read again."""
        try:
            states = _file_states(path)
            if self._readable.get(path) != states:
                load_checkpoint(path)
        except (CheckpointError, OSError):
            return False
        self._readable[path] = states
        return True

    def _remove_drafts(self) -> None:
        for draft in self.path.glob(f"{DRAFT}*"):
            shutil.rmtree(draft, ignore_errors=True)


def load_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in a directory.

    Raises:
        CorruptCheckpointError: If it is missing, torn or altered.
        CheckpointError: If it is of another format.
    """
    try:
        return _read(path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise CorruptCheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error


def unwritable(target: Path, error: OSError) -> CheckpointError:
    """Return the error about a file of a checkpoint that cannot be written."""
    return CheckpointError(
        f"cannot write {target}: {error}; earlier checkpoints are as they were: make room there, "
        "then --resume, or choose another --out"
    )


_FileStates = tuple[tuple[int, int, int], ...]
"""Inode, size and time of the last change of each file of a checkpoint."""


def _file_states(path: Path) -> _FileStates:
    states = (os.stat(path / name) for name in (STATE, TENSORS))
    return tuple((state.st_ino, state.st_size, state.st_mtime_ns) for state in states)


def _read(path: Path) -> Checkpoint:
    """Return a checkpoint whose checksums and format are right."""
    text = (path / STATE).read_text(encoding="utf-8")
    body, seal, _ = text.rpartition(_SEAL)
    if seal and text != _sealed(body):
        raise CorruptCheckpointError(f"{path / STATE} is damaged: its checksum does not match")
    state = json.loads(text)
    if state["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {state['format']}, but this version reads format {FORMAT}; train "
            "anew with another --out, or resume with the version that wrote it"
        )
    if not seal:
        raise CorruptCheckpointError(f"{path / STATE} is damaged: its checksum is gone")
    content = (path / TENSORS).read_bytes()
    if sha256(content).hexdigest() != state["sha256"]:
        raise CorruptCheckpointError(f"{path / TENSORS} is damaged: its checksum does not match")
    metadata = dict(state["metadata"])
    return Checkpoint(
        epoch=int(state["epoch"]),
        step=int(state["step"]),
        tensors=safetensors.torch.load(content),
        metadata=metadata,
        dialogues=_read_dialogues(path.parent / DIALOGUE_LOG, metadata),
    )


def _read_dialogues(path: Path, metadata: Mapping[str, Any]) -> LoggedDialogues | None:
    if "dialogues" not in metadata:
        return None
    position = DialoguePosition.from_json(metadata["dialogues"])
    return LoggedDialogues.read(path, position) if path.exists() or not position.size else None


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
        "step": checkpoint.step,
        "sha256": sha256(content).hexdigest(),
        "metadata": dict(checkpoint.metadata),
    }
    write_text(folder / STATE, _sealed(json.dumps(state).removesuffix("}")))


def _sealed(body: str) -> str:
    """Return JSON that ends with the checksum of all before; the body lacks its last brace."""
    return f'{body}{_SEAL}{sha256(body.encode()).hexdigest()}"}}'


def _put(draft: Path, target: Path) -> None:
    """Give a complete draft its name; a checkpoint of that name stays readable until then."""
    aside = target.with_name(f"{target.name}{REPLACED}")
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(target, aside)
    os.chmod(draft, user_mode(0o777))
    os.replace(draft, target)
    sync_directory(target.parent)
    shutil.rmtree(aside, ignore_errors=True)
