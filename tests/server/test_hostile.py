"""Bodies that nobody should send: each is refused with one sentence, and nothing else happens."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.serving import Served, as_lists, form
from tests.small_run import swinging

from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.layout import COCO_17
from skeletonagent.server import request_json
from skeletonagent.server.request_json import KeypointsBody, parse_keypoints
from skeletonagent.server.server_errors import RequestError

BODY = as_lists(swinging(0, 1, 16)[0])
JSON = {"Content-Type": "application/json"}


def with_first(joint: str) -> bytes:
    rest = json.dumps(BODY)[2:]
    return f'{{"keypoints": [[{joint}{rest[rest.index("]") + 1 :]}}}'.encode()


NESTED = b'{"keypoints":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "cut off": (b'{"keypoints": [[[1', 400),
    "no JSON": (b"keypoints", 400),
    "bad UTF-8": (b'{"name": "\xff\xfe", "keypoints": [[[1, 2]]]}', 400),
    "UTF-16": (json.dumps({"keypoints": BODY}).encode("utf-16"), 400),
    "half a pair": (b'{"name": "\\ud800", "keypoints": [[[1, 2]]]}', 400),
    "NaN": (with_first("[NaN, 1]"), 422),
    "Infinity": (with_first("[1, -Infinity]"), 422),
    "1e39": (with_first("[1e39, 1]"), 422),
    "1e999": (with_first("[1e999, 1]"), 422),
    "400 digits": (with_first(f"[{'9' * 400}, 1]"), 422),
    "5000 digits": (with_first(f"[{'9' * 5000}, 1]"), 400),
    "text": (with_first('["1", 1]'), 422),
    "true": (with_first("[true, 1]"), 422),
    "null within": (with_first("[null, 1]"), 422),
    "object": (with_first('{"x": 1, "y": 1}'), 422),
    "one number": (with_first("[1]"), 422),
    "five numbers": (with_first("[1, 2, 3, 4, 5]"), 422),
    "three numbers of two": (with_first("[1, 2, 3]"), 422),
    "a joint too many": (with_first("[1, 1], [1, 1]"), 422),
    "deep": (NESTED, 400),
    "array": (b"[]", 422),
    "number": (b"1", 422),
    "no frames": (b'{"keypoints": []}', 422),
    "empty bodies": (b'{"keypoints": [[]]}', 422),
    "neither": (b"{}", 422),
    "both": (json.dumps({"keypoints": BODY, "frames": [[BODY[0]]]}).encode(), 422),
    "twice": (b'{"fps": 1, "fps": 2, ' + json.dumps({"keypoints": BODY}).encode()[1:], 422),
    "twice, escaped": (
        b'{"fps": 1, "f\\u0070s": 2, ' + json.dumps({"keypoints": BODY}).encode()[1:], 422,
    ),
    "unknown key": (b'{"secret": 1, ' + json.dumps({"keypoints": BODY}).encode()[1:], 422),
    "wrong layout": (json.dumps({"keypoints": BODY, "layout": "kinect-25"}).encode(), 422),
    "no layout": (json.dumps({"keypoints": BODY, "layout": "x" * 200}).encode(), 422),
    "long name": (json.dumps({"keypoints": BODY, "name": "x" * 201}).encode(), 422),
    "rate": (json.dumps({"keypoints": BODY, "fps": -1}).encode(), 422),
    "no rate": (b'{"fps": 1e-400, ' + json.dumps({"keypoints": BODY}).encode()[1:], 422),
    "many persons": (json.dumps({"frames": [[None] * 11]}).encode(), 413),
    "many frames": (b'{"frames": [' + b"null," * 20_000 + b"null]}", 413),
    "wide and long": (
        b'{"frames": [[' + b"null," * 99_999 + b"null]" + b",[]" * 15_000 + b"]}", 413,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_with_one_sentence(server: Served, name: str) -> None:
    body, status = BODIES[name]
    answer = server.predict(body)
    assert answer.status == status, answer.content
    assert 10 < len(answer.detail) < 600 and "\n" not in answer.detail
    for secret in ("secret", "x" * 20, "9" * 20, "Infinity", "/tmp", "pydantic", "Traceback"):
        assert secret not in answer.detail


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("?top_k=0", "top_k"), ("?top_k=x", "top_k"), ("?threshold=nan", "threshold"),
        ("?threshold=1.5", "threshold"), ("?window=1e9", "window"), ("?stride=-1", "stride"),
        ("?clips=perhaps", "clips"), ("?fps=0", "fps"), ("?fps=inf", "fps"), ("?what=1", "option"),
    ],
)  # fmt: skip
def test_a_bad_option_is_named(server: Served, query: str, word: str) -> None:
    answer = server.predict({"keypoints": BODY}, query)
    assert answer.status == 422 and word in answer.detail


def test_coordinates_that_are_too_large_have_no_scores(server: Served) -> None:
    for size in (1e30, 2.9e38, 1e-40):
        body = {"keypoints": as_lists(size * swinging(0, 1, 16)[0].astype(float))}
        for query in ("?threshold=0", "?clips=true&keypoints=true"):
            answer = server.predict(body, query)
            assert answer.status in (200, 422)
            assert b"NaN" not in answer.content and b'"score":null' not in answer.content


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415), ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({**JSON, "Content-Encoding": "gzip"}, 415), ({"Content-Type": "multipart/form-data"}, 400),
        ({"Content-Type": f"multipart/form-data; boundary={'x' * 71}"}, 400),
        ({"Content-Type": "multipart/form-data; boundary=other"}, 400),
    ],
)  # fmt: skip
def test_other_kinds_of_bodies_are_refused(
    server: Served, headers: dict[str, str], status: int
) -> None:
    answer = server.ask("/predict", form(("file", "a.npy", b"x"))[0], headers)
    assert answer.status == status and answer.detail


def test_forms_of_other_than_one_file_are_refused(server: Served) -> None:
    def status(body: bytes, kind: str) -> int:
        answer = server.ask("/predict", body, {"Content-Type": kind})
        assert answer.detail
        return answer.status

    two, kind = form(("file", "a.npy", b"x"), ("file", "b.npy", b"x"))
    assert status(two, kind) == 422
    assert status(*form(("other", "a.npy", b"x"))) == 422
    assert status(*form(("file", "a.npy", b""))) == 422
    body, kind = form(("file", "a.npy", b"x" * 100))
    assert status(body[:-30], kind) == 400
    assert status(b"--xyz--\r\n", kind) in (400, 422)
    long = body.replace(b"Content-Disp", b"X-Long: " + b"a" * 20_000 + b"\r\nContent-Disp")
    assert status(long, kind) == 400
    no_name = body.replace(b'; filename="a.npy"', b"")
    assert status(no_name, kind) == 422


class Loud:
    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('ran')",))


def files() -> dict[str, bytes]:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": (10**8, 17, 2)}
        )
        archive.writestr("x.npy", header.getvalue() + bytes(10**7))
    wild = io.BytesIO()
    np.save(wild, np.full((20, 17, 2), np.inf))
    return {
        "bomb.npz": bomb.getvalue(), "loud.pkl": pickle.dumps(Loud()), "wild.npy": wild.getvalue(),
        "no.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O'", "no.json": b'{"people": [' * 2000,
        "no.h5": b"\x89HDF\r\n\x1a\n" + bytes(600), "no.mat": b"MATLAB 5.0 MAT-file" + bytes(300),
        "no.c3d": b"\x02\x50" + b"\xff" * 1000, "no.bvh": b"HIERARCHY\nROOT a\n{\n" * 3000,
        "no.mp4": b"\x00\x00\x00\x18ftypmp42" + bytes(1000), "empty.csv": b"\n\n",
        "no": b"\x00" * 99,
        "../../etc/passwd": b"root:x:0:0", "a\x1b[31mb.txt": b"nothing", ".npy": b"x",
    }  # fmt: skip


@pytest.mark.parametrize("name", files())
def test_a_bad_file_is_refused_and_nothing_of_it_stays(server: Served, name: str) -> None:
    answer = server.upload(files()[name], name)
    if name == "wild.npy":
        assert answer.status in (200, 422)
        return
    assert answer.status in (413, 415, 422), answer.content
    assert answer.detail and "skeletonagent-" not in answer.detail and "\x1b" not in answer.detail
    assert "upload" not in answer.detail and "/tmp" not in answer.detail


def test_the_server_goes_on(server: Served) -> None:
    assert server.predict({"keypoints": BODY}).status == 200
    assert server.ask("/health").status == 200


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(KeypointsBody.model_fields, VALUES)
    )
)  # fmt: skip
def test_values_of_any_form_are_answered(server: Served, body: dict[str, Any]) -> None:
    answer = server.predict(body)
    assert answer.status in (200, 400, 413, 422)
    assert answer.status == 200 or answer.detail


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 40))
def test_bytes_in_a_good_body_are_answered(
    server: Served, junk: bytes, place: int, dropped: int
) -> None:
    good = json.dumps({"keypoints": BODY[:2], "fps": 30}).encode()
    answer = server.predict(good[:place] + junk + good[place + dropped :])
    assert answer.status in (200, 400, 413, 422)
    assert answer.status == 200 or answer.detail


@pytest.mark.parametrize(
    "body",
    [
        {"keypoints": BODY, "fps": 30, "name": "a\tb"},
        {"frames": [[one, one] for one in BODY], "image_size": [640, 480]},
        {"frames": [[[[*joint, 1] for joint in one]] for one in BODY], "layout": "coco-17"},
        {"keypoints": [[[1, -2.5e38]] * 17]},
        {"keypoints": [*BODY, None]},
        {"frames": [[None], [BODY[0], BODY[1]], []]},
    ],
)
def test_regular_bodies_are_read_as_those_that_are_checked_one_by_one(
    body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = InputFormat(COCO_17, 3, has_confidence=True)
    content = json.dumps(body).encode()
    quick = parse_keypoints(content, given, 100, 5)
    monkeypatch.setattr(request_json, "_regular_body", lambda _: None)
    slow = parse_keypoints(content, given, 100, 5)
    for name, value in vars(slow).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(vars(quick)[name], value)
        else:
            assert vars(quick)[name] == value


@pytest.mark.parametrize("name", sorted(BODIES.keys() - {"wrong layout", "no layout"}))
def test_bodies_with_mistakes_are_never_taken_for_regular_ones(name: str) -> None:
    if name.startswith("twice"):
        with pytest.raises(RequestError, match="a key twice"):
            request_json._regular_body(BODIES[name][0])
    else:
        assert request_json._regular_body(BODIES[name][0]) is None
