"""Pickles from outside: what NumPy writes is read, and nothing else is ever run."""

from __future__ import annotations

import contextlib
import copyreg
import io
import os
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.miniature import write_pickle

from skeletonagent.core.errors import DataError
from skeletonagent.data.readers.safe_pickle import load_restricted

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
DTYPES = ("f2", "f4", "f8", ">f4", ">i2", "i1", "u2", "i8", "?", "U5", "S3")


class Calls:
    """Pickled as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Assembled:
    """Pickled as an array that is filled by a state of our making."""

    def __init__(self, state: tuple[Any, ...], first: tuple[int, ...] = (0,)) -> None:
        self.state, self.first = state, first

    def __reduce__(self) -> Any:
        function, arguments, _ = np.zeros(3).__reduce__()
        return function, (arguments[0], self.first, b"b"), self.state


def old(contents: Any) -> Any:
    """Return a pickle's text as NumPy 1 would have written it."""
    return pickle.dumps(contents, 2).replace(b"numpy._core.", b"numpy.core.")


@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(0, 4), max_size=4).map(tuple),
    order=st.sampled_from("CFKT"),
    protocol=st.sampled_from(PROTOCOLS),
)
def test_arrays_are_read_as_they_were(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: str,
    shape: tuple[int, ...],
    order: str,
    protocol: int,
) -> None:
    array = (100 * np.random.default_rng(0).random(shape)).astype(dtype)
    array = np.array(array, order="F" if order == "F" else "C")
    if order == "T" and array.ndim > 2:
        array = array.transpose(1, 2, 0, *range(3, array.ndim))  # neither C nor Fortran
    if order == "K" and array.ndim:
        array = array[::2]
    path = write_pickle(tmp_path_factory.mktemp("p") / "a.pkl", [array, array], protocol)
    with path.open("rb") as file:
        expected = pickle.load(file)
    for read, right in zip(load_restricted(path), expected, strict=True):
        assert read.dtype == right.dtype and read.shape == right.shape
        np.testing.assert_array_equal(np.asarray(read), right)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_and_scalars_are_read_as_they_were(tmp_path: Path, protocol: int) -> None:
    contents = {
        "list": [1, -(10**30), 2.5, None, True, "Grüße", b"\x00\xff", b""],
        "containers": ({1, 2}, frozenset("ab"), (), [[], {}]),
        "scalars": [np.float16(1.5), np.int64(-3), np.bool_(True), np.str_("S001")],
    }
    read = load_restricted(write_pickle(tmp_path / "a.pkl", contents, protocol))
    assert read == contents
    assert [type(value) for value in read["scalars"]] == [np.float16, np.int64, np.bool_, np.str_]


