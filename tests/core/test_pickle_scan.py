"""Scans of pickles: what Python writes passes, what would exhaust memory or stack is refused."""

from __future__ import annotations

import pickle
import pickletools
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeletonagent.core import pickle_scan
from skeletonagent.core.pickle_scan import scan_pickle

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.frozensets(st.integers() | st.text(), max_size=4)
    ),
    max_leaves=12,
)


@given(value=PLAIN, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_what_python_writes_passes_to_its_end(value: Any, protocol: int) -> None:
    content = pickle.dumps([value, value], protocol)
    assert scan_pickle(content + b"more") == len(content)


@given(content=st.binary(max_size=80))
def test_whatever_passes_has_the_instructions_that_python_sees(content: bytes) -> None:
    try:
        end = scan_pickle(content)
    except (pickle.UnpicklingError, ValueError):
        return
    *_, (last, _, place) = pickletools.genops(content[:end])
    assert last.name == "STOP" and place == end - 1


def test_a_value_is_remembered_under_a_number_of_the_size_of_the_file() -> None:
    for put in (b"r" + struct.pack("<I", 1 << 26), b"p67108864\n", b"p-1\n"):
        with pytest.raises(pickle.UnpicklingError, match="remembers a value under the number"):
            scan_pickle(b"\x80\x02]" + put + b".")


def test_tuples_are_neither_deep_nor_many() -> None:
    deep = b"\x80\x04)" + b"\x85" * 300_000 + b"."
    with pytest.raises(pickle.UnpicklingError, match="tuples of 101 levels"):
        scan_pickle(deep)
    shared = b"\x80\x04)" + b"2\x86" * 40 + b"."  # each holds the one before twice
    with pytest.raises(pickle.UnpicklingError, match=r"levels and .* items"):
        scan_pickle(shared)


def test_a_level_that_is_remembered_counts() -> None:
    remembered = b"\x80\x04)" + b"\x85" * 60 + b"\x94" + b"0" + b"h\x00" + b"\x85" * 60 + b"."
    with pytest.raises(pickle.UnpicklingError, match="tuples of 101 levels"):
        scan_pickle(remembered)


def test_containers_are_in_proportion_to_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_scan, "ALWAYS_BUILT", 10_000)
    for code in (b"\x8f", b"]", b"}"):
        scan_pickle(b"\x80\x04" + code * 40 + b".")
        with pytest.raises(pickle.UnpicklingError, match="far more containers"):
            scan_pickle(b"\x80\x04" + code * 1000 + b".")
    for listed in (
        [(n % 256, n % 255) for n in range(9_000)],
        [[0.5, float(n)] for n in range(900)],
    ):
        scan_pickle(pickle.dumps(listed, 4))
