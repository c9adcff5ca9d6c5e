"""Pose estimation in a browser finds whom it finds in Python, and where."""

from __future__ import annotations

import numpy as np
import pytest
from tests.page.performer import acted, drawn
from tests.pose.bodies import SHAPE, FakeScene

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.page.browser_pose import BrowserPose, pose_facts
from skeletonagent.page.fetch import WebRuntime
from skeletonagent.pose.estimate import PoseOptions, build_estimator
from skeletonagent.pose.estimator import PoseEstimator
from skeletonagent.pose.fetch import find_pose_models, pose_model_folder

from .conftest import Engine

FETCHED = pose_model_folder()
"""Folder before the tests get caches of their own."""

SMALLEST = 200
"""Height of the smallest persons to look for, for whom a few tiles are enough."""

OPEN = """
const ort = await import("/model/runtime.mjs");
const get = async (name) =>
  new Uint8Array(await (await fetch(`/pose/${name}`)).arrayBuffer());
const { PoseModel } = await load("pose/pose_model.js");
const { PersonDetector } = await load("pose/detector.js");
const { LandmarkModel } = await load("pose/landmarks.js");
const { PoseEstimator } = await load("pose/estimator.js");
const wasm = new Uint8Array(await (await fetch("/model/runtime.wasm")).arrayBuffer());
const detector = new PersonDetector(await PoseModel.open(ort, await get("detector"), wasm), facts);
const landmarks = new LandmarkModel(await PoseModel.open(ort, await get("landmarks"), wasm), facts);
const options = { maxPersons: 5, smallest };
const estimator = new PoseEstimator(detector, landmarks, facts, options);
const found = [];
for (let number = 0; number < count; number += 1) {
  const data = new Uint8ClampedArray(await get(`picture${number}`));
  const persons = await estimator.step({ width, height, data }, number / 10);
  found.push(persons.map(({ number: name, body }) => ({
    name, points: [...body.points], world: [...body.world],
    confidence: [...body.confidence], region: body.region,
  })));
}
return found;
"""


def with_alpha(image: np.ndarray) -> np.ndarray:
    """Return a picture in RGBA."""
    return np.concatenate([image, np.full((*image.shape[:2], 1), 255, np.uint8)], axis=2)


def beside_smaller(picture: np.ndarray) -> np.ndarray:
    """Return a picture of a person, with another one who is half as large beside."""
    small, scene = picture[::2, ::2], np.concatenate([picture, np.zeros_like(picture)], axis=1)
    scene[200 : 200 + len(small), 700 : 700 + small.shape[1]] = small
    return scene


def test_persons_are_found_where_python_finds_them(
    engine: Engine, runtime: WebRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        find_pose_models(FETCHED)
    except ConfigError:
        pytest.skip(f"needs pose models: nothing at {FETCHED}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(FETCHED.parents[1]))
    scenes = [beside_smaller(picture) for picture in drawn(acted([0])[[0, 17]])]
    models = BrowserPose.of(InputFormat(MEDIAPIPE_33, 2))
    engine.served |= {
        "/model/runtime.mjs": runtime.module.read_bytes(),
        "/model/runtime.wasm": runtime.wasm.read_bytes(),
        "/pose/detector": models.detector,
        "/pose/landmarks": models.landmarks,
    } | {f"/pose/picture{n}": with_alpha(scene).tobytes() for n, scene in enumerate(scenes)}
    height, width = scenes[0].shape[:2]
    size = {"width": width, "height": height, "smallest": SMALLEST}
    found = engine(OPEN, facts=pose_facts(), count=len(scenes), **size)
    estimator = build_estimator(PoseOptions(smallest_person=SMALLEST))
    for number, scene in enumerate(scenes):
        wanted = estimator.step(scene, number / 10)
        assert [person["name"] for person in found[number]] == [one.number for one in wanted]
        assert len(wanted) == 2
        for person, one in zip(found[number], wanted, strict=True):
            away = np.abs(np.reshape(person["points"], (-1, 2)) - one.body.points)
            assert away.max() < 1 + number  # it begins where the picture before ended
            assert np.median(away) < 0.5
            metres = np.abs(np.reshape(person["world"], (-1, 3)) - one.body.world)
            assert np.median(metres) < 0.005 and metres.max() < 0.05
            np.testing.assert_allclose(person["confidence"], one.body.confidence, atol=0.05)


FOLLOW = """
const { PoseEstimator } = await load("pose/estimator.js");
const bodyAt = (x) => ({
  points: Float64Array.from(shape, (value, k) => value + (k & 1 ? 300 : x)),
  world: new Float64Array(99), confidence: new Float64Array(33).fill(0.9), score: 1,
  region: { x, y: 300, size: 250, angle: 0 },
});
const detector = { detect: async ({ data: [number] }) =>
  (number % 7 ? places[number].map((x) => ({ region: bodyAt(x).region, score: 0.9 })) : []) };
const model = { locate: async ({ data: [number] }, { x }) => {
  const near = places[number].filter((other) => Math.abs(other - x) < 60);
  near.sort((a, b) => Math.abs(a - x) - Math.abs(b - x));
  return near.length ? bodyAt(near[0]) : null;
} };
const estimator = new PoseEstimator(detector, model, facts, { maxPersons: 3, smallest: 80 });
const found = [];
for (let number = 0; number < places.length; number += 1) {
  const pixels = new Uint32Array(640 * 480).fill(0xff000000 + number * 0x010101);
  const data = new Uint8ClampedArray(pixels.buffer);
  const persons = await estimator.step({ width: 640, height: 480, data }, number / 10);
  found.push(persons.map(({ number: name, body }) => [name, Math.round(body.points[0])]));
}
return found;
"""


def test_persons_are_followed_as_in_python(engine: Engine) -> None:
    rng, count = np.random.default_rng(3), 60
    # One crosses the others, two go for a while, and a fourth is one too many.
    paths = [np.linspace(80, 560, count), np.full(count, 250.0), np.linspace(500, 380, count)]
    gone = [(), range(20, 26), range(30, 45)]
    places = [
        [
            *(
                float(path[number] + rng.normal(0, 2))
                for path, away in zip(paths, gone, strict=True)
                if number not in away
            ),
            *([620.0] if number > 50 else []),
        ]
        for number in range(count)
    ]
    scene = FakeScene(lambda number: places[number], lambda number: number % 7 == 0)
    estimator = PoseEstimator(scene, scene, max_persons=3)
    wanted = [
        [[one.number, round(float(one.body.points[0, 0]))] for one in estimator.step(picture, time)]
        for picture, time in ((scene.picture(n), n / 10) for n in range(count))
    ]
    shape = SHAPE.ravel().tolist()
    assert engine(FOLLOW, facts=pose_facts(), places=places, shape=shape) == wanted
    numbers = {number for persons in wanted for number, _ in persons}
    assert len(numbers) > 3 and max(map(len, wanted)) == 3
