"""Archives: what goes in comes out, and whatever is damaged is refused by name."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skeletonagent.core.clips import ClipStore, SkeletonData, SkeletonSequence, Split
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import KINECT_20, SkeletonLayout
from skeletonagent.data.archive import (
    find_archives,
    read_archive,
    require_finite,
    write_archive,
)
from skeletonagent.data.validation import ARRAYS, UNLABELLED

CHAIN = SkeletonLayout("toy", ("head", "neck", "hip"), ((0, 1), (1, 2)), center=2)


def make_data(
    *, layout: SkeletonLayout = CHAIN, c: int = 3, subjects: bool = True, name: str = "toy"
) -> SkeletonData:
    rng = np.random.default_rng(0)
    sequences = [
        SkeletonSequence(
            joints=rng.normal(size=(1 + i % 2, 2 + i, layout.num_joints, c)).astype(np.float32),
            label=i % 3,
            sample_id=f"sample {i}",
            subject=40_000 + i // 2 if subjects else None,
        )
        for i in range(6)
    ]
    store = ClipStore.from_sequences(sequences, layout, ("wave", "sit", "Grüße"))
    splits = {
        "first": Split(("sample 1", "sample 0"), ("sample 2",)),
        "second": Split(("sample 5",), ("sample 3", "sample 4")),
    }
    return SkeletonData(name, "Toy data", store, splits, "second")


def as_folder(npz: Path) -> Path:
    """Turn an archive into a folder of npy files with the JSON beside it."""
    folder = npz.with_suffix("")
    folder.mkdir()
    with np.load(npz) as arrays:
        for name in arrays.files:
            np.save(folder / f"{name}.npy", arrays[name])
    npz.unlink()
    return folder


def assert_same(actual: SkeletonData, expected: SkeletonData) -> None:
    for field in ("name", "title", "splits", "default_split"):
        assert getattr(actual, field) == getattr(expected, field)
    for field in ("sample_ids", "subjects", "layout", "class_names"):
        assert getattr(actual.store, field) == getattr(expected.store, field)
    for field in ("frames", "starts", "lengths", "persons", "labels"):
        ours, theirs = getattr(actual.store, field), getattr(expected.store, field)
        torch.testing.assert_close(ours, theirs, atol=0, rtol=0)


@pytest.mark.parametrize("stored", [lambda npz: npz, as_folder], ids=["npz", "folder"])
@pytest.mark.parametrize(
    "data",
    [make_data(), make_data(subjects=False), make_data(c=2), make_data(layout=KINECT_20)],
    ids=["subjects", "no subjects", "plane", "known layout"],
)
def test_a_written_archive_is_read_back(
    tmp_path: Path, data: SkeletonData, stored: Callable[[Path], Path]
) -> None:
    path = write_archive(data, tmp_path / "new folder")
    assert path == tmp_path / "new folder" / "toy.npz"
    assert_same(read_archive(stored(path)), data)


@pytest.mark.parametrize("given", ["toy.npz", "toy.json", "toy", "."])
@pytest.mark.parametrize("stored", [lambda npz: npz, as_folder], ids=["npz", "folder"])
def test_an_archive_is_found_by_any_of_its_names(
    tmp_path: Path, given: str, stored: Callable[[Path], Path]
) -> None:
    stored(write_archive(make_data(), tmp_path))
    assert_same(read_archive(tmp_path / given), make_data())


def with_confidence(data: SkeletonData) -> SkeletonData:
    """Return data whose last channel is the keypoint confidence, with image sizes."""
    sizes = torch.tensor([[640.0 + index, 480.0] for index in range(len(data.store))])
    return replace(data, store=replace(data.store, has_confidence=True, image_sizes=sizes))


@pytest.mark.parametrize("stored", [lambda npz: npz, as_folder], ids=["npz", "folder"])
def test_confidence_is_read_when_asked_for(tmp_path: Path, stored: Callable[[Path], Path]) -> None:
    data = with_confidence(make_data())
    path = stored(write_archive(data, tmp_path))

    again = read_archive(path, confidence=True)
    assert_same(again, data)
    assert again.store.has_confidence and again.store.coordinates == 2
    torch.testing.assert_close(again.store.image_sizes, data.store.image_sizes)

    plain = read_archive(path)
    frames = data.store.frames[..., :2]
    assert_same(plain, replace(data, store=replace(data.store, frames=frames)))
    assert not plain.store.has_confidence


def test_missing_confidence_is_an_error(tmp_path: Path) -> None:
    path = write_archive(make_data(), tmp_path)
    with pytest.raises(DataError, match="has no keypoint_score") as raised:
        read_archive(path, confidence=True)
    assert raised.value.path == path


@pytest.mark.parametrize(
    ("array", "value", "message"),
    [
        ("keypoint_score", np.zeros((3, 3)), r"keypoint_score has shape \(3, 3\)"),
        ("keypoint_score", np.array(["high"]), "keypoint_score must hold numbers"),
        ("image_size", np.ones((6, 3)), r"image_size has shape .* must be \(6, 2\)"),
        ("image_size", np.zeros((6, 2)), "image_size must be width and height"),
        ("image_size", np.full((6, 2), np.nan), "image_size must be width and height"),
    ],
)
def test_damaged_optional_arrays_are_named(
    tmp_path: Path, array: str, value: np.ndarray, message: str
) -> None:
    path = write_archive(with_confidence(make_data()), tmp_path)
    edit_arrays(path, lambda old: {**old, array: value})
    with pytest.raises(DataError, match=message):
        read_archive(path)


def test_a_custom_layout_keeps_its_name(tmp_path: Path) -> None:
    layout = replace(CHAIN, name="mocap suit")
    path = write_archive(make_data(layout=layout), tmp_path)
    assert read_archive(path).store.layout == layout


def test_a_folder_with_several_archives_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_archive(make_data(name=name), tmp_path)
    with pytest.raises(DataError, match=r"exactly one .*found one\.json, two\.json"):
        read_archive(tmp_path)
    with pytest.raises(DataError, match="found none"):
        read_archive(tmp_path.parent / tmp_path.name / "..")


def test_title_default_split_and_root_joint_have_defaults(tmp_path: Path) -> None:
    path = write_archive(make_data(), tmp_path)
    edit_json(path, lambda meta: {k: meta[k] for k in NEEDED})
    data = read_archive(path)
    assert (data.name, data.title, data.default_split) == ("toy", "toy", "first")
    assert data.store.layout.center == 0


NEEDED = ("class_names", "joint_names", "bones", "split")


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    meta = path.with_suffix(".json")
    meta.write_text(json.dumps(change(json.loads(meta.read_text()))))


def edit_arrays(path: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **change(arrays))


Damage = Callable[[Path], object]


def arrays(**changes: Callable[[Any], Any]) -> Damage:
    """Return a damage that changes arrays of an npz file."""
    return lambda path: edit_arrays(
        path, lambda old: {**old, **{name: change(old[name]) for name, change in changes.items()}}
    )


def meta(**values: Any) -> Damage:
    """Return a damage that sets values of the JSON."""
    return lambda path: edit_json(path, lambda old: {**old, **values})


def without(*keys: str) -> Damage:
    return lambda path: edit_json(path, lambda old: {k: old[k] for k in old if k not in keys})


def set_at(index: int, value: Any) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        changed = array.copy()
        changed[index] = value
        return changed

    return change


def flip_bits(path: Path) -> None:
    """Change bytes inside the compressed joints, as a bad disk would."""
    content = bytearray(path.read_bytes())
    content[70:90] = bytes(byte ^ 0x5A for byte in content[70:90])
    path.write_bytes(content)


def store_as_npy(path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    path.write_bytes(buffer.getvalue())


DAMAGES: Mapping[str, tuple[Damage, str, str, str | None]] = {
    "no npz": (lambda p: p.unlink(), r"no such file.*NAME\.json beside it", "toy.npz", None),
    "no json": (lambda p: p.with_suffix(".json").unlink(), "no such file", "toy.json", None),
    "npz cut short": (
        lambda p: p.write_bytes(p.read_bytes()[:700]), "cannot be read", "toy.npz", None,
    ),
    "npz empty": (lambda p: p.write_bytes(b""), "cannot be read", "toy.npz", None),
    "npz is text": (lambda p: p.write_text("hello"), "cannot be read", "toy.npz", None),
    "npz is npy": (store_as_npy, "cannot be read", "toy.npz", None),
    "npz with bits flipped": (flip_bits, "cannot be read", "toy.npz", None),
    "json cut short": (
        lambda p: p.with_suffix(".json").write_text('{"class_names": ['),
        "cannot be read as JSON", "toy.json", None,
    ),
    "json is no text": (
        lambda p: p.with_suffix(".json").write_bytes(b"\xff\xfe\xff"),
        "cannot be read as JSON", "toy.json", None,
    ),
    "json is a list": (
        lambda p: p.with_suffix(".json").write_text("[1]"), "lacks class_names", "toy.json", None,
    ),
    "no joints, no bones": (
        without("joint_names", "bones"), "lacks joint_names, bones$", "toy.json", None,
    ),
    "label too large": (
        arrays(label=set_at(4, 3)), r"label 3 is outside .* 0\.\.2", "toy.npz", "sample 4",
    ),
    "label negative": (arrays(label=set_at(2, -1)), "label -1", "toy.npz", "sample 2"),
    "labels are words": (arrays(label=lambda a: a.astype(str)), "label", "toy.npz", None),
    "labels too few": (arrays(label=lambda a: a[:-1]), "label has 5 samples", "toy.npz", None),
    "subjects too few": (arrays(subject=lambda a: a[:-1]), "subject has shape", "toy.npz", None),
    "joints of four numbers": (
        arrays(keypoint=lambda a: np.tile(a, 2)[..., :4]), "keypoint must be", "toy.npz", None,
    ),
    "joints without frames": (
        arrays(keypoint=lambda a: a[0]), "keypoint must be", "toy.npz", None,
    ),
    "frames missing": (arrays(keypoint=lambda a: a[:-1]), "offset does not fit", "toy.npz", None),
    "offset wrong": (arrays(offset=set_at(3, 1)), "offset does not fit", "toy.npz", None),
    "offset too short": (arrays(offset=lambda a: a[:-1]), "offset does not fit", "toy.npz", None),
    "offset is words": (arrays(offset=lambda a: a.astype(str).astype("U9") + np.array("x")),
                        "offset", "toy.npz", None),
    "counts negative": (
        arrays(num_person=lambda a: -a, total_frames=lambda a: -a), "frames or persons",
        "toy.npz", None,
    ),
    "ids repeated": (
        arrays(frame_dir=set_at(3, "sample 0")), "names a sample twice", "toy.npz", None,
    ),
    "unknown sample to learn from": (
        meta(split={"s": {"train": ["sample 0", "sample x", "y"], "val": []}}),
        r"split 's' \(train\) names 2 sample", "toy.json", "sample x",
    ),
    "unknown sample to test on": (
        meta(split={"s": {"train": [], "val": ["sample x"]}}),
        r"split 's' \(val\) names 1 sample", "toy.json", "sample x",
    ),
    "split without a test part": (
        meta(split={"s": {"train": []}}), "must have the parts train and val", "toy.json", None,
    ),
    "no split": (meta(split={}), "has no split", "toy.json", None),
    "splits in a list": (meta(split=["s"]), "split", "toy.json", None),
    "default split unknown": (
        meta(default_split="third"), "'third' is not one of first, second", "toy.json", None,
    ),
    "class names are a number": (meta(class_names=3), "class_names", "toy.json", None),
    "bones in a circle": (
        meta(bones=[[0, 1], [1, 2], [2, 0]]), "does not describe a skeleton", "toy.json", None,
    ),
    "bone to a joint that is not there": (
        meta(bones=[[0, 7]]), r"skeleton: bone \(0, 7\)", "toy.json", None,
    ),
    "bones of three ends": (
        meta(bones=[[0, 1, 2]]), "does not describe a skeleton", "toy.json", None,
    ),
    "root joint outside": (meta(root_joint=3), "root joint 3", "toy.json", None),
    "names of too few joints": (
        meta(joint_names=["a", "b"], bones=[[0, 1]]), "names 2 joints.* has 3", "toy.json", None,
    ),
}  # fmt: skip
"""What is done to an archive, what the message says, and the file and sample it blames."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named(tmp_path: Path, damage: str) -> None:
    apply, message, file, sample = DAMAGES[damage]
    path = write_archive(make_data(), tmp_path)
    apply(path)
    with pytest.raises(DataError, match=message) as raised:
        read_archive(path)
    assert raised.value.path == tmp_path / file
    assert raised.value.sample == sample
    assert str(tmp_path / file) in str(raised.value)
    assert sample is None or repr(sample) in str(raised.value)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("stored", [lambda npz: npz, as_folder], ids=["npz", "folder"])
