"""Reading of folders and single files: names, layouts, what cannot be read and what is missing."""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import skeletonagent as sa
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import COCO_17, SkeletonLayout
from skeletonagent.data.keypoints.formats import KEYPOINT_FORMATS
from skeletonagent.data.keypoints.reading import read_keypoints

ROOT = Path(__file__).resolve().parents[3]
LEGS = SkeletonLayout("legs", ("hip", "left knee", "right knee"), ((1, 0), (2, 0)))


def write_csv(path: Path, header: str = "hip_x,hip_y,knee_x,knee_y") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = header.count(",") + 1
    path.write_text(f"{header}\n" + f"{','.join(map(str, range(1, cells + 1)))}\n" * 3)
    return path


def test_every_format_is_described_in_the_guide() -> None:
    page = (ROOT / "docs" / "guides" / "keypoint_files.md").read_text(encoding="utf-8")
    table = page[page.index("## Formats") : page.index("## Tables")]
    assert set(KEYPOINT_FORMATS) <= set(re.findall(r"`([\w-]+)`", table))


def test_names_are_those_of_folders_and_files_and_differ(tmp_path: Path) -> None:
    for name in ("wave/a.csv", "wave/b10.csv", "wave/b9.csv", "sit/a.csv", "a.csv"):
        write_csv(tmp_path / name)
    write_csv(tmp_path / "a.tsv", "hip_x,hip_y,foot_x,foot_y,head_x,head_y")
    write_csv(tmp_path / ".hidden" / "a.csv")
    names = [recording.name for recording in sa.read_keypoints(tmp_path)]
    assert names == ["a.csv", "a.tsv", "sit/a", "wave/a", "wave/b9", "wave/b10"]


def test_a_name_with_control_characters_is_cleaned(tmp_path: Path) -> None:
    (recording,) = read_keypoints(write_csv(tmp_path / "a\x1b[31m\u202eb.csv"))
    assert recording.name == "ab"


def test_links_that_run_in_a_circle_end(tmp_path: Path) -> None:
    for folder, other in (("wave", "sit"), ("sit", "wave")):
        write_csv(tmp_path / folder / "a.csv")
        for n in range(3):
            (tmp_path / folder / f"link {n}").symlink_to(tmp_path / other)
    with pytest.warns(UserWarning, match="a link to a folder that is read already"):
        names = [recording.name for recording in read_keypoints(tmp_path)]
    assert len(names) == 2 and len(set(names)) == 2


def test_pipes_and_devices_are_told_and_not_waited_for(tmp_path: Path) -> None:
    write_csv(tmp_path / "a" / "a.csv")
    os.mkfifo(tmp_path / "a" / "pipe.csv")
    (tmp_path / "a" / "zero.json").symlink_to("/dev/zero")
    with pytest.warns(UserWarning, match=r"pipe\.csv, .*zero\.json: is neither file nor folder"):
        assert len(read_keypoints(tmp_path)) == 1
    for name, kind in (("pipe.csv", "a named pipe"), ("zero.json", "a device")):
        with pytest.raises(DataError, match=f"is {kind}, a file is wanted"):
            read_keypoints(tmp_path / "a" / name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\0\0\0\x18ftypmp42", "a video"),
        (b"PK\x03\x04" + bytes(400), "a ZIP archive; unpack it"),
        (b"\x80\x02no pickle", "cannot be read as a pickle"),
        (b'[{"a": 1}]', "a JSON list of 1 with the keys a"),
        (b"some words", "text that begins 'some words'"),
        (bytes(range(144, 256)) + bytes(9), "a binary file"),
        (b"\x93NUMPY\x01\x00torn", "cannot be read as NumPy arrays"),
    ],
)
def test_other_files_are_refused_with_what_they_look_like(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_keypoints(path)
    assert "\n" not in str(caught.value)
    assert "cannot be read" in str(caught.value) or "What can be read: " in str(caught.value)


def test_folders_without_keypoints(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read_keypoints(tmp_path / "missing")
    with pytest.raises(DataError, match="a folder without files"):
        read_keypoints(tmp_path)
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"none of 2 file\(s\) can be read: .*a PNG image"):
        read_keypoints(tmp_path)


def test_a_format_that_is_given_is_not_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "two.txt"
    path.write_text("a_x a_y\n1 2\n3 4\n")
    with pytest.raises(DataError, match="looks like text"):
        read_keypoints(path)
    (recording,) = read_keypoints(path, format="csv")
    assert recording.joints[0, :, 0].tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ConfigError, match="no format 'xls'; there are skeletonagent, openpose"):
        read_keypoints(path, format="xls")


