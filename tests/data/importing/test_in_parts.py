"""Imports in parts: archive and remarks as by one process, for any shares, killed or not."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skeletonagent.core.errors import ConfigError, DataError, RunInUseError
from skeletonagent.core.layout import BODY_25, COCO_17
from skeletonagent.core.shard import Shard
from skeletonagent.data.importing.build import ClipOptions
from skeletonagent.data.importing.imported import describe_import, write_imported
from skeletonagent.data.importing.in_parts import ImportInParts
from skeletonagent.data.importing.pipeline import ImportOptions, import_recordings
from skeletonagent.data.keypoints import folder_walk, read_parts
from skeletonagent.data.part_folder import PartFolder

OPTIONS = ImportOptions(clips=ClipOptions(fill_gaps=(3, False)), drop_empty=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of what may be in one: tables, frames, a copy, nobody, damaged files."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("source") / "clips"
    rest = rng.normal(size=(17, 2)) * 100 + 300
    header = ",".join(f"{joint}_{axis}" for joint in COCO_17.joints for axis in "xy")
    for number in range(9):
        path = folder / ("wave", "sit")[number % 2] / f"clip{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = (rest + rng.normal(size=(12, 17, 2)).cumsum(axis=0)).reshape(12, -1)
        rows[3, :2] = np.nan
        np.savetxt(path, rows, "%.3f", ",", header=header, comments="")
    (folder / "wave" / "broken.json").write_text('{"frames": [')
    (folder / "sit" / "notes.txt").write_text("years of work")
    for number in range(6):
        people = [{"person_id": [-1], "pose_keypoints_2d": [*np.full(54, 5.0), *range(21)]}]
        frame = folder / "sit" / "frames" / f"take_{number:012d}_keypoints.json"
        frame.parent.mkdir(exist_ok=True)
        frame.write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


def import_whole(source: Path, out: Path, options: ImportOptions) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        imported = import_recordings(source, out.name, options)
        write_imported(imported, out.parent, source)
    return describe_import(imported), [str(warning.message) for warning in caught]


def in_parts(source: Path, out: Path, options: ImportOptions, size: int | None = 4) -> Any:
    folder = PartFolder.beside(out)
    return ImportInParts(source, options, folder, lambda *_: None, part_size=size)


def import_parts(
    source: Path, out: Path, options: ImportOptions, shards: int
) -> tuple[Any, list[str]]:
    for index in range(shards, 0, -1):
        in_parts(source, out, options).read_share(Shard(index, shards))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        imported = in_parts(source, out, options, None if shards else 4).write_archive(
            out.with_suffix(".npz"), source
        )
    return describe_import(imported), [str(warning.message) for warning in caught]


def files(out: Path) -> list[bytes]:
    ends = (".npz", ".json", ".layout.yaml", ".layout.svg")
    return [out.with_name(out.name + end).read_bytes() for end in ends]


@pytest.mark.parametrize("shards", [0, 1, 3])
@pytest.mark.parametrize(
    ("folder", "changes"),
    [
        (".", {"format": "csv"}),
        ("wave", {"pattern": "{label}p{take}", "layout": "coco-17", "accept_layout": True}),
    ],
    ids=["folders", "pattern and layout"],
)
def test_the_archive_is_that_of_one_process(
    source: Path, tmp_path: Path, folder: str, changes: dict[str, Any], shards: int
) -> None:
    options = replace(OPTIONS, **changes)
    one, two = tmp_path / "one" / "mine", tmp_path / "two" / "mine"
    whole = import_whole(source / folder, one, options)
    assert import_parts(source / folder, two, options, shards) == whole
    assert files(one) == files(two)
    assert not PartFolder.beside(two).path.exists()
    assert any("left out" in remark for remark in whole[1])
    assert whole[0]["filled"] > 0


def test_what_was_read_is_what_is_written_down(source: Path, tmp_path: Path) -> None:
    walk = folder_walk.FolderWalk(None, None, is_folder=True)
    listed = walk.list_files(source)
    assert [path.name for path in listed] == [
        "clip1.csv", "clip3.csv", "clip5.csv", "clip7.csv", "notes.txt", "frames",
        "broken.json", "clip0.csv", "clip2.csv", "clip4.csv", "clip6.csv", "clip8.csv",
    ]  # fmt: skip
    read = [walk.read_file(path) for path in listed]
    read_parts.write_outcomes(read, tmp_path / "part.npy")
    again = read_parts.read_outcomes(tmp_path / "part.npy")
    assert len(again) == len(read) == 12 and read[5].recordings[0].layout == BODY_25
    for one, two in zip(read, again, strict=True):
        assert (one.left_out, one.empty, one.remarks) == (two.left_out, two.empty, two.remarks)
        for first, second in zip(one.recordings, two.recordings, strict=True):
            plain = [{k: v for k, v in vars(r).items() if k not in ("joints", "confidence")}
                     for r in (first, second)]  # fmt: skip
            assert plain[0] == plain[1] and first.joints.dtype == second.joints.dtype
            np.testing.assert_array_equal(first.joints, second.joints)
            if first.confidence is not None:
                np.testing.assert_array_equal(first.confidence, second.confidence)


def test_a_killed_import_goes_on_and_changed_files_are_read_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mine"
    written: list[Path] = []
    write = read_parts.write_outcomes

    def stop(outcomes: Any, path: Path) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(outcomes, path)

    monkeypatch.setattr(read_parts, "write_outcomes", stop)
    with pytest.raises(KeyboardInterrupt):
        in_parts(source, out, OPTIONS).read_share(Shard())
    monkeypatch.setattr(read_parts, "write_outcomes", write)
    done = in_parts(source, out, OPTIONS, None).read_share(Shard())
    assert (done.made, done.done_before, done.parts) == (1, 2, 3)
    with pytest.raises(ConfigError, match=r"holds parts of 4; leave --part-size out"):
        in_parts(source, out, OPTIONS, 5).read_share(Shard())
    with PartFolder.beside(out).locked(Shard(1, 2)), pytest.raises(RunInUseError):
        in_parts(source, out, OPTIONS, None).write_archive(out.with_suffix(".npz"), source)
    (source / "sit" / "clip3.csv").touch()
    done = in_parts(source, out, OPTIONS, None).read_share(Shard())
    assert (done.made, done.done_before) == (1, 2)


def test_what_has_no_parts_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="parts are of folders"):
        in_parts(source / "sit" / "clip1.csv", tmp_path / "mine", OPTIONS).read_share(Shard())
    (tmp_path / "none").mkdir()
    for name, problem in (("none", "holds no file"), ("nowhere", "no such file")):
        with pytest.raises(DataError, match=problem):
            in_parts(tmp_path / name, tmp_path / "mine", OPTIONS).read_share(Shard())
    walk = folder_walk.FolderWalk(None, None, is_folder=True)
    listed = walk.list_files(source)
    part = read_parts.ReadingPart.of(walk, listed[:1], 0, tmp_path)
    part.write()
    outcomes = read_parts.outcomes_of_parts([part])
    with pytest.raises(DataError, match="has changed while it was read"):
        list(outcomes(listed[1:2]))