def test_a_missing_array_is_named(
    tmp_path: Path, name: str, stored: Callable[[Path], Path]
) -> None:
    path = write_archive(make_data(), tmp_path)
    edit_arrays(path, lambda old: {k: v for k, v in old.items() if k != name})
    with pytest.raises(DataError, match=rf"lacks the array\(s\) {name}; an archive has") as raised:
        read_archive(stored(path).with_suffix(".json"))
    assert raised.value.path in (path, path.with_suffix(""))


@pytest.mark.parametrize("stored", [lambda npz: npz, as_folder], ids=["npz", "folder"])
def test_without_labels_every_sample_is_unlabelled(
    tmp_path: Path, stored: Callable[[Path], Path]
) -> None:
    data = make_data()
    path = write_archive(data, tmp_path)
    edit_arrays(path, lambda old: {k: v for k, v in old.items() if k != "label"})
    without("class_names", "split", "default_split")(path)
    path = stored(path)
    with pytest.raises(DataError, match=r"lacks class_names, split$"):
        read_archive(path)

    unlabelled = read_archive(path, require_labels=False)
    store = replace(data.store, labels=torch.full((6,), UNLABELLED), class_names=())
    assert_same(unlabelled, replace(data, store=store, splits={}, default_split=""))


def test_labels_without_class_names_are_not_used(tmp_path: Path) -> None:
    path = write_archive(make_data(), tmp_path)
    without("class_names")(path)
    assert read_archive(path, require_labels=False).store.labels.tolist() == [UNLABELLED] * 6


