"""Pose estimation of a video: frames in which persons are followed, and processor time.

Any video does; two with several people lie in the packages sports2d (``Sports2D/Demo/demo.mp4``)
and pose2sim (``Pose2Sim/Demo_MultiPerson/videos/cam01.mp4``), which are under the BSD licence.
Needs ``skeletonagent pose fetch``.

Example:
  python -m benchmarks.pose demo.mp4 --persons 2 --json pose.json
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.measuring import print_rows, write_facts
from skeletonagent.cli.console import warnings_on_console
from skeletonagent.pose.estimate import PoseOptions
from skeletonagent.pose.videos import recording_of_video
from skeletonagent.video.reading import read_frames


def main(
    video: Annotated[Path, typer.Argument(help="Video with people.")],
    persons: Annotated[int, typer.Option(min=1, help="People in it.")] = 2,
    max_persons: Annotated[int, typer.Option(min=1, help="People to follow.")] = 5,
    smallest: Annotated[float, typer.Option(min=1, help="Height of the smallest in pixels.")] = 80,
    max_frames: Annotated[int | None, typer.Option(min=1, help="Frames to look at.")] = None,
    taller_than: Annotated[
        float,
        typer.Option(min=0, help="Height in pixels below which somebody is taken for a thing."),
    ] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Print how many frames each person is followed in, and the processor time of a frame."""
    begin = time.process_time()
    frames = sum(
        1 for number, _ in zip(range(max_frames or 10**9), read_frames(video), strict=False)
    )
    reading = time.process_time() - begin
    options = PoseOptions(max_persons=max_persons, smallest_person=smallest)
    begin = time.process_time()
    with warnings_on_console():
        recording = recording_of_video(video, options, max_frames=max_frames)
    both = time.process_time() - begin
    seen = recording.seen
    rows = np.where(seen, recording.joints[..., 1], np.nan)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # nobody in a frame
        heights = np.nanmax(rows, axis=2) - np.nanmin(rows, axis=2)
    followed = seen.any(axis=2) & (np.nan_to_num(heights) >= taller_than)
    shares = sorted((float(share) for share in followed.mean(axis=1)), reverse=True)
    together = followed.sum(axis=0)
    facts = {
        "frames": frames,
        "shares_of_frames_by_person": [round(share, 4) for share in shares],
        "share_with_all_persons": float(np.mean(together >= persons)),
        "mean_persons": float(together.mean()),
        "reading_ms_a_frame": 1e3 * reading / frames,
        "pose_ms_a_frame": 1e3 * (both - reading) / frames,
        "pose_ms_a_person": 1e3 * (both - reading) / max(1, int(followed.sum())),
    }
    table = [{"figure": name, "value": value} for name, value in facts.items()]
    print_rows(str(video), table)
    write_facts(facts, json)


if __name__ == "__main__":
    typer.run(main)
