"""Videos of clients: one at a time is looked at, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from skeletonagent.core.collected_warnings import collected_warnings
from skeletonagent.core.errors import SkeletonAgentError
from skeletonagent.core.outside_text import printable_line
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.pose.estimate import PoseOptions
from skeletonagent.pose.videos import poses_of_video
from skeletonagent.server.bodies import ClientGone
from skeletonagent.server.request_json import require_size
from skeletonagent.server.server_errors import RequestError, server_is_full
from skeletonagent.server.service import RecognitionOptions, RecognitionService
from skeletonagent.server.uploads import UploadedFile
from skeletonagent.video.reading import describe_video

MOST_WAITING = 4
"""Videos that may wait for the one that is looked at."""

_ASKED_SECONDS = 0.5


class VideoWorker:
    """Thread that finds the persons in videos.

    Args:
        service: The recognizer.
    """

    def __init__(self, service: RecognitionService) -> None:
        self._service = service
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="video")
        self._stops: set[threading.Event] = set()

    async def answer(
        self, file: UploadedFile, question: RecognitionOptions, gone: Callable[[], Awaitable[bool]]
    ) -> Callable[[], dict[str, Any]]:
        """Return a function that returns the prediction of a video, whose persons are found now.

        Args:
            file: The video.
            question: What is asked.
            gone: Function that returns whether the client left.

        Raises:
            RequestError: If videos are not taken, or this one cannot be.
            ClientGone: If the client leaves meanwhile.
        """
        if self._service.no_pictures:
            raise RequestError(415, self._service.no_pictures)
        if len(self._stops) > MOST_WAITING:
            raise server_is_full("too many videos wait")
        stop = threading.Event()
        self._stops.add(stop)
        try:
            work = asyncio.get_running_loop().run_in_executor(
                self._thread, partial(self._persons, file, stop)
            )
            while not (await asyncio.wait({work}, timeout=_ASKED_SECONDS))[0]:
                if await gone():
                    stop.set()
            seen, recognized, words = await work
        finally:
            self._stops.discard(stop)
        return partial(self._service.answer_video, seen, recognized, words, question)

    def close(self) -> None:
        """Stop what is looked at."""
        for stop in self._stops:
            stop.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _persons(
        self, file: UploadedFile, stop: threading.Event
    ) -> tuple[KeypointRecording, KeypointRecording, list[str]]:
        """Return the joints in pixels and as the recognizer takes them, and what is to be said."""
        limits = self._service.settings

        def progress(done: int, total: int) -> None:
            if stop.is_set():
                raise ClientGone
            require_size(max(done, total), 1, limits.max_frames, limits.max_persons)

        try:
            with collected_warnings() as words:
                progress(0, describe_video(file.path).frames or 0)
                options = PoseOptions(max_persons=limits.max_persons)
                poses = poses_of_video(file.path, options, progress=progress)
                world = self._service.predictor.input_format.coordinates == 3
                poses = replace(poses, name=file.title)
                seen, recognized = poses.recording(), poses.recording(world=world)
        except SkeletonAgentError as error:
            raise RequestError(422, printable_line(file.without_path(str(error)), 500)) from error
        return seen, recognized, [file.without_path(word) for word in words]
