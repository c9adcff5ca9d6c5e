"""Live recognition of ``predict``: pictures with skeletons and actions, as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from skeletonagent.cli.console import print_remark
from skeletonagent.cli.video_sources import is_camera, is_video_source
from skeletonagent.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np

    from skeletonagent.inference.predictor import Predictor
    from skeletonagent.inference.segment_settings import SegmentOptions
    from skeletonagent.inference.segments import RecordingPrediction
    from skeletonagent.pose.estimate import PoseOptions
    from skeletonagent.video.picture_page import PicturePage
    from skeletonagent.video.reading import VideoFrame


def check_video_options(files: Sequence[Path], save_video: Path | None, live: bool) -> None:
    """Check before the work that there is one video or camera to be drawn onto.

    Raises:
        ConfigError: If there is not, or the file to write is no .mp4.
    """
    option = "--live" if live else "--save-video"
    if (live or save_video) and (len(files) != 1 or not is_video_source(files[0])):
        raise ConfigError(f"{option} takes one video file or camera; predict it alone")
    if save_video is not None and save_video.suffix.lower() != ".mp4":
        raise ConfigError(f"--save-video ends in .mp4, got {save_video.name!r}")


def predict_live(
    model: Predictor,
    source: Path,
    options: SegmentOptions,
    pose: PoseOptions,
    *,
    top_k: int,
    fps: float | None,
    seconds: float,
    page: bool,
    save_video: Path | None,
) -> RecordingPrediction:
    """Recognize the actions in a camera or a video while its pictures come, and return them.

    Args:
        model: The recognizer.
        source: Number of a camera, or a video.
        options: Settings of the segments.
        pose: Options of pose estimation.
        top_k: Classes that are listed for each segment.
        fps: Frames a second to look at.
        seconds: Time to look through a camera.
        page: Whether pictures are shown on a local page.
        save_video: File for the drawn pictures.

    Raises:
        ConfigError: If a package or the models are missing.
        DataError: If the source cannot be opened, or lacks joints of the recognizer.
    """
    from skeletonagent.core.layout import MEDIAPIPE_33
    from skeletonagent.inference.live import LiveRecognition
    from skeletonagent.inference.segments import RecordingPrediction
    from skeletonagent.pose import estimate
    from skeletonagent.video.picture_page import PicturePage

    frames, rate = _frames(source, fps, seconds)
    first = next(frames, None)
    if first is None:
        raise DataError("has no picture", path=source)
    size = (float(first.image.shape[1]), float(first.image.shape[0]))
    stream = model.segmenter.stream(options, top_k, rate, size, None)
    live = LiveRecognition(
        estimate.build_estimator(pose), MEDIAPIPE_33, pose.min_confidence, stream, pose.smooth
    )
    with ExitStack() as stack:
        shown = stack.enter_context(PicturePage()) if page else None
        if shown is not None:
            print_remark(f"live: {shown.address} (Ctrl-C stops)")
        images = _shown((live.step(frame) for frame in chain([first], frames)), shown)
        _use_up(images, save_video, rate)
    return RecordingPrediction(
        name=f"camera {source}" if is_camera(source) else source.stem,
        source=None if is_camera(source) else str(source),
        fps=rate,
        frames=stream.frame,
        layout=model.layout.name,
        engine={**model.segmenter.description, **stream.task.settings.to_json()},
        segments=tuple(live.finish()),
        warnings=live.warnings,
    )


def _frames(source: Path, fps: float | None, seconds: float) -> tuple[Iterator[VideoFrame], float]:
    """Return the pictures of a camera or a video, and their rate."""
    from skeletonagent.pose.videos import CAMERA_FPS, constant_rate_frames
    from skeletonagent.video import camera
    from skeletonagent.video.reading import describe_video

    if is_camera(source):
        rate = fps or CAMERA_FPS
        return camera.read_camera(int(str(source)), seconds), rate
    path = source.expanduser()
    rate = fps or describe_video(path).fps
    return constant_rate_frames(path, rate), rate


def _shown(images: Iterable[np.ndarray], page: PicturePage | None) -> Iterator[np.ndarray]:
    """Yield pictures after they were shown; Ctrl-C ends them, and what was seen counts."""
    try:
        for image in images:
            if page is not None:
                page.show(image)
            yield image
    except KeyboardInterrupt:
        print_remark("stopped")


def _use_up(images: Iterable[np.ndarray], save_video: Path | None, fps: float) -> None:
    from skeletonagent.video.writing import write_video

    if save_video is not None:
        write_video(save_video, images, fps)
        return
    for _ in images:
        pass
