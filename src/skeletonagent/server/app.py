"""Application of the server: its routes, and their descriptions in OpenAPI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from skeletonagent.core.errors import SkeletonAgentError
from skeletonagent.core.outside_text import printable_line
from skeletonagent.core.program import program_name
from skeletonagent.page import PAGE_HEADERS, page_files
from skeletonagent.server.answer_forms import (
    ErrorAnswer,
    HealthAnswer,
    ModelAnswer,
    PredictionAnswer,
)
from skeletonagent.server.bodies import ClientGone, header, read_body
from skeletonagent.server.guard import Guard
from skeletonagent.server.measurements import METRICS_TYPE, ServerMeasurements
from skeletonagent.server.reading import ReadUpload
from skeletonagent.server.request_json import KeypointsBody
from skeletonagent.server.rooms import FileRoom, RequestRoom
from skeletonagent.server.server_errors import RequestError
from skeletonagent.server.service import RecognitionOptions, RecognitionService
from skeletonagent.server.streams import StreamRoom
from skeletonagent.server.uploads import FIELD, UploadedFile, private_folder, uploaded_file
from skeletonagent.video.reading import is_video

_LONGEST_PROBLEM = 500
_ASKED_SECONDS = 0.5
_VIDEOS_WAITING = 4
"""Videos that may wait for the one that is looked at."""


class PredictQuery(BaseModel):
    """What is asked about a recording."""

    model_config = ConfigDict(extra="forbid")

    threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = Field(
        None, description="Probability below which an action is unknown; by default the run's."
    )
    top_k: int = Field(5, ge=1, le=1000, description="Classes that are listed for a segment.")
    window: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="Frames of a window; by default those of training."
    )
    stride: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="Frames between windows; by default a quarter of one."
    )
    clips: bool = Field(False, description="Whether the recording gets one label as a whole.")
    keypoints: bool = Field(
        False, description="Whether the answer holds joints, and probabilities over time."
    )
    fps: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = Field(
        None, description="Frames a second, in place of what the recording says."
    )
    recording: Annotated[str, Field(max_length=500)] | None = Field(
        None, description="Name of the recording to take, where a file has several."
    )


class ServerApp:
    """Routes around a recognizer.

    Args:
        service: The recognizer.
        token: What clients have to know; empty for nothing.
        measurements: Figures of the server.
    """

    def __init__(
        self, service: RecognitionService, token: str, measurements: ServerMeasurements
    ) -> None:
        self.service, self.settings = service, service.settings
        self.measurements = measurements
        self.room = RequestRoom(self.settings.max_active, self.settings.max_queue)
        seconds, memory = self.settings.read_seconds, self.settings.max_memory
        self.files = FileRoom(seconds, memory, self.settings.max_queue)
        self.videos = FileRoom(self.settings.video_seconds, memory, _VIDEOS_WAITING)
        self.api = _api(self._lifespan)
        self.guard = Guard(self.api, self.settings, token, measurements)
        self.streams = StreamRoom(service, self.guard.is_token, measurements)
        self._folder = Path()
        self._add_routes()
        measurements.watch(
            "skeletonagent_queue_length", "Requests that wait.", lambda: self.room.waiting
        )

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        with private_folder() as folder:
            self._folder = folder
            try:
                yield
            finally:
                for room in (self.room, self.files, self.videos):
                    room.close()
                self.streams.close()
                self.service.thread.close()

    def _add_routes(self) -> None:
        api, failures = self.api, _failures(400, 401, 403, 408, 413, 415, 422, 429, 503)
        some = _failures(401, 403, 422, 429)
        api.get("/health", response_model=HealthAnswer, responses=_failures(403))(self.health)
        api.get("/metrics", responses={200: {"content": {"text/plain": {}}}, **some})(self.metrics)
        api.get("/model", response_model=ModelAnswer, responses=some)(self.model)
        api.post(
            "/predict",
            response_model=PredictionAnswer,
            response_model_exclude_unset=True,
            responses=failures,
            openapi_extra={"requestBody": _REQUEST_BODY},
        )(self.predict)
        api.websocket("/stream")(self.stream)
        api.get("/", include_in_schema=False)(self.index)
        api.get("/page/{name:path}", include_in_schema=False)(self.page)

    async def health(self) -> Response:
        """Return that the server runs."""
        return _json({"status": "ok"})

    async def metrics(self) -> Response:
        """Return figures of the server in the text form of Prometheus."""
        return Response(self.measurements.text(), media_type=METRICS_TYPE)

    async def model(self) -> Response:
        """Return what the recognizer is, and what the server takes."""
        return _json(self.service.description)

    async def index(self) -> Response:
        """Return the page."""
        return _page_file("index.html")

    async def page(self, name: str) -> Response:
        """Return a file of the page."""
        return _page_file(name)

    async def stream(self, socket: WebSocket) -> None:
        """Recognize actions in frames while they come."""
        await self.streams.serve(socket)

    async def predict(self, request: Request, query: Annotated[PredictQuery, Query()]) -> Response:
        """Return the actions in a recording: keypoints in JSON, a keypoint file or a video."""
        options = RecognitionOptions(**query.model_dump())
        headers, limits = request.scope["headers"], self.settings
        kind = header(headers, b"content-type").partition(";")[0].strip().lower()
        if header(headers, b"content-encoding").lower() not in ("", "identity"):
            raise RequestError(415, "compressed bodies are not taken", closes=True)
        if kind == "application/json":
            content = await read_body(
                request.receive, headers, limits.body_bytes, limits.upload_seconds
            )
            return await self._answer(lambda: self.service.answer_json(content, options))
        if kind != "multipart/form-data":
            raise RequestError(
                415, "send application/json, or a file as multipart/form-data", closes=True
            )
        async with uploaded_file(
            request.receive, headers, self._folder, limits.upload_bytes, limits.upload_seconds
        ) as file:
            upload = await self._read(request, file, options)
        return await self._answer(lambda: self.service.answer_upload(upload, options))

    async def _read(
        self, request: Request, file: UploadedFile, options: RecognitionOptions
    ) -> ReadUpload:
        """Return what is in a file, read by a process of its own while the client waits.

        Raises:
            RequestError: If it cannot be read.
            ClientGone: If the client leaves.
        """
        reader = self.files
        if is_video(file.path):
            if self.service.no_pictures:
                raise RequestError(415, self.service.no_pictures)
            reader = self.videos
        task, gone = self.service.upload_task(file.path, file.title, options), Event()
        work = asyncio.ensure_future(reader.run(task, lambda: not gone.is_set()))
        try:
            while not (await asyncio.wait({work}, timeout=_ASKED_SECONDS))[0]:
                if await request.is_disconnected():
                    gone.set()
            return await work
        finally:
            gone.set()

    async def _answer(self, work: Callable[[], dict[str, Any]]) -> Response:
        """Return what a function finds, as JSON; problems of the data are the client's."""

        def answer() -> bytes:
            try:
                return _dumped(work())
            except (SkeletonAgentError, MemoryError) as error:
                said = str(error) or "the recording needs too much memory"
                raise RequestError(422, printable_line(said, _LONGEST_PROBLEM)) from error

        return Response(await self.room.run(answer), media_type="application/json")


