"""Pose estimation in a browser finds what it finds in Python."""

from __future__ import annotations

import numpy as np
import pytest
from tests.page.performer import acted, drawn

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import MEDIAPIPE_33
from skeletonagent.page.browser_pose import BrowserPose, pose_facts
from skeletonagent.page.fetch import WebRuntime
from skeletonagent.pose.estimate import PoseOptions, build_estimator
from skeletonagent.pose.fetch import find_pose_models, pose_model_folder

from .conftest import Engine

FETCHED = pose_model_folder()
"""Folder before the tests get caches of their own."""

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
const options = { maxPersons: 5, smallest: facts.estimator.smallest_person };
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
    found = engine(OPEN, facts=pose_facts(), count=len(scenes), width=width, height=height)
    estimator = build_estimator(PoseOptions())
    for number, scene in enumerate(scenes):
        wanted = estimator.step(scene, number / 10)
        assert [person["name"] for person in found[number]] == [one.number for one in wanted]
        assert len(wanted) == 2
        for person, one in zip(found[number], wanted, strict=True):
            away = np.abs(np.reshape(person["points"], (-1, 2)) - one.body.points)
            assert away.max() < 1
            metres = np.abs(np.reshape(person["world"], (-1, 3)) - one.body.world)
            assert np.median(metres) < 0.005 and metres.max() < 0.05
            np.testing.assert_allclose(person["confidence"], one.body.confidence, atol=0.05)
