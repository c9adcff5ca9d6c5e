"""Measures of clips in NumPy against those in PyTorch."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from tests.data.random_bodies import SMALL_BODY
from tests.runtime.test_preparation import samples

from skeletonagent.core.clips import ClipStore, SkeletonSequence
from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout
from skeletonagent.data.clip_measures import measure_clips
from skeletonagent.runtime.measuring import measures_of_samples


def compare(given: list[SkeletonSequence], layout: SkeletonLayout, coordinates: int) -> None:
    store = ClipStore.from_sequences(given, layout, ())
    wanted = measure_clips(store, coordinates)
    found = measures_of_samples(given, layout, coordinates)
    for item in fields(wanted):
        ours, theirs = getattr(found, item.name), getattr(wanted, item.name)
        if item.name == "sample_ids":
            assert ours == theirs
        else:
            assert ours.shape == theirs.shape, item.name
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9, err_msg=item.name)


@pytest.mark.parametrize("coordinates", [2, 3])
def test_measures_are_those_of_torch(coordinates: int) -> None:
    compare(samples(3), SMALL_BODY, coordinates)


@pytest.mark.parametrize("layout", [COCO_17, KINECT_25], ids=lambda layout: layout.name)
def test_measures_of_known_layouts_are_those_of_torch(layout: SkeletonLayout) -> None:
    rng = np.random.default_rng(4)
    given = []
    for number in range(5):
        shape = (1 + number % 2, 7 + number, layout.num_joints, 3)
        joints = rng.normal(size=shape).astype(np.float32)
        joints[rng.random(shape[:-1]) < 0.1 * number] = 0
        given.append(SkeletonSequence(joints, 0, str(number)))
    compare(given, layout, 3)