def _api(lifespan: Any) -> FastAPI:
    """Return the application without routes; its errors are objects with one sentence."""
    api = FastAPI(
        title="SkeletonAgent",
        version=program_name().rpartition(" ")[2],
        summary="Recognizes human actions in skeletons.",
        docs_url=None,  # its page would ask another host for scripts
        redoc_url=None,
        lifespan=lifespan,
    )

    async def refuse(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestError)
        return _json({"detail": error.detail}, error.status, error.headers)

    async def fail(_: Request, error: Exception) -> Response:
        if isinstance(error, ClientGone):
            return _json({"detail": "the client left"}, 499)
        return _json({"detail": "the server made a mistake, which its log shows"}, 500)

    async def refuse_query(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        mistake = error.errors()[0]
        place = ".".join(str(part) for part in mistake["loc"][1:])
        if mistake["type"] == "extra_forbidden":
            sentence = f"there is no such option; there are {', '.join(PredictQuery.model_fields)}"
        else:
            sentence = f"{printable_line(place, 100)}: {mistake['msg']}"
        return _json({"detail": sentence}, 422)

    async def refuse_route(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        sentence = {
            404: "there is nothing at this address; see /openapi.json",
            405: "this address does not take that method; see /openapi.json",
        }.get(error.status_code, error.detail)
        return _json({"detail": sentence}, error.status_code, error.headers or {})

    api.add_exception_handler(RequestError, refuse)
    api.add_exception_handler(ClientGone, fail)
    api.add_exception_handler(Exception, fail)
    api.add_exception_handler(RequestValidationError, refuse_query)
    api.add_exception_handler(HTTPException, refuse_route)
    return api


_REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": KeypointsBody.model_json_schema()},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {FIELD: {"type": "string", "format": "binary"}},
                "additionalProperties": False,
            }
        },
    },
}


def _failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorAnswer} for status in statuses}


def _page_file(name: str) -> Response:
    """Return a file of the page.

    Raises:
        RequestError: If there is none of that name.
    """
    content, media_type = page_files().get(name, (None, ""))
    if content is None:
        raise RequestError(404, "the page has no such file")
    return Response(content, media_type=media_type, headers=dict(PAGE_HEADERS))


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_dumped(value), status, headers, "application/json")


def _dumped(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def build_app(service: RecognitionService, token: str, measurements: ServerMeasurements) -> Guard:
    """Return the application of ASGI that serves a recognizer.

    Args:
        service: The recognizer, with the server's settings.
        token: What clients have to know; empty for nothing.
        measurements: Figures of the server.
    """
    return ServerApp(service, token, measurements).guard
