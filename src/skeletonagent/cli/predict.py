"""``skeletonagent predict``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import (
    output,
    print_json,
    print_remark,
    print_warning,
    warnings_on_console,
)
from skeletonagent.cli.live import check_video_options, predict_live
from skeletonagent.cli.video_sources import is_camera
from skeletonagent.core.errors import ConfigError

if TYPE_CHECKING:
    from skeletonagent.core.recording import KeypointRecording
    from skeletonagent.inference.predictions import Predictions
    from skeletonagent.inference.predictor import Predictor
    from skeletonagent.inference.segment_settings import SegmentOptions
    from skeletonagent.inference.segments import ActionSegment, RecordingPrediction
    from skeletonagent.pose.estimate import PoseOptions

SEGMENT_COLUMNS = (
    "file", "recording", "person", "start_frame", "end_frame", "start", "end", "class",
    "probability",
)  # fmt: skip


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
        typer.Option(help="A run directory that 'train' wrote, or a folder of one per stream."),
    ],
    top_k: Annotated[int, typer.Option(min=1, help="Classes to print for each sample.")] = 5,
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
    max_persons: Annotated[
        int | None,
        typer.Option(min=1, help="Largest number of persons to follow in a video; 5 by default."),
    ] = None,
    device: Annotated[str, typer.Option(help="Device, such as cpu or cuda:1.")] = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override section.key=value, such as clips.test_clips=1."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print a line for each class or segment as CSV.")
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
    """
    from skeletonagent.inference.action_examples import knowing_actions
    from skeletonagent.inference.predictor import load_predictor
    from skeletonagent.inference.segment_settings import SegmentOptions

    check_video_options(files, save_video, live)
    if as_json and as_csv:
        raise ConfigError("--json and --csv exclude each other; choose one")
    options = SegmentOptions(window, stride, threshold, rest)
    if segments is None and options != SegmentOptions():
        segments = True
    with warnings_on_console():
        model = knowing_actions(load_predictor(run, device, overrides=set_ or ()))
        task = _Task(model, options, top_k, fps, image_size, seconds, max_persons)
        if live or (save_video is not None and is_camera(files[0])):
            results = [task.live(files[0], live, save_video)]
        else:
            results = [task.result(file, segments) for file in files]
            if save_video is not None:
                results[0].save_video(save_video)
    for result in results:
        result.print_warnings()
    if as_json:
        print_json(_plain(run, model, results))
    elif as_csv:
        _print_csv(results)
    else:
        _print_tables(results, several_files=len(files) > 1)


