"""Imputation of joints: complete clips to the bit, placed bodies, frames on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data.random_bodies import SMALL_BODY, body_store

from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.data.archive import write_archive
from skeletonagent.data.imputation import PoseImputation, training_poses
from skeletonagent.data.placement import open_on_disk
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import Gaps, Orientation, OrientationPer, Origin, Scale

V = SMALL_BODY.num_joints
BODY = Preprocessor(Scale.BODY, orientation=Orientation.BODY, gaps=Gaps.INTERPOLATE)
EXACT = 0.15
"""Largest distance of an expected joint from its place, in bone lengths."""


def walk(seed: int, frames: int = 12, persons: int = 1) -> np.ndarray:
    """Return (M, T, V, 3) of upright bodies that face anywhere and swing their limbs."""
    rng = np.random.default_rng(seed)
    rest = np.array(
        [[0, 1, 0], [0, 2, 0], [0.5, 2, 0], [-0.5, 2, 0],
         [0.5, 1, 0], [-0.5, 1, 0], [0.5, 0, 0], [-0.5, 0, 0]]
    )  # fmt: skip
    bodies = []
    for body in range(persons):
        turn, size = rng.uniform(-3, 3), rng.uniform(0.8, 1.2)
        swing = 0.4 * np.sin(rng.uniform(0, 3) + np.arange(frames))
        joints = np.repeat(rest[None], frames, axis=0)
        joints[:, 6, 2] += swing
        joints[:, 7, 2] -= swing
        joints[:, 1, 2] += 0.2 * swing
        joints += 0.003 * rng.normal(size=joints.shape)
        c, s = np.cos(turn), np.sin(turn)
        spun = joints @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
        bodies.append(size * spun + rng.normal(size=3) + [3 * body, 5, 9])
    return np.stack(bodies).astype(np.float32)


def learned(prepare: Preprocessor, persons: int = 1) -> PoseImputation:
    store = prepare(body_store([walk(seed, persons=persons) for seed in range(30)]))
    data = SkeletonData("walks", "Walks", store, {}, "none")
    poses = training_poses(data, torch.arange(30))
    assert poses is not None
    return PoseImputation(poses, prepare)


def largest_error(impute: PoseImputation, whole: np.ndarray, lacking: np.ndarray) -> float:
    """Return the largest distance of a joint from where it lies in the complete clip."""
    found = impute(impute.prepare(body_store([lacking]))).frames
    wanted = impute.prepare(body_store([whole])).frames
    return float((found - wanted).norm(dim=-1).max())


def test_complete_clips_are_unchanged_to_the_bit() -> None:
    store = BODY(body_store([walk(50), walk(51)]))
    assert learned(BODY)(store) is store


def test_samples_that_lack_nothing_are_unchanged_beside_one_that_does() -> None:
    lacking = walk(51)
    lacking[:, :, 5] = 0
    store = BODY(body_store([walk(50), lacking, walk(52)]))
    filled = learned(BODY)(store)
    for number in (0, 2):
        np.testing.assert_array_equal(filled.sequence(number).joints, store.sequence(number).joints)
    assert filled.present is not None and bool(filled.present.all())


@pytest.mark.parametrize("joints", [[0], [5], [2, 6], [4, 5], [1, 3, 7]])
@pytest.mark.parametrize(
    "prepare",
    [
        BODY,
        replace(BODY, orientation=Orientation.HEADING),
        replace(BODY, orientation_per=OrientationPer.FRAME),
    ],
)
def test_a_body_is_placed_and_completed(prepare: Preprocessor, joints: list[int]) -> None:
    impute = learned(prepare)
    for seed in (60, 61, 62):
        whole = walk(seed)
        lacking = whole.copy()
        lacking[:, :, joints] = 0
        assert largest_error(impute, whole, lacking) < EXACT


def test_joints_in_a_plane_are_completed_without_a_turn() -> None:
    flat = Preprocessor(Scale.BODY, gaps=Gaps.INTERPOLATE)
    turned = [walk(seed) for seed in range(30)]
    store = flat(body_store([joints[..., :2] for joints in turned]))
    poses = training_poses(SkeletonData("flat", "Flat", store, {}, "none"), torch.arange(30))
    assert poses is not None
    whole = walk(70)[..., :2]
    lacking = whole.copy()
    lacking[:, :, 6] = 0
    assert largest_error(PoseImputation(poses, flat), whole, lacking) < 0.5


def test_a_second_body_is_completed_and_absent_ones_stay_away() -> None:
    impute = learned(replace(BODY, origin=Origin.GROUP), persons=2)
    whole = walk(80, persons=2)
    lacking = whole.copy()
    lacking[1, :, 7] = 0
    lacking[1, 8:] = 0  # it leaves
    store = impute.prepare(body_store([lacking]))
    filled = impute(store)
    assert filled.present is not None
    there = filled.present.unflatten(0, (2, -1))
    assert bool(there[:, :8].all()) and bool(there[0].all()) and not bool(there[1, 8:].any())
    assert not filled.sequence(0).joints[1, 8:].any()


def test_keypoint_confidence_stays_as_it_is() -> None:
    impute = learned(BODY)
    lacking = np.concatenate([walk(90), np.full((1, 12, V, 1), 0.5, dtype=np.float32)], axis=-1)
    lacking[:, :, 7] = 0
    filled = impute(BODY(body_store([lacking], has_confidence=True))).sequence(0).joints
    assert not filled[:, :, 7, 3].any() and filled[:, :, 7, :3].any()
    assert (filled[:, :, :7, 3] == 0.5).all()


def test_frames_on_disk_are_completed_when_they_are_read(tmp_path: Path) -> None:
    walks = [walk(seed) for seed in range(12)]
    walks[3][:, :, 7] = 0
    store = replace(body_store(walks), class_names=("walk",))
    names = store.sample_ids
    split = {"main": Split(names[:8], names[8:])}
    path = write_archive(SkeletonData("walks", "Walks", store, split, "main"), tmp_path)
    folder = path.with_suffix("")
    folder.mkdir()
    with np.load(path) as arrays:
        for name in arrays:
            np.save(folder / f"{name}.npy", arrays[name])
    path.unlink()
    on_disk = open_on_disk(folder, False, BODY)
    in_memory = SkeletonData("walks", "Walks", BODY(store), split, "main")
    samples = torch.arange(8)
    poses, same = (training_poses(data, samples) for data in (on_disk, in_memory))
    assert poses is not None and same is not None
    torch.testing.assert_close(poses.mean, same.mean)
    impute = PoseImputation(poses, BODY)

    def rows(like: torch.Tensor, count: int) -> torch.Tensor:
        return like.new_empty(count, *like.shape[1:])

    read: ClipStore = impute.of_data(on_disk).host_frames.fetch(samples, torch.device("cpu"), rows)
    torch.testing.assert_close(read.frames, impute(in_memory.store.subset(samples)).frames)
