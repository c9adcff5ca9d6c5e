"""Reading of uploaded files, as the process that reads does it."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from skeletonagent.core.collected_warnings import collected_warnings
from skeletonagent.core.errors import SkeletonAgentError
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.outside_text import printable_line
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.inference.recording_input import InputRecording
from skeletonagent.inference.recording_segments import prepare_recordings
from skeletonagent.pose.estimate import PoseOptions
from skeletonagent.pose.videos import poses_of_video
from skeletonagent.server.request_json import require_size
from skeletonagent.server.server_errors import RequestError
from skeletonagent.video.reading import describe_video, is_video

_MOST_PROBLEM = 500


@dataclass(frozen=True)
class UploadTask:
    """File that is to be read.

    Args:
        path: The file.
        name: Its name, for people to read.
        input_format: Joints and channels of the recognizer.
        usual_fps: Frames a second of the training clips; None if unknown.
        fps: Frames a second, if the file does not say them.
        recording: Name of the recording to take, where the file has several.
        most_frames: Largest number of frames.
        most_persons: Largest number of persons.
    """

    path: Path
    name: str
    input_format: InputFormat
    usual_fps: float | None
    fps: float | None
    recording: str | None
    most_frames: int
    most_persons: int

    def __call__(self) -> ReadUpload:
        """Return what is in the file.

        Raises:
            RequestError: If it is too large, or has several recordings and none was chosen.
            DataError: If it cannot be read, or lacks joints.
        """
        return self._video() if is_video(self.path) else self._keypoints()

    def _keypoints(self) -> ReadUpload:
        found = prepare_recordings(
            self.path, self.input_format, self.usual_fps, fps=self.fps, image_size=None
        )
        found = [replace(recording, name=self._own_name(recording.name)) for recording in found]
        recording = chosen_recording(found, self.recording)
        self._require_size(recording.num_frames, len(recording.joints))
        return ReadUpload(replace(recording, warnings=self._named(recording.warnings)))

    def _own_name(self, name: str) -> str:
        """Return the name of a recording with the client's name of the file in place of ours."""
        file, *within = name.split("/")
        return "/".join([self.name if file == self.path.stem else file, *within])

    def _video(self) -> ReadUpload:
        with collected_warnings() as words:
            self._require_size(describe_video(self.path).frames or 0, 1)
            poses = poses_of_video(
                self.path,
                PoseOptions(max_persons=self.most_persons),
                progress=lambda done, total: self._require_size(done, 1),
            )
        poses, world = replace(poses, name=self.name), self.input_format.coordinates == 3
        (recording,) = prepare_recordings(
            poses.recording(world=world), self.input_format, self.usual_fps
        )
        said = self._named((*words, *recording.warnings))
        seen = replace(poses.recording(), source=None)
        return ReadUpload(replace(recording, source=None, warnings=said), seen)

    def _require_size(self, frames: int, persons: int) -> None:
        require_size(frames, persons, self.most_frames, self.most_persons)

    def _named(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.with_name(word) for word in words)

    def with_name(self, text: str) -> str:
        """Return a text with the client's name of the file in place of ours."""
        named = text.replace(str(self.path), self.name).replace(str(self.path.parent), "")
        return printable_line(named, _MOST_PROBLEM)


@dataclass(frozen=True)
class ReadUpload:
    """Recording in an uploaded file.

    Args:
        recording: The recording as the recognizer takes it.
        seen: Joints of a video in its pixels; None of other files.
    """

    recording: InputRecording
    seen: KeypointRecording | None = None


def chosen_recording(recordings: list[InputRecording], name: str | None) -> InputRecording:
    """Return the recording of a name, or the only one.

    Raises:
        RequestError: If there is none, or several and no name.
    """
    named = [recording for recording in recordings if name in (None, recording.name)]
    if len(named) == 1:
        return replace(named[0], source=None)
    shown = ", ".join(recording.name for recording in recordings[:5])
    more = ", ..." if len(recordings) > 5 else ""
    problem = (
        f"the file holds {len(recordings)} recordings; choose one by its name with recording=NAME: "
        f"{shown}{more}"
    )
    raise RequestError(422, printable_line(problem, _MOST_PROBLEM))


@dataclass(frozen=True)
class ReadFailure:
    """Why a file was not read, in a form that another process can take.

    Args:
        status: Status of HTTP.
        detail: The reason, in one sentence.
        trace: Where a mistake of the program was made; empty of other reasons.
    """

    status: int
    detail: str
    trace: str = ""


def read_tasks(pipe: Connection, most_memory: int) -> None:
    """Read the files of the tasks that come, one after another, until there are no more.

    Args:
        pipe: Connection to the server.
        most_memory: Bytes of memory that may be taken above those of the beginning.
    """
    _limit_memory(most_memory)
    warnings.simplefilter("ignore")
    while True:
        try:
            task: UploadTask = pipe.recv()
        except EOFError:
            return
        pipe.send(_outcome(task, task))


def _outcome(task: UploadTask, read: Callable[[], ReadUpload]) -> ReadUpload | ReadFailure:
    try:
        return read()
    except RequestError as error:
        return ReadFailure(error.status, error.detail)
    except SkeletonAgentError as error:
        return ReadFailure(422, task.with_name(str(error)))
    except MemoryError:
        return ReadFailure(413, "the file needs more memory than it may have")
    except Exception:  # whatever a hostile file brings about is no fault of the server's
        return ReadFailure(422, "the file cannot be read", traceback.format_exc())


def _limit_memory(most: int) -> None:
    """Let allocations fail that go far beyond what the process has now."""
    try:
        import resource
    except ImportError:  # of Unix alone
        return
    pages = Path("/proc/self/statm")
    if pages.exists():
        page: int = os.sysconf("SC_PAGE_SIZE")
        limit: Any = int(pages.read_text().split()[0]) * page + most
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
