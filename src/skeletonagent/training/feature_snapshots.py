"""Feature snapshots of a training: embeddings of some clips, and the learned graphs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from skeletonagent.core.errors import DataError
from skeletonagent.core.files import write_atomically
from skeletonagent.core.npz_files import read_npz
from skeletonagent.data.loader import ClipLoader, iterate_batches
from skeletonagent.models.recognizer import Recognizer
from skeletonagent.training.callbacks import Callback, EpochRecord
from skeletonagent.training.train_step import TrainState
from skeletonagent.training.trainer import TrainingData

FOLDER = "snapshots"
"""Folder of the snapshots in a run directory."""
MAX_SAMPLES = 400
"""Most clips of a snapshot, so that it costs about as much as a small validation."""
GRAPHS = ".graphs"
"""End of the names of learned graphs among a recognizer's tensors."""


@dataclass(frozen=True)
class FeatureSnapshot:
    """Embeddings and learned graphs of a recognizer after some epochs.

    Args:
        epoch: Number of epochs done.
        sample_ids: Samples of the clips, the same in every snapshot of a run.
        labels: Classes of the clips.
        embeddings: Pooled features of the clips.
        graphs: Learned graphs by the name of their block, where the backbone has any.
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
            arrays = read_npz(path)
            return cls(
                epoch=int(arrays["epoch"]),
                sample_ids=tuple(arrays["sample_ids"].tolist()),
                labels=arrays["labels"],
                embeddings=arrays["embeddings"].astype(np.float32),
                graphs={
                    name.removeprefix("graphs/"): array.astype(np.float32)
                    for name, array in arrays.items()
                    if name.startswith("graphs/")
                },
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"cannot be read as a snapshot: {error}", path=path) from error


class SnapshotCallback(Callback):
    """Callback that saves feature snapshots after the first epoch, the last and some between.

    Of several ranks one is enough.

    Args:
        folder: Run directory.
        state: State whose recognizer is evaluated.
        data: Data whose validation clips are taken, or training clips if there are none.
        count: Number of snapshots; 0 takes none.
    """

    def __init__(self, folder: Path, state: TrainState, data: TrainingData, count: int) -> None:
        self._folder = folder / FOLDER
        self._state = state
        self._loader = data.loader
        self._epochs = snapshot_epochs(state.settings.epochs, count)
        samples = data.validation if len(data.validation) else data.train
        self._samples = select_balanced(samples, data.loader.store.labels[samples])

    def on_epoch(self, record: EpochRecord) -> None:
        """Save a snapshot if the epoch is one of the chosen."""
        if record.epoch not in self._epochs:
            return
        take_snapshot(
            self._state.eval_model,
            self._loader,
            self._samples,
            record.epoch + 1,
            batch_size=4 * self._state.settings.batch_size,
            autocast=self._state.context.autocast,
        ).save(self._folder)


def snapshot_epochs(epochs: int, count: int) -> frozenset[int]:
    """Return the epochs after which to take snapshots, from 0: first, last and evenly between.

    A single one is the last.

    >>> sorted(snapshot_epochs(150, 4))
    [0, 50, 99, 149]
    """
    if count < 2:
        return frozenset({epochs - 1} if count else ())
    places = np.linspace(0, epochs - 1, min(count, epochs))
    return frozenset(places.round().astype(int).tolist())


def select_balanced(
    samples: Int[Tensor, " n"], labels: Int[Tensor, " n"], most: int = MAX_SAMPLES
) -> Int[Tensor, " m"]:
    """Return at most ``most`` samples in their order, classes as balanced as possible."""
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
    loader: ClipLoader,
    samples: Int[Tensor, " n"],
    epoch: int,
    *,
    batch_size: int = 64,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> FeatureSnapshot:
    """Return a recognizer's embeddings of samples, one clip each; draws no random number.

    Args:
        recognizer: Recognizer; its mode is restored afterwards.
        loader: Loader of the clips.
        samples: Indices of the samples.
        epoch: Number of epochs done.
        batch_size: Number of clips at once.
        autocast: Context in which the recognizer runs, for lower precision.
    """
    was_training = recognizer.training
    recognizer.eval()
    features: list[Tensor] = []
    try:
        for sampler, indices, _ in iterate_batches(loader, samples.split(batch_size)):
            for batch in sampler.test_batches(indices, batch_size, 1):
                with autocast():
                    features.append(recognizer.features(batch.clips, batch.bodies))
    finally:
        recognizer.train(was_training)
    return FeatureSnapshot(
        epoch=epoch,
        sample_ids=tuple(loader.store.sample_ids[i] for i in samples.tolist()),
        labels=loader.store.labels[samples].cpu().numpy(),
        embeddings=torch.cat(features).float().cpu().numpy(),
        graphs=learned_graphs(recognizer.state_dict()),
    )


def learned_graphs(tensors: Mapping[str, Tensor]) -> dict[str, Float[np.ndarray, "k v v"]]:
    """Return the graphs among a recognizer's tensors, by the name of their block, in order."""
    graphs = {
        name.removesuffix(GRAPHS).removeprefix("backbone."): tensor.float().cpu().numpy()
        for name, tensor in tensors.items()
        if name.endswith(GRAPHS)
    }
    return {name: graphs[name] for name in sorted(graphs, key=_numbers)}


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
