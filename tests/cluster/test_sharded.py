"""Predictions in parts: equal rows and values for any number of shards, stopped or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.small_run import CLASSES, samples

from skeletonagent.cluster.folder import PredictionFolder
from skeletonagent.cluster.job import PartReport
from skeletonagent.cluster.merging import merge_predictions
from skeletonagent.cluster.rows import PROPERTIES, ROWS_SCHEMA
from skeletonagent.cluster.settings import PredictionJob
from skeletonagent.cluster.sharded import pending_parts, predict_here
from skeletonagent.core.errors import ConfigError, DataError, RunInUseError
from skeletonagent.core.shard import Shard
from skeletonagent.inference.loading import open_predictor
from skeletonagent.inference.segment_settings import SegmentOptions


class Stopped(Exception):
    """Stands for a process that ends after some parts."""


def predict(job: PredictionJob, out: Path, shards: int = 1, stop_after: int | None = None) -> None:
    """Predict all shards; the last one is stopped after some parts and resumed."""

    def stop(report: PartReport) -> None:
        seen.append(report)
        if stop_after == len(seen):
            raise Stopped

    for index in range(1, shards + 1):
        seen: list[PartReport] = []
        pending = pending_parts(job, out, Shard(index, shards))
        try:
            predict_here(pending, stop if index == shards else seen.append)
        except Stopped:
            left = pending_parts(job, out, Shard(index, shards), resume=True)
            assert left.done == stop_after and len(left.parts) == len(pending.parts) - left.done
            predict_here(left, lambda _: None)


def merged(folder: Path, name: str = "all.parquet") -> tuple[list[dict[str, Any]], bytes]:
    file = folder.parent / name
    merge_predictions([folder], file)
    return pq.read_table(file).to_pylist(), file.read_bytes()


@pytest.fixture(scope="module")
def whole(archive: Path, file: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the file of predictions by one process."""
    out = tmp_path_factory.mktemp("whole") / "out"
    predict(PredictionJob(archive, file, part_size=3), out)
    return merged(out)[1]


@pytest.mark.parametrize(("shards", "stop_after"), [(2, None), (2, 1), (4, 1), (9, None)])
def test_the_merged_file_is_the_same_for_any_number_of_shards(
    shards: int, stop_after: int | None, archive: Path, file: Path, tmp_path: Path, whole: bytes
) -> None:
    predict(PredictionJob(archive, file, part_size=3), tmp_path / "out", shards, stop_after)
    assert merged(tmp_path / "out")[1] == whole


def test_shards_in_folders_of_their_own_are_merged(
    archive: Path, file: Path, tmp_path: Path, whole: bytes
) -> None:
    job = PredictionJob(archive, file, part_size=3)
    folders = [tmp_path / name for name in "ab"]
    for index, folder in enumerate(folders, start=1):
        predict_here(pending_parts(job, folder, Shard(index, 2)), lambda _: None)
    merge_predictions(folders[::-1], tmp_path / "all.parquet")
    assert (tmp_path / "all.parquet").read_bytes() == whole
    with pytest.raises(DataError, match=r"is in .* as well"):
        merge_predictions([folders[0], folders[0]], tmp_path / "twice.parquet")


def test_rows_are_what_the_recognizer_predicts(archive: Path, file: Path, tmp_path: Path) -> None:
    predict(PredictionJob(archive, file, part_size=6), tmp_path / "out")
    rows, _ = merged(tmp_path / "out")
    wanted = open_predictor(file).predict(archive)
    assert [row["recording"] for row in rows] == [sample.sample_id for sample in samples(20)]
    assert [row["position"] for row in rows] == list(range(20))
    scores = np.array([row["scores"] for row in rows])
    np.testing.assert_allclose(scores, wanted.probs, atol=1e-6)
    for row, sample, frames in zip(rows, wanted, wanted.frames, strict=True):
        assert (row["label"], row["known"]) == (sample.class_name, sample.is_known)
        assert row["score"] == max(row["scores"]) and row["problem"] is None
        assert (row["person"], row["start_frame"], row["end_frame"]) == ("all", 0, frames)
    properties = json.loads(pq.read_schema(tmp_path / "all.parquet").metadata[PROPERTIES])
    assert (properties["schema"], properties["class_names"]) == (ROWS_SCHEMA, [*CLASSES])
    assert "/" not in json.dumps(properties["source"])


def test_a_run_in_pytorch_gives_almost_the_same(archive: Path, run: Path, tmp_path: Path,
                                                whole: bytes) -> None:  # fmt: skip
    predict(PredictionJob(archive, run, part_size=7, device="cpu"), tmp_path / "out", 2)
    rows, _ = merged(tmp_path / "out")
    (tmp_path / "onnx.parquet").write_bytes(whole)
    others = pq.read_table(tmp_path / "onnx.parquet").to_pylist()
    assert rows[0]["label"] in CLASSES
    np.testing.assert_allclose(
        [row["scores"] for row in rows], [row["scores"] for row in others], atol=1e-4
    )


