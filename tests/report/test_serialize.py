from __future__ import annotations

import gzip
import json
from base64 import b64decode
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from skeletonagent.report.serialize import (
    compress_json,
    escape_for_script,
    pack_json,
    pack_shares,
    quantize,
    round_floats,
)


def unpacked(value: dict[str, Any]) -> np.ndarray:
    """Read as the page's script does."""
    kind = np.dtype(value["type"]).newbyteorder("<")
    whole = np.frombuffer(b64decode(value["bytes"]), kind).reshape(value["shape"])
    return whole * value.get("scale", 1)


@given(
    arrays.arrays(
        np.float64, st.tuples(st.integers(0, 4), st.integers(1, 5)), elements=st.floats(-1e3, 1e3)
    )
)
def test_no_number_is_off_by_more_than_half_a_step(values: np.ndarray) -> None:
    for kind, levels in (("int8", 127), ("int16", 32767)):
        back = quantize(values, kind)
        assert back["shape"] == list(values.shape)
        step = (np.abs(values).max(initial=0) or 1) / levels
        assert np.abs(unpacked(back) - values).max(initial=0) <= 0.5 * step * (1 + 1e-9)


def test_what_an_array_becomes() -> None:
    assert pack_json(np.array([[1, 256]], dtype=np.uint32)) == {
        "type": "uint32", "shape": [1, 2], "bytes": "AQAAAAABAAA=",
    }  # fmt: skip
    assert unpacked(pack_json(np.array([1, 2], dtype=">i2"))).tolist() == [1, 2]
    assert unpacked(quantize(np.array([-2.0, 0, 1]), "int8")).round(2).tolist() == [-2, 0, 1.01]
    assert unpacked(pack_shares(np.array([-1, 0.5, 3]))).round(3).tolist() == [0, 0.502, 1]


def test_numbers_are_rounded_and_what_is_no_number_is_none() -> None:
    value = {"a": [1.23456789, float("nan"), float("inf"), 12], "b": ("text", None, True)}
    assert round_floats(value, 3) == {"a": [1.23, None, None, 12], "b": ["text", None, True]}


class Counter(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text())
def test_no_text_breaks_out_of_a_script(text: str) -> None:
    value = [text, f"</script>{text}<!--<script>", "\u2028&amp;"]
    read = Counter(f'<script type="application/json">{escape_for_script(value)}</script>')
    assert read.tags == ["script"]
    assert json.loads(read.text) == value


def test_long_texts_are_compressed_and_the_same_each_time() -> None:
    value = {"said": ["the same again and again ü"] * 500}
    back = compress_json(value)
    assert json.loads(gzip.decompress(b64decode(back["gzip"]))) == value
    assert len(back["gzip"]) < 400
    assert back == compress_json(value)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        escape_for_script([float("nan")])
