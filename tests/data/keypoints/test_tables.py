"""Tables of keypoints, as people and tools write them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.reading import read_keypoints

WALK = np.random.default_rng(3).normal(size=(12, 3, 2)).round(4) + 5
NAMES = ("hip", "left_knee", "right_knee")


def only(path: Path, **options: object) -> KeypointRecording:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (recording,) = read_keypoints(path, **options)  # type: ignore[arg-type]
    return recording


def write(path: Path, header: str, rows: np.ndarray, separator: str = ",") -> Path:
    lines = [separator.join(f"{cell:.10g}" if not np.isnan(cell) else "" for cell in row)
             for row in rows]  # fmt: skip
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "header",
    [
        "hip_x,hip_y,left_knee_x,left_knee_y,right_knee_x,right_knee_y",
        "hip.X,hip.Y,left_knee.X,left_knee.Y,right_knee.X,right_knee.Y",
        "x_hip,y_hip,x_left_knee,y_left_knee,x_right_knee,y_right_knee",
        ",".join(f"{name} {axis} [px]" for name in NAMES for axis in "xy"),
        "hip (x),hip (y),left_knee (x),left_knee (y),right_knee (x),right_knee (y)",
        "\ufeffhip:x,hip:y,left_knee:x,left_knee:y,right_knee:x,right_knee:y",
    ],
)
def test_names_of_wide_tables(tmp_path: Path, header: str) -> None:
    recording = only(write(tmp_path / "walk.csv", header, WALK.reshape(12, 6)))
    assert (recording.name, recording.joint_names) == ("walk", NAMES)
    np.testing.assert_allclose(recording.joints[0], WALK, rtol=1e-6)
    assert recording.confidence is None and recording.fps is None and recording.layout is None


@pytest.mark.parametrize(
    "header", ["x0,y0,x1,y1,x2,y2", "kp_0_x,kp_0_y,kp_1_x,kp_1_y,kp_2_x,kp_2_y", "0,1,2,3,4,5"]
)
def test_joints_that_are_only_numbered_have_no_names(tmp_path: Path, header: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = write(tmp_path / "a.csv", header, WALK.reshape(12, 6))
        (recording,) = read_keypoints(path, format="csv") if header[0] != "0" else [None]
    if recording is None:  # six numbers without names are two joints in 3D or three in 2D
        with pytest.raises(DataError, match="3 joints in 2D or 2 joints in 3D"):
            read_keypoints(path)
        return
    assert recording.joint_names is None
    np.testing.assert_allclose(recording.joints[0], WALK, rtol=1e-6)


def test_numbers_order_joints_not_columns(tmp_path: Path) -> None:
    header = "x10,y10,x2,y2,x1,y1"
    recording = only(write(tmp_path / "a.csv", header, WALK.reshape(12, 6)))
    np.testing.assert_allclose(recording.joints[0], WALK[:, ::-1], rtol=1e-6)


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_separators(tmp_path: Path, separator: str) -> None:
    header = separator.join(f"{name}_{axis}" for name in NAMES for axis in "xy")
    recording = only(write(tmp_path / "a.txt", header, WALK.reshape(12, 6), separator))
    np.testing.assert_allclose(recording.joints[0], WALK, rtol=1e-6)


def test_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [
        ";".join(f"{cell:.4f}".replace(".", ",") for cell in row) for row in WALK.reshape(12, 6)
    ]
    path.write_text("x0;y0;x1;y1;x2;y2\n" + "\n".join(rows))
    np.testing.assert_allclose(only(path).joints[0], WALK, atol=1e-4)


def test_confidence_frames_times_and_an_index(tmp_path: Path) -> None:
    header = ",frame,time_ms,hip_x,hip_y,hip_conf,left_knee_x,left_knee_y,left_knee_conf"
    rows = np.zeros((4, 9))
    rows[:, 0], rows[:, 1] = np.arange(4), [5, 6, 8, 9]
    rows[:, 2] = rows[:, 1] * 40
    rows[:, 3:] = np.arange(1, 25).reshape(4, 6)
    rows[:, [5, 8]] = 0.25
    rows[1, 3:6] = np.nan
    rows[2, 6:9] = 0
    recording = only(write(tmp_path / "a.csv", header, rows))
    assert recording.fps == pytest.approx(25)
    assert recording.num_frames == 5, "frame 7 is missing"
    assert recording.confidence is not None and recording.confidence[0, 0, 0] == 0.25
    seen = recording.seen[0]
    assert seen.tolist() == [[True, True], [False, True], [False] * 2, [True, False], [True] * 2]


def test_known_names_are_brought_into_the_order_of_their_layout(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(17)
    header = ",".join(
        f"{COCO_17.joints[j].title().replace(' ', '')}_{a}" for j in order for a in "xy"
    )
    rows = np.repeat(order + 1.0, 2)[None].repeat(3, axis=0)
    recording = only(write(tmp_path / "a.csv", header, rows))
    assert recording.layout is COCO_17
    np.testing.assert_array_equal(recording.joints[0, 0, :, 0], np.arange(17) + 1)


def test_long_tables(tmp_path: Path) -> None:
    lines = ["frame,person,joint,x,y,score"]
    for t in range(3):
        for p in ("A", "B"):
            for j, name in enumerate(NAMES):
                if (t, p) != (1, "B"):
                    lines.append(f"{t},{p},{name},{t + 10 * j},{1 + ord(p)},0.5")
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    recording = only(path)
    assert recording.joints.shape == (2, 3, 3, 2) and recording.person_ids == ("A", "B")
    assert recording.joint_names == NAMES
    assert np.isnan(recording.joints[1, 1]).all()
    np.testing.assert_array_equal(recording.joints[0, 2, :, 0], [2, 12, 22])
    np.testing.assert_array_equal(recording.joints[1, 0, :, 1], [67] * 3)
    path.write_text("\n".join([*lines, lines[-1]]))
    with pytest.raises(DataError, match="repeats joint 'right_knee'"):
        read_keypoints(path)


def test_persons_side_by_side(tmp_path: Path) -> None:
    header = "p1_hip_x,p1_hip_y,p1_knee_x,p1_knee_y,p2_hip_x,p2_hip_y,p2_knee_x,p2_knee_y"
    rows = np.arange(1.0, 25).reshape(3, 8)
    recording = only(write(tmp_path / "a.csv", header, rows))
    np.testing.assert_array_equal(recording.joints, rows.reshape(3, 2, 2, 2).transpose(1, 0, 2, 3))
    assert recording.joint_names == ("hip", "knee") and recording.person_ids == ("1", "2")


def test_a_table_of_several_recordings(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text(
        "file,label,subject,x0,y0,x1,y1\n"
        "clips/a.mp4,wave,s1,1,2,3,4\nclips/a.mp4,wave,s1,5,6,7,8\nclips/b.mp4,sit,s2,1,1,2,2\n"
    )
    first, second = read_keypoints(path)
    assert (first.name, first.label, first.subject, first.num_frames) == ("a", "wave", "s1", 2)
    assert (second.name, second.label, second.subject, second.num_frames) == ("b", "sit", "s2", 1)


def test_without_names_the_layout_settles_the_joints(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(5, 34 * 3))
    path = write(tmp_path / "a.csv", "", rows)
    with pytest.raises(DataError, match="51 joints in 2D or 34 joints in 3D"):
        read_keypoints(path)
    rows = rows[:, :51]
    (recording,) = read_keypoints(write(tmp_path / "b.csv", "", rows), layout="coco-17")
    np.testing.assert_allclose(recording.joints[0], rows.reshape(5, 17, 3), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recorded in May\n", "looks like text that begins 'recorded in May'"),
        ("a,b,c,d\n1,2,3,4\n5,6,7,8\n", "names no joints with coordinates"),
        ("hip_x,hip_y,knee_x,foot_y\n1,2,3,4\n1,2,3,4\n", "lacks coordinates of knee, foot"),
        ("x0,y0,x1,y1\n1,2,3,4\n1,2,?,4\n", "row 2 has '\\?' where a number belongs"),
        ("x0,y0,x1,y1\n1,2,3,4\n1,2,3\n", "looks like text|cells, others have"),
    ],
)
def test_what_is_no_table_of_keypoints_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_keypoints(path)


@pytest.mark.parametrize(
    ("times", "fps"),
    [("0 .04 .08 .12", 25), ("0 40 80 120", 25), ("0 40000 80000 120000", 25), ("0 1 2 3", None)],
)
def test_times_order_rows_and_say_the_frame_rate(
    tmp_path: Path, times: str, fps: float | None
) -> None:
    stamps = times.split()
    rows = [f"{stamps[t]},{t + 1},1,{t + 1},2" for t in (2, 0, 3, 1)]
    path = tmp_path / "a.csv"
    path.write_text("timestamp,a_x,a_y,b_x,b_y\n" + "\n".join(rows) + "\n")
    recording = only(path)
    assert recording.fps == (None if fps is None else pytest.approx(fps))
    assert recording.joints[0, :, 0, 0].tolist() == [1, 2, 3, 4]


def test_times_of_no_known_unit(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,a_x,a_y,b_x,b_y\n0,1,1,1,1\n5,2,2,2,2\n10,3,3,3,3\n")
    assert only(path).fps == pytest.approx(200), "milliseconds are the largest unit that fits"
    path.write_text("time,a_x,a_y,b_x,b_y\n0,1,1,1,1\n1e13,2,2,2,2\n2e13,3,3,3,3\n")
    with pytest.warns(UserWarning, match="frame rate stays unknown"):
        assert read_keypoints(path)[0].fps is None