def test_segments_of_a_folder_and_what_cannot_be_read(
    recordings: Path, file: Path, tmp_path: Path
) -> None:
    job = PredictionJob(recordings, file, part_size=2, fps=30, options=SegmentOptions(threshold=0))
    predict(job, tmp_path / "one")
    predict(job, tmp_path / "three", 3, 1)
    rows, content = merged(tmp_path / "one")
    assert merged(tmp_path / "three", "three.parquet")[1] == content
    files = ["a.csv", "b.csv", "more/a.csv", "more/broken.json", "more/c.csv", "more/d.csv"]
    assert list(dict.fromkeys(row["file"] for row in rows)) == files
    (broken,) = (row for row in rows if row["problem"])
    assert broken["file"] == "more/broken.json" and "JSON" in broken["problem"]
    assert broken["label"] is None and broken["scores"] is None
    segmenter = open_predictor(file).segmenter
    for name in files[:3]:
        (wanted,) = segmenter.segment(recordings / name, SegmentOptions(threshold=0), 3, 30)
        found = [row for row in rows if row["file"] == name]
        assert [
            (row["person"], row["start_frame"], row["end_frame"], row["label"]) for row in found
        ] == [(s.person, s.start, s.end, s.label) for s in wanted]
        assert wanted.segments and found[0]["remarks"] == list(wanted.warnings)
        for row, segment in zip(found, wanted, strict=True):
            assert row["start"] == pytest.approx(segment.start / 30, abs=1e-3)
            assert row["scores"][CLASSES.index(segment.label)] == np.float32(segment.score)


def test_recordings_get_one_label_each_and_samples_segments(
    recordings: Path, archive: Path, file: Path, tmp_path: Path
) -> None:
    predict(PredictionJob(recordings, file, segments=False, fps=30), tmp_path / "clips")
    rows, _ = merged(tmp_path / "clips")
    assert [row["person"] for row in rows] == ["all", "all", "all", None, "all", "all"]
    assert {row["end"] for row in rows if row["problem"] is None} == {2.0}
    predict(PredictionJob(archive, file, segments=True, fps=30), tmp_path / "found")
    found, _ = merged(tmp_path / "found", "found.parquet")
    assert {row["recording"] for row in found} == {sample.sample_id for sample in samples(20)}


def test_a_folder_of_predictions_is_of_one_job(archive: Path, file: Path, tmp_path: Path) -> None:
    job, out = PredictionJob(archive, file, part_size=5), tmp_path / "out"
    predict(job, out)
    with pytest.raises(ConfigError, match=r"already holds 4 of the 4 parts.*--resume"):
        pending_parts(job, out)
    other = PredictionJob(archive, file, part_size=5, fps=25)
    with pytest.raises(ConfigError, match="another settings"):
        pending_parts(other, out, resume=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(ConfigError, match="holds other files"):
        pending_parts(job, tmp_path / "mine")
    pending = pending_parts(job, out, resume=True)
    with pending.locked(), pytest.raises(RunInUseError):
        predict_here(pending, lambda _: None)


def test_missing_and_damaged_parts_are_named(archive: Path, file: Path, tmp_path: Path) -> None:
    job, folder = PredictionJob(archive, file, part_size=5), PredictionFolder(tmp_path / "out")
    predict(job, folder.path)
    folder.part(2).unlink()
    with pytest.raises(DataError, match=r"lacks 1 of 4 parts \(2\).*--resume"):
        merge_predictions([folder.path], tmp_path / "all.parquet")
    folder.part(2).write_bytes(b"PAR1 is cut off")
    for action in (
        lambda: merge_predictions([folder.path], tmp_path / "all.parquet"),
        lambda: pending_parts(job, folder.path, resume=True),
    ):
        with pytest.raises(DataError, match=r"part-000002\.parquet.*cannot be read"):
            action()
    assert not (tmp_path / "all.parquet").exists()
    with pytest.raises(DataError, match="cannot be read"):
        merge_predictions([tmp_path / "nothing"], tmp_path / "all.parquet")


def test_what_cannot_be_read_in_parts_is_refused(archive: Path, file: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", samples(1)[0].joints)
    with pytest.raises(DataError, match="as a whole"):
        pending_parts(PredictionJob(tmp_path / "clip.npy", file), tmp_path / "out")
    with pytest.raises(DataError, match="no such file"):
        pending_parts(PredictionJob(tmp_path / "none", file), tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no file"):
        pending_parts(PredictionJob(tmp_path / "empty", file), tmp_path / "out")
    assert not (tmp_path / "out").exists()
