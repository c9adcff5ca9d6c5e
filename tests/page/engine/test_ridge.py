"""Classifier beside the network in the browser against that in NumPy."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.random_bodies import SMALL_BODY
from tests.runtime.both_ways import in_numpy
from tests.runtime.test_preparation import COMPACT, samples
from tests.runtime.test_ridge import BASE_FEATURES, CLASSES, fitted, with_base, with_claims

from skeletonagent.experiments.kernel_ridge import KernelRidge
from skeletonagent.page.browser_model import claimed_classes
from skeletonagent.page.layout_facts import layout_facts
from skeletonagent.runtime.body_motion import motion_of_body
from skeletonagent.runtime.ridge import FittedRidge

from .conftest import Engine

__all__ = ["fitted", "with_base", "with_claims"]


def bodies_of(sample: Any) -> dict[str, Any]:
    frames, present = sample.bodies.frames, sample.bodies.present
    return {
        "shape": list(frames.shape),
        "frames": frames.ravel().tolist(),
        "present": present.ravel().astype(int).tolist(),
    }


@pytest.mark.parametrize("name", ["fitted", "with_claims", "with_base"])
def test_probabilities_are_those_of_numpy(
    engine: Engine, name: str, request: pytest.FixtureRequest
) -> None:
    classifier: KernelRidge = request.getfixturevalue(name)
    content = classifier.to_bytes()
    ours = FittedRidge.from_bytes(content, Path("ridge"), persons=2)
    prepared = [in_numpy(sample, COMPACT, SMALL_BODY) for sample in samples(70)]
    raw = np.random.default_rng(0).random((len(prepared), CLASSES + 1)).astype(np.float32)
    probs = raw / raw.sum(axis=1, keepdims=True)
    of_base = np.resize(BASE_FEATURES, (len(prepared), 5))
    found = engine(
        """
        const { BodyArrays } = await load("engine/body_arrays.js");
        const { PreparedSample } = await load("engine/preparation.js");
        const { FittedRidge } = await load("engine/ridge.js");
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        const ridge = new FittedRidge(bytes, 2, claims);
        return given.map(({ shape, frames, present }, n) => {
          const bodies = new BodyArrays(
            shape, 3, Float32Array.from(frames), Uint8Array.from(present));
          const sample = new PreparedSample(bodies, layout, true, false);
          return [
            [...ridge.logProbabilities(sample, Float32Array.from(features[n]))],
            [...ridge.join(
              Float64Array.from(probs[n]), sample, 0.7, Float32Array.from(features[n]))],
          ];
        });
        """,
        content=base64.b64encode(content).decode(),
        claims=claimed_classes(ours.claims, SMALL_BODY),
        layout=layout_facts(SMALL_BODY),
        given=[bodies_of(sample) for sample in prepared],
        probs=probs.tolist(),
        features=np.concatenate([np.ones((len(prepared), 2)), of_base], axis=1).tolist(),
    )
    logs, joined = (np.array(part) for part in zip(*found, strict=True))
    pairs = zip(prepared, of_base, strict=True)
    wanted = np.stack([ours.log_probabilities(*pair) for pair in pairs])
    np.testing.assert_allclose(logs, wanted, atol=1e-4)
    np.testing.assert_allclose(joined, ours.join(probs, prepared, 0.7, of_base), atol=2e-5)


def test_motion_features_are_those_of_numpy(engine: Engine) -> None:
    prepared = [in_numpy(sample, COMPACT, SMALL_BODY) for sample in samples(30)]
    found = engine(
        """
        const { BodyArrays } = await load("engine/body_arrays.js");
        const { motionOfBody } = await load("engine/body_motion.js");
        return given.map(({ shape, frames }) => {
          const bodies = new BodyArrays(shape, 3, Float32Array.from(frames));
          const { values, known } = motionOfBody(bodies, 0, layout);
          return [[...values], [...known]];
        });
        """,
        layout=layout_facts(SMALL_BODY),
        given=[bodies_of(sample) for sample in prepared],
    )
    for (values, known), sample in zip(found, prepared, strict=True):
        wanted, wanted_known = motion_of_body(sample.bodies.joints[0], SMALL_BODY)
        assert known == wanted_known.ravel().astype(int).tolist()
        np.testing.assert_allclose(values, wanted.ravel(), rtol=1e-4, atol=2e-5)