def test_pickles_of_an_older_numpy_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(old([np.arange(6.0).reshape(2, 3), np.float32(2)]))
    array, scalar = load_restricted(path)
    np.testing.assert_array_equal(np.asarray(array), [[0, 1, 2], [3, 4, 5]])
    assert scalar == 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_content_can_be_pickled_again(tmp_path: Path, protocol: int) -> None:
    array = np.arange(6, dtype=np.float16).reshape(1, 2, 3)
    read = load_restricted(write_pickle(tmp_path / "a.pkl", array, protocol))
    sent = pickle.loads(pickle.dumps(read))
    assert type(sent) is np.ndarray
    np.testing.assert_array_equal(sent, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("function", "named"),
    [
        (os.system, f"{os.name}.system"),
        (eval, "builtins.eval"),
        (exec, "builtins.exec"),
        (__import__, "builtins.__import__"),
        (getattr, "builtins.getattr"),
        (np.load, "numpy.load"),
        (np.fromfile, "numpy.fromfile"),
        (copyreg._reconstructor, "copyreg._reconstructor"),  # type: ignore[attr-defined]
        (partial, "functools.partial"),
        (OrderedDict, "collections.OrderedDict"),
        (io.open, "io.open"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("depth", [0, 1, 2], ids=["bare", "in a dict", "in an array"])
def test_nothing_in_a_pickle_is_executed(
    tmp_path: Path, function: Any, named: str, depth: int, protocol: int
) -> None:
    trace = tmp_path / "it ran"
    call: Any = Calls(function, f"touch '{trace}'")
    if depth == 1:
        call = {"split": {"train": [call]}, "annotations": []}
    if depth == 2:
        box = np.empty(1, dtype=object)
        box[0] = call
        call = [box]
    path = write_pickle(tmp_path / "bad.pkl", call, protocol)
    with pytest.raises(DataError, match=r"bad\.pkl") as refused:
        load_restricted(path)
    assert depth == 2 or named.rpartition(".")[2] in str(refused.value)
    assert not trace.exists()


def test_a_forbidden_name_is_reported(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "bad.pkl", [Calls(os.system, "true")])
    with pytest.raises(DataError, match=rf"bad\.pkl: holds {os.system.__module__}\.system, which"):
        load_restricted(path)


def stacked(*parts: bytes) -> bytes:
    """Return a pickle of protocol 4 written opcode by opcode."""
    return b"\x80\x04" + b"".join(parts) + b"."


def name(module: str, attribute: str) -> bytes:
    return b"c" + f"{module}\n{attribute}\n".encode()


CRAFTED = {
    "an attribute of what is known": stacked(b"\x8c\x05numpy\x8c\x0endarray.tofile\x93"),
    "a class of NumPy called": stacked(name("numpy", "ndarray"), b"(K\x09tR"),
    "a class of NumPy made": stacked(name("numpy", "ndarray"), b"(K\x09t\x81"),
    "an old instance": stacked(b"(K\x09i", b"numpy\nndarray\n"),
    "an object": stacked(b"(", name("numpy", "ndarray"), b"K\x09o"),
    "an extension of copyreg": stacked(b"\x82\x01"),
    "a persistent name": stacked(b"Pos.system\n"),
    "a state for what is known": stacked(
        name("_codecs", "encode"), b"}", b"\x8c\x08__call__K\x01s", b"b"
    ),
    "a state of slots": stacked(
        name("numpy.core.multiarray", "_reconstruct"), b"N}\x8c\x01aK\x01s\x86b"
    ),
    "an array allocated by its shape": stacked(
        name("numpy.core.multiarray", "_reconstruct"),
        b"(" + name("numpy", "ndarray") + b"(\x8a\x05" + b"\x00" * 4 + b"\x01tC\x01btR",
    ),
    "bytes in a strange encoding": stacked(name("_codecs", "encode"), b"(X\x01\x00\x00\x00a"
                                           b"X\x05\x00\x00\x00rot13tR"),
    "a promise of many bytes": stacked(b"\x8e" + struct.pack("<Q", 1 << 62)),
    "a promise of many more": stacked(b"\x96" + struct.pack("<Q", (1 << 64) - 1)),
    "a buffer out of band": b"\x80\x05\x97.",
    "nothing on the stack": stacked(b"R"),
    "an unknown memo": stacked(b"h\x07"),
}  # fmt: skip


@pytest.mark.parametrize("text", CRAFTED.values(), ids=CRAFTED)
def test_crafted_pickles_are_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(text)
    with pytest.raises(DataError, match=r"bad\.pkl"):
        load_restricted(path)


F4 = np.dtype("f4")
STATES: dict[str, Callable[[], Any]] = {
    "a huge shape": lambda: Assembled((1, (1 << 40,), F4, False, b"\0" * 4)),
    "a shape that overflows": lambda: Assembled((1, (1 << 32, 1 << 32), F4, False, b"")),
    "a negative shape": lambda: Assembled((1, (-1, -1), F4, False, b"\0" * 4)),
    "too few bytes": lambda: Assembled((1, (2,), F4, False, b"\0" * 4)),
    "objects": lambda: Assembled((1, (1,), np.dtype("O"), False, [1])),
    "a list for bytes": lambda: Assembled((1, (1,), F4, False, [1])),
    "no dtype": lambda: Assembled((1, (1,), 4, False, b"\0" * 4)),
    "structures": lambda: Assembled((1, (1,), np.dtype([("a", "O")]), False, b"\0" * 8)),
    "dates": lambda: np.zeros(2, "M8[s]"),
    "an array of objects": lambda: np.array([{}, []], dtype=object),
    "a scalar of objects": lambda: Calls(np.float32(1).__reduce__()[0], np.dtype("O"), b"\0" * 8),
    "memory taken first": lambda: Assembled((1, (1,), F4, False, b"\0" * 4), first=(1 << 50,)),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("make", STATES.values(), ids=STATES)
def test_malformed_arrays_are_refused(
    tmp_path: Path, make: Callable[[], Any], protocol: int
) -> None:
    path = write_pickle(tmp_path / "bad.pkl", [make()], protocol)
    with pytest.raises(DataError, match=r"bad\.pkl: cannot be read as a pickle"):
        load_restricted(path)


def test_flags_of_a_dtype_cannot_be_set(tmp_path: Path) -> None:
    state = (3, "<", None, None, None, -1, -1, 63)  # would have floats taken for objects
    path = tmp_path / "bad.pkl"
    path.write_bytes(with_dtype_state(np.ones(2, "f8"), state))
    (read,) = load_restricted(path)
    assert read.dtype == np.dtype("f8") and not read.dtype.hasobject
    np.testing.assert_array_equal(np.asarray(read), [1, 1])
    path.write_bytes(with_dtype_state(np.ones(2, "f8"), (3, "<", None, ("a",), {}, 16, 8, 0)))
    with pytest.raises(DataError, match="structures"):
        load_restricted(path)


def with_dtype_state(array: np.ndarray, state: tuple[Any, ...]) -> bytes:
    """Return a pickle of an array whose dtype has a state of our making."""

    class Kind:
        def __reduce__(self) -> Any:
            return np.dtype, (array.dtype.str[1:], False, True), state

    return pickle.dumps([Assembled((1, array.shape, Kind(), False, array.tobytes()))], 4)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_file_broken_off_anywhere_is_refused(tmp_path: Path, protocol: int) -> None:
    whole = pickle.dumps([np.arange(4.0), np.float32(1), {"a": ("b",)}], protocol)
    path = tmp_path / "cut.pkl"
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"cut\.pkl"):
            load_restricted(path)


def read_or_refused(path: Path, text: bytes) -> None:
    """Fail unless the pickle is read, or refused by a DataError."""
    path.write_bytes(text)
    with contextlib.suppress(DataError):
        load_restricted(path)


@given(text=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    read_or_refused(tmp_path_factory.mktemp("any") / "any.pkl", text)


@pytest.mark.parametrize("protocol", [2, 5])
def test_every_changed_byte_is_read_or_refused(tmp_path: Path, protocol: int) -> None:
    whole = pickle.dumps([np.arange(2, dtype="f4"), {"a": np.int8(1)}], protocol)
    for at in range(len(whole)):
        for change in (1, 128):
            changed = whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :]
            read_or_refused(tmp_path / "any.pkl", changed)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pkl", tmp_path):
        with pytest.raises(DataError, match=path.name):
            load_restricted(path)
