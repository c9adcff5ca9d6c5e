"""Real clips made in NumPy against those made in PyTorch, by the settings of the compact recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.runtime.both_ways import compare_clips, in_torch

from skeletonagent.core.errors import DataError
from skeletonagent.core.streams import Stream
from skeletonagent.data.archive import Archive
from skeletonagent.data.pose_distribution import PoseDistribution
from skeletonagent.data.settings import Orientation, Origin
from skeletonagent.experiments.compact_recipe import CompactRecipe, compact_config

ARCHIVES = {
    "utd_mhad": (Origin.PERSON, Orientation.BODY),
    "nw_ucla": (Origin.PERSON, Orientation.HEADING),
    "sbu": (Origin.GROUP, Orientation.BODY),
    "jhmdb": (Origin.PERSON, Orientation.CAMERA),
}
COMPARED = 30


@pytest.mark.parametrize("name", ARCHIVES)
def test_clips_of_an_archive_are_those_of_torch(name: str, shared: Path) -> None:
    path = shared / "data" / name
    if not path.exists():
        pytest.skip(f"needs shared data: nothing at {path}")
    origin, orientation = ARCHIVES[name]
    recipe = CompactRecipe(orientation=orientation)
    configs = [
        compact_config(stream, recipe, archive=name, origin=origin)
        for stream in (Stream.JOINT, Stream.BONE_MOTION)
    ]
    archive = Archive.open(path, mode="c")
    sequences = list(archive.sequences(confidence=False))
    some = sequences[:: len(sequences) // COMPARED][:COMPARED]
    settings, layout = configs[0].data, archive.content.layout
    poses = PoseDistribution.of(in_torch(some, settings, layout))
    assert poses is not None
    rng = np.random.default_rng(0)
    for sample in some[::3]:  # with joints that are never or not always seen
        sample.joints[:, :, rng.integers(layout.num_joints)] = 0
        sample.joints[rng.random(sample.joints.shape[:-1]) < 0.1] = 0
    clips = [config.clips for config in configs]
    assert compare_clips(some, settings, layout, clips, poses=poses) < 1e-6


def test_confidence_that_an_archive_lacks_is_an_error(shared: Path) -> None:
    path = shared / "data" / "utd_mhad"
    if not path.exists():
        pytest.skip(f"needs shared data: nothing at {path}")
    with pytest.raises(DataError, match="has no keypoint_score"):
        next(iter(Archive.open(path, mode="c").sequences(confidence=True)))
