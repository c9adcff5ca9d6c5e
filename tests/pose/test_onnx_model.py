"""ONNX models of users find a bright spot, in each form that can be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from skeletonagent.core.errors import DataError
from skeletonagent.pose.onnx_model import TopDownModel, decode_joints
from skeletonagent.pose.regions import Region

H, W, V = 64, 48, 3
REGION = Region(200, 150, 160)


def spot(x: int, y: int) -> np.ndarray:
    """Return a dark picture with one bright spot."""
    image = np.zeros((300, 400, 3), np.uint8)
    image[y - 5 : y + 6, x - 5 : x + 6] = 255
    return image


def save(
    path: Path, nodes: Sequence[onnx.NodeProto], outputs: Sequence[str], shape: Sequence[object]
) -> Path:
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    constants = [
        helper.make_tensor("v", TensorProto.INT64, [3], [1, V, 1]),
        helper.make_tensor("v4", TensorProto.INT64, [4], [1, V, 1, 1]),
        helper.make_tensor("channel", TensorProto.INT64, [1], [1]),
        helper.make_tensor("rows", TensorProto.INT64, [1], [2]),
        helper.make_tensor("columns", TensorProto.INT64, [1], [3]),
    ]
    graph = helper.make_graph(nodes, "spot", [given], made, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


def simcc(path: Path, shape: Sequence[object] = (1, 3, H, W)) -> Path:
    grey = helper.make_node("ReduceMean", ["image", "channel"], ["grey"])
    nodes = [grey]
    for name, axis in (("x", "rows"), ("y", "columns")):
        nodes += [
            helper.make_node("ReduceMax", ["grey", axis], [f"{name}1"], keepdims=0),
            helper.make_node("Tile", [f"{name}1", "v"], [name]),
        ]
    return save(path, nodes, ["x", "y"], shape)


def heatmap(path: Path) -> Path:
    nodes = [
        helper.make_node("ReduceMean", ["image", "channel"], ["grey"]),
        helper.make_node("AveragePool", ["grey"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Tile", ["small", "v4"], ["heat"]),
    ]
    return save(path, nodes, ["heat"], (1, 3, H, W))


@pytest.mark.parametrize("form", [simcc, heatmap])
@pytest.mark.parametrize("place", [(200, 150), (170, 100), (230, 205)])
def test_the_spot_is_found_where_it_is(
    tmp_path: Path, form: object, place: tuple[int, int]
) -> None:
    assert callable(form)
    model = TopDownModel(form(tmp_path / "m.onnx"), V)
    body = model.locate(spot(*place), REGION)
    assert body is not None and body.world is None and body.points.shape == (V, 2)
    np.testing.assert_allclose(body.points, [place] * V, atol=6)  # a cell has 2.5 or 10 pixels
    assert (body.confidence > 0.4).all()


def test_a_dark_picture_holds_nobody(tmp_path: Path) -> None:
    model = TopDownModel(simcc(tmp_path / "m.onnx"), V)
    assert model.locate(np.zeros((300, 400, 3), np.uint8), REGION) is None
    assert model.locate(spot(10, 10), Region(200, 150, float("nan"))) is None


def test_an_open_input_size_is_256_by_192(tmp_path: Path) -> None:
    model = TopDownModel(simcc(tmp_path / "m.onnx", (1, 3, "height", "width")), V)
    assert (model.height, model.width) == (256, 192)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="finds 3 joints, its layout has 17"):
        TopDownModel(simcc(tmp_path / "m.onnx"), 17)


def test_files_that_are_no_such_model_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(DataError, match="cannot be read as an ONNX model"):
        TopDownModel(tmp_path / "text.onnx", V)
    with pytest.raises(DataError, match="no such file"):
        TopDownModel(tmp_path / "absent.onnx", V)
    flat = [helper.make_node("ReduceMean", ["image", "rows"], ["out"], keepdims=0)]
    path = save(tmp_path / "flat.onnx", flat, ["out"], (1, 3, H, W))
    with pytest.raises(DataError, match="SimCC"):
        TopDownModel(path, V)
    grey = save(tmp_path / "grey.onnx", flat, ["out"], (1, 1, H, W))
    with pytest.raises(DataError, match="takes 1 channels"):
        TopDownModel(grey, V)


def test_outputs_are_worked_out_by_hand() -> None:
    x, y = np.zeros((1, 1, 96), np.float32), np.zeros((1, 1, 128), np.float32)
    x[0, 0, 31], y[0, 0, 100] = 0.8, 0.6
    places, confidence = decode_joints([x, y], H, W)
    np.testing.assert_allclose(places, [[15.5, 50]])
    np.testing.assert_allclose(confidence, [0.6], rtol=1e-6)
    heat = np.zeros((1, 1, 16, 12), np.float32)
    heat[0, 0, 5, 7], heat[0, 0, 5, 8], heat[0, 0, 4, 7] = 1, 0.5, 0.2
    places, confidence = decode_joints([heat], H, W)
    np.testing.assert_allclose(places, [[(7.25 + 0.5) * 4 - 0.5, (4.75 + 0.5) * 4 - 0.5]])
    assert confidence == [1]
