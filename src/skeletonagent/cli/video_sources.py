"""Videos and cameras as sources of commands, and videos with what was recognized in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from skeletonagent.core.errors import ConfigError

if TYPE_CHECKING:
    from skeletonagent.core.recording import KeypointRecording
    from skeletonagent.inference.segments import RecordingPrediction
    from skeletonagent.pose.estimate import PoseOptions, VideoPoses


def is_camera(source: str | Path) -> bool:
    """Return whether a source is the number of a camera."""
    return str(source).isdecimal() and not Path(source).exists()


def is_video_source(source: str | Path) -> bool:
    """Return whether a source is a video or a camera, by its name."""
    from skeletonagent.video.reading import is_video

    return is_camera(source) or is_video(Path(source).expanduser())


def video_poses(
    source: str | Path,
    options: PoseOptions | None = None,
    *,
    fps: float | None = None,
    seconds: float = 10.0,
) -> VideoPoses:
    """Return the people in a video, or before a camera.

    Args:
        source: Video, or number of a camera.
        options: Options of pose estimation; None for the defaults.
        fps: Frames a second to look at; None for all.
        seconds: Time to look through a camera.

    Raises:
        ConfigError: If a package or the models are missing.
        DataError: If the source cannot be opened.
    """
    from rich.progress import MofNCompleteColumn

    from skeletonagent.cli.progress import file_progress
    from skeletonagent.pose.videos import CAMERA_FPS, poses_of_camera, poses_of_video

    if is_camera(source):
        return poses_of_camera(int(str(source)), seconds, options, fps=fps or CAMERA_FPS)
    path = Path(source).expanduser()
    with file_progress(path.name, MofNCompleteColumn()) as progress:
        return poses_of_video(path, options, fps=fps, progress=progress)


def save_drawn_video(
    path: Path, recording: KeypointRecording, prediction: RecordingPrediction | None = None
) -> None:
    """Write a video with skeletons, and with the actions that were recognized.

    Args:
        path: File to write.
        recording: Joints of the video.
        prediction: Actions in it; None to draw the names of persons alone.

    Raises:
        ConfigError: If the recording is not of a video file, or in metres.
        DataError: If the file cannot be written.
    """
    from skeletonagent.pose.videos import constant_rate_frames
    from skeletonagent.video.drawing import drawn_frames
    from skeletonagent.video.writing import write_video

    if recording.source is None or recording.fps is None:
        raise ConfigError("only a video file can be drawn onto: its pictures are read again")
    frames = constant_rate_frames(recording.source, recording.fps)
    persons = recording.person_ids or ("",)

    def text(frame: int, row: int) -> str:
        actions = [] if prediction is None else _actions(prediction, persons[row], frame)
        return "  ".join([persons[row], *actions])

    write_video(path, drawn_frames(frames, recording, text), recording.fps)


def _actions(prediction: RecordingPrediction, person: str, frame: int) -> list[str]:
    """Return the actions of a person in a frame, with their probabilities."""
    return [
        f"{segment.label} {segment.score:.0%}"
        for segment in prediction
        if segment.start <= frame < segment.end and person in segment.person.split("+")
    ]
