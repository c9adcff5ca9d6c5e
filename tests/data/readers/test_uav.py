"""UAV-Human's raw files: 2D, with bodies that come and go."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.miniature_raw import person, write_bodies, write_uav

from skeletonagent.core.errors import DataError
from skeletonagent.data.readers.uav import read_uav_file, uav_reader

NAME = "P012S00G10B10H10UC022000LC021000A034R0_08241716"


@given(counts=st.lists(st.integers(0, 4), min_size=1, max_size=8).filter(any))
def test_the_first_two_bodies_of_each_frame_are_kept(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("uav") / f"{NAME}.txt"
    pixels = np.random.default_rng(1).uniform(1, 1920, (len(counts), 4, 17, 2)).round(3)
    write_bodies(path, [[(0, pixels[t, m]) for m in range(n)] for t, n in enumerate(counts)])
    sequence = read_uav_file(path)

    expected = []  # frame by frame, as the files are described
    for t, n in enumerate(counts):
        if n:
            frame = np.zeros((2, 17, 3))
            frame[: min(n, 2), :, :2] = pixels[t, : min(n, 2)]
            frame[: min(n, 2), :, 2] = 1
            expected.append(frame[: min(2, max(counts))])
    np.testing.assert_allclose(sequence.joints, np.stack(expected, axis=1), rtol=1e-6)
    assert (sequence.label, sequence.subject, sequence.sample_id) == (34, 12, NAME)
    assert sequence.joints.dtype == np.float32


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    def refused(frames: list, match: str, name: str = NAME) -> None:
        path = write_bodies(tmp_path / f"{name}.txt", frames)
        with pytest.raises(DataError, match=match) as caught:
            read_uav_file(path)
        assert caught.value.path == path

    flat = person(1, 1, frames=2, joints=17, channels=2)
    refused([[(0, person(1, 1)[0])]], "a body of 25 joints in frame 0, expected 17")
    refused([[], []], "no body in any frame")
    refused([[(0, flat[0] * np.nan)]], "not finite")
    refused([[(0, flat[0])]], "is not named like", name="readme")
    path = write_bodies(tmp_path / f"{NAME}.txt", [[(0, flat[0])], [(0, flat[1])]])
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match="ends early"):
        read_uav_file(path)


def test_the_splits_are_by_subject(tmp_path: Path) -> None:
    paths = write_uav(tmp_path / "Skeleton", frames=3)
    (tmp_path / "Skeleton" / "readme.txt").write_text("not a sample, but reported as none")
    reader = uav_reader(tmp_path)
    assert reader.name == "uav-human" and reader.has_confidence
    assert reader.layout.num_joints == 17 and len(reader.class_names) == 155
    assert set(reader.items) >= set(paths)
    assert pickle.loads(pickle.dumps(reader.read)) is read_uav_file
    ids = [path.stem for path in paths]
    tested = {
        name: {int(sample[1:4]) for sample in split.test}
        for name, split in reader.splits(ids).items()
    }
    assert tested == {"csv1": {1, 3}, "csv2": {1, 2}}


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.txt files"):
        uav_reader(tmp_path)
