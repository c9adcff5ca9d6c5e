"""Stand-in for the server: it answers as one does, about a figure that lifts its arms and kicks."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from tests.data.importing.figures import ACTIONS, NAMES, figure

from skeletonagent.page.files import INDEX, PAGE_HEADERS, page_files

PARENTS = (1, 8, 1, 2, 3, 1, 5, 6, -1, 8, 9, 8, 11)
BONES = [[joint, parent] for joint, parent in enumerate(PARENTS) if parent >= 0]
FPS = 30.0
SENTENCES = {
    "lift_left": "The left hand rises beside the head and sinks again; the feet stay.",
    "lift_right": "The right hand rises beside the head and sinks again.",
    "kick": "The left foot swings forward from the hip while the hands stay low.",
}
TURNS = (("1", 0, 20, 80), ("1", 2, 100, 160), ("2", 1, 40, 100), ("2", None, 120, 150))
"""Who does what from which frame to which; None is unknown."""
FRAMES = 180


def body(person: str) -> np.ndarray:
    """Return the joints of a person in (T, V, 3)."""
    joints = np.repeat(figure(0, 0, 2)[:1], FRAMES, axis=0)
    for who, action, start, end in TURNS:
        if who == person and action is not None:
            moved = figure(action, int(person), end - start)
            joints[start:end] = moved - moved[0] + joints[start - 1]
    joints += 0.004 * np.sin(np.arange(FRAMES) / 7)[:, None, None]
    placed: np.ndarray = joints + np.array([1.1, 0, 0.3]) * (person == "2")
    return placed


def model(**changes: Any) -> dict[str, Any]:
    """Return what ``GET /model`` answers."""
    return {
        "name": "figures", "class_names": list(ACTIONS), "channels": 3, "fps": FPS, "window": 40,
        "layout": {"name": "figure-13", "joints": list(NAMES), "bones": BONES, "root": 8},
        "stride": 10, "threshold": 0.5, "backbone": "stgcn++", "engine": "a stand-in",
        "video": False, "persons": 2, "limits": {}, "sentences": SENTENCES, **changes,
    }  # fmt: skip


def segment(person: str, action: int | None, start: int, end: int) -> dict[str, Any]:
    """Return an item of ``segments``."""
    best = action if action is not None else 1
    shares = np.full(3, 0.06 if action is not None else 0.29)
    shares[best] = 1 - shares.sum() + shares[best]
    top = [{"label": ACTIONS[n], "score": round(float(shares[n]), 3)} for n in np.argsort(-shares)]
    moved = ("l palm", "l elbow") if action == 0 else ("l sole", "l knee")
    if action == 1:
        moved = ("r palm", "r elbow")
    return {
        "person": person, "start_frame": start, "end_frame": end, "start": start / FPS,
        "end": end / FPS, "label": "unknown" if action is None else ACTIONS[action],
        "score": top[0]["score"], "top": top,
        "explanation": {
            "joints": [{"joint": moved[0], "weight": 0.62}, {"joint": moved[1], "weight": 0.38}],
            "joints_from": "movement" if action is None else "guidance", "runner_up": top[1],
            "sentences": {share["label"]: SENTENCES[share["label"]] for share in top[:2]},
        },
    }  # fmt: skip


def answer(**changes: Any) -> dict[str, Any]:
    """Return what ``POST /predict?keypoints=true`` answers."""
    windows = []
    for person, action, start, end in TURNS:
        for first in range(start, end - 10, 10):
            rise = np.sin(np.pi * (first + 10 - start) / (end - start + 10))
            best = (0.35 if action is None else 0.2 + 0.7 * rise) * np.eye(3)[action or 0]
            shares = best + (1 - best.sum()) / 3
            scores = dict(zip(ACTIONS, shares.round(3).tolist(), strict=True))
            windows.append({"person": person, "start_frame": first, "end_frame": first + 20,
                            "scores": scores})  # fmt: skip
    tracks = [
        {"person": person, "first_frame": 0, "frames": body(person).round(4).tolist()}
        for person in ("1", "2")
    ]
    return {
        "schema": "skeletonagent.prediction/1", "name": "two_people", "source": None, "fps": FPS,
        "frames": FRAMES, "layout": "figure-13", "engine": {"threshold": 0.5, "rest": "stillness"},
        "segments": sorted((segment(*turn) for turn in TURNS), key=lambda one: one["start_frame"]),
        "persons": [{"person": p, "frames": FRAMES, "spans": []} for p in ("1", "2")],
        "warnings": [], "timeline": windows,
        "keypoints": {"persons": tracks, "names": list(NAMES), "bones": BONES}, **changes,
    }  # fmt: skip


@dataclass
class Double:
    """The stand-in, and what it was asked.

    Args:
        model: Answer about the recognizer.
        answer: Answer about a recording.
        failure: Status and words in place of that answer.
        token: Token that it asks for.
    """

    model: dict[str, Any] = field(default_factory=model)
    answer: dict[str, Any] = field(default_factory=answer)
    failure: tuple[int, str] | None = None
    token: str | None = None
    address: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)

    def app(self) -> FastAPI:
        """Return the application."""
        app = FastAPI()

        @app.middleware("http")
        async def guard(request: Request, call_next: Any) -> Response:
            given = request.headers.get("Authorization")
            page = request.url.path == "/" or request.url.path.startswith("/page/")
            if self.token and not page and given != f"Bearer {self.token}":
                return JSONResponse({"detail": "the server asks for its token"}, 401)
            return await call_next(request)

        @app.get("/")
        def index() -> Response:
            return self.file(INDEX)

        @app.get("/page/{name:path}")
        def file(name: str) -> Response:
            return self.file(name)

        @app.get("/model")
        def about() -> dict[str, Any]:
            return self.model

        @app.post("/predict")
        async def predict(request: Request) -> Response:
            content = await request.form()
            upload = content["file"]
            self.asked.append({**request.query_params, "file": upload.filename})  # type: ignore[union-attr,dict-item]
            if self.failure:
                status, words = self.failure
                busy = {"Retry-After": "3"} if status == 503 else {}
                return JSONResponse({"detail": words}, status, busy)
            return JSONResponse(self.answer)

        app.websocket("/stream")(self.stream)
        return app

    def file(self, name: str) -> Response:
        content, kind = page_files()[name]
        return Response(content, headers=dict(PAGE_HEADERS), media_type=kind)

    async def stream(self, socket: WebSocket) -> None:
        """Answer pictures: after twenty of them somebody has lifted the left arm."""
        await socket.accept()
        first = json.loads(await socket.receive_text())
        assert first["kind"] == "pictures"
        fps, seen = first["fps"], 0
        joints = body("1")[:, :, :2]
        while (message := await socket.receive()).get("text") is None:
            picture = message["bytes"]
            assert picture.startswith(b"\xff\xd8")
            self.pictures.append(len(picture))
            shown = joints[20 + seen % 60] * [120, -120] + [160, 240]
            t = seen / fps
            await socket.send_json({"type": "frame", "t": t, "bodies": {"1": shown.tolist()}})
            if seen == 8:
                first_word = {"type": "window", "person": "1", "frame": seen, "label": "lift_left"}
                await socket.send_json(
                    {**first_word, "score": 0.7, "top": segment("1", 0, 0, 8)["top"]}
                )
            if seen == 12:
                await socket.send_json({"type": "warning", "text": "frames came late"})
            if seen == 20:
                await socket.send_json({"type": "segment", **segment("1", 0, 2, 18)})
            seen += 1
        assert json.loads(message["text"]) == {"end": True}
        await asyncio.sleep(0)
        await socket.send_json({"type": "segment", **segment("1", 2, 19, max(21, seen))})
        await socket.send_json({"type": "end"})


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port of the loopback address; yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(10)