def test_labels_that_are_not_required_are_still_read_and_checked(tmp_path: Path) -> None:
    path = write_archive(make_data(), tmp_path)
    assert_same(read_archive(path, require_labels=False), make_data())
    arrays(label=set_at(2, UNLABELLED))(path)
    assert read_archive(path, require_labels=False).store.labels.tolist() == [0, 1, -1, 0, 1, 2]
    arrays(label=set_at(4, 3))(path)
    with pytest.raises(DataError, match=r"label 3 is outside"):
        read_archive(path, require_labels=False)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"nonsense" * 20])
def test_a_damaged_file_of_a_folder_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = as_folder(write_archive(make_data(), tmp_path))
    (folder / "label.npy").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as NumPy arrays"):
        read_archive(folder)


class Trap:
    """An object whose unpickling leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("name", ["label", "notes"])
@pytest.mark.parametrize("stored", ["npz", "folder"])
def test_code_in_an_archive_is_never_executed(tmp_path: Path, name: str, stored: str) -> None:
    trace = tmp_path / "trace"
    trap = np.array([Trap(trace), *[None] * 5], dtype=object)
    path = write_archive(make_data(), tmp_path)
    if stored == "npz":
        edit_arrays(path, lambda old: {**old, name: trap})
        bait = path
    else:
        bait = as_folder(path) / f"{name}.npy"
        np.save(bait, trap, allow_pickle=True)

    if name == "label":
        with pytest.raises(DataError, match="cannot be read as NumPy arrays"):
            read_archive(tmp_path / "toy")
    else:
        assert_same(read_archive(tmp_path / "toy"), make_data())  # it is not even unpacked
    assert not trace.exists()

    careless = np.load(bait, allow_pickle=True)
    assert stored == "folder" or len(careless[name]) == 6
    assert trace.exists()  # or nothing was shown above


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_joints_that_are_not_finite_are_read_but_not_used(tmp_path: Path, value: float) -> None:
    data = make_data()
    frames = data.store.frames.clone()
    starts = data.store.starts.tolist()
    frames[starts[3], 2, 0] = value
    frames[starts[5], 0, 1] = value
    broken = replace(data, store=replace(data.store, frames=frames))
    again = read_archive(write_archive(broken, tmp_path))
    with pytest.raises(DataError, match=r"2 frame\(s\) hold NaN or infinite") as raised:
        require_finite(again.store)
    assert raised.value.sample == "sample 3"


def test_require_finite_names_the_sample_of_a_last_frame() -> None:
    store = make_data().store
    frames = store.frames.clone()
    frames[int(store.starts[3]) - 1] = torch.nan
    with pytest.raises(DataError) as raised:
        require_finite(replace(store, frames=frames))
    assert raised.value.sample == "sample 2"


def test_require_finite_accepts_finite_joints() -> None:
    require_finite(make_data().store)


@pytest.mark.parametrize("name", ["toy", "toy.v2"])
def test_archives_are_found_down_to_two_levels(tmp_path: Path, name: str) -> None:
    data = make_data(name=name, layout=KINECT_20)
    folders = [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    for folder in [*folders, tmp_path / "a" / "b" / "c"]:
        write_archive(data, folder)
    (tmp_path / "settings.json").write_text("{}")
    as_folder(folders[1] / f"{name}.npz").rename(folders[1] / name)
    found = find_archives(tmp_path)
    assert found == sorted(folder / name for folder in folders)
    for path in found:
        assert_same(read_archive(path), data)


def test_the_frame_rate_is_kept(tmp_path: Path) -> None:
    path = write_archive(replace(make_data(), fps=29.97), tmp_path)
    assert read_archive(path).fps == 29.97
    for wrong in (0, -1, "30", True, float("inf")):
        edit_json(path, lambda meta, fps=wrong: {**meta, "fps": fps})
        with pytest.raises(DataError, match="fps must be a number"):
            read_archive(path)


def test_given_pairs_and_further_arrays_are_kept(tmp_path: Path) -> None:
    layout = replace(CHAIN, given_pairs=((0, 2),))
    path = write_archive(
        make_data(layout=layout),
        tmp_path,
        metadata={"origin": "x"},
        extra_arrays={"n": np.arange(6)},
    )
    assert read_archive(path).store.layout == layout
    with np.load(path) as stored:
        assert stored["n"].tolist() == list(range(6))
    assert json.loads(path.with_suffix(".json").read_text())["origin"] == "x"
