"""Prediction of a share of a source in this process, resumed where it was left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from skeletonagent.cluster.folder import PredictionFolder
from skeletonagent.cluster.job import OpenedJob, PartReport
from skeletonagent.cluster.settings import PredictionJob
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.files import lock_file
from skeletonagent.core.shard import Shard

ReportPart = Callable[[PartReport], None]
"""Function that is called with each part that was predicted."""


@dataclass(frozen=True)
class PendingParts:
    """Parts that a process has to predict.

    Args:
        opened: The job.
        folder: Folder of the predictions.
        parts: Numbers of the parts that are not done.
        done: Number of the parts that are.
        shard: Share that they are of.
    """

    opened: OpenedJob
    folder: PredictionFolder
    parts: Sequence[int]
    done: int
    shard: Shard

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock of the share, so that no other process predicts it.

        Raises:
            RunInUseError: If one does.
        """
        name = f".shard-{self.shard.index}-of-{self.shard.count}.lock"
        return lock_file(self.folder.path / name)


def pending_parts(
    job: PredictionJob, out: Path, shard: Shard | None = None, *, resume: bool = False
) -> PendingParts:
    """Return the parts of a share that are not done, after writing what the predictions are.

    Args:
        job: What is predicted.
        out: Folder of the predictions, which several processes may share.
        shard: The share; by default everything.
        resume: Whether parts that are done are kept; otherwise there may be none.

    Raises:
        ConfigError: If parts are done and ``resume`` is not set, or the folder holds other
            predictions.
        DataError: If the source cannot be read.
        CheckpointError: If there is no trained run.
    """
    share = shard or Shard()
    opened, folder = OpenedJob.open(job), PredictionFolder(out)
    parts = share.parts(opened.num_parts)
    folder.begin(opened.properties)
    done = folder.done(parts)
    if done and not resume:
        raise ConfigError(
            f"{out} already holds {len(done)} of the {len(parts)} parts of shard {share}; add "
            "--resume to go on, or choose another --out"
        )
    folder.require_parts(done, opened.properties)
    left = sorted(set(parts) - set(done))
    return PendingParts(opened, folder, left, len(done), share)


def predict_here(pending: PendingParts, on_part: ReportPart) -> None:
    """Predict parts in this process, one after another.

    Args:
        pending: The parts.
        on_part: Function that is called after each of them.

    Raises:
        RunInUseError: If another process predicts the same share.
        DataError: If the source is damaged, or lacks what the recognizer needs.
    """
    with pending.locked():
        for number in pending.parts:
            on_part(pending.opened.predict_part(number, pending.folder.part(number)))
