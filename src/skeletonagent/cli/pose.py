"""``skeletonagent pose``: models of pose estimation, and keypoints of videos and cameras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import output, print_remark, warnings_on_console
from skeletonagent.core.errors import ConfigError

if TYPE_CHECKING:
    from skeletonagent.core.recording import KeypointRecording


def fetch(
    wheel: Annotated[
        Path | None,
        typer.Option(help="The wheel, if it was downloaded already."),
    ] = None,
) -> None:
    """Fetch the pose models into your cache, once.

    They are BlazePose's detector and landmarks (Apache-2.0), 9 MB, from the wheel of MediaPipe on
    the package index. The wheel is verified, and not installed.

    Example:
      skeletonagent pose fetch
    """
    from skeletonagent.pose.fetch import fetch_pose_models

    files = fetch_pose_models(wheel=wheel)
    output.print(f"pose models: {escape(str(files.detector.parent))}", soft_wrap=True)
    output.print(f"licence: {escape(str(files.licence))}", soft_wrap=True)


def estimate_video(
    source: Annotated[str, typer.Argument(help="A video, or the number of a camera, such as 0.")],
    out: Annotated[Path, typer.Option(help="File for the keypoints, .npz or .json.")],
    max_persons: Annotated[
        int, typer.Option(min=1, help="Largest number of persons to follow.")
    ] = 5,
    world: Annotated[
        bool, typer.Option("--world", help="3D in metres around the hips instead of 2D in pixels.")
    ] = False,
    smallest: Annotated[
        float, typer.Option(min=1, help="Height in pixels of the smallest persons to look for.")
    ] = 80,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second to look at; by default all.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="ONNX model of a person's joints, in place of BlazePose.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="Skeleton of that model, such as coco-17, or its file.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Time to look through a camera, in seconds.")
    ] = 10,
    smooth: Annotated[
        bool, typer.Option("--smooth", help="Smooth joints over time, by a one-euro filter.")
    ] = False,
    save_video: Annotated[
        Path | None, typer.Option(help="Write the video with drawn skeletons too (.mp4).")
    ] = None,
) -> None:
    """Find the joints of the people in a video, and write them as a keypoint file.

    The file is read by 'data import', 'predict' and sa.read_keypoints. Joints that are hardly
    seen are absent. Needs 'pose fetch' once.

    Examples:
      skeletonagent pose estimate dance.mp4 --out dance.npz

      skeletonagent pose estimate street.mp4 --out street.json --smallest 60 --max-persons 8
    """
    from skeletonagent.cli.video_sources import save_drawn_video, video_poses
    from skeletonagent.data.keypoints.recorded import write_keypoints
    from skeletonagent.data.layout_files import find_layout
    from skeletonagent.pose.estimate import PoseOptions

    if out.suffix.lower() not in (".npz", ".json"):
        raise ConfigError(f"--out ends in .npz or .json, got {out.name!r}")
    options = PoseOptions(
        max_persons=max_persons,
        world=world,
        smallest_person=smallest,
        model=model,
        layout=None if layout is None else find_layout(layout),
        smooth=smooth,
    )
    with warnings_on_console():
        poses = video_poses(source, options, fps=fps, seconds=seconds)
        recording = poses.recording(world=world)
        write_keypoints(out, recording)
        if save_video is not None:
            save_drawn_video(save_video, poses.recording())
    _print_persons(recording)
    print_remark(f"written: {out}")


def _print_persons(recording: KeypointRecording) -> None:
    """Print each person, and when it was seen."""
    table = Table("person", "frames", "from", "to", "joints seen", box=None)
    fps = recording.fps or 1.0
    for number, seen in zip(recording.person_ids, recording.seen, strict=False):
        frames = seen.any(axis=1).nonzero()[0]
        table.add_row(
            escape(number),
            f"{len(frames)} of {recording.num_frames}",
            f"{frames[0] / fps:.2f} s",
            f"{(frames[-1] + 1) / fps:.2f} s",
            f"{seen[frames].mean():.0%}",
        )
    output.print(table)
