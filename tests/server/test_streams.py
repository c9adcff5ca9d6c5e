"""Streams over a WebSocket: the segments of the library, and what clients may not do."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from socket import create_connection
from typing import Any

import numpy as np
import pytest
from tests.server.serving import TOKEN, Served, as_lists, served
from tests.small_run import swinging
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from skeletonagent.inference.predictor import Predictor
from skeletonagent.server.stream_session import HELD_SECONDS

HEAD = {"fps": 30, "kind": "keypoints"}


@contextmanager
def opened(server: Served, *heads: Any) -> Iterator[ClientConnection]:
    with connect(server.streams, proxy=None) as socket:
        for head in heads or (HEAD,):
            socket.send(json.dumps(head))
        yield socket


def rest(socket: ClientConnection) -> list[dict[str, Any]]:
    found = []
    try:
        for message in socket:
            found.append(json.loads(message))
    except ConnectionClosed:
        pass
    return found


def joints(frames: int = 40) -> np.ndarray:
    parts = [swinging(label, 3, frames)[0] for label in (0, 2)]
    still = np.repeat(parts[0][-1:], 25, axis=0)
    return np.concatenate([parts[0], still, parts[1] + parts[0][-1] - parts[1][0]])


def streamed(server: Served, messages: list[Any], head: Any = HEAD) -> list[dict[str, Any]]:
    with opened(server, head) as socket:
        for message in messages:
            socket.send(json.dumps(message))
        socket.send(json.dumps({"end": True}))
        return rest(socket)


def segments(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = []
    for event in events:
        if event["type"] == "segment":
            kept.append({key: value for key, value in event.items() if key != "type"})
    return sorted(kept, key=lambda one: one["start_frame"])


@pytest.mark.parametrize("timed", [True, False])
def test_segments_are_those_of_the_whole_recording(
    server: Served, model: Predictor, timed: bool
) -> None:
    frames = joints()
    messages = [
        {"bodies": {"1": as_lists(frame)}, **({"t": number / 30} if timed else {})}
        for number, frame in enumerate(frames)
    ]
    events = streamed(server, messages)
    assert events[-1] == {"type": "end"}
    wanted = model.segment(frames, fps=30, batch_size=1).to_json()["segments"]
    assert wanted and segments(events) == wanted
    windows = [event for event in events if event["type"] == "window"]
    assert windows and set(windows[0]) == {"type", "person", "frame", "t", "label", "score", "top"}
    warnings = [event["text"] for event in events if event["type"] == "warning"]
    assert len(set(warnings)) == len(warnings)


def test_a_frame_stands_for_those_that_did_not_come(server: Served, model: Predictor) -> None:
    frames = joints()
    half = [{"t": n / 30, "bodies": {"1": as_lists(frames[n])}} for n in range(0, len(frames), 2)]
    held = frames[np.arange(len(frames)) // 2 * 2]
    wanted = model.segment(held, fps=30, batch_size=1).to_json()["segments"]
    assert wanted and segments(streamed(server, half)) == wanted


def test_after_a_while_nobody_is_there(server: Served) -> None:
    frames = joints()
    messages = [
        {"t": n / 30 + (2.0 if n >= 20 else 0.0), "bodies": [as_lists(frame)]}
        for n, frame in enumerate(frames[:40])
    ]
    found = segments(streamed(server, messages))
    assert len(found) == 2
    assert found[0]["end_frame"] <= 20 + HELD_SECONDS * 30 + 5
    assert found[1]["start_frame"] >= 75


def test_frames_of_nobody_and_late_ones_are_taken(server: Served) -> None:
    body = as_lists(joints()[0])
    events = streamed(
        server,
        [
            {"t": 0.0, "bodies": []}, {"t": 0.1, "bodies": {}}, {"t": 0.2},
            {"t": 0.3, "bodies": [None, body]}, {"t": 0.3, "bodies": [body]},
            {"t": 0.1, "bodies": [body]}, {"t": 1e7, "bodies": {"\x1b[31mA": body}},
        ],
    )  # fmt: skip
    assert events[-1] == {"type": "end"}
    assert any("too late" in event.get("text", "") for event in events)


BAD_HEADS = [
    "{", "[]", "{}", '{"fps": 0, "kind": "keypoints"}', '{"fps": NaN, "kind": "keypoints"}',
    '{"fps": 30, "kind": "sounds"}', '{"fps": 30}', b"\xff\xd8",
    '{"fps": 30, "kind": "keypoints", "other": 1}', '{"fps": 30, "fps": 20, "kind": "keypoints"}',
]  # fmt: skip

BAD_FRAMES = [
    "{", "1", '{"t": NaN}', '{"t": -1}', '{"t": 1e300}', '{"bodies": {"1": [[1, 2]]}}',
    '{"bodies": {"1": "x"}}', '{"bodies": [[[NaN, 1]]]}', '{"t": "0"}', '{"other": 1}',
    '{"t": 0, "t": 1}', b"\xff\xd8 no picture", json.dumps({"bodies": [[None] * 17] * 11}),
    json.dumps({"bodies": [[[1, 2, 3, 4, 5]] * 17]}), json.dumps({"bodies": [[[1e39, 2]] * 17]}),
    "[" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("head", BAD_HEADS)
def test_a_bad_first_message_ends_the_stream(server: Served, head: str | bytes) -> None:
    with connect(server.streams, proxy=None) as socket:
        socket.send(head)
        (event,) = rest(socket)
        assert event["type"] == "error" and event["detail"] and "x" * 20 not in event["detail"]
        assert socket.close_code == 1008


@pytest.mark.parametrize("frame", BAD_FRAMES)
def test_a_bad_frame_ends_the_stream_with_one_sentence(server: Served, frame: str | bytes) -> None:
    with opened(server) as socket:
        socket.send(frame)
        events = rest(socket)
        assert events[-1]["type"] == "error" and len(events[-1]["detail"]) > 10
        assert socket.close_code == 1008
    assert server.ask("/health").status == 200


def test_messages_that_are_too_large_end_the_stream(server: Served) -> None:
    with opened(server) as socket:
        socket.send(" " * 3_000_000)
        rest(socket)
        assert socket.close_code == 1009


def test_a_client_that_goes_on_sending_reads_why_it_is_refused(server: Served) -> None:
    upgrade = (
        b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(upgrade)
        assert client.recv(10_000).startswith(b"HTTP/1.1 101")
        client.sendall(struct.pack(">BBQ4x", 0x81, 0xFF, 3_000_000))
        time.sleep(0.3)
        for _ in range(10):
            client.sendall(bytes(300_000))
            time.sleep(0.01)
        closed, _, status = struct.unpack(">BBH", client.recv(10_000)[:4])
        assert (closed, status) == (0x88, 1009)
    assert server.ask("/health").status == 200


def test_pictures_are_refused_where_no_joints_can_be_found(server: Served) -> None:
    if server.ask("/model").json["video"]:
        pytest.skip("needs pose models to be absent")
    with opened(server, {"fps": 10, "kind": "pictures"}) as socket:
        (event,) = rest(socket)
    assert "videos are not taken" in event["detail"]


def test_the_token_comes_first(model: Predictor) -> None:
    with served(model, TOKEN) as server:
        with opened(server, HEAD) as socket:
            assert "token" in rest(socket)[0]["detail"]
        with opened(server, {"token": "another one"}) as socket:
            assert "token" in rest(socket)[0]["detail"]
        with opened(server, {"token": TOKEN}, HEAD, {"end": True}) as socket:
            assert rest(socket)[-1] == {"type": "end"}


def test_pages_of_other_sites_open_no_stream(server: Served) -> None:
    for origin in ("http://evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused:
            connect(server.streams, origin=origin, proxy=None)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
    own = f"http://127.0.0.1:{server.port}"
    with connect(server.streams, origin=own, proxy=None):  # type: ignore[arg-type]
        pass


def test_streams_are_counted_and_limited(model: Predictor) -> None:
    with served(model, max_streams=1) as server, opened(server) as first:
        with connect(server.streams, proxy=None) as second:
            assert "full" in rest(second)[-1]["detail"]
        assert b"skeletonagent_streams 1.0" in server.ask("/metrics").content
        first.send(json.dumps({"end": True}))
        assert rest(first)[-1] == {"type": "end"}
        with opened(server, HEAD, {"end": True}) as third:
            assert rest(third)[-1] == {"type": "end"}


def test_a_silent_stream_is_ended(model: Predictor) -> None:
    with served(model, idle_seconds=0.3, header_seconds=0.3) as server:
        with connect(server.streams, proxy=None) as socket:
            assert "nothing came" in rest(socket)[0]["detail"]
        with opened(server) as socket:
            assert "nothing came" in rest(socket)[-1]["detail"]


def test_a_stop_ends_streams(model: Predictor) -> None:
    with ExitStack() as stack:
        with served(model) as server:
            socket = stack.enter_context(connect(server.streams, proxy=None))
            socket.send(json.dumps(HEAD))
        rest(socket)
        assert socket.close_code == 1012
