"""Detection of readers: by files, folders and options; mistakes are explained."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.miniature import write_ntu60

from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.layout import KINECT_25
from skeletonagent.data.benchmarks import BENCHMARKS
from skeletonagent.data.reader_detection import detect_reader


def test_a_pickle_is_read_as_pyskls(tmp_path: Path) -> None:
    path = write_ntu60(tmp_path / "any.pkl")
    assert detect_reader(path, None, None, None, None).name == "ntu60"
    names = tuple(map(str, range(60)))
    (tmp_path / "classes.txt").write_text("\n".join(names) + "\n\n")
    reader = detect_reader(path, None, None, KINECT_25, tmp_path / "classes.txt")
    assert reader.class_names == names
    with pytest.raises(DataError, match="cannot be read as class names"):
        detect_reader(path, None, None, None, tmp_path / "absent.txt")


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("S001C001P001R001A001.skeleton", "ntu60"),
        ("P000S00G10B10H10UC022000LC021000A000R0_08241716.txt", "uav-human"),
    ],
)
def test_a_folder_is_read_by_its_files(tmp_path: Path, name: str, reader: str) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / name).touch()
    assert detect_reader(tmp_path, None, None, None, None).name == reader
    assert detect_reader(tmp_path, BENCHMARKS[reader], None, None, None).name == reader
    with pytest.raises((ConfigError, DataError), match=r"ntu60|uav-human"):
        detect_reader(tmp_path, BENCHMARKS["sbu"], None, None, None)
    with pytest.raises(ConfigError, match="--layout and --classes are for pickles"):
        detect_reader(tmp_path, None, None, KINECT_25, None)


def test_unusable_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        detect_reader(tmp_path / "absent", None, None, None, None)
    with pytest.raises(DataError, match=r"holds neither \.skeleton files"):
        detect_reader(tmp_path, None, None, None, None)


def test_kpfiles_belong_to_kinetics(tmp_path: Path) -> None:
    path = write_ntu60(tmp_path / "any.pkl")
    with pytest.raises(ConfigError, match="these are files of kinetics-skeleton"):
        detect_reader(path, BENCHMARKS["ntu60"], tmp_path, None, None)
    with pytest.raises(ConfigError, match="--layout and --classes are for pickles"):
        detect_reader(path, None, tmp_path, None, tmp_path / "classes.txt")
