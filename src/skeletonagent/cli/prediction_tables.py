"""Tables, CSV and JSON of what ``predict`` has found in files."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from skeletonagent.cli.console import output, print_remark, print_warning
from skeletonagent.core.errors import ConfigError

if TYPE_CHECKING:
    from skeletonagent.core.recording import KeypointRecording
    from skeletonagent.inference.predictions import Predictions
    from skeletonagent.inference.predictor import Predictor
    from skeletonagent.inference.segments import ActionSegment, RecordingPrediction

SEGMENT_COLUMNS = (
    "file", "recording", "person", "start_frame", "end_frame", "start", "end", "class",
    "probability",
)  # fmt: skip


@dataclass(frozen=True)
class PredictedFile:
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
        """Print what is to be said about recordings."""
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
        """Yield the segments of recordings; none of clips."""
        if self.clips is None:
            for recording in self.recordings:
                for segment in recording:
                    yield recording, segment


def plain_predictions(
    run: Path, model: Predictor, results: Sequence[PredictedFile]
) -> dict[str, Any]:
    """Return what was found in all files as plain values, in the documented form."""
    from skeletonagent.inference.segments import PREDICTION_SCHEMA

    return {
        "schema": PREDICTION_SCHEMA,
        "run": str(run),
        "class_names": list(model.class_names),
        "samples": [row for result in results for row in result.rows()],
        "recordings": [r.to_json() for result in results for r in result.recordings],
    }


def print_prediction_csv(results: Sequence[PredictedFile]) -> None:
    """Print a line of CSV for each class of each clip, or for each segment.

    Raises:
        ConfigError: If there are clips and recordings, which do not fit into one table.
    """
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


def print_predictions(results: Sequence[PredictedFile], *, several_files: bool) -> None:
    """Print a table of clips and one of segments.

    Args:
        results: What was found in each file.
        several_files: Whether the tables name the files.
    """
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


def _segment_table(results: Sequence[PredictedFile], *, several_files: bool) -> Table:
    first = ["file"] if several_files else []
    table = Table(*first, "recording", "person", "from", "to", "class", "probability", "next",
                  box=None)  # fmt: skip
    for result in results:
        for recording, segment in result.segment_rows():
            second = segment.explanation.runner_up if segment.is_known else segment.top[0]
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
