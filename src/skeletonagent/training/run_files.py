"""Files that runs write: what may lie where a run begins, and the removal of a run's own files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path

from skeletonagent.core.errors import ConfigError
from skeletonagent.training.run_directory import RunDirectory

DRAFTS = (".*.draft",)
"""Names of temporary files, in any folder of a run."""

BEFORE_A_RUN = ("lock", "choices.json")
"""Files that are written to a directory before its run begins."""

_OF_A_RUN = (
    *BEFORE_A_RUN, "config.yaml", "metrics.jsonl", "guidance.json", "problems.log", "cost.json",
    "confusions.npz", "predictions.npz", "validation_predictions.npz", "evaluation_parts.json",
    "summary.json", "baseline.json", "actions.json", "provenance.json",
    "kernel_ridge.safetensors", "dialogues/about.json",
    "dialogues/[0-9]*.jsonl", "snapshots/epoch_*.npz", "checkpoints/dialogues.jsonl",
    "checkpoints/epoch_*/state.json", "checkpoints/.draft_*/state.json",
    "checkpoints/epoch_*/tensors.safetensors", "checkpoints/.draft_*/tensors.safetensors",
)  # fmt: skip
"""Files that a run writes, by their paths in its directory."""

_LONGEST = 120
"""Bytes of a folder's name at most; file systems take 255, and files beside it have longer ones."""


def folder_name(name: str) -> str:
    """Return the name of a folder for a name that was read from a file, such as that of a split.

    Names of letters, digits, spaces and ``._-`` stay as they are. Others get the digest of what
    they were, lest two of them share a folder.
    """
    kept = "".join(letter if letter.isalnum() or letter in " ._-" else "_" for letter in name)
    kept = kept.encode(errors="replace")[:_LONGEST].decode(errors="ignore").strip(" .")
    if kept == name and kept:
        return name
    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{kept}_{digest}"


def require_free(folder: Path, beside: Collection[str] = ()) -> None:
    """Refuse a folder that holds anything but runs and what is written before a run begins.

    Args:
        folder: Folder that is to be written, perhaps missing.
        beside: Paths of further files in it that may be written over.

    Raises:
        ConfigError: If it is a file, or holds something else; nothing in it was touched.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; --out names a folder")
    for path in _foreign_files(folder, (*BEFORE_A_RUN, *beside), pass_runs=True):
        raise ConfigError(
            f"{folder} holds {path.relative_to(folder).as_posix()!r}, which is of no run, and "
            "nothing there is written over; choose another --out, a folder that is empty or new"
        )


def remove_drafts(folder: Path) -> None:
    """Remove temporary files of a process that was killed before its run began, not those within.

    Args:
        folder: Directory of the run, in which other runs may be trained.
    """
    for pattern in DRAFTS:
        for draft in folder.glob(pattern):
            draft.unlink(missing_ok=True)


def require_removable(run: RunDirectory) -> None:
    """Refuse the directory of a run that holds something else, or is reached by a link.

    Raises:
        ConfigError: If it is so.
    """
    if run.path.is_symlink() or run.path.parent.is_symlink():
        raise ConfigError(f"{run.path} is reached by a link, so it is kept; choose another --out")
    for path in _foreign_files(run.path, _OF_A_RUN):
        raise ConfigError(f"{path} was not written by a run, so it is kept; choose another --out")


def remove_run(run: RunDirectory) -> None:
    """Remove a run.

    Raises:
        ConfigError: As :func:`require_removable` does; nothing was removed then.
    """
    require_removable(run)
    for folder, _, names in os.walk(run.path, topdown=False):
        for name in names:
            Path(folder, name).unlink()
        Path(folder).rmdir()


def _foreign_files(
    folder: Path, own: Collection[str], *, pass_runs: bool = False
) -> Iterator[Path]:
    """Yield files and links below a folder that no pattern of a path matches.

    Args:
        folder: Folder.
        own: Patterns of paths.
        pass_runs: Whether directories of runs within it are passed over.
    """
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        if pass_runs and here != folder and RunDirectory(here).exists:
            folders.clear()
            continue
        links = [name for name in folders if Path(here, name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(here, name)
            relative = path.relative_to(folder).as_posix()
            is_draft = any(fnmatchcase(name, pattern) for pattern in DRAFTS)
            depth = relative.count("/")
            matches = any(
                fnmatchcase(relative, pattern) and pattern.count("/") == depth for pattern in own
            )
            if not (is_draft or matches) or name in links or not _can_be_ours(path):
                yield path


def _can_be_ours(path: Path) -> bool:
    """Return whether a file that comes before its run has the content that we give it."""
    if path.name not in BEFORE_A_RUN:
        return True
    with path.open("rb") as file:
        start = file.read(4096)
    return not start or (b"process " if path.name == "lock" else b'"reasons"') in start
