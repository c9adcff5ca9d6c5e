"""Small recognizers in exported files, and recordings of several actions for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.small_run import CLASSES, small_archive, small_run, swinging

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.layout import KINECT_20
from skeletonagent.experiments.datasets import write_dataset
from skeletonagent.export import write
from skeletonagent.inference.predictor import load_predictor

SMALL = {"model__backbone": "tiny-gcn", "model__width": 4, "model__readout": "mean"}


def flat_model(folder: Path) -> Path:
    """Write a recognizer of bones of COCO-17 in 2D, with a classifier and poses beside it."""
    archive = small_archive(folder / "flat")
    return exported(
        archive,
        folder / "flat_run",
        **SMALL,
        clips__stream="bone",
        clips__sampling="linear",
        data__scale="body",
        data__gaps="interpolate",
        data__imputation="pose",
        kernel_ridge__weight=1.0,
    )


def deep_model(folder: Path) -> Path:
    """Write a recognizer of Kinect's joints in 3D, of whose classes one is of two persons."""
    sequences = [
        SkeletonSequence(
            swinging(n % 3, n, frames=14 + n, bodies=1 + (n % 3 == 2), joints=20, channels=3),
            n % 3,
            f"clip{n}",
        )
        for n in range(12)
    ]
    ids = [sequence.sample_id for sequence in sequences]
    archive = write_dataset(
        sequences,
        layout=KINECT_20,
        class_names=CLASSES,
        splits={"halves": (ids[:6], ids[6:])},
        path=folder / "deep",
    )
    return exported(
        archive,
        folder / "deep_run",
        **SMALL,
        clips__stream="joint_motion",
        data__orientation="body",
        data__origin="group",
        data__scale="body",
        graph=graph_of_means((2, 8, 20, 3), len(CLASSES)),
    )


def graph_of_means(clip_shape: tuple[int, int, int, int], classes: int) -> bytes:
    """Return a network of weighted means over bodies and frames: a trained one takes long."""
    m, t, v, c = clip_shape
    rng = np.random.default_rng(0)
    weights = 20 * rng.normal(size=(v * c, classes)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["clips", "axes"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "flat"], ["features"]),
        helper.make_node("MatMul", ["features", "weights"], ["logits"]),
    ]
    constants = {
        "axes": np.array([1, 2]), "flat": np.array([-1, v * c]), "weights": weights,
    }  # fmt: skip
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "means",
        [
            value("clips", TensorProto.FLOAT, ["n", m, t, v, c]),
            value("bodies", TensorProto.INT64, ["b"]),
        ],
        [
            value("logits", TensorProto.FLOAT, ["n", classes]),
            value("features", TensorProto.FLOAT, ["n", v * c]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return content


def exported(archive: Path, out: Path, graph: bytes | None = None, **settings: Any) -> Path:
    """Write the recognizer of a short training, or its description with another network."""
    run = small_run(archive, out, **settings)
    path = out.with_suffix(".onnx")
    with pytest.MonkeyPatch.context() as patch:
        if graph is not None:
            patch.setattr(write, "export_program", lambda *_: None)
            patch.setattr(write, "onnx_bytes", lambda _: graph)
            patch.setattr(write, "check_parity", lambda *_: 0.0)
        load_predictor(run.path, "cpu").export(path)
    return path


def recording(
    seed: int, joints: int, channels: int, persons: int = 1, actions: int = 2
) -> np.ndarray:
    """Return actions with pauses between them, joints and frames absent, (M, T, V, C)."""
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(actions):
        action = swinging(
            number % 3, seed + number, 20 + 30 * (number == 1), persons, joints, channels
        )
        still = np.repeat(action[:, -1:], 16, axis=1)
        parts += [action, still + rng.normal(0, 1e-3, still.shape)]
    whole = np.concatenate(parts, axis=1).astype(np.float32)
    whole[rng.random(whole.shape[:-1]) < 0.04] = np.nan
    whole[:, 40:43] = np.nan
    if persons > 1:
        whole[-1, 60:] = np.nan
    return whole


def body_of(joints: np.ndarray, **fields: Any) -> dict[str, Any]:
    """Return the body of a request."""
    frames = [
        [[None if np.isnan(joint).any() else joint.tolist() for joint in body] for body in frame]
        for frame in joints.swapaxes(0, 1).astype(float)
    ]
    return {"frames": frames, **fields}
