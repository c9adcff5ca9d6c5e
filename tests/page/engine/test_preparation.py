"""Clips made in the browser against those made in NumPy, over all settings that predictions use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
import pytest
from tests.data.random_bodies import SMALL_BODY
from tests.runtime.both_ways import in_numpy, in_torch
from tests.runtime.test_preparation import COMPACT, LINEAR, RECIPES
from tests.runtime.test_preparation import samples as all_samples

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.layout import COCO_17, KINECT_25, SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.data.clip_frames import sample_test_frames, sample_test_positions
from skeletonagent.data.pose_distribution import PoseDistribution
from skeletonagent.data.settings import (
    AbsentRule,
    ClipSettings,
    ConfidenceRule,
    DataSettings,
    FrameSampling,
    Gaps,
    Orientation,
    OrientationPer,
    Origin,
    SamplingRule,
    Scale,
)
from skeletonagent.page.browser_model import middle_joints
from skeletonagent.page.layout_facts import layout_facts
from skeletonagent.runtime.preparation import SamplePreparation
from skeletonagent.runtime.sample_clips import SampleClips

from .conftest import Engine

CLOSE = 2e-6
CLIPS, ROOM = 3, 2

SCRIPT = """
const { SamplePreparation } = await load("engine/preparation.js");
const { PoseFilling } = await load("engine/pose_filling.js");
const { SampleClips } = await load("engine/sample_clips.js");
const worst = [];
for (const one of cases) {
  const preparation = new SamplePreparation(
    one.data, one.layout, one.full, one.middles, one.coordinates);
  const filling = one.poses && new PoseFilling(one.poses, preparation);
  for (const { shape, joints, size, wanted } of one.samples) {
    let prepared = preparation.prepare(shape, Float32Array.from(joints), size);
    if (filling) prepared = filling.fill(prepared);
    wanted.forEach(({ clips, values }, place) => {
      const found = new SampleClips(clips, room).of(prepared, count);
      if (found.length !== values.length) throw new Error(`${found.length} for ${values.length}`);
      const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
      const off = found.reduce((a, b, n) => Math.max(a, Math.abs(b - values[n])), 0);
      worst.push(off / largest);
    });
  }
}
return worst;
"""


def samples(seed: int = 0, **options: Any) -> list[SkeletonSequence]:
    """Return a shoulder that is never seen, three bodies, two that take turns, and nobody."""
    given = all_samples(seed, **options)
    return [given[2], given[3], given[4], given[6]]


def case(
    given: Sequence[SkeletonSequence],
    settings: DataSettings,
    clips: Sequence[ClipSettings],
    layout: SkeletonLayout = SMALL_BODY,
    poses: PoseDistribution | None = None,
    confidence: bool = False,
) -> dict[str, Any]:
    prepare = SamplePreparation(settings, layout, confidence)
    listed = []
    for sample in given:
        prepared = in_numpy(sample, settings, layout, confidence, poses)
        listed.append({
            "shape": list(sample.joints.shape),
            "joints": sample.joints.ravel().tolist(),
            "size": sample.image_size and list(sample.image_size),
            "wanted": [
                {"clips": asdict(one), "values": found.of(prepared, CLIPS).ravel().tolist()}
                for one in clips
                for found in [SampleClips(one, ROOM)]
            ],
        })  # fmt: skip
    return {
        "data": asdict(settings),
        "layout": layout_facts(layout),
        "full": layout_facts(prepare.full_layout),
        "middles": middle_joints() if layout.joints == COCO_17.joints else None,
        "coordinates": given[0].joints.shape[-1] - confidence,
        "poses": poses and poses.model.to_json(),
        "samples": listed,
    }


def worst(engine: Engine, cases: Sequence[dict[str, Any]]) -> float:
    found = engine(SCRIPT, cases=list(cases), count=CLIPS, room=ROOM)
    assert len(found)
    return float(np.max(found))


def test_bodies_are_placed_and_turned_alike(engine: Engine) -> None:
    """A part of all combinations, in which each pair of choices is met."""
    everything = list(product(AbsentRule, Origin, Scale, Orientation, Gaps, OrientationPer))
    cases = [
        case(
            samples(7),
            DataSettings(
                origin=origin, scale=scale, orientation=orientation, orientation_per=per,
                gaps=gaps, absent_rule=rule,
            ),
            LINEAR[:1],
        )
        for rule, origin, scale, orientation, gaps, per in everything[::11]
    ]  # fmt: skip
    assert worst(engine, cases) < CLOSE


def test_every_stream_is_sampled_alike(engine: Engine) -> None:
    both = (COMPACT, DataSettings(absent_rule=AbsentRule.ZERO))
    cases = [case(samples()[2:3], settings, [*LINEAR, *RECIPES]) for settings in both]
    assert worst(engine, cases) < CLOSE


@pytest.mark.parametrize("rule", list(ConfidenceRule))
def test_confidence_is_carried_alike(engine: Engine, rule: ConfidenceRule) -> None:
    clips = [ClipSettings(8, stream, confidence_rule=rule, sampling=sampling)
             for stream, sampling in product(Stream, FrameSampling)]  # fmt: skip
    flat = DataSettings(scale=Scale.BODY, gaps=Gaps.INTERPOLATE, confidence=True)
    cases = [
        case(
            samples(3, confidence=True, coordinates=coordinates)[2:3],
            settings,
            clips,
            confidence=True,
        )
        for coordinates, settings in ((3, COMPACT), (2, flat))
    ]
    assert worst(engine, cases) < CLOSE


def test_joints_in_a_plane_are_alike(engine: Engine) -> None:
    cases = [
        case(
            samples(5, coordinates=coordinates)[1:],
            DataSettings(dims=2, scale=scale, orientation=orientation),
            LINEAR[1:2],
        )
        for coordinates, scale, orientation in product((2, 3), Scale, Orientation)
    ]
    assert worst(engine, cases) < CLOSE


def test_coco_is_completed_and_divided_by_the_image_alike(engine: Engine) -> None:
    rng = np.random.default_rng(1)
    given = []
    for number in range(4):
        joints = rng.uniform(50, 400, (1 + number % 2, 9, 17, 2)).astype(np.float32)
        joints[rng.random(joints.shape[:-1]) < 0.1] = 0
        given.append(SkeletonSequence(joints, 0, str(number), image_size=(640.0, 480.0)))
    cases = [
        case(given, DataSettings(scale=scale, absent_rule=rule), LINEAR[:2], COCO_17)
        for scale, rule in product(Scale, AbsentRule)
    ]
    assert worst(engine, cases) < CLOSE


def test_bodies_of_a_known_skeleton_are_alike(engine: Engine) -> None:
    rng = np.random.default_rng(2)
    given = []
    for number in range(3):
        joints = rng.normal(size=(1 + number, 20, 25, 3)).astype(np.float32)
        joints[rng.random(joints.shape[:-1]) < 0.1] = 0
        given.append(SkeletonSequence(joints, 0, str(number)))
    assert worst(engine, [case(given, COMPACT, LINEAR[:2], KINECT_25)]) < CLOSE


def test_absent_joints_are_expected_alike(engine: Engine) -> None:
    cases = []
    everything = list(product((Origin.PERSON, Origin.GROUP), OrientationPer, Orientation))
    for origin, per, orientation in everything[::2]:
        settings = DataSettings(
            origin=origin, scale=Scale.BODY, orientation=orientation, orientation_per=per,
            gaps=Gaps.INTERPOLATE,
        )  # fmt: skip
        poses = PoseDistribution.of(in_torch([*samples(20), *samples(30)], settings, SMALL_BODY))
        cases.append(case(samples(9), settings, LINEAR[:2], poses=poses))
    assert worst(engine, cases) < CLOSE


def test_frames_of_test_clips_are_drawn_alike(engine: Engine) -> None:
    lengths, sizes, count = (1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 300), (8, 64), 5
    wanted: list[Any] = []
    for length, frames in product(lengths, sizes):
        wanted.append([sample_test_frames(length, frames, count, rule).tolist()
                       for rule in SamplingRule])  # fmt: skip
        wanted[-1].append(sample_test_positions(length, frames, count).tolist())
    found = engine(
        """
        const { sampleTestFrames, sampleTestPositions } = await load("engine/clip_frames.js");
        return cases.map(([length, frames]) => [
          sampleTestFrames(length, frames, count, "decode"),
          sampleTestFrames(length, frames, count, "frames"),
          sampleTestPositions(length, frames, count).map((clip) => [...clip]),
        ]);
        """,
        cases=list(product(lengths, sizes)),
        count=count,
    )
    assert found == wanted