def test_joints_of_a_given_layout_are_taken_by_name(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv", "RKnee_x,RKnee_y,HIP_x,HIP_y,knee_l_x,knee_l_y,hat_x,hat_y"
    )
    with pytest.warns(UserWarning, match="that legs does not have are left out: hat"):
        (recording,) = read_keypoints(path, layout=LEGS)
    assert recording.layout == LEGS and recording.joint_names == ("HIP", "knee_l", "RKnee")
    assert recording.joints[0, 0, :, 0].tolist() == [3, 5, 1]


def test_joints_of_other_names_are_taken_by_their_order(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "p_x,p_y,q_x,q_y,r_x,r_y")
    with pytest.warns(UserWarning, match="by their order, since names differ, such as hip"):
        (recording,) = read_keypoints(path, layout=LEGS)
    assert recording.layout == LEGS and recording.joints[0, 0, :, 0].tolist() == [1, 3, 5]
    with pytest.raises(DataError, match="has 3 joints, and coco-17 has 17; not named: nose"):
        read_keypoints(path, layout=COCO_17)


def test_joints_without_names_are_taken_by_their_order(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "x0,y0,x1,y1,x2,y2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (recording,) = read_keypoints(path, layout=LEGS)
    assert recording.layout == LEGS and recording.joint_names is None


@pytest.mark.parametrize(("module", "name"), [("h5py", "a.h5"), ("c3d", "a.c3d")])
def test_a_missing_package_is_named(
    tmp_path: Path, module: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    head = b"\x89HDF\r\n\x1a\n" if module == "h5py" else b"\x02\x50"
    (tmp_path / name).write_bytes(head + bytes(600))
    with pytest.raises(ConfigError, match=rf"need {module}; pip install 'skeletonagent\[keypoints"):
        read_keypoints(tmp_path / name)


def test_names_of_joints_that_repeat_are_refused(tmp_path: Path) -> None:
    names = np.array(["hip", "hip"])
    np.savez(tmp_path / "a.npz", poses=np.ones((4, 2, 3)), joint_names=names)
    with pytest.raises(DataError, match="names 2 joints, 1 of them different"):
        read_keypoints(tmp_path / "a.npz")
    value = {"people": []}
    (tmp_path / "b_1_keypoints.json").write_text(json.dumps(value))
    with pytest.raises(DataError, match="nobody is seen in any of its 1 frames"):
        read_keypoints(tmp_path / "b_1_keypoints.json")


def test_several_processes_read_what_one_reads(tmp_path: Path) -> None:
    header = ",".join(f"{name}_{axis}" for name in ("hip", "knee", "foot") for axis in "xy")
    rng = np.random.default_rng(0)
    for n in range(5):
        rows = rng.normal(size=(6, 6)) * (n != 3)  # nobody in one of them
        path = tmp_path / f"{'a' if n % 2 else 'b'}" / f"walk{n}.csv"
        path.parent.mkdir(exist_ok=True)
        np.savetxt(path, rows, delimiter=",", header=header, comments="")
    (tmp_path / "a" / "damaged.json").write_text('[{"keypoints": ')
    found = {}
    for processes in (1, 2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            recordings = read_keypoints(tmp_path, processes=processes)
        found[processes] = recordings, [str(warning.message) for warning in caught]
    (one, said), (two, said_of_two) = found[1], found[2]
    assert said == said_of_two and any("damaged.json" in words for words in said)
    assert [r.name for r in one] == [r.name for r in two] and len(one) == 5
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.joints, b.joints)
        assert (a.source, a.layout, a.fps) == (b.source, b.layout, b.fps)
