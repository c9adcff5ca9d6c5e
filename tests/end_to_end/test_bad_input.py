"""What goes wrong is said in one clear message, never in a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Spoil = Callable[[dict[str, Any], dict[str, Any]], None]
"""Changes the arrays and the JSON of an archive."""


@pytest.fixture
def spoiled(archive: Path, tmp_path: Path) -> Callable[[Spoil], Path]:
    """Return a copy of the sound archive with something wrong in it."""

    def copy(spoil: Spoil) -> Path:
        with np.load(archive) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(archive.with_suffix(".json").read_text())
        spoil(arrays, meta)
        path = tmp_path / "spoiled.npz"
        np.savez(path, **arrays)
        path.with_suffix(".json").write_text(json.dumps(meta))
        return path

    return copy


def assert_told(result: Any, status: int, *words: str) -> None:
    """Check that there is one error, on standard error, that says all of ``words``.

    Before it there may be lines on what was chosen for an archive.
    """
    assert "Traceback" not in result.err
    assert result.err.count("error:") == 1
    before = result.err.partition("error: ")[0]
    assert not before or before.endswith("\n")
    chosen = ("training clips: ", "orientation", "origin ", "clips are ", "given, ")
    assert all(line.startswith(chosen) for line in before.splitlines()), before
    for word in words:
        assert word in result.err, result.err
    assert result.out == ""
    assert result.status == status


def drop_array(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    del arrays["num_person"]


def break_joints(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    arrays["keypoint"][int(arrays["offset"][3]) + 1, 2, 0] = np.nan


def name_strangers(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    meta["split"]["second"]["val"].append("stranger_17")


def mislabel(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    arrays["label"][2] = 4


def forget_bones(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    del meta["bones"]


def forget_joints(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    meta["joint_names"] = meta["joint_names"][:-1]


def shift(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    arrays["offset"] = arrays["offset"] + 1


def choose_nothing(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    meta["default_split"] = "third"


def nothing_to_test(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    meta["split"]["first"]["val"] = []


def nothing_to_learn(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    meta["split"]["first"]["train"] = []


def number_classes(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    meta["class_names"] = 4


def list_splits(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    meta["split"] = ["first"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (drop_array, ["spoiled.npz", "num_person"]),
        (break_joints, ["sample 'write_s03_r00'", "NaN"]),
        (name_strangers, ["spoiled.json", "second", "stranger_17"]),
        (mislabel, ["spoiled.npz", "sample 'write_s02_r00'", "label 4", "0..3"]),
        (forget_bones, ["spoiled.json", "bones"]),
        (forget_joints, ["spoiled.json", "24 joints", "25"]),
        (shift, ["spoiled.npz", "offset"]),
        (choose_nothing, ["spoiled.json", "third", "first, second"]),
        (nothing_to_test, ["first"]),
        (nothing_to_learn, ["first"]),
        (number_classes, ["spoiled.json", "class_names"]),
        (list_splits, ["spoiled.json", "split"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_archive(
    spoil: Spoil,
    words: list[str],
    spoiled: Callable[[Spoil], Path],
    command: Any,
    quick: Any,
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    result = command("train", "--data", spoiled(spoil), "--out", out, *quick())
    assert_told(result, 1, *words)
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half an archive"])
def test_a_damaged_file(
    content: bytes, spoiled: Callable[[Spoil], Path], command: Any, tmp_path: Path
) -> None:
    path = spoiled(mislabel)
    path.write_bytes(content)
    assert_told(command("train", "--data", path, "--out", tmp_path / "run"), 1, "spoiled.npz")


def test_a_missing_file(command: Any, tmp_path: Path) -> None:
    for arguments in (
        ["train", "--data", tmp_path / "gone.npz", "--out", tmp_path / "run"],
        ["data", "check", tmp_path / "gone"],
    ):
        assert_told(command(*arguments), 1, str(tmp_path / "gone"), "no such file")


def test_a_check_of_bad_joints_tells_all_else_first(
    spoiled: Callable[[Spoil], Path], command: Any
) -> None:
    path = spoiled(break_joints)
    checked = command("data", "check", path, "--json")
    assert checked.status == 1
    assert checked.json["not_finite"] == ["write_s03_r00"]
    assert checked.json["samples"] == 16
    for result in (checked, command("data", "check", path)):
        assert result.err.count("\n") == 1 and "NaN" in result.err and str(path) in result.err
    assert "4, with 4 to 4 samples each" in result.out


def test_a_list_passes_over_what_is_bad(
    spoiled: Callable[[Spoil], Path], command: Any, archive: Path
) -> None:
    path = spoiled(drop_array)
    for file in (archive, archive.with_suffix(".json")):
        shutil.copy(file, path.parent)
    listed = command("data", "list", path.parent, "--json")
    assert listed.status == 0
    assert {entry["name"] for entry in listed.json["data"]} == {"synthetic", "actions"}
    assert "skipped" in listed.err and "num_person" in listed.err


def test_all_mistakes_of_a_configuration_are_told_at_once(command: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("training:\n  epoch: 5\n  batch_size: many\nlos:\n  alpha: 1\nseed: -1\n")
    for arguments in (["train", path, "--out", tmp_path / "run"], ["config", "show", path]):
        result = command(*arguments)
        assert_told(result, 2, "mine.yaml", "4 mistake(s)")
        lines = result.err.splitlines()[1:]
        assert len(lines) == 4
        assert any("training.epoch:" in line and "training.epochs?" in line for line in lines)
        assert any("training.batch_size:" in line and "'many'" in line for line in lines)
        assert any("los:" in line and "loss?" in line for line in lines)
        assert any("seed:" in line and "-1" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["sbbu"], ["no preset 'sbbu'", "sbu"]),
        (["gone.yaml"], ["gone.yaml"]),
        (["--split", "third"], ["'third'", "first, second"]),
        (["--split", "first,third"], ["'third'"]),
        (["--stream", "bones"], ["'bones'", "bone (b)"]),
        (["--set", "device=abacus"], ["'abacus'", "cpu"]),
        (["--set", "training.epochs"], ["section.key=value", "'training.epochs'"]),
        (["--set", "training.epochs=0"], ["training.epochs", "got 0"]),
        (["--set", "training.learning_rate=.nan"], ["training.learning_rate"]),
        (["--set", "model.width=2"], ["model"]),
        (["--set", "model.backbone=resnet"], ["'resnet'", "stgcn++"]),
        (["--set", "agents.chat=parrot"], ["agents.chat", "'parrot'"]),
        (["--set", "agents.text_encoder=bort"], ["'bort'", "wordllama"]),
        (["--set", "seed={"], ["seed={"]),
        (["--set", "seed=99999999999999999999"], ["seed"]),
    ],
    ids=lambda value: value[-1],
)
def test_a_bad_option(
    options: list[str], words: list[str], archive: Path, command: Any, quick: Any, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = command("train", "--data", archive, "--out", out, *quick(), *options)
    assert_told(result, 2, *words)
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [["teach"], ["train", "--bogus"], ["train", "--seeds", "0"], ["demo", "--epochs", "x"]],
)
def test_wrong_usage(arguments: list[str], command: Any) -> None:
    result = command(*arguments)
    assert result.status == 2
    assert arguments[min(1, len(arguments) - 1)] in result.err
    assert "Traceback" not in result.err and result.out == ""


@pytest.mark.parametrize(("place", "status"), [("file", 2), ("file/run", 1)])
def test_a_place_that_cannot_be_written(
    place: str, status: int, archive: Path, command: Any, quick: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    result = command("train", "--data", archive, "--out", tmp_path / place, *quick())
    assert_told(result, status, str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.fixture
def stopped(command: Any, quick: Any, archive: Path, tmp_path: Path) -> tuple[Path, list[Any]]:
    """Return a run of two epochs and the arguments it was made with."""
    arguments = ["train", "--data", archive, "--out", tmp_path / "run", *quick()]
    assert command(*arguments).status == 0
    return tmp_path / "run", arguments


def test_a_run_that_is_there(stopped: tuple[Path, list[Any]], command: Any) -> None:
    run, arguments = stopped
    assert_told(command(*arguments), 2, str(run), "--resume")
    other = [*arguments, "--set", "training.epochs=5", "--set", "seed=3", "--resume"]
    assert_told(command(*other), 2, str(run), "training.epochs", "seed")


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
@pytest.mark.parametrize("what", ["cut", "gone"])
def test_a_damaged_checkpoint(
    file: str, what: str, stopped: tuple[Path, list[Any]], command: Any
) -> None:
    run, arguments = stopped

    def spoil(epoch: str) -> None:
        path = run / "checkpoints" / epoch / file
        content = path.read_bytes()
        path.unlink()
        if what == "cut":
            path.write_bytes(content[:-50])

    spoil("epoch_0002")
    for typed in (["evaluate", run], ["runs", "show", run], [*arguments, "--resume"]):
        result = command(*typed)
        assert result.status == 0
        assert "passed over" in result.err and "epoch_0002" in result.err
    spoil("epoch_0002")
    spoil("epoch_0001")
    for typed in (["evaluate", run], ["runs", "show", run], [*arguments, "--resume"]):
        result = command(*typed)
        assert result.status == 1
        last = result.err.splitlines()[-1]
        assert last.startswith("error: ") and "epoch_0002" in last and "epoch_0001" in last
        assert "Traceback" not in result.err


def test_damaged_records(stopped: tuple[Path, list[Any]], command: Any) -> None:
    run, arguments = stopped
    (run / "metrics.jsonl").write_text("{")
    for typed in ([*arguments, "--resume"], ["runs", "show", run]):
        result = command(*typed)
        assert (result.status, result.out) == (1, "")
        last = result.err.splitlines()[-1]
        assert last.startswith(f"error: {run / 'metrics.jsonl'}: is damaged")


@pytest.mark.parametrize("file", ["summary.json", "metrics.jsonl"])
def test_a_list_goes_on_after_a_damaged_record(
    file: str, stopped: tuple[Path, list[Any]], command: Any
) -> None:
    run, _ = stopped
    (run / file).write_text("{")
    listed = command("runs", "list", run, "--json")
    assert listed.status == 0
    assert f"{file}: is damaged" in listed.json["runs"][0]["problem"]


@pytest.mark.parametrize(
    ("file", "typed"), [("summary.json", ["runs", "show"]), ("guidance.json", None)]
)
def test_other_damaged_records(
    file: str, typed: list[str] | None, stopped: tuple[Path, list[Any]], command: Any
) -> None:
    run, arguments = stopped
    (run / file).write_text("{")
    result = command(*([*typed, run] if typed else [*arguments, "--resume"]))
    assert_told(result, 1, file)


def test_no_run(command: Any, tmp_path: Path) -> None:
    for typed in (["evaluate", tmp_path], ["runs", "show", tmp_path]):
        assert_told(command(*typed), 1, str(tmp_path))
    assert command("runs", "list", tmp_path / "nowhere", "--json").json == {"runs": []}


def test_other_data_than_it_was_trained_on(
    stopped: tuple[Path, list[Any]], command: Any, spoiled: Callable[[Spoil], Path]
) -> None:
    run, _ = stopped
    other = spoiled(lambda arrays, meta: meta["class_names"].reverse())
    assert_told(command("evaluate", run, "--data", other), 1, "4 classes", "--data")


def test_data_in_the_plane_for_a_recognizer_in_space(
    stopped: tuple[Path, list[Any]], command: Any, flat: Path
) -> None:
    run, _ = stopped
    assert_told(command("evaluate", run, "--data", flat), 1)


def test_names_in_brackets_are_shown_as_they_are(
    spoiled: Callable[[Spoil], Path], command: Any
) -> None:
    def rename(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
        arrays["frame_dir"] = arrays["frame_dir"].astype("<U40")
        arrays["frame_dir"][3] = "clip[/3]"
        arrays["keypoint"][int(arrays["offset"][3])] = np.nan
        others = arrays["frame_dir"][4:].tolist()
        meta["split"] = {"first": {"train": ["clip[/3]"], "val": others}}
        meta["default_split"] = "first"

    checked = command("data", "check", spoiled(rename))
    assert "1 sample(s) with NaN or infinite joints: clip[/3]" in checked.out


def test_a_split_named_with_braces_trains(
    spoiled: Callable[[Spoil], Path], command: Any, quick: Any, tmp_path: Path
) -> None:
    def rename(arrays: dict[str, Any], meta: dict[str, Any]) -> None:
        meta["split"]["{fold}"] = meta["split"].pop("second")

    options = ["--split", "{fold}", *quick("training.epochs=1")]
    result = command("train", "--data", spoiled(rename), "--out", tmp_path / "run", *options)
    assert result.status == 0
