"""Warnings about recordings of another source: false alarms, and what is noticed.

For every split of every archive, the statistics of the training clips are compared with the test
clips, each by itself: all of them are false alarms. Then the clips of the other archives with the
same joints, and test clips that were changed, are compared with the training clips of the first
split. Nothing is trained.

Example:
  python -m benchmarks.other_sensor utd_mhad nw_ucla sbu jhmdb
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from benchmarks.measuring import print_rows, write_facts
from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.joint_matching import match_joints
from skeletonagent.data.clip_measures import measure_clips
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.experiments.training_statistics import TrainingStatistics

Change = Callable[[Tensor], Tensor]


def main(
    archives: Annotated[list[Path], typer.Argument(help="Skeleton archives.")],
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Print the share of clips that are remarked on, in all and for each measure."""
    sets = [open_dataset(archive) for archive in archives]
    rows = [row for data in sets for row in false_alarms(data)]
    print_rows("test clips of the same set: false alarms", rows)
    noticed = [row for data in sets for row in changed_clips(data)]
    noticed += [row for one in sets for other in sets for row in other_set(one, other)]
    print_rows("other sources: noticed", noticed)
    write_facts({"false_alarms": rows, "noticed": noticed}, json)


def statistics_of(data: SkeletonData, split: str) -> TrainingStatistics:
    """Return the statistics of the training clips of a split."""
    ids = data.splits[split].train or data.store.sample_ids
    found = TrainingStatistics.of(measure_clips(data.store.subset(data.store.indices(ids))))
    if found is None:
        raise ValueError(f"{data.name} has no training clips in {split}")
    return found


def remarked(statistics: TrainingStatistics, store: ClipStore) -> dict[str, Any]:
    """Return the share of clips that are far from the training clips, in any measure and in each.

    Args:
        statistics: Statistics of the training clips.
        store: Clips, each of which is a recording by itself.
    """
    deviations = statistics.deviations(measure_clips(store))
    shares = {name: float(np.mean(values > 1)) for name, values in deviations.items()}
    return {
        "clips": len(store),
        "remarked": float(np.mean(np.max(list(deviations.values()), axis=0) > 1)),
        "by": ", ".join(f"{name} {share:.1%}" for name, share in shares.items() if share),
    }


def tested_clips(data: SkeletonData, split: str) -> ClipStore:
    """Return the test clips of a split."""
    return data.store.subset(data.store.indices(data.splits[split].test))


def false_alarms(data: SkeletonData) -> list[dict[str, Any]]:
    """Return what is remarked on in the test clips of each split."""
    return [
        {"training": f"{data.name} {split}", "recordings": "test clips"}
        | remarked(statistics_of(data, split), tested_clips(data, split))
        for split in data.splits
    ]


def changed_clips(data: SkeletonData) -> list[dict[str, Any]]:
    """Return what is remarked on in test clips that were changed."""
    split = data.default_split
    statistics, store = statistics_of(data, split), tested_clips(data, split)
    whole = {
        name: replace(store, frames=_where_seen(store.frames, change(store.frames)))
        for name, change in changes(store).items()
    }
    return [
        {"training": f"{data.name} {split}", "recordings": name} | remarked(statistics, changed)
        for name, changed in (whole | {"half the frames": every_second_frame(store)}).items()
    ]


def changes(store: ClipStore) -> Mapping[str, Change]:
    """Return changes of joints by their names."""
    flip = torch.ones(store.coordinates)
    flip[1] = -1
    seen = store.frames[store.frames.ne(0).any(dim=-1)]
    size = float(seen.std(dim=0).mean())
    noise = torch.randn(store.frames.shape, generator=torch.Generator().manual_seed(0))
    order = [1, 0, *range(2, store.layout.num_joints)]
    return {
        "a thousand times as large": lambda x: 1000 * x,
        "y in the other direction": lambda x: x * flip,
        "noise of 5 % of the spread": lambda x: x + 0.05 * size * noise,
        "first two joints exchanged": lambda x: x[:, order],
    }


def _where_seen(before: Tensor, after: Tensor) -> Tensor:
    return after * before.ne(0).any(dim=-1, keepdim=True)


def every_second_frame(store: ClipStore) -> ClipStore:
    """Return clips without every second frame, whose frame rate is not known."""
    halved = [
        replace(clip, joints=clip.joints[:, ::2]) for clip in map(store.sequence, range(len(store)))
    ]
    return ClipStore.from_sequences(halved, store.layout, store.class_names, store.has_confidence)


def other_set(one: SkeletonData, other: SkeletonData) -> list[dict[str, Any]]:
    """Return what is remarked on in the clips of another set, if it has the same joints."""
    order = match_joints(other.store.layout, one.store.layout)
    if one is other or None in order or one.store.coordinates != other.store.coordinates:
        return []
    frames = other.store.frames[:, [joint for joint in order if joint is not None]]
    store = replace(other.store, frames=frames, layout=one.store.layout)
    split = one.default_split
    return [
        {"training": f"{one.name} {split}", "recordings": other.name}
        | remarked(statistics_of(one, split), store)
    ]


if __name__ == "__main__":
    typer.run(main)
