"""Data remarks: what is left out or odd is counted and named, and else nothing is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.data.random_bodies import body_store, random_bodies

from skeletonagent.core.clips import ClipStore, SkeletonData, Split
from skeletonagent.core.streams import Stream
from skeletonagent.data.data_remarks import (
    one_class_remarks,
    preprocessing_remarks,
    split_remarks,
)
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.settings import AbsentRule, ClipSettings, Scale


def remarks(store: ClipStore, prepare: Preprocessor) -> list[str]:
    return preprocessing_remarks(store, prepare(store), prepare.absent_rule, prepare.scale)


@pytest.mark.parametrize("rule", list(AbsentRule))
def test_of_bodies_that_are_all_seen_nothing_is_said(rule: AbsentRule) -> None:
    store = body_store([random_bodies(seed, 1 + seed % 3) for seed in range(4)])
    assert remarks(store, Preprocessor(absent_rule=rule)) == []


def test_frames_that_are_left_out_are_counted() -> None:
    joints, other = random_bodies(0, 2), random_bodies(1, 1)
    joints[:, 2:4] = joints[0, 5] = 0
    store = body_store([joints, other])
    lost, led = remarks(store, Preprocessor())
    assert lost == "2 of 12 frames are left out, since nobody is seen in them: 1 of 2 samples: s0"
    assert led.startswith("another than the first stored body") and led.endswith(
        ": 1 of 2 samples: s0"
    )
    joints[1, 0] = joints[1, 4:] = 0
    (line,) = remarks(body_store([joints, other]), Preprocessor(absent_rule=AbsentRule.ZERO))
    assert line.startswith("3 of 12 frames are left out, since not the first body is seen in them")


def test_renumbered_persons_are_named() -> None:
    samples = []
    for seed in range(7):
        joints = np.repeat(random_bodies(seed, 1), 2, axis=0)
        joints[0, 3:] = joints[1, :3] = 0
        samples.append(joints)
    (line,) = remarks(body_store(samples), Preprocessor())
    assert line.endswith("whom a tracker numbered anew: 7 of 7 samples: s0, s1, s2, s3, s4, ...")


def test_images_of_several_sizes_need_a_scale() -> None:
    store = body_store([random_bodies(seed, 1)[..., :2] for seed in range(3)])
    sizes = store.frames.new_tensor([[640, 480], [1920, 1080], [640, 480]])
    store = replace(store, image_sizes=sizes)
    (line,) = remarks(store, Preprocessor())
    assert "images of 2 sizes, from 640x480 to 1920x1080, and data.scale is none" in line
    for scale in (Scale.IMAGE, Scale.BODY):
        assert remarks(store, Preprocessor(scale)) == []
    assert remarks(replace(store, image_sizes=sizes[:1].expand(3, 2)), Preprocessor()) == []


def data_of(labels: list[int], frames: int = 3) -> SkeletonData:
    store = body_store([random_bodies(n, 1, frames) for n in range(len(labels))])
    store = replace(store, labels=store.labels.new_tensor(labels), class_names=("walk", "sit"))
    return SkeletonData("toy", "Toy", store, {}, "main")


def test_odd_splits_are_named() -> None:
    data = data_of([0, 1, 0, 1])
    fine = Split(("s0", "s1"), ("s2", "s3"))
    assert split_remarks(data, "main", fine, ClipSettings(stream=Stream.BONE_MOTION)) == []
    shared = Split(("s0", "s1", "s2"), ("s2", "s3"))
    (line,) = split_remarks(data, "main", shared, ClipSettings())
    assert line.startswith("1 sample(s) are in both parts of split main")
    one, never = split_remarks(data, "main", Split(("s0", "s2"), ("s1",)), ClipSettings())
    assert "are of the class 'walk': nothing can be told apart" in one
    assert [one] == one_class_remarks(data, "main", Split(("s0",), ("s1",)))
    assert never.startswith("1 class(es) of the test set of main") and never.endswith(": sit")


def test_the_motion_of_single_frames_is_said_to_be_zero() -> None:
    data, split = data_of([0, 1], frames=1), Split(("s0", "s1"), ())
    (line,) = split_remarks(data, "main", split, ClipSettings(stream=Stream.JOINT_MOTION))
    assert line.startswith("2 of 2 samples are a single frame") and "joint_motion" in line
    assert split_remarks(data, "main", split, ClipSettings()) == []
