"""PYSKL pickles: recognised, read as they are, and refused or reported where they are not right."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.miniature import (
    SUBJECTS,
    image_annotations,
    image_split,
    ntu_annotations,
    ntu_split,
    plain_pickle,
    write_finegym,
    write_ntu60,
    write_pickle,
)

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import COCO_17, COCO_20, KINECT_20, KINECT_25, UAV_17
from skeletonagent.data.archive import read_archive
from skeletonagent.data.benchmarks import BENCHMARKS
from skeletonagent.data.convert.pipeline import Conversion, DatasetReader, convert_dataset
from skeletonagent.data.readers.pyskl import (
    pyskl_reader,
    read_pyskl_sequences,
)
from skeletonagent.data.validation import UNLABELLED

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def converted(reader: DatasetReader, folder: Path) -> Conversion:
    return convert_dataset(reader, folder / "out", progress=lambda done, total: None)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_3d_keypoints_are_converted_exactly(tmp_path: Path, protocol: int) -> None:
    reader = pyskl_reader(write_ntu60(tmp_path / "any.pkl", protocol))
    assert (reader.name, reader.title, reader.has_confidence) == ("ntu60", "NTU RGB+D 60", False)
    done = converted(reader, tmp_path)
    data, annotations = read_archive(done.archive), ntu_annotations()
    assert data.store.layout == KINECT_25
    assert data.store.class_names == BENCHMARKS["ntu60"].class_names
    assert data.store.subjects == SUBJECTS * 6
    for index, fields in enumerate(annotations):
        sequence = data.store.sequence(index)
        assert (sequence.sample_id, sequence.label) == (fields["frame_dir"], fields["label"])
        np.testing.assert_array_equal(sequence.joints, fields["keypoint"].astype(np.float32))
    split = ntu_split(annotations)
    for name in ("xsub", "xview"):
        assert list(data.splits[name].train) == split[f"{name}_train"]
        assert list(data.splits[name].test) == split[f"{name}_val"]
    assert data.default_split == "xsub" and done.skipped == ()
    assert np.load(done.archive / "keypoint.npy").dtype == np.float16


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_2d_keypoints_are_converted_with_confidence_and_image_size(
    tmp_path: Path, protocol: int
) -> None:
    path = write_finegym(tmp_path / "any.pkl", protocol)
    reader = pyskl_reader(path, benchmark=BENCHMARKS["finegym"])
    assert (reader.name, reader.default_split, reader.has_confidence) == (
        "finegym",
        "standard",
        True,
    )
    data, annotations = read_archive(converted(reader, tmp_path).archive, True), image_annotations()
    assert data.store.layout == COCO_17 and data.store.subjects is None
    for index, fields in enumerate(annotations):
        joints = data.store.sequence(index).joints
        np.testing.assert_array_equal(joints[..., :2], fields["keypoint"].astype(np.float32))
        np.testing.assert_array_equal(joints[..., 2], fields["keypoint_score"].astype(np.float32))
        assert data.store.sequence(index).image_size == (1280, 720)
    assert list(data.splits["standard"].test) == image_split(annotations)["val"]


@pytest.mark.parametrize(
    ("v", "c", "has_confidence", "layout"),
    [
        (25, 3, False, KINECT_25),
        (20, 3, False, KINECT_20),
        (20, 2, True, COCO_20),
        (17, 2, True, COCO_17),
    ],
)
def test_unknown_data_get_the_usual_layout_and_numbers(
    tmp_path: Path, v: int, c: int, has_confidence: bool, layout: Any
) -> None:
    path = write_pickle(tmp_path / "mine.pkl", plain_pickle(v, c, has_confidence=has_confidence))
    reader = pyskl_reader(path)
    assert (reader.name, reader.title, reader.layout) == ("mine", "mine", layout)
    assert reader.class_names == ("class 0", "class 1", "class 2")
    store = read_archive(converted(reader, tmp_path).archive).store
    assert store.frames.dtype.is_floating_point and store.coordinates == c
    assert np.load(tmp_path / "out" / "keypoint.npy").dtype == np.float32  # they were float64


def test_arguments_take_precedence_over_detection(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "mine.pkl", plain_pickle(17, 2, has_confidence=True))
    uav = BENCHMARKS["uav-human"]
    assert pyskl_reader(path, benchmark=uav).layout == UAV_17
    both = pyskl_reader(path, benchmark=BENCHMARKS["ntu60"], layout=COCO_17)
    assert (both.name, both.layout, len(both.class_names)) == ("ntu60", COCO_17, 60)
    assert both.default_split == "standard"
    named = pyskl_reader(path, class_names=["a", "b", "c", "d"])
    assert named.class_names == ("a", "b", "c", "d")


def test_arguments_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "mine.pkl", plain_pickle(17, 2, has_confidence=True))
    with pytest.raises(DataError, match="has 17 joints; kinect-25 has 25"):
        pyskl_reader(path, benchmark=BENCHMARKS["ntu60"])
    with pytest.raises(DataError, match="has 17 joints; coco-20 has 20"):
        pyskl_reader(path, layout=COCO_20)
    with pytest.raises(DataError, match="has labels up to 2, but 2 class names are for labels 0"):
        pyskl_reader(path, class_names=["a", "b"])
    path = write_pickle(tmp_path / "odd.pkl", plain_pickle(19, 2))
    with pytest.raises(DataError, match="has 19 joints; no known layout has that number"):
        pyskl_reader(path)


def test_labels_outside_the_benchmark_are_refused(tmp_path: Path) -> None:
    path = write_ntu60(tmp_path / "any.pkl", actions=(1, 2, 61))
    with pytest.raises(DataError, match=r"is not NTU RGB.*it has 60 classes, sample .* label 60"):
        pyskl_reader(path, benchmark=BENCHMARKS["ntu60"])


def test_a_table_of_contents_asks_for_its_kpfiles(tmp_path: Path) -> None:
    contents = plain_pickle(17, 2, change=lambda n, fields: fields.pop("keypoint"))
    with pytest.raises(DataError, match=r"sample 'clip 0': holds no keypoint.*kpfiles"):
        pyskl_reader(write_pickle(tmp_path / "mine.pkl", contents))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda keypoint: keypoint[0],
            r"an array \(\d+, 17, 2\) of .*; .*store keypoint\[None\]",
        ),
        (lambda keypoint: keypoint.tolist(), "but a list; store numpy.asarray"),
    ],
)
def test_other_shapes_are_asked_to_be_changed(change: Any, problem: str, tmp_path: Path) -> None:
    def changed(_: int, fields: dict[str, Any]) -> None:
        fields["keypoint"] = change(fields["keypoint"])

    with pytest.raises(DataError, match=problem) as caught:
        pyskl_reader(write_pickle(tmp_path / "mine.pkl", plain_pickle(17, 2, change=changed)))
    assert "Kinetics" not in str(caught.value)


def identified(tmp_path: Path, change: Any) -> DatasetReader:
    """Return the reader of a pickle like NTU RGB+D 60's after a change of its samples."""
    annotations = ntu_annotations()
    split = ntu_split(annotations)
    for n, fields in enumerate(annotations):
        change(n, fields)
    return pyskl_reader(
        write_pickle(tmp_path / "p.pkl", {"split": split, "annotations": annotations})
    )


