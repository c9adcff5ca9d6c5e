"""Unlabelled sources of a base: what they are cut into, and that labels play no part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.small_run import small_archive, swinging

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import COCO_17, KINECT_20, SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.recorded import write_keypoints
from skeletonagent.experiments import unlabelled_sources
from skeletonagent.experiments.base_sources import base_dataset
from skeletonagent.experiments.fine_tuning import read_source
from skeletonagent.experiments.pretraining import pretrain
from skeletonagent.experiments.unlabelled_sources import unlabelled_stores


def write_recording(
    path: Path, frames: int, layout: SkeletonLayout = COCO_17, bodies: int = 1, seed: int = 0
) -> np.ndarray:
    channels = 2 if layout is COCO_17 else 3
    joints = swinging(0, seed, frames, bodies, layout.num_joints, channels)
    path.parent.mkdir(exist_ok=True)
    write_keypoints(path, KeypointRecording(path.stem, joints, layout=layout, fps=10.0))
    return joints


def test_each_clip_of_an_archive_is_a_class(tmp_path: Path) -> None:
    data = base_dataset([], 2, 0, [small_archive(tmp_path / "mine")])
    assert data.store.class_names[:2] == ("mine: clip 0", "mine: clip 1")
    assert data.store.labels.bincount().tolist() == [1] * 12 + [12, 12]
    assert {f"mine/clip{n}" for n in range(12)} <= set(data.splits["every-tenth"].train)
    assert (data.sources[0].clips, data.sources[0].classes) == (12, 12)


def test_each_body_of_a_recording_is_cut_into_clips(tmp_path: Path) -> None:
    joints = write_recording(tmp_path / "walk.npz", 45, bodies=2)
    (store,) = unlabelled_stores(tmp_path / "walk.npz")
    assert store.lengths.tolist() == [23, 22, 23, 22]  # two seconds are 20 frames
    assert store.labels.tolist() == [0, 1, 2, 3] and store.num_classes == 4
    np.testing.assert_array_equal(store.frames[:23].numpy(), joints[0, :23])


def test_parts_without_a_body_are_left_out(tmp_path: Path) -> None:
    joints = swinging(0, 0, 40)
    joints[:, 5:20] = np.nan
    joints[0, 22, 3] = np.nan
    write_keypoints(
        tmp_path / "gone.npz", KeypointRecording("gone", joints, layout=COCO_17, fps=10.0)
    )
    (store,) = unlabelled_stores(tmp_path / "gone.npz")
    assert store.sample_ids == ("gone body 0 part 1",)
    assert not store.frames[2, 3].any() and store.frames[2, 4].all()
    joints[:] = np.nan
    write_keypoints(tmp_path / "nobody.npz", KeypointRecording("nobody", joints, layout=COCO_17))
    with pytest.raises(DataError, match="nobody is seen"):
        unlabelled_stores(tmp_path / "nobody.npz")


def test_recordings_of_several_layouts(tmp_path: Path) -> None:
    folder = tmp_path / "found"
    write_recording(folder / "a.npz", 20)
    write_recording(folder / "b.npz", 20, KINECT_20)
    write_recording(folder / "c.npz", 20)
    assert [len(store) for store in unlabelled_stores(folder)] == [2, 1]
    data = base_dataset([], 0, 0, [folder])
    assert data.store.labels.tolist() == [0, 1, 2]
    assert [(source.name, source.clips) for source in data.sources] == [("found", 3)]
    with pytest.raises(ConfigError, match="two sources are named alike"):
        base_dataset([], 0, 0, [folder, folder])


def test_of_many_clips_some_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlabelled_sources, "MOST_CLIPS", 3)
    write_recording(tmp_path / "long.npz", 100)
    with pytest.warns(UserWarning, match="long.npz: 3 of 5 unlabelled clips are taken"):
        (store,) = unlabelled_stores(tmp_path / "long.npz")
    assert [name[-1] for name in store.sample_ids] == ["0", "2", "4"]


def test_a_base_of_recordings_alone(tmp_path: Path) -> None:
    write_recording(tmp_path / "walk.npz", 60)
    pretrain(
        out=tmp_path / "base",
        unlabelled=[tmp_path / "walk.npz"],
        overrides={
            "clips.frames": 8, "model.readout_width": 4, "training.steps": 2, "device": "cpu",
        },
    )  # fmt: skip
    (source,) = read_source(tmp_path / "base").metadata.sources
    assert (source.name, source.clips, source.archive) == ("walk", 3, str(tmp_path / "walk.npz"))
