"""Tables of labels, and segments cut out of recordings by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.data.importing.figures import figure, recording

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.data.importing.labels import LabelledRecording
from skeletonagent.data.importing.segments import label_by_table, read_label_table

TWO = "file,label,subject,start_frame,end_frame\nday,wave,p1,10,30\nday,sit,p1,60,80\n"


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def day(frames: int = 100, fps: float | None = None) -> LabelledRecording:
    file = Path("week/day.csv")
    value = recording("week/day", figure(0, 0, frames), fps=fps, source=file)
    return LabelledRecording(value, "week/day")


@pytest.mark.parametrize("name", ["day", "day.csv", "week/day", "week/day.csv", "week\\day.csv"])
def test_a_file_is_named_in_any_usual_way(tmp_path: Path, name: str) -> None:
    path = table(tmp_path, f"file,label\n{name},wave\n")
    (clip,), _, _ = label_by_table([day()], read_label_table(path), path)
    assert clip.label == "wave" and clip.recording.name == "week/day"
    assert clip.recording.num_frames == 100


def test_segments_are_cut_by_frames(tmp_path: Path) -> None:
    path = table(tmp_path, TWO)
    item = day()
    clips, line, remarks = label_by_table([item], read_label_table(path), path)
    assert [clip.recording.name for clip in clips] == ["week/day_10-30", "week/day_60-80"]
    assert [(clip.label, clip.subject) for clip in clips] == [("wave", "p1"), ("sit", "p1")]
    np.testing.assert_array_equal(clips[1].recording.joints, item.recording.joints[:, 60:80])
    assert line.startswith("2 rows of ") and remarks == []


def test_segments_in_seconds_need_a_frame_rate(tmp_path: Path) -> None:
    path = table(tmp_path, "file;label;start;end\nday;wave;0.5;1.5\nday;sit;3;\n")
    clips, _, _ = label_by_table([day(fps=20)], read_label_table(path), path)
    assert [clip.recording.name for clip in clips] == ["week/day_10-30", "week/day_60-100"]
    with pytest.raises(DataError, match=r"line 2 is in seconds.*--fps, or --unit frames"):
        label_by_table([day()], read_label_table(path), path)
    path = table(tmp_path, "file,label,start,end\nday,wave,0,200\n")
    with pytest.raises(DataError, match=r"frames 0 to 200 are not in .* 100; .*seconds"):
        label_by_table([day()], read_label_table(path, "frames"), path)


def test_what_is_between_becomes_the_rest_in_pieces_of_usual_length(tmp_path: Path) -> None:
    path = table(tmp_path, TWO)
    clips, line, _ = label_by_table([day()], read_label_table(path), path, rest="nothing")
    rest = [clip.recording.name for clip in clips if clip.label == "nothing"]
    # Before: 10 frames. Between: 30, of which segments of 20 make two. After: 20.
    assert rest == ["week/day_0-10", "week/day_30-45", "week/day_45-60", "week/day_80-100"]
    assert "4 clips between them are 'nothing'" in line
    assert {clip.subject for clip in clips} == {"p1"}


def test_recordings_without_a_row_are_left_out_and_named(tmp_path: Path) -> None:
    path = table(tmp_path, "file,label,split\nday,wave,Test\n")
    other = LabelledRecording(recording("x", figure(0, 0, 9)), "x")
    clips, _, remarks = label_by_table([other, day()], read_label_table(path), path)
    assert [clip.part for clip in clips] == ["test"]
    assert remarks == [f"1 recording(s) without a row in {path} left out: x"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "lacks the column"),
        ("name,kind\na,b\n", "lacks the column.s. label; its columns are name, kind"),
        ("file,label\nday,\n", "line 2 lacks its file or its label"),
        ("file,label,start,end\nday,a,x,2\n", "line 2: 'x' is no time"),
        ("file,label,start,end\nday,a,-1,2\n", "line 2: '-1' is no time"),
        ("file,label,start,end\nday,a,3,2\n", "line 2: the segment ends before it begins"),
        ("file,label,split\nday,a,both\n", "line 2: no set 'both'"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read_label_table(table(tmp_path, text))


def test_an_unknown_or_ambiguous_recording_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "file,label\nday,a\n")
    both = [LabelledRecording(recording(f"{n}/day", figure(0, 0, 9)), f"{n}/day") for n in "ab"]
    with pytest.raises(DataError, match="line 2: 2 recordings are named 'day'"):
        label_by_table(both, read_label_table(path), path)
    path = table(tmp_path, "file,label\nnight,a\n")
    with pytest.raises(DataError, match="no recording is named 'night'; there are a/day, b/day"):
        label_by_table(both, read_label_table(path), path)
    with pytest.raises(ConfigError, match="no unit 'minutes'"):
        read_label_table(path, "minutes")
    with pytest.raises(DataError, match="cannot be read as a table"):
        read_label_table(tmp_path / "none.csv")
