"""Pickles in PYSKL's and MMAction2's forms, and arrays in MATLAB files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import KINECT_20
from skeletonagent.data.keypoints.reading import read_keypoints

RNG = np.random.default_rng(23)


def annotation(name: str, **changes: Any) -> dict[str, Any]:
    fields = {
        "frame_dir": name,
        "label": 3,
        "img_shape": (720, 1280),
        "total_frames": 8,
        "keypoint": RNG.uniform(1, 700, size=(2, 8, 25, 2)).astype(np.float16),
        "keypoint_score": np.full((2, 8, 25), 0.75, dtype=np.float16),
    }
    return fields | changes


def pickled(path: Path, value: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("form", ["pyskl", "list", "one"])
@pytest.mark.parametrize("protocol", [2, 5])
def test_forms(tmp_path: Path, form: str, protocol: int) -> None:
    fields = annotation("v000")
    value: Any = fields if form == "one" else [fields]
    if form == "pyskl":
        value = {"split": {"train": ["v000"]}, "annotations": value}
    (recording,) = read_keypoints(pickled(tmp_path / "a.pkl", value, protocol))
    assert (recording.name, recording.label, recording.image_size) == ("v000", "3", (1280, 720))
    assert recording.layout is None, "25 joints in an image may be OpenPose's"
    np.testing.assert_array_equal(recording.joints, fields["keypoint"].astype(np.float32))
    assert recording.confidence is not None and (recording.confidence == 0.75).all()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((["a"], [0]), "is a pickle without annotations"),
        ([annotation("a", keypoint=None)], "has no keypoint"),
        ([annotation("a", keypoint_score=np.ones(3))], "keypoint_score does not fit"),
        ([annotation("a", extra=print)], "builtins.print, which is no part of arrays"),
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_keypoints(pickled(tmp_path / "a.pkl", value))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_layout_tells_the_axes_of_a_matlab_array_apart(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    frames = RNG.normal(size=(11, 20, 3))
    savemat(tmp_path / "a1_s2.mat", {"d_skel": frames.transpose(order)})
    with pytest.raises(DataError, match="give the layout"):
        read_keypoints(tmp_path / "a1_s2.mat")
    (recording,) = read_keypoints(tmp_path / "a1_s2.mat", layout="kinect-20")
    assert recording.layout is KINECT_20 and recording.name == "a1_s2"
    np.testing.assert_allclose(recording.joints[0], frames, rtol=1e-6)
