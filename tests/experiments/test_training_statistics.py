"""Statistics of training clips: kept in JSON, and far only where something is far."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data.random_bodies import SMALL_BODY, random_bodies, turn

from skeletonagent.core.clip_measures import ClipMeasures
from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.joint_matching import match_joints
from skeletonagent.data.clip_measures import measure_clips
from skeletonagent.experiments.datasets import open_dataset
from skeletonagent.experiments.training_statistics import TrainingStatistics, UsualRange

TURNED_BACK = np.diag([-1.0, 1.0, 1.0])


def bodies(count: int, first: int = 0) -> list[np.ndarray]:
    """Return clips of one body that faces the camera within 20 degrees."""
    rng = np.random.default_rng(first)
    made = []
    for n in range(first, first + count):
        joints = random_bodies(n, 1, frames=12)
        joints -= joints[:, :, :1]
        across = joints[0, :, 4, [0, 2]].mean(axis=1) - joints[0, :, 5, [0, 2]].mean(axis=1)
        heading = np.arctan2(across[1], across[0]) + rng.uniform(-0.3, 0.3)
        made.append((joints @ turn(1, -heading).T + [0.1, 1, 3]).astype(np.float32))
    return made


def measured(clips: list[np.ndarray]) -> ClipMeasures:
    sequences = [SkeletonSequence(clip, 0, str(n)) for n, clip in enumerate(clips)]
    return measure_clips(ClipStore.from_sequences(sequences, SMALL_BODY, ("one",)))


@pytest.fixture(scope="module")
def statistics() -> TrainingStatistics:
    found = TrainingStatistics.of(measured(bodies(60)))
    assert found is not None
    return found


def far(statistics: TrainingStatistics, clips: list[np.ndarray], rate: float = 1.0) -> set[str]:
    """Return the measures in which most clips are far away."""
    deviations = statistics.deviations(measured(clips), rate)
    return {name for name, values in deviations.items() if np.median(values) > 1}


def test_statistics_survive_json(statistics: TrainingStatistics) -> None:
    assert TrainingStatistics.from_json(json.loads(json.dumps(statistics.to_json()))) == statistics
    assert statistics.coordinates == 3
    assert TrainingStatistics.of(measured(bodies(2)).of_samples([])) is None
    with pytest.raises(KeyError):
        TrainingStatistics.from_json({"samples": 3})


def test_other_clips_of_the_source_are_near(statistics: TrainingStatistics) -> None:
    deviations = statistics.deviations(measured(bodies(40, first=100)))
    assert max(float(values.max()) for values in deviations.values()) < 1


def test_what_is_changed_is_far(statistics: TrainingStatistics) -> None:
    clips = bodies(20, first=200)
    rng = np.random.default_rng(0)
    assert far(statistics, [1000 * clip for clip in clips]) == {"size"}
    assert far(statistics, [clip @ turn(0, 1.0).T.astype(np.float32) for clip in clips]) == {"tilt"}
    assert "turn" in far(statistics, [clip @ turn(1, 1.5).T.astype(np.float32) for clip in clips])
    half = [clip * (rng.random(clip.shape[:3]) > 0.5)[..., None] for clip in clips]
    assert "absent" in far(statistics, half)
    head_first = [clip[:, :, [1, 0, *range(2, 8)]] for clip in clips]
    assert "misfit" in far(statistics, head_first)
    assert far(statistics, clips, rate=8.0) == {"speed"}


def test_of_few_clips_only_what_is_very_far_counts() -> None:
    few, many = (TrainingStatistics.of(measured(bodies(count))) for count in (4, 60))
    assert few is not None and many is not None
    wide = [2 * clip for clip in bodies(1, first=300)]
    assert "size" in far(many, wide) and "size" not in far(few, wide)
    assert "size" in far(few, [1000 * clip for clip in wide])


def test_joints_that_were_never_seen_say_nothing_and_have_no_bones() -> None:
    headless = [clip * (np.arange(8) != 1)[:, None].astype(np.float32) for clip in bodies(30)]
    found = TrainingStatistics.of(measured(headless))
    assert found is not None and np.isnan(found.bones[0]) and found.seen[1] == 0
    assert TrainingStatistics.from_json(found.to_json()).to_json() == found.to_json()
    assert "misfit" not in far(found, headless)


def test_ranges_are_of_what_is_known() -> None:
    usual = UsualRange.of(np.array([0.0, 1, 2, np.nan]))
    assert usual.median == 1
    deviations = usual.deviations(np.array([1.0, 3.0, np.nan, -1.0]), least=1.0)
    assert deviations.tolist() == pytest.approx([0, 2, 0, 2], abs=0.05)
    assert UsualRange.of(np.array([np.nan])) == UsualRange(0.0, 0.0, 0.0)


def test_real_sets_are_near_themselves_and_far_from_each_other(
    shared: Path,
) -> None:
    utd, ucla = (open_dataset(shared / "data" / name / name) for name in ("utd_mhad", "nw_ucla"))
    store, split = utd.store, utd.splits[utd.default_split]
    found = TrainingStatistics.of(measure_clips(store.subset(store.indices(split.train))))
    assert found is not None

    def share(clips: ClipStore) -> float:
        deviations = found.deviations(measure_clips(clips))
        return float(np.mean(np.max(list(deviations.values()), axis=0) > 1))

    test = store.subset(store.indices(split.test))
    assert share(test) < 0.02
    order = match_joints(ucla.store.layout, store.layout)
    frames = ucla.store.frames[:, [joint for joint in order if joint is not None]]
    assert share(replace(ucla.store, frames=frames, layout=store.layout)) > 0.6
    depth = test.frames[..., 2:].clamp(min=0.1)
    pixels = torch.cat([525 * test.frames[..., :2] / depth, test.frames[..., 2:]], dim=-1)
    assert share(replace(test, frames=pixels)) == 1
