"""BlazePose's models in ONNX give what they give in their own format."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.pose.fetch import PoseModelFiles
from skeletonagent.pose.lite_file import read_lite_graph
from skeletonagent.pose.lite_to_onnx import lite_to_onnx
from skeletonagent.pose.runtime import LiteModel


def outputs_of(model: bytes, picture: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {session.get_inputs()[0].name: picture})
    return found


def same(path: Path, side: int, kept: tuple[int, ...] | None) -> bytes:
    """Compare a model in both formats, and return it in ONNX."""
    picture = np.random.default_rng(5).uniform(-1, 1, (1, side, side, 3)).astype(np.float32)
    wanted, model = LiteModel(path).run(picture), lite_to_onnx(path.read_bytes(), kept)
    chosen = wanted if kept is None else [wanted[place] for place in kept]
    found = outputs_of(model, picture)
    assert len(found) == len(chosen)
    for one, other in zip(found, chosen, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=5e-3)
    return model


def test_both_models_are_the_same_in_onnx(fetched_models: PoseModelFiles) -> None:
    same(fetched_models.detector, 224, None)
    model = same(fetched_models.landmarks, 256, (1, 4, 0, 3))
    # Weights stay in half precision, and what only the picture of the body needs is gone.
    assert len(model) < fetched_models.landmarks.stat().st_size


def test_what_is_no_such_model_is_said(
    fetched_models: PoseModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = fetched_models.detector.read_bytes()
    with pytest.raises(DataError, match="no model of TensorFlow Lite"):
        lite_to_onnx(b"onnx" * 10)
    with pytest.raises(DataError, match="damaged"):
        read_lite_graph(content[:5000])
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"skeletonagent\[export\]"):
        lite_to_onnx(content)