def test_a_benchmark_is_known_by_names_and_labels(tmp_path: Path) -> None:
    reader = identified(tmp_path, lambda n, fields: None)
    assert reader.name == "ntu60" and "names of all 24 samples say it" in reader.identity


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda n, fields: fields.update(label=n % 3), "by its name it would be"),
        (lambda n, fields: fields.update(keypoint=fields["keypoint"][..., :2]), "has 3 coordin"),
        (lambda n, fields: fields.update(label=n % 60 if n else 59), "by its name it would be"),
    ],
)
def test_samples_with_labels_or_numbers_of_their_own_are_no_benchmark(
    tmp_path: Path, change: Any, why: str
) -> None:
    with pytest.warns(UserWarning, match=f"not taken for NTU RGB.D 60.*{why}"):
        reader = identified(tmp_path, change)
    assert reader.name == "p" and reader.class_names[0] == "class 0" and not reader.identity


def test_endless_names_are_said_in_brief(tmp_path: Path) -> None:
    """One name is another: a file of the fuzz run, whose warning had 10,000 characters."""
    with pytest.warns(UserWarning, match="1 of 24 names are others") as said:
        identified(tmp_path, lambda n, fields: n or fields.update(frame_dir=10_000 * "x"))
    assert max(len(str(warning.message)) for warning in said) < 1000


def test_numbers_of_classes_alone_are_no_benchmark(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="might be FineGYM.*add --benchmark finegym"):
        reader = pyskl_reader(write_finegym(tmp_path / "any.pkl"))
    assert reader.name == "any" and reader.class_names[98] == "class 98"


def test_what_contradicts_the_given_benchmark_is_an_error(tmp_path: Path) -> None:
    contents = plain_pickle(25, 2)
    path = write_pickle(tmp_path / "mine.pkl", contents)
    with pytest.raises(DataError, match=r"is not NTU RGB.D 60: it has 3 coordinates, these have 2"):
        pyskl_reader(path, benchmark=BENCHMARKS["ntu60"])


@pytest.mark.parametrize("n", [0, 3])
def test_scores_that_one_sample_lacks_are_those_of_the_others(tmp_path: Path, n: int) -> None:
    contents = plain_pickle(17, 2, has_confidence=True)
    del contents["annotations"][n]["keypoint_score"]
    reader = pyskl_reader(write_pickle(tmp_path / "mine.pkl", contents))
    assert reader.has_confidence
    assert [item.sample for item in converted(reader, tmp_path).skipped] == [f"clip {n}"]


