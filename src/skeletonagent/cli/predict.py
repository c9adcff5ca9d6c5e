"""``skeletonagent predict``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skeletonagent.cli.console import (
    print_json,
    warnings_on_console,
)
from skeletonagent.cli.live import check_video_options, predict_live
from skeletonagent.cli.opened_model import open_model
from skeletonagent.cli.predict_large import DEFAULT_TOP_K, LargeOptions, predict_large
from skeletonagent.cli.prediction_tables import (
    PredictedFile,
    plain_predictions,
    print_prediction_csv,
    print_predictions,
)
from skeletonagent.cli.video_sources import is_camera
from skeletonagent.core.errors import ConfigError

if TYPE_CHECKING:
    from skeletonagent.core.recording import KeypointRecording
    from skeletonagent.inference.predictor import Predictor
    from skeletonagent.inference.segment_settings import SegmentOptions
    from skeletonagent.pose.estimate import PoseOptions


def predict_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Arrays (.npy, .npz), skeleton archives, PYSKL pickles (.pkl), keypoint files "
            "and folders of any known format, videos, or the number of a camera."
        ),
    ],
    run: Annotated[
        Path,
        typer.Option(
            help="A run directory that 'train' wrote, a folder of one per stream, or a file that "
            "'export' wrote."
        ),
    ],
    top_k: Annotated[
        int, typer.Option(min=1, help="Classes to print for each sample.")
    ] = DEFAULT_TOP_K,
    segments: Annotated[
        bool | None,
        typer.Option(
            "--segments/--clips",
            help="Find the actions within recordings, or give each one label as a whole. By "
            "default arrays, archives and pickles are clips, keypoint files recordings.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        int | None, typer.Option(min=1, help="Frames of a window; by default as in training.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Frames between windows; by default a quarter of one.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Probability below which an action is unknown."),
    ] = None,
    rest: Annotated[
        str,
        typer.Option(help="Pauses: 'stillness', 'none', a class that is no action, or 'auto'."),
    ] = "auto",
    fps: Annotated[
        float | None, typer.Option(min=0.1, help="Frames a second, if no file says them.")
    ] = None,
    image_size: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Width and height of the images in pixels, if no file says them."),
    ] = None,
    save_video: Annotated[
        Path | None,
        typer.Option(help="Write the one video or camera with skeletons and actions (.mp4)."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Time to look through a camera, in seconds.")
    ] = 10,
    live: Annotated[
        bool,
        typer.Option("--live", help="Show skeletons and actions on a local page as they come."),
    ] = False,
    smooth: Annotated[
        bool, typer.Option("--smooth", help="Smooth the joints of a video over time.")
    ] = False,
    max_persons: Annotated[
        int | None,
        typer.Option(min=1, help="Largest number of persons to follow in a video; 5 by default."),
    ] = None,
    device: Annotated[str, typer.Option(help="Device, such as cpu or cuda:1.")] = "auto",
    engine: Annotated[
        str,
        typer.Option(help="'torch', 'onnx', or 'auto': the faster one that --run has."),
    ] = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override section.key=value, such as clips.test_clips=1."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print a line for each class or segment as CSV.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for predictions of a large archive or folder, in parts (Parquet)."
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(help="With --out: share I/N of the parts, or 'auto' in a SLURM array."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="With --out: workers of Ray, 'local' or the address of a cluster."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With --cluster: workers; 2 by default.")
    ] = None,
    part_size: Annotated[
        int | None,
        typer.Option(min=1, help="With --out: clips (512) or files (32) of a part."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --out: keep parts that are done, and go on.")
    ] = False,
) -> None:
    """Predict the action of samples that have no labels, or find the actions in recordings.

    A clip shows one action and gets one label. In a recording, the actions of each person are found
    between pauses or by windows; what is not probable enough is unknown. An array is (frames,
    joints, channels) of one body or (bodies, frames, joints, channels) of several; NaN marks joints
    that were not seen. Neither the training data nor labels or splits are needed.

    Examples:
      skeletonagent predict clip.npy --run runs/utd

      skeletonagent predict new.pkl recordings.npz --run runs/utd --top-k 1 --csv

      skeletonagent predict day.npy --run runs/utd --segments --fps 30 --json

      skeletonagent predict dance.mp4 --run runs/mine --save-video actions.mp4

      skeletonagent predict 0 --run runs/mine --live --seconds 60

      skeletonagent predict skeletons/mine --run utd.onnx --out runs/labels --shard 1/4
    """
    from skeletonagent.inference.segment_settings import SegmentOptions

    check_video_options(files, save_video, live)
    if as_json and as_csv:
        raise ConfigError("--json and --csv exclude each other; choose one")
    options = SegmentOptions(window, stride, threshold, rest)
    segments = True if segments is None and options != SegmentOptions() else segments
    large = LargeOptions(out, shard, cluster, workers, part_size, resume)
    if large != LargeOptions():
        large.require_alone(live or as_csv or bool(save_video) or top_k != DEFAULT_TOP_K)
        predict_large(
            files, large, as_json, run=run, segments=segments, options=options, fps=fps,
            image_size=image_size, engine=engine, device=device, overrides=tuple(set_ or ()),
        )  # fmt: skip
        return
    with warnings_on_console():
        model = open_model(run, device, engine, set_ or ())
        task = _Task(model, options, top_k, fps, image_size, seconds, max_persons, smooth)
        if live or (save_video is not None and is_camera(files[0])):
            results = [task.live(files[0], live, save_video)]
        else:
            results = [task.result(file, segments) for file in files]
            if save_video is not None:
                results[0].save_video(save_video)
    for result in results:
        result.print_warnings()
    if as_json:
        print_json(plain_predictions(run, model, results))
    elif as_csv:
        print_prediction_csv(results)
    else:
        print_predictions(results, several_files=len(files) > 1)


@dataclass(frozen=True)
class _Task:
    """Recognizer, and what is asked of it."""

    model: Predictor
    options: SegmentOptions
    top_k: int
    fps: float | None
    image_size: tuple[float, float] | None
    seconds: float
    max_persons: int | None
    smooth: bool

    def live(self, file: Path, page: bool, save_video: Path | None) -> PredictedFile:
        """Return the actions in a camera or video, which is drawn as it comes."""
        found = predict_live(
            self.model, file, self.options, self.pose_options, top_k=self.top_k, fps=self.fps,
            seconds=self.seconds, page=page, save_video=save_video,
        )  # fmt: skip
        return PredictedFile(file, None, [found])

    def result(self, file: Path, segments: bool | None) -> PredictedFile:
        """Return the predictions of a file, as clips or as recordings."""
        from skeletonagent.cli.video_sources import is_video_source, video_poses
        from skeletonagent.inference.samples import holds_samples

        if is_video_source(file):
            poses = video_poses(file, self.pose_options, fps=self.fps, seconds=self.seconds)
            recording = poses.recording(world=self.model.input_format.coordinates == 3)
            ask = self.clips if segments is False else self.segments
            return replace(ask(file, recording), video=poses.recording())
        if segments or (segments is None and not holds_samples(file)):
            return self.segments(file, file)
        return self.clips(file, file)

    @property
    def pose_options(self) -> PoseOptions:
        from skeletonagent.pose.estimate import MAX_PERSONS, PoseOptions

        return PoseOptions(max_persons=self.max_persons or MAX_PERSONS, smooth=self.smooth)

    def clips(self, file: Path, recording: Path | KeypointRecording) -> PredictedFile:
        from skeletonagent.inference.samples import holds_samples
        from skeletonagent.inference.segments import trimmed_clips

        model = self.model
        is_sample = isinstance(recording, Path) and holds_samples(recording)
        source: Any = recording
        rate = None
        if not is_sample:
            source, rate = model.segmenter.arrays_and_rate(recording)
        found = model.predict(
            source, top_k=self.top_k, image_size=self.image_size, fps=self.fps or rate
        )
        engine = model.segmenter.description
        return PredictedFile(
            file, found, trimmed_clips(found, str(file), model.layout.name, engine)
        )

    def segments(self, file: Path, recording: Path | KeypointRecording) -> PredictedFile:
        segmenter = self.model.segmenter
        found = segmenter.segment(recording, self.options, self.top_k, self.fps, self.image_size)
        return PredictedFile(file, None, found)
