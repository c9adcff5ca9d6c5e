"""Files of animal trackers and motion capture: DeepLabCut, SLEAP, BVH, C3D, time series."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import ezc3d
import h5py
import numpy as np
import pytest
from tests.data.miniature_raw import person, write_bodies

from skeletonagent.core.errors import DataError
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.reading import read_keypoints

RNG = np.random.default_rng(17)
NODES = ("nose", "leftEar", "rightEar", "spine")
EDGES = ((3, 0), (0, 1), (0, 2))
MICE = RNG.uniform(50, 400, size=(2, 7, 4, 2)).round(4)
MICE[1, :2] = MICE[0, 3, 1] = np.nan
LIKELY = np.where(np.isnan(MICE[..., 0]), 0, RNG.uniform(0.3, 1, size=(2, 7, 4))).round(4)


def only(path: Path, **options: Any) -> KeypointRecording:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (recording,) = read_keypoints(path, **options)
    return recording


def assert_mice(recording: KeypointRecording, mice: int = 2) -> None:
    assert recording.joint_names == NODES
    np.testing.assert_allclose(recording.joints, MICE[:mice], rtol=1e-6)
    assert recording.confidence is not None
    np.testing.assert_allclose(recording.confidence, LIKELY[:mice], rtol=1e-6)


def deeplabcut_columns(mice: int) -> list[tuple[str, ...]]:
    parts = ("x", "y", "likelihood")
    names = [("DLC_resnet50", f"mouse{m}", node, part)
             for m in range(mice) for node in NODES for part in parts]  # fmt: skip
    return names if mice > 1 else [(a, c, d) for a, _, c, d in names]


def deeplabcut_values(mice: int) -> np.ndarray:
    cells = np.concatenate([MICE[:mice], LIKELY[:mice, ..., None]], axis=-1)
    return cells.transpose(1, 0, 2, 3).reshape(7, -1)


@pytest.mark.parametrize("mice", [1, 2])
def test_deeplabcut_csv(tmp_path: Path, mice: int) -> None:
    levels = ("scorer", "individuals", "bodyparts", "coords") if mice > 1 else (
        "scorer", "bodyparts", "coords",
    )  # fmt: skip
    columns = deeplabcut_columns(mice)
    lines = [",".join((level, *(c[n] for c in columns))) for n, level in enumerate(levels)]
    for t, row in enumerate(deeplabcut_values(mice)):
        lines.append(",".join((str(t), *("" if np.isnan(x) else f"{x:.10g}" for x in row))))
    path = tmp_path / "groom_m0DLC_resnet50.csv"
    path.write_text("\n".join(lines) + "\n")
    recording = only(path)
    assert_mice(recording, mice)
    assert recording.name == "groom_m0"
    assert recording.person_ids == (("mouse0", "mouse1") if mice > 1 else ("0",))


def test_points_of_no_animal_are_no_further_animal(tmp_path: Path) -> None:
    columns = [*deeplabcut_columns(2), ("DLC_resnet50", "single", "corner", "x"),
               ("DLC_resnet50", "single", "corner", "y")]  # fmt: skip
    values = np.concatenate([deeplabcut_values(2), np.ones((7, 2))], axis=1)
    levels = ("scorer", "individuals", "bodyparts", "coords")
    rows = [(level, *(c[n] for c in columns)) for n, level in enumerate(levels)]
    rows += [(str(t), *(f"{x:.10g}" for x in row)) for t, row in enumerate(values)]
    (tmp_path / "a.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    with pytest.warns(UserWarning, match=r"corner are points of no animal \(single\)"):
        (recording,) = read_keypoints(tmp_path / "a.csv")
    assert_mice(recording)


def test_labelled_images_of_deeplabcut(tmp_path: Path) -> None:
    path = tmp_path / "CollectedData_me.csv"
    path.write_text(
        "scorer,,,me,me\nbodyparts,,,nose,nose\ncoords,,,x,y\n"
        "labeled-data,vid,img001.png,1.5,2.5\nlabeled-data,vid,img002.png,,\n"
    )
    recording = only(path)
    assert recording.joints[0, 0, 0].tolist() == [1.5, 2.5] and not recording.seen[0, 1].any()


@pytest.mark.parametrize("mice", [1, 2])
def test_deeplabcut_hdf5_that_can_be_appended_to(tmp_path: Path, mice: int) -> None:
    values = deeplabcut_values(mice)
    table = np.zeros(7, dtype=[("index", "<i8"), ("values_block_0", "<f8", values.shape[1:])])
    table["values_block_0"] = values
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        stored = group.create_dataset("table", data=table)
        columns = pickle.dumps(deeplabcut_columns(mice), protocol=0)
        stored.attrs["values_block_0_kind"] = np.bytes_(columns)
    assert_mice(only(tmp_path / "a.h5"), mice)


def test_deeplabcut_hdf5_of_a_fixed_size(tmp_path: Path) -> None:
    columns = deeplabcut_columns(2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame")
        group.attrs["block0_items_nlevels"] = 4
        group["block0_values"] = deeplabcut_values(2)
        for n in range(4):
            names = sorted({column[n] for column in columns})
            group[f"block0_items_level{n}"] = np.array(names, dtype="S")
            codes = [names.index(column[n]) for column in columns]
            group[f"block0_items_label{n}"] = np.array(codes, dtype=np.int8)
    assert_mice(only(tmp_path / "a.h5"))


def test_hdf5_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return (len, ("run",))

    table = np.zeros(7, dtype=[("index", "<i8"), ("values_block_0", "<f8", (2,))])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("df")
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        stored = group.create_dataset("table", data=table)
        stored.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(Code(), protocol=0))
    with pytest.raises(DataError, match=r"holds \w+.len, which is no part of arrays"):
        read_keypoints(tmp_path / "a.h5")


@pytest.mark.parametrize("dims", [None, ("frame", "node", "xy", "track")])
def test_sleap_analysis(tmp_path: Path, dims: tuple[str, ...] | None) -> None:
    usual = ("track", "frame", "node", "xy")
    order = ("track", "xy", "node", "frame") if dims is None else dims
    score_order = [axis for axis in order if axis != "xy"]
    path = tmp_path / "groom_m0.analysis.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = MICE.transpose([usual.index(axis) for axis in order])
        file["point_scores"] = LIKELY.transpose([usual.index(axis) for axis in score_order])
        if dims is not None:
            file["tracks"].attrs["dims"] = json.dumps(order)
            file["point_scores"].attrs["dims"] = json.dumps(score_order)
        file["node_names"] = np.array(NODES, dtype="S")
        file["track_names"] = np.array(["a", "b"], dtype="S")
        file["edge_inds"] = np.array(EDGES)
    recording = only(path)
    assert_mice(recording)
    assert (recording.name, recording.person_ids) == ("groom_m0", ("a", "b"))
    assert recording.layout is not None and recording.layout.center == 3
    assert recording.layout.bones == ((0, 3), (1, 0), (2, 0))
    assert recording.layout.pairs == ((1, 2),)


def write_slp(path: Path, version: float = 1.4, shift: float = 0.0) -> None:
    """Write two mice as a project of SLEAP, the first frame corrected by hand."""
    kind = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [1]}]}
    other = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [2]}]}
    links = [
        {"edge_insert_idx": n, "key": 0, "source": s, "target": t,
         "type": kind if n == 0 else {"py/id": 1}}
        for n, (s, t) in enumerate(EDGES)
    ]  # fmt: skip
    links.append({"key": 0, "source": 1, "target": 2, "type": other})
    metadata = {
        "version": "2.0.0",
        "skeletons": [{"links": links, "nodes": [{"id": n} for n in range(4)]}],
        "nodes": [{"name": name, "weight": 1.0} for name in NODES],
    }
    frames, instances, points, predicted = [], [], [], []
    for t in range(7):
        start = len(instances)
        for m in range(2):
            if np.isnan(MICE[m, t]).all():
                continue
            p = len(predicted)
            drawn = t == 0 and m == 0
            for xy, score in zip(MICE[m, t] + shift, LIKELY[m, t], strict=True):
                seen = not np.isnan(xy).any()
                predicted.append((*(xy + 5 if drawn else xy), seen, False, score))
            instances.append((len(instances), 1, t, 0, m, -1, 0.9, p, p + 4, 0.9))
            if drawn:
                points += [(*xy, True, True) for xy in MICE[m, t] + shift]
                instances.append((len(instances), 0, t, 0, m, start, 0.0, 0, 4, 0.0))
        frames.append((t, 0, 3 + t, start, len(instances)))
    text = h5py.string_dtype()
    video = {"filename": "m0.mp4", "backend": {"filename": "m0.mp4", "shape": [50, 480, 640, 3]}}
    with h5py.File(path, "w") as file:
        group = file.create_group("metadata")
        group.attrs["format_id"] = version
        group.attrs["json"] = np.bytes_(json.dumps(metadata))
        file.create_dataset("videos_json", data=[json.dumps(video)], dtype=text)
        file.create_dataset("tracks_json", data=['[0,"a"]', '[0,"b"]'], dtype=text)
        file["frames"] = np.array(frames, dtype=[
            ("frame_id", "<u8"), ("video", "<u4"), ("frame_idx", "<u8"),
            ("instance_id_start", "<u8"), ("instance_id_end", "<u8"),
        ])  # fmt: skip
        file["instances"] = np.array(instances, dtype=[
            ("instance_id", "<i8"), ("instance_type", "u1"), ("frame_id", "<u8"),
            ("skeleton", "<u4"), ("track", "<i4"), ("from_predicted", "<i8"), ("score", "<f4"),
            ("point_id_start", "<u8"), ("point_id_end", "<u8"), ("tracking_score", "<f4"),
        ])  # fmt: skip
        fields = [("x", "<f8"), ("y", "<f8"), ("visible", "?"), ("complete", "?")]
        file["points"] = np.array(points, dtype=fields)
        file["pred_points"] = np.array(predicted, dtype=[*fields, ("score", "<f8")])


@pytest.mark.parametrize(("version", "shift"), [(1.4, 0.0), (1.0, 0.5)])
def test_sleap_projects(tmp_path: Path, version: float, shift: float) -> None:
    write_slp(tmp_path / "groom_m0.slp", version, shift)
    recording = only(tmp_path / "groom_m0.slp")
    assert recording.joint_names == NODES and recording.person_ids == ("a", "b")
    assert recording.num_frames == 10 and not recording.seen[:, :3].any()
    np.testing.assert_allclose(recording.joints[:, 3:], MICE, rtol=1e-6)
    assert recording.confidence is not None
    np.testing.assert_allclose(recording.confidence[:, 4:], LIKELY[:, 1:], rtol=1e-6)
    assert recording.confidence[0, 3].tolist() == [1, 1, 1, 1], "what was drawn by hand is certain"
    assert recording.image_size == (640, 480)
    assert recording.layout is not None and recording.layout.bones == ((0, 3), (1, 0), (2, 0))


BVH_TEXT = """HIERARCHY
ROOT Hips
{
  OFFSET 0.0 0.0 0.0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT LeftUpLeg
  {
    OFFSET 1.0 0.0 0.0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT LeftFoot
    {
      OFFSET 0.0 -2.0 0.0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 0.0 0.0 0.5
      }
    }
  }
  JOINT Head
  {
    OFFSET 0.0 3.0 0.0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 0 0
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.025
10 20 30 0 0 0  0 0 0  0 0 0  0 0 0
10 20 30 90 0 0  0 0 0  0 0 0  0 0 0
10 20 30 0 0 0  90 0 0  0 90 0  0 0 45
"""


def test_bvh(tmp_path: Path) -> None:
    (tmp_path / "walk.bvh").write_text(BVH_TEXT)
    recording = only(tmp_path / "walk.bvh")
    assert recording.joint_names == ("Hips", "LeftUpLeg", "LeftFoot", "LeftFoot end", "Head")
    assert recording.fps == pytest.approx(40)
    assert recording.layout is not None
    assert recording.layout.bones == ((1, 0), (2, 1), (3, 2), (4, 0))
    assert recording.layout.parts["left leg"] == (1, 2, 3)
    at_rest = [[10, 20, 30], [11, 20, 30], [11, 18, 30], [11, 18, 30.5], [10, 23, 30]]
    turned = [[10, 20, 30], [10, 21, 30], [12, 21, 30], [12, 21, 30.5], [7, 20, 30]]
    # The thigh turns about z, which carries the foot from below it to its left (x + 2); the foot
    # itself turns about x, so that its toe points down, which the thigh's turn makes x.
    bent = [[10, 20, 30], [11, 20, 30], [13, 20, 30], [13.5, 20, 30], [10, 23, 30]]
    np.testing.assert_allclose(recording.joints[0], [at_rest, turned, bent], atol=1e-5)


def test_rotations_of_bvh_against_a_literal_version(tmp_path: Path) -> None:
    from scipy.spatial.transform import Rotation

    angles = RNG.uniform(-180, 180, size=(3, 12))
    lines = [" ".join(f"{x:.8f}" for x in (10, 20, 30, *row)) for row in angles]
    text = BVH_TEXT[: BVH_TEXT.index("10 20 30")] + "\n".join(lines) + "\n"
    (tmp_path / "a.bvh").write_text(text)
    recording = only(tmp_path / "a.bvh")
    for t, row in enumerate(angles):
        hips, thigh, foot = (
            Rotation.from_euler("ZXY", row[n : n + 3], degrees=True) for n in (0, 3, 6)
        )
        start = np.array([10, 20, 30])
        knee = start + hips.apply([1, 0, 0])
        ankle = knee + (hips * thigh).apply([0, -2, 0])
        toe = ankle + (hips * thigh * foot).apply([0, 0, 0.5])
        np.testing.assert_allclose(recording.joints[0, t, :4], [start, knee, ankle, toe], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("Frames: 3", "Frames: 4"), "4 frames of 15 channels need 60 numbers"),
        (("OFFSET 1.0", "OFFSET one"), "could not convert"),
        (("Zrotation Xrotation Yrotation", "Wrotation Xrotation Yrotation"), "unknown channels"),
        (("}\nMOTION", "\nMOTION"), "not closed"),
        (("MOTION", "MOVEMENT"), "does not begin with Frames"),
    ],
)
def test_damaged_bvh(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    (tmp_path / "a.bvh").write_text(BVH_TEXT.replace(*change))
    with pytest.raises(DataError, match=message):
        read_keypoints(tmp_path / "a.bvh")


def write_c3d(path: Path, labels: list[str], points: np.ndarray) -> None:
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [120.0]
    file["parameters"]["POINT"]["LABELS"]["value"] = labels
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    if "LKneeAngles" in labels:
        file.add_parameter("POINT", "ANGLES", ["LKneeAngles"])
    padded = np.ones((4, len(labels), len(points)))
    padded[:3] = points.transpose(2, 1, 0)
    file["data"]["points"] = padded
    file.write(str(path))


def test_c3d(tmp_path: Path) -> None:
    labels = ["P1:LASI", "P1:RASI", "P1:LKNE", "P1:RKNE"]
    points = RNG.uniform(-500, 1500, size=(9, 4, 3)).astype(np.float32)
    points[4, 2] = np.nan
    write_c3d(tmp_path / "walk.c3d", labels, points)
    recording = only(tmp_path / "walk.c3d")
    assert recording.joint_names == ("LASI", "RASI", "LKNE", "RKNE") and recording.fps == 120
    np.testing.assert_allclose(recording.joints[0], points, rtol=1e-6)
    write_c3d(tmp_path / "gait.c3d", ["LASI", "LKneeAngles"], points[:4, :2])
    with pytest.warns(UserWarning, match="no positions and left out: LKneeAngles"):
        (recording,) = read_keypoints(tmp_path / "gait.c3d")
    assert recording.joint_names == ("LASI",)


def test_damaged_hdf5_and_c3d_are_refused_in_one_line(tmp_path: Path) -> None:
    write_c3d(tmp_path / "a.c3d", ["LASI", "RASI"], RNG.uniform(size=(40, 2, 3)))
    write_slp(tmp_path / "a.slp")
    for name in ("a.c3d", "a.slp"):
        content = (tmp_path / name).read_bytes()
        for seed in range(12):
            rng = np.random.default_rng(seed)
            changed = bytearray(content[: len(content) - int(rng.integers(0, len(content) // 2))])
            for place in rng.integers(2, min(len(changed), 1500), size=20):
                changed[place] = int(rng.integers(0, 256))
            (tmp_path / f"torn{Path(name).suffix}").write_bytes(bytes(changed))
            try:
                read_keypoints(tmp_path / f"torn{Path(name).suffix}")
            except DataError as error:
                assert "\n" not in str(error)  # noqa: PT017


def test_time_series(tmp_path: Path) -> None:
    series = RNG.normal(size=(2, 24, 6)).round(5)
    lines = [
        ":".join(",".join(f"{x:.5f}" for x in dimension) for dimension in one) + f":{label}"
        for one, label in zip(series, ("I have command", "2"), strict=True)
    ]
    lines[1] = lines[1].replace(lines[1].split(",")[0], "?", 1)
    text = "@problemName NATOPS\n@timeStamps false\n@dimensions 24\n@classLabel true a b\n@data\n"
    (tmp_path / "NATOPS_TRAIN.ts").write_text("#comment\n" + text + "\n".join(lines) + "\n")
    first, second = read_keypoints(tmp_path / "NATOPS_TRAIN.ts")
    assert (first.name, first.label, second.label) == ("NATOPS_TRAIN/0", "I have command", "2")
    assert first.joint_names is not None and first.joint_names[1] == "hand tip right"
    np.testing.assert_allclose(first.joints[0], series[0].T.reshape(6, 8, 3), rtol=1e-6)
    assert np.argwhere(~second.seen).tolist() == [[0, 0, 0]]
    (tmp_path / "x.ts").write_text(text.replace("NATOPS", "X") + "\n".join(lines))
    with pytest.raises(DataError, match="12 joints in 2D or 8 joints in 3D"):
        read_keypoints(tmp_path / "x.ts")


def test_ntu_files(tmp_path: Path) -> None:
    first, second = person(50, 0, frames=6), person(51, 1, frames=6) + np.array([1.0, 0, 0])
    frames = [[], *([(71, first[t]), *([(72, second[t])] if t > 2 else [])] for t in range(6))]
    write_bodies(tmp_path / "S001C002P003R001A050.skeleton", frames)
    recording = only(tmp_path)
    assert (recording.label, recording.subject) == ("punching/slapping other person", "3")
    assert recording.fps == 30 and recording.person_ids == ("71", "72")
    assert recording.joints.shape == (2, 7, 25, 3)
    np.testing.assert_allclose(recording.joints[0, 1:], first, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(recording.joints[1, 4:], second[3:], rtol=1e-5, atol=1e-6)
    assert not recording.seen[1, :4].any()


def test_trc(tmp_path: Path) -> None:
    points = RNG.uniform(-1, 2, size=(5, 3, 3)).round(5)
    points[2, 1] = np.nan
    lines = [
        "PathFileType\t4\t(X/Y/Z)\twalk.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate",
        "60\t60\t5\t3\tm\t60",
        "Frame#\tTime\tHip\t\t\tLKnee\t\t\tRKnee\t\t",
        "\t\tX1\tY1\tZ1\tX2\tY2\tZ2\tX3\tY3\tZ3",
        "",
    ]
    for t, row in enumerate(points.reshape(5, 9)):
        cells = ("" if np.isnan(x) else f"{x:.5f}" for x in row)
        lines.append("\t".join((str(t + 1), f"{t / 60:.5f}", *cells)))
    (tmp_path / "walk.trc").write_text("\n".join(lines) + "\n")
    recording = only(tmp_path / "walk.trc")
    assert recording.joint_names == ("Hip", "LKnee", "RKnee") and recording.fps == 60
    np.testing.assert_allclose(recording.joints[0], points, rtol=1e-6)
