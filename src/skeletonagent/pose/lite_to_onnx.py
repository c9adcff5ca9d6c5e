"""Converter of BlazePose's models from TensorFlow Lite to ONNX.

Weights stay in half precision as they are stored; the runtime widens them once, when it loads the
file. Outputs that nobody needs are left out together with what computes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.pose.lite_file import LiteGraph, LiteOperator, read_lite_graph

_OPSET, _IR_VERSION = 17, 8
_FIRST, _LAST = (0, 3, 1, 2), (0, 2, 3, 1)
"""Orders of axes that put the channels of pictures first or last."""
_SAME = 0
"""Code of a padding that keeps the size."""
_WIDENED = (6, 124)
"""Operators of constants alone: to single precision, and from sparse to dense."""
_ACTIVATIONS = {0: "", 1: "Relu", 3: "Clip"}
"""Names of activations by their codes; ``Clip`` is for the one from 0 to 6."""


def lite_to_onnx(content: bytes, outputs: Sequence[int] | None = None) -> bytes:
    """Return a model in ONNX with the inputs of a model of TensorFlow Lite, in N, H, W, C.

    Args:
        content: The model of TensorFlow Lite.
        outputs: Places of the outputs to keep, in their new order; None keeps all.

    Raises:
        ConfigError: If a package is missing.
        DataError: If the file cannot be read, or has an operator that is not converted.
    """
    graph = read_lite_graph(content)
    kept = graph.outputs if outputs is None else [graph.outputs[place] for place in outputs]
    return _Conversion(graph).of(tuple(kept))


class _Conversion:
    """Nodes and weights of a model that grows.

    Pictures are in N, C, H, W within it, under the names of their tensors.
    """

    def __init__(self, graph: LiteGraph) -> None:
        try:
            from onnx import TensorProto, helper, numpy_helper
        except ImportError as error:
            raise ConfigError(
                "pose estimation in the page needs onnx; install it with "
                "pip install 'skeletonagent[export]'"
            ) from error
        self._helper, self._numpy, self._types = helper, numpy_helper, TensorProto
        self._graph = graph
        self._nodes: list[Any] = []
        self._weights: dict[str, Any] = {}
        self._constants = {
            number: tensor.values
            for number, tensor in enumerate(graph.tensors)
            if tensor.values is not None
        }

    def of(self, outputs: tuple[int, ...]) -> bytes:
        """Return the model with some outputs."""
        graph, values = self._graph, self._helper.make_tensor_value_info
        for number in graph.inputs:
            self._add("Transpose", [f"input_{number}"], self._name(number), perm=_FIRST)
        for operator in self._needed(outputs):
            self._convert(operator)
        for number in outputs:
            if len(graph.tensors[number].shape) == 4:
                self._add("Transpose", [self._name(number)], f"output_{number}", perm=_LAST)
            else:
                self._add("Identity", [self._name(number)], f"output_{number}")
        given, made = [
            [
                values(f"{kind}_{number}", self._types.FLOAT, graph.tensors[number].shape)
                for number in numbers
            ]
            for kind, numbers in (("input", graph.inputs), ("output", outputs))
        ]
        whole = self._helper.make_graph(
            self._nodes, "pose", given, made, initializer=list(self._weights.values())
        )
        model = self._helper.make_model(
            whole,
            opset_imports=[self._helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="skeletonagent",
        )
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def _needed(self, outputs: tuple[int, ...]) -> list[LiteOperator]:
        """Return the operators on which outputs depend; constants are widened on the way."""
        for operator in self._graph.operators:
            if operator.code in _WIDENED and operator.inputs[0] in self._constants:
                self._constants[operator.outputs[0]] = self._constants[operator.inputs[0]]
        wanted, found = set(outputs), []
        for operator in reversed(self._graph.operators):
            if wanted.isdisjoint(operator.outputs) or operator.outputs[0] in self._constants:
                continue
            wanted |= set(operator.inputs)
            found.append(operator)
        return found[::-1]

    def _name(self, number: int) -> str:
        return f"tensor_{number}"

    def _add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self._nodes.append(self._helper.make_node(kind, list(inputs), [output], **attributes))

    def _weight(self, name: str, values: np.ndarray) -> str:
        """Return the name of a constant, in single precision if it is no whole number."""
        if name not in self._weights:
            self._weights[name] = self._numpy.from_array(np.ascontiguousarray(values), name)
            if values.dtype == np.float16:
                self._add("Cast", [name], f"{name}_single", to=self._types.FLOAT)
        return f"{name}_single" if values.dtype == np.float16 else name

    def _constant(self, number: int) -> np.ndarray:
        if number not in self._constants:
            raise DataError("has an operator whose weights are computed, which is not converted")
        return self._constants[number]

    def _convert(self, operator: LiteOperator) -> None:
        """Add the nodes of an operator.

        Raises:
            DataError: If it is not known.
        """
        convert = _CONVERTED.get(operator.code)
        if convert is None:
            raise DataError(f"has the operator {operator.code}, which is not converted")
        activation_field = _ACTIVATION_FIELDS.get(operator.code)
        code = 0 if activation_field is None else operator.option(activation_field)
        if code not in _ACTIVATIONS:
            raise DataError(f"has the activation {code}, which is not converted")
        output = self._name(operator.outputs[0])
        convert(self, operator, f"{output}_before" if code else output)
        if code == 3:
            limits = [self._weight(str(value), np.array(value, np.float32)) for value in (0, 6)]
            self._add("Clip", [f"{output}_before", *limits], output)
        elif code:
            self._add(_ACTIVATIONS[code], [f"{output}_before"], output)

    def _conv(self, operator: LiteOperator, output: str) -> None:
        picture, kernel, bias = operator.inputs
        weights, is_depthwise = self._constant(kernel), operator.code == 4
        # O, H, W, I; of a convolution of each channel 1, H, W, C.
        weights = weights.transpose((3, 0, 1, 2) if is_depthwise else _FIRST)
        names = [self._weight(f"kernel_{kernel}", weights),
                 self._weight(f"bias_{bias}", self._constant(bias))]  # fmt: skip
        dilation = (5, 6) if is_depthwise else (4, 5)
        if any(operator.option(field, "i") > 1 for field in dilation):
            raise DataError("has a dilated convolution, which is not converted")
        self._add(
            "Conv",
            [self._name(picture), *names],
            output,
            group=len(weights) if is_depthwise else 1,
            **self._strides(operator),
        )

    def _strides(self, operator: LiteOperator) -> dict[str, Any]:
        same = operator.option(0) == _SAME
        return {
            "auto_pad": "SAME_UPPER" if same else "VALID",
            "strides": [operator.option(2, "i"), operator.option(1, "i")],
        }

    def _max_pool(self, operator: LiteOperator, output: str) -> None:
        shape = [operator.option(4, "i"), operator.option(3, "i")]
        names = [self._name(operator.inputs[0])]
        self._add("MaxPool", names, output, kernel_shape=shape, **self._strides(operator))

    def _add_up(self, operator: LiteOperator, output: str) -> None:
        self._add("Add", [self._name(number) for number in operator.inputs], output)

    def _logistic(self, operator: LiteOperator, output: str) -> None:
        self._add("Sigmoid", [self._name(operator.inputs[0])], output)

    def _depth_to_space(self, operator: LiteOperator, output: str) -> None:
        size, names = operator.option(0, "i"), [self._name(operator.inputs[0])]
        self._add("DepthToSpace", names, output, blocksize=size, mode="DCR")

    def _pad(self, operator: LiteOperator, output: str) -> None:
        picture, widths = operator.inputs
        pads = self._constant(widths)[list(_FIRST)].T.reshape(-1).astype(np.int64)
        self._add("Pad", [self._name(picture), self._weight(f"pads_{widths}", pads)], output)

    def _resize(self, operator: LiteOperator, output: str) -> None:
        if operator.option(2) or not operator.option(3):
            raise DataError("resizes a picture in a way that is not converted")
        number = operator.outputs[0]
        size = np.array(self._graph.tensors[number].shape, np.int64)[list(_FIRST)]
        names = [self._name(operator.inputs[0]), "", "", self._weight(f"size_{number}", size)]
        how = "half_pixel"
        self._add("Resize", names, output, mode="linear", coordinate_transformation_mode=how)

    def _reshape(self, operator: LiteOperator, output: str) -> None:
        picture, name = operator.inputs[0], self._name(operator.inputs[0])
        if len(self._graph.tensors[picture].shape) == 4:
            self._add("Transpose", [name], f"{output}_last", perm=_LAST)
            name = f"{output}_last"
        shape = np.array(self._graph.tensors[operator.outputs[0]].shape, np.int64)
        if len(shape) == 4:
            raise DataError("makes a picture of numbers in a way that is not converted")
        self._add("Reshape", [name, self._weight(f"shape_{output}", shape)], output)

    def _concatenation(self, operator: LiteOperator, output: str) -> None:
        if len(self._graph.tensors[operator.outputs[0]].shape) == 4:
            raise DataError("joins pictures, which is not converted")
        names = [self._name(number) for number in operator.inputs]
        self._add("Concat", names, output, axis=operator.option(0, "i"))


_CONVERTED: Mapping[int, Any] = {
    0: _Conversion._add_up,
    2: _Conversion._concatenation,
    3: _Conversion._conv,
    4: _Conversion._conv,
    5: _Conversion._depth_to_space,
    14: _Conversion._logistic,
    17: _Conversion._max_pool,
    22: _Conversion._reshape,
    23: _Conversion._resize,
    34: _Conversion._pad,
}
"""Functions that add the nodes of an operator, by its number in the schema."""

_ACTIVATION_FIELDS = {0: 0, 2: 1, 3: 3, 4: 4, 17: 5}
"""Fields of the options that state an activation, by the number of the operator."""
