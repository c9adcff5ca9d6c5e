"""Graph in a file of TensorFlow Lite, read without TensorFlow.

The numbers of fields, operators and types are those of TensorFlow Lite's schema of flatbuffers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from skeletonagent.core.errors import ConfigError, DataError

_TYPES = {0: np.float32, 1: np.float16, 2: np.int32}
"""Types of numbers by their codes in the schema."""


@dataclass(frozen=True)
class LiteTensor:
    """Tensor of a graph.

    Args:
        name: Name of the tensor, its number among all if it has none.
        shape: Length of each axis; pictures are in N, H, W, C.
        values: The numbers of a constant; None of what is computed.
    """

    name: str
    shape: tuple[int, ...]
    values: np.ndarray | None


@dataclass(frozen=True)
class LiteOperator:
    """Operator of a graph.

    Args:
        code: Number of the operator in the schema.
        inputs: Numbers of its inputs; -1 where an optional one is left out.
        outputs: Numbers of its outputs.
        options: Its options, a table of flatbuffers; None if it has none.
    """

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: LiteTable | None

    def option(self, field: int, kind: str = "b") -> int:
        """Return an option, 0 if it is not given.

        Args:
            field: Number of the field in the schema.
            kind: Format of the number as of :mod:`struct`.
        """
        return 0 if self.options is None else self.options.number(field, kind)


@dataclass(frozen=True)
class LiteGraph:
    """Graph from inputs to outputs.

    Args:
        tensors: Its tensors.
        operators: Its operators in an order in which they can run.
        inputs: Numbers of the tensors that are given.
        outputs: Numbers of the tensors that are returned.
    """

    tensors: tuple[LiteTensor, ...]
    operators: tuple[LiteOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class LiteTable:
    """Table of flatbuffers, by the numbers of its fields."""

    def __init__(self, content: bytes, place: int) -> None:
        try:
            from flatbuffers.table import Table  # type: ignore[import-untyped]
        except ImportError as error:
            raise ConfigError(
                "pose estimation in the page needs flatbuffers and onnx; install them with "
                "pip install 'skeletonagent[export]'"
            ) from error
        self._table: Any = Table(content, place)

    def number(self, field: int, kind: str) -> int:
        """Return a number, 0 if it is not given."""
        offset = self._place(field)
        found: int = struct.unpack_from("<" + kind, self._table.Bytes, offset)[0] if offset else 0
        return found

    def table(self, field: int) -> LiteTable | None:
        """Return a table, None if it is not given."""
        offset = self._place(field)
        return LiteTable(self._table.Bytes, self._table.Indirect(offset)) if offset else None

    def tables(self, field: int) -> list[LiteTable]:
        """Return a list of tables."""
        begin, count = self._vector(field)
        places = (self._table.Indirect(begin + 4 * number) for number in range(count))
        return [LiteTable(self._table.Bytes, place) for place in places]

    def numbers(self, field: int, kind: type[Any] = np.int32) -> np.ndarray:
        """Return a list of numbers."""
        begin, count = self._vector(field)
        return np.frombuffer(self._table.Bytes, kind, count, begin) if count else np.zeros(0, kind)

    def text(self, field: int) -> str:
        """Return a text, an empty one if it is not given."""
        return self.numbers(field, np.uint8).tobytes().decode("utf-8", "replace")

    def _place(self, field: int) -> int:
        offset: int = self._table.Offset(4 + 2 * field)
        return offset + self._table.Pos if offset else 0

    def _vector(self, field: int) -> tuple[int, int]:
        offset = self._table.Offset(4 + 2 * field)
        return (self._table.Vector(offset), self._table.VectorLen(offset)) if offset else (0, 0)


def read_lite_graph(content: bytes) -> LiteGraph:
    """Return the graph of a file.

    Args:
        content: The file.

    Raises:
        ConfigError: If flatbuffers is not installed.
        DataError: If it is no file of TensorFlow Lite with one graph.
    """
    if content[4:8] != b"TFL3":
        raise DataError("is no model of TensorFlow Lite")
    try:
        return _graph(LiteTable(content, int.from_bytes(content[:4], "little")))
    except (IndexError, OverflowError, TypeError, ValueError, struct.error) as error:
        raise DataError("is a damaged model of TensorFlow Lite") from error


def _graph(root: LiteTable) -> LiteGraph:
    """Return the graph of a model.

    Raises:
        DataError: If there are several.
    """
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in root.tables(1)]
    buffers = [buffer.numbers(0, np.uint8) for buffer in root.tables(4)]
    graphs = root.tables(2)
    if len(graphs) != 1:
        raise DataError(f"has {len(graphs)} graphs; one is read")
    (graph,) = graphs
    tensors = (_tensor(table, n, buffers) for n, table in enumerate(graph.tables(0)))
    operators = (
        LiteOperator(codes[table.number(0, "I")], _ints(table, 1), _ints(table, 2), table.table(4))
        for table in graph.tables(3)
    )
    return LiteGraph(tuple(tensors), tuple(operators), _ints(graph, 1), _ints(graph, 2))


def _ints(table: LiteTable, field: int) -> tuple[int, ...]:
    return tuple(int(number) for number in table.numbers(field))


def _tensor(table: LiteTable, number: int, buffers: list[np.ndarray]) -> LiteTensor:
    """Return a tensor with its constant numbers.

    Raises:
        DataError: If its numbers are of a type that is not read.
    """
    shape, code = _ints(table, 0), table.number(1, "b")
    content = buffers[table.number(2, "I")]
    name = table.text(3) or str(number)
    if not len(content):
        return LiteTensor(name, shape, None)
    if code not in _TYPES:
        raise DataError(f"holds numbers of the type {code}, which are not read")
    values, sparsity = content.view(_TYPES[code]), table.table(6)
    dense = values.reshape(shape) if sparsity is None else _dense(values, sparsity, shape)
    return LiteTensor(name, shape, dense)


def _dense(values: np.ndarray, sparsity: LiteTable, shape: tuple[int, ...]) -> np.ndarray:
    """Return the numbers of a sparse tensor, zero where none is stored.

    Each axis, in the order in which they are stored, is whole or lists its indices for each place
    of the axes before it. Axes beyond those of the tensor are of blocks.
    """
    order, blocks = _ints(sparsity, 0), _ints(sparsity, 1)
    places, found = np.zeros(1, np.int64), np.zeros((1, len(order)), np.int64)
    for axis, level in zip(order, sparsity.tables(2), strict=True):
        if level.number(0, "b"):
            begins, indices = _indices(level, 2), _indices(level, 4)
            counts = begins[places + 1] - begins[places]
            firsts = np.repeat(begins[places] - np.cumsum(counts) + counts, counts)
            rows, places = np.repeat(found, counts, axis=0), firsts + np.arange(counts.sum())
            rows[:, axis] = indices[places]
        else:
            size = level.number(1, "i")
            rows, steps = np.repeat(found, size, axis=0), np.tile(np.arange(size), len(places))
            rows[:, axis], places = steps, np.repeat(places, size) * size + steps
        found = rows
    for number, axis in enumerate(blocks):
        size = found[:, len(shape) + number].max() + 1
        found[:, axis] = found[:, axis] * size + found[:, len(shape) + number]
    dense = np.zeros(shape, values.dtype)
    dense[tuple(found[:, : len(shape)].T)] = values[places]
    return dense


def _indices(level: LiteTable, kind: int) -> np.ndarray:
    """Return the numbers of a list, whose type stands in the field before it."""
    listed = level.table(kind + 1)
    types = {1: np.int32, 2: np.uint16, 3: np.uint8}
    if listed is None or level.number(kind, "B") not in types:
        raise DataError("holds a sparse tensor of a form that is not read")
    return listed.numbers(0, types[level.number(kind, "B")]).astype(np.int64)
