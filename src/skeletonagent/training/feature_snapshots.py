"""Snapshots of a training: where some clips lie among each other, and which graphs are learnt."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.guidance import Guidance
from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.training.callbacks import EpochRecord
from skeletonagent.training.train_step import TrainState
from skeletonagent.training.trainer import TrainingData

FOLDER = "snapshots"
"""Where they lie in a run directory."""
MAX_SAMPLES = 400
"""Clips that are looked at, so that a snapshot costs about as much as a small validation."""
GRAPHS = ".graphs"
"""How the names of learnt graphs end among a recognizer's tensors."""


@dataclass(frozen=True)
class FeatureSnapshot:
    """A recognizer after some epochs, as far as it can be looked at.

    Args:
        epoch: Number of epochs done.
        sample_ids: The clips; the same in every snapshot of a run.
        labels: Their classes.
        embeddings: Their pooled features.
        graphs: Learnt graphs by the name of their block, where the backbone has any.
    """

    epoch: int
    sample_ids: tuple[str, ...]
    labels: Int[np.ndarray, " n"]
    embeddings: Float[np.ndarray, "n d"]
    graphs: Mapping[str, Float[np.ndarray, "k v v"]]

    def save(self, folder: Path) -> Path:
        """Write the snapshot to a folder, and return its file."""
        path = folder / f"epoch_{self.epoch:04d}.npz"
        arrays: dict[str, Any] = {
            "epoch": np.array(self.epoch),
            "sample_ids": np.array(self.sample_ids),
            "labels": self.labels,
            "embeddings": _as_float16(self.embeddings),
            **{f"graphs/{name}": _as_float16(graph) for name, graph in self.graphs.items()},
        }
        with write_atomically(path) as file:
            np.savez_compressed(file, **arrays)
        return path

    @classmethod
    def load(cls, path: Path) -> FeatureSnapshot:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: If the file is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                names = [name for name in file.files if name.startswith("graphs/")]
                return cls(
                    epoch=int(file["epoch"]),
                    sample_ids=tuple(file["sample_ids"].tolist()),
                    labels=file["labels"],
                    embeddings=file["embeddings"].astype(np.float32),
                    graphs={
                        name.removeprefix("graphs/"): file[name].astype(np.float32)
                        for name in names
                    },
                )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(f"cannot be read as a snapshot: {error}", path=path) from error


class SnapshotCallback:
    """Watch a training and take a few snapshots of it: the first epoch, the last, some between.

    Where several processes train together, one of them is enough.
    """

    def __init__(self, folder: Path, learner: TrainState, data: TrainingData, count: int) -> None:
        """Choose epochs and clips.

        Args:
            folder: The run directory.
            learner: Whose recognizer is looked at.
            data: Its validation clips are looked at, or those it learns from if there are none.
            count: How many snapshots; 0 takes none.
        """
        self._folder = folder / FOLDER
        self._learner = learner
        self._source = data.loader
        self._epochs = snapshot_epochs(learner.settings.epochs, count)
        whole = data.validation if len(data.validation) else data.train
        self._samples = select_balanced(whole, data.loader.store.labels[whole])

    def on_epoch(self, record: EpochRecord) -> None:
        """Take a snapshot if the epoch is one of those."""
        if record.epoch not in self._epochs:
            return
        take_snapshot(
            self._learner.eval_model,
            self._source,
            self._samples,
            record.epoch + 1,
            batch_size=4 * self._learner.settings.batch_size,
            autocast=self._learner.context.autocast,
        ).save(self._folder)

    def on_step(self, epoch: int, step: int, losses: Float[Tensor, "s 4"]) -> None:
        """Nothing is looked at within an epoch."""

    def on_guidance(self, before: Guidance | None, after: Guidance) -> None:
        """Guidance is recorded elsewhere."""

    def on_answers(self, done: int, of: int) -> None:
        """Nothing has been learnt yet."""

    def on_problem(self, problem: str) -> None:
        """Problems are recorded elsewhere."""


def snapshot_epochs(epochs: int, count: int) -> frozenset[int]:
    """Return which epochs to look at, counted from 0: first, last and evenly between.

    A single one is the last.
    """
    if count < 2:
        return frozenset({epochs - 1} if count else ())
    places = np.linspace(0, epochs - 1, min(count, epochs))
    return frozenset(places.round().astype(int).tolist())


def select_balanced(
    samples: Int[Tensor, " n"], labels: Int[Tensor, " n"], most: int = MAX_SAMPLES
) -> Int[Tensor, " m"]:
    """Return at most ``most`` samples, as many of each class as can be, in their order."""
    order = labels.argsort(stable=True)
    counts = torch.bincount(labels)
    first = counts.cumsum(0) - counts
    place_in_class = torch.empty_like(labels)
    ordered = labels[order]
    place_in_class[order] = torch.arange(len(labels), device=labels.device) - first[ordered]
    chosen = place_in_class.argsort(stable=True)[:most]
    return samples[chosen.sort().values]


@torch.inference_mode()
def take_snapshot(
    recognizer: Recognizer,
    source: ClipLoader,
    samples: Int[Tensor, " n"],
    epoch: int,
    *,
    batch_size: int = 64,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> FeatureSnapshot:
    """Return what a recognizer makes of samples, one clip each; no random number is drawn.

    Args:
        recognizer: What is looked at.
        source: Where the clips come from.
        samples: Which samples.
        epoch: Number of epochs done.
        batch_size: Clips at once.
        autocast: Context in which the recognizer runs, for lower precision.
    """
    was_training = recognizer.training
    recognizer.eval()
    pooled: list[Tensor] = []
    # What the class scores are taken from: the mean over bodies, frames and joints.
    seen = recognizer.cls_head.register_forward_pre_hook(lambda _, given: pooled.append(given[0]))
    try:
        for sampler, chosen, _ in iterate_batches(source, samples.split(batch_size)):
            for batch in sampler.test_batches(chosen, batch_size, clips=1):
                with autocast():
                    recognizer.classify(batch.clips, batch.bodies)
    finally:
        seen.remove()
        recognizer.train(was_training)
    return FeatureSnapshot(
        epoch=epoch,
        sample_ids=tuple(source.store.sample_ids[i] for i in samples.tolist()),
        labels=source.store.labels[samples].cpu().numpy(),
        embeddings=torch.cat(pooled).float().cpu().numpy(),
        graphs=learned_graphs(recognizer.state_dict()),
    )


def learned_graphs(tensors: Mapping[str, Tensor]) -> dict[str, Float[np.ndarray, "k v v"]]:
    """Return the graphs among a recognizer's tensors, by the name of their block, in order."""
    found = {
        name.removesuffix(GRAPHS).removeprefix("backbone."): tensor.float().cpu().numpy()
        for name, tensor in tensors.items()
        if name.endswith(GRAPHS)
    }
    return {name: found[name] for name in sorted(found, key=_numbers)}


def _numbers(name: str) -> tuple[list[int], str]:
    """Return the numbers in a name, so that block 10 comes after block 9."""
    return [int(number) for number in re.findall(r"\d+", name)], name


def read_snapshots(run: Path) -> list[FeatureSnapshot]:
    """Return the snapshots in a run directory, oldest first.

    Raises:
        DataError: If one is damaged.
    """
    files = (run / FOLDER).glob("epoch_*.npz")
    return [FeatureSnapshot.load(path) for path in sorted(files)]


def _as_float16(values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    limit = np.finfo(np.float16).max
    halved: np.ndarray = np.clip(values, -limit, limit).astype(np.float16)
    return halved