def test_a_validation_set_beside_a_test_set_is_said(tmp_path: Path) -> None:
    contents = plain_pickle(17, 2)
    contents["split"] = {"train": ["clip 0"], "val": ["clip 1", "clip 2"], "test": ["clip 3"]}
    path = write_pickle(tmp_path / "mine.pkl", contents)
    with pytest.warns(UserWarning, match="test is its test set, and the 2 samples of val are in n"):
        splits = pyskl_reader(path).splits([f"clip {n}" for n in range(6)])
    assert splits["standard"].test == ("clip 3",)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda a: a.update(keypoint=np.zeros((1, 4, 17, 4))), "has 4 numbers for each joint"),
        (lambda a: a.update(keypoint=a["keypoint"].tolist()), r"\(M, T, V, C\).*but a list"),
        (lambda a: a.update(keypoint=a["keypoint"][0]), r"but an array \(4, 17, 2\) of float64"),
        (
            lambda a: a.update(
                img_shape=(1080, 1920), keypoint=np.insert(a["keypoint"], 2, 0.5, axis=-1)
            ),
            "keypoint looks like x, y and confidence",
        ),
    ],
)
def test_key_points_of_another_shape_are_explained(
    tmp_path: Path, change: Any, problem: str
) -> None:
    contents = plain_pickle(17, 2, change=lambda n, fields: change(fields))
    with pytest.raises(DataError, match=problem):
        pyskl_reader(write_pickle(tmp_path / "mine.pkl", contents))


def damaged(n: int, fields: dict[str, Any]) -> None:
    if n == 1:
        fields["keypoint"][0, 2, 3] = np.inf
    if n == 2:
        fields["keypoint"] = fields["keypoint"][0]
    if n == 3:
        fields["keypoint_score"] = fields["keypoint_score"][:, :-1]
    if n == 4:
        del fields["keypoint_score"]


def test_damaged_samples_are_left_out_and_reported(tmp_path: Path) -> None:
    contents = plain_pickle(17, 2, has_confidence=True, change=damaged)
    contents["split"]["val"].append("elsewhere")
    done = converted(pyskl_reader(write_pickle(tmp_path / "mine.pkl", contents)), tmp_path)
    assert {item.sample: item.reason for item in done.skipped} == {
        "clip 1": "has infinite joints",
        "clip 2": "keypoint is no array (M, T, V, C)",
        "clip 3": "keypoint_score is no array of keypoint's (1, 4, 17)",
        "clip 4": "has no keypoint_score, which other samples have",
        "elsewhere": "has no annotation, only a split names it",
    }
    assert read_archive(done.archive).store.sample_ids == ("clip 0", "clip 5")


@pytest.mark.parametrize("shape", [None, 3, (720,), ("a", "b"), (0, 5), (np.int64(4), np.int64(5))])
def test_image_sizes_are_kept_where_valid(tmp_path: Path, shape: Any) -> None:
    contents = plain_pickle(17, 2, change=lambda n, fields: fields.update(img_shape=shape))
    done = converted(pyskl_reader(write_pickle(tmp_path / "mine.pkl", contents)), tmp_path)
    sizes = read_archive(done.archive).store.image_sizes
    if shape == (4, 5):
        assert sizes is not None and sizes.tolist() == [[5, 4]] * 6
    else:
        assert sizes is None


@pytest.mark.parametrize("confidence", [False, True])
def test_sequences_of_a_pickle_without_labels_and_splits(tmp_path: Path, confidence: bool) -> None:
    contents = plain_pickle(
        17, 2, has_confidence=True, change=lambda n, fields: n % 2 and fields.pop("label")
    )
    path = write_pickle(tmp_path / "mine.pkl", {"annotations": contents["annotations"]})
    sequences = read_pyskl_sequences(path, confidence, require_labels=False)
    for n, (sequence, fields) in enumerate(zip(sequences, contents["annotations"], strict=True)):
        assert sequence.sample_id == fields["frame_dir"]
        assert sequence.label == (UNLABELLED if n % 2 else fields["label"])
        np.testing.assert_array_equal(sequence.joints[..., :2], fields["keypoint"])
        assert sequence.joints.shape[-1] == 2 + confidence
        if confidence:
            np.testing.assert_array_equal(sequence.joints[..., 2], fields["keypoint_score"])
    with pytest.raises(DataError, match=r"\(clip 1\) has the label None"):
        read_pyskl_sequences(path)


def test_confidence_that_a_pickle_lacks_is_refused(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "mine.pkl", plain_pickle(17, 2))
    with pytest.raises(DataError, match="sample 'clip 0': has no keypoint_score"):
        read_pyskl_sequences(path, confidence=True)