@dataclass(frozen=True)
class _Result:
    """Predictions of one file: of clips, or of recordings."""

    file: Path
    clips: Predictions | None
    recordings: Sequence[RecordingPrediction]
    video: KeypointRecording | None = None

    def save_video(self, path: Path) -> None:
        """Write the video with what was recognized in it."""
        from skeletonagent.cli.video_sources import save_drawn_video

        if self.video is not None:
            save_drawn_video(path, self.video, self.recordings[0])

    def print_warnings(self) -> None:
        for recording in self.recordings:
            for warning in recording.warnings:
                print_warning(f"{recording.name}: {warning}")

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each clip as plain values."""
        for sample in self.clips or ():
            yield {
                "file": str(self.file),
                "sample": sample.sample_id,
                "label": sample.label,
                "class": sample.class_name,
                "probability": sample.probability,
                "known": sample.is_known,
                "novelty": sample.novelty,
                "top": [{"class": name, "probability": share} for name, share in sample.top],
            }

    def segment_rows(self) -> Iterator[tuple[RecordingPrediction, ActionSegment]]:
        if self.clips is None:
            for recording in self.recordings:
                for segment in recording:
                    yield recording, segment


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

    def live(self, file: Path, page: bool, save_video: Path | None) -> _Result:
        """Return the actions in a camera or video, which is drawn as it comes."""
        found = predict_live(
            self.model, file, self.options, self.pose_options, top_k=self.top_k, fps=self.fps,
            seconds=self.seconds, page=page, save_video=save_video,
        )  # fmt: skip
        return _Result(file, None, [found])

    def result(self, file: Path, segments: bool | None) -> _Result:
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

        return PoseOptions(max_persons=self.max_persons or MAX_PERSONS)

    def clips(self, file: Path, recording: Path | KeypointRecording) -> _Result:
        from skeletonagent.inference.samples import holds_samples
        from skeletonagent.inference.segments import trimmed_clips

        model = self.model
        is_sample = isinstance(recording, Path) and holds_samples(recording)
        source: Any = recording if is_sample else model.segmenter.arrays(recording)
        found = model.predict(source, top_k=self.top_k, image_size=self.image_size)
        engine = model.segmenter.description
        return _Result(file, found, trimmed_clips(found, str(file), model.layout.name, engine))

    def segments(self, file: Path, recording: Path | KeypointRecording) -> _Result:
        segmenter = self.model.segmenter
        found = segmenter.segment(recording, self.options, self.top_k, self.fps, self.image_size)
        return _Result(file, None, found)


def _plain(run: Path, model: Predictor, results: Sequence[_Result]) -> dict[str, Any]:
    from skeletonagent.inference.segments import PREDICTION_SCHEMA

    return {
        "schema": PREDICTION_SCHEMA,
        "run": str(run),
        "class_names": list(model.class_names),
        "samples": [row for result in results for row in result.rows()],
        "recordings": [r.to_json() for result in results for r in result.recordings],
    }


def _print_csv(results: Sequence[_Result]) -> None:
    kinds = {result.clips is None for result in results}
    if len(kinds) > 1:
        raise ConfigError(
            "clips and recordings do not fit into one table; take --json, or say --segments or "
            "--clips for all of them"
        )
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if kinds == {True}:
        writer.writerow(SEGMENT_COLUMNS)
        for result in results:
            for recording, segment in result.segment_rows():
                row = segment.to_json(recording.fps)
                known = ["" if row[key] is None else row[key] for key in ("start", "end")]
                writer.writerow(
                    [result.file, recording.name, segment.person, segment.start, segment.end,
                     *known, segment.label, f"{segment.score:.6f}"]
                )  # fmt: skip
        return
    writer.writerow(["file", "sample", "rank", "class", "probability"])
    for row in (row for result in results for row in result.rows()):
        for rank, best in enumerate(row["top"], start=1):
            writer.writerow(
                [row["file"], row["sample"], rank, best["class"], f"{best['probability']:.6f}"]
            )


def _print_tables(results: Sequence[_Result], *, several_files: bool) -> None:
    clips = [row for result in results for row in result.rows()]
    if clips or all(result.clips is not None for result in results):
        output.print(_table(clips, several_files=several_files))
        if not all(row["known"] for row in clips):
            print_remark(_UNKNOWN)
    recordings = [result for result in results if result.clips is None]
    if recordings:
        output.print(_segment_table(recordings, several_files=several_files))


_UNKNOWN = (
    "?: perhaps none of the classes: not as probable as held-out clips are, or unlike the training "
    "clips"
)


def _table(rows: list[dict[str, Any]], *, several_files: bool) -> Table:
    columns = [*(["file"] if several_files else []), "sample", "class", "probability", "next"]
    table = Table(*columns, box=None)
    for row in rows:
        following = [f"{escape(best['class'])} {best['probability']:.1%}" for best in row["top"]]
        table.add_row(
            *([escape(row["file"])] if several_files else []),
            escape(row["sample"]),
            escape(row["class"]) + ("" if row["known"] else " ?"),
            f"{row['probability']:.1%}",
            ", ".join(following[1:]),
        )
    return table


def _segment_table(results: Sequence[_Result], *, several_files: bool) -> Table:
    first = ["file"] if several_files else []
    table = Table(*first, "recording", "person", "from", "to", "class", "probability", "next",
                  box=None)  # fmt: skip
    for result in results:
        for recording, segment in result.segment_rows():
            second = segment.explanation.runner_up
            table.add_row(
                *([escape(str(result.file))] if several_files else []),
                escape(recording.name),
                escape(segment.person),
                *(_time(frame, recording.fps) for frame in (segment.start, segment.end)),
                escape(segment.label),
                f"{segment.score:.1%}",
                f"{escape(second[0])} {second[1]:.1%}" if second else "",
            )
    return table


def _time(frame: int, fps: float | None) -> str:
    """Return a time in minutes and seconds, or the number of the frame."""
    if fps is None:
        return f"frame {frame}"
    minutes, seconds = divmod(round(frame / fps, 1), 60)
    return f"{int(minutes)}:{seconds:04.1f}"
