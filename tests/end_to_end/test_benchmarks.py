"""The five benchmarks, from files in their genuine formats to accuracies; and bad files."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.miniature import (
    image_annotations,
    image_split,
    motion,
    ntu_annotations,
    write_finegym,
    write_ntu60,
    write_pickle,
)
from tests.data.miniature_raw import write_kinetics, write_ntu, write_uav

from skeletonagent.core.layout import UAV_17
from skeletonagent.core.predictions import ClassProbabilities
from skeletonagent.core.streams import Stream

Arguments = list[str | Path]
Rules = Mapping[str, Callable[[str], bool]]
"""Whether the sample of an id is trained on, by the name of the split."""

MISSING = "S001C002P005R002A008"
"""A sample on the authors' list of missing skeletons, whose subject is trained on."""

X_SUB = {
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38, 45, 46, 47, 49, 50,
    52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95,
    97, 98, 100, 103,
}  # fmt: skip
"""Who trains. Source: Liu et al. 2019, section 4.2."""

NOT_CSV1 = {
    1, 3, 4, 9, 22, 23, 24, 31, 41, 54, 58, 60, 66, 72, 74, 75, 91, 92, 93, 94, 95, 96, 97, 99,
    101, 104, 107, 108, 109, 113,
}  # fmt: skip
NOT_CSV2 = {
    1, 2, 7, 9, 13, 15, 17, 23, 25, 27, 28, 33, 34, 41, 42, 48, 50, 51, 53, 55, 58, 65, 68, 76, 82,
    85, 90, 98, 105, 116,
}  # fmt: skip
"""The 30 of 119 subjects who are tested on. Source: Li et al. 2021."""

BY_SUBJECT = {"xsub": lambda sample: int(sample[9:12]) in X_SUB}
NTU60_RULES = BY_SUBJECT | {"xview": lambda sample: sample[4:8] in ("C002", "C003")}
NTU120_RULES = BY_SUBJECT | {"xset": lambda sample: int(sample[1:4]) in range(2, 33, 2)}
UAV_RULES = {
    "csv1": lambda sample: int(sample[1:4]) not in NOT_CSV1,
    "csv2": lambda sample: int(sample[1:4]) not in NOT_CSV2,
}
LISTED = {"standard": lambda sample: not sample.endswith("_3")}


def ntu60_raw(folder: Path) -> Arguments:
    write_ntu(folder / "nturgbd_skeletons", subjects=(1, 3, 38, 40), cameras=(1, 2, 3))
    (folder / "nturgbd_skeletons" / f"{MISSING}.skeleton").write_text("0\n")
    return [folder / "nturgbd_skeletons"]


def ntu120_raw(folder: Path) -> Arguments:
    made = {"actions": (1, 61, 106), "subjects": (2, 41, 45, 103, 106), "cameras": (3,)}
    write_ntu(folder, setups=(17, 32), **made)
    return [folder]


def ntu120_pickle(folder: Path) -> Arguments:
    annotations = ntu_annotations(actions=(1, 61, 120))
    for number, told in enumerate(annotations):
        told["frame_dir"] = told["frame_dir"].replace("S001", f"S{1 + number // 4:03d}")
    return [write_pickle(folder / "ntu120_3danno.pkl", parted(annotations, NTU120_RULES))]


def kinetics(folder: Path) -> Arguments:
    table, kpfiles = write_kinetics(folder)
    return [table, "--kpfiles", kpfiles]


def uav_raw(folder: Path) -> Arguments:
    write_uav(folder, subjects=(0, 1, 2, 3, 118))
    return [folder]


def uav_pickle(folder: Path) -> Arguments:
    names = [(p, a) for p in (0, 1, 2, 3) for a in (0, 7, 154)]
    annotations = [
        {
            "frame_dir": f"P{p:03d}S00G10B10H10UC022000LC021000A{a:03d}R0_08241716",
            "label": a,
            "total_frames": 20,
            "keypoint": 600 + 300 * motion(p, a, 1, 20, 17, 2, UAV_17).astype(float),
            "keypoint_score": np.ones((1, 20, 17)),
        }
        for p, a in names
    ]
    return [write_pickle(folder / "uav_human.pkl", parted(annotations, UAV_RULES))]


def parted(annotations: list[dict[str, Any]], rules: Rules) -> dict[str, Any]:
    """Return a pickle's contents with the parts that the rules make."""
    split = {}
    for name, trains in rules.items():
        ids = [told["frame_dir"] for told in annotations]
        split[f"{name}_train"] = [sample for sample in ids if trains(sample)]
        split[f"{name}_val"] = [sample for sample in ids if not trains(sample)]
    return {"split": split, "annotations": annotations}


@dataclass(frozen=True)
class Form:
    """A benchmark in one of the formats it is distributed in.

    Args:
        write: Write its files and return what is typed after ``data convert``.
        name: The benchmark it is to be taken for.
        rules: Its protocols.
        shape: V and the number of coordinates.
        classes: Y.
        samples: How many there are to be read.
        left_out: Samples that are not.
    """

    write: Callable[[Path], Arguments]
    name: str
    rules: Rules
    shape: tuple[int, int]
    classes: int
    samples: int
    left_out: tuple[str, ...] = ()


FORMS = {
    "ntu60 pickle": Form(
        lambda folder: [write_ntu60(folder / "ntu60_3danno.pkl")],
        "ntu60", NTU60_RULES, (25, 3), 60, 24,
    ),
    "ntu60 raw": Form(
        ntu60_raw, "ntu60", NTU60_RULES, (25, 3), 60, 36,
        (f"{MISSING}.skeleton",),
    ),
    "ntu120 pickle": Form(ntu120_pickle, "ntu120", NTU120_RULES, (25, 3), 120, 24),
    "ntu120 raw": Form(ntu120_raw, "ntu120", NTU120_RULES, (25, 3), 120, 30),
    "kinetics": Form(kinetics, "kinetics-skeleton", LISTED, (17, 2), 400, 12),
    "finegym": Form(
        lambda folder: [write_finegym(folder / "gym_hrnet.pkl"), "--benchmark", "finegym"],
        "finegym", LISTED, (17, 2), 99, 12,
    ),
    "uav pickle": Form(uav_pickle, "uav-human", UAV_RULES, (17, 2), 155, 12),
    "uav raw": Form(uav_raw, "uav-human", UAV_RULES, (17, 2), 155, 15),
}  # fmt: skip


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give each form a folder that all tests share."""
    whole = tmp_path_factory.mktemp("benchmarks")
    return lambda form: whole / form.replace(" ", "_")


@pytest.fixture
def converted(shelf: Callable[[str], Path], command: Any) -> Callable[[str], Path]:
    """Convert a form the first time it is asked for; what convert printed lies beside it."""

    def convert(form: str) -> Path:
        folder, told = shelf(form), FORMS[form]
        archive = folder / told.name
        if not archive.exists():
            arguments = told.write(folder / "in")
            done = command("data", "convert", *arguments, "--out", archive, "--json")
            assert done.status == 0, done.err
            (folder / "printed.json").write_text(done.out)
        return archive

    return convert


@pytest.mark.parametrize("form", FORMS)
def test_files_become_an_archive_that_is_divided_by_the_protocol(
    form: str, converted: Callable[[str], Path], command: Any
) -> None:
    expected, archive = FORMS[form], converted(form)
    printed = json.loads((archive.parent / "printed.json").read_text())
    facts = json.loads(archive.with_name(f"{archive.name}.json").read_text())
    assert (printed["name"], facts["name"]) == (expected.name, expected.name)
    assert printed["samples"] == expected.samples
    assert len(facts["class_names"]) == printed["classes"] == expected.classes
    left_out = tuple(item["sample"] for item in printed["left_out"])
    assert left_out == expected.left_out
    arrays = {path.stem: np.load(path) for path in archive.iterdir()}
    assert arrays["keypoint"].shape[1:] == expected.shape
    assert ("keypoint_score" in arrays) == (expected.shape[1] == 2)
    ids = arrays["frame_dir"].tolist()
    assert len(ids) == expected.samples
    assert facts["split"].keys() == expected.rules.keys()
    for name, trains in expected.rules.items():
        split = facts["split"][name]
        assert set(split["train"]) == {sample for sample in ids if trains(sample)}
        assert set(split["val"]) == {sample for sample in ids if not trains(sample)}
        assert len(split["train"]) + len(split["val"]) == len(ids)
        assert split["train"] and split["val"]
    checked = command("data", "check", archive, "--json")
    assert (checked.status, checked.json["samples"]) == (0, expected.samples)
    for name, split in facts["split"].items():
        assert checked.json["splits"][name]["train"] == len(split["train"])
        assert not checked.json["splits"][name]["shared_samples"]


@pytest.mark.parametrize("form", ["ntu60 raw", "ntu120 raw", "uav raw"])
def test_a_name_says_class_and_subject(form: str, converted: Callable[[str], Path]) -> None:
    archive = converted(form)
    labels, ids, subjects = (
        np.load(archive / f"{name}.npy").tolist() for name in ("label", "frame_dir", "subject")
    )
    first = form != "uav raw"  # NTU RGB+D counts classes from 1
    for label, sample, subject in zip(labels, ids, subjects, strict=True):
        assert label == int(sample[sample.index("A") + 1 :][:3]) - first
        assert subject == int(sample[sample.index("P") + 1 :][:3])


def train(command: Any, quick: Any, preset: str, *options: str | Path) -> dict[str, Any]:
    """Train for one epoch, guided offline, and test with ten clips; return what is printed."""
    changes = quick(
        "training.epochs=1", "training.batch_size=16", "clips.test_clips=10",
        "agents.chat=analyst", "agents.text_encoder=wordllama",
    )  # fmt: skip
    done = command("train", preset, *options, *changes, "--json")
    assert done.status == 0, done.err
    assert '"top1"' in done.out and '"top5"' in done.out
    return dict(done.json)


def accuracies(scores: ClassProbabilities) -> tuple[float, float]:
    """Return top-1 and top-5 by sorting each row."""
    best = np.argsort(-scores.probs, axis=1, kind="stable")
    hits = best == scores.labels[:, None]
    return float(hits[:, :1].any(axis=1).mean()), float(hits[:, :5].any(axis=1).mean())


@pytest.mark.parametrize(
    ("form", "preset", "split", "stream"),
    [
        ("ntu120 raw", "ntu120-xset", "xset", "j"),
        ("kinetics", "kinetics-skeleton", "standard", "bm"),
        ("uav raw", "uav-human-csv2", "csv2", "k"),
    ],
)
def test_a_stream_is_trained_and_evaluated(
    form: str,
    preset: str,
    split: str,
    stream: str,
    converted: Callable[[str], Path],
    command: Any,
    quick: Any,
    tmp_path: Path,
) -> None:
    archive, run = converted(form), tmp_path / "run"
    options = ["--data", archive, "--out", run, "--stream", stream]
    summary = train(command, quick, preset, *options)
    scores = ClassProbabilities.load(run / "predictions.npz")
    ids = np.load(archive / "frame_dir.npy").tolist()
    trains = FORMS[form].rules[split]
    assert set(scores.sample_ids) == {sample for sample in ids if not trains(sample)}
    assert scores.probs.shape[1] == FORMS[form].classes
    test = summary["test"][split]
    assert (test["top1"], test["top5"]) == pytest.approx(accuracies(scores))
    again = command("evaluate", run, "--json")
    assert again.json["test"] == summary["test"]
    alone = command("ensemble", run, "--json")
    assert (alone.status, alone.json["fusions"]) == (0, [])
    assert alone.json["runs"][0]["test"] == summary["test"]


@pytest.mark.parametrize(
    ("form", "preset", "split"),
    [("ntu60 pickle", "ntu60-xsub", "xsub"), ("finegym", "finegym", "standard")],
)
def test_six_streams_are_trained_and_fused(
    form: str,
    preset: str,
    split: str,
    converted: Callable[[str], Path],
    command: Any,
    quick: Any,
    tmp_path: Path,
) -> None:
    archive, out = converted(form), tmp_path / "six"
    options = ["--data", archive, "--out", out, "--stream", "all"]
    printed = train(command, quick, preset, *options)
    told = {Stream(summary["stream"]): summary for summary in printed["runs"]}
    runs = {stream: out / stream.value for stream in Stream}
    assert list(told) == list(runs)
    assert {summary["split"] for summary in told.values()} == {split}
    for stream in (Stream.JOINT, Stream.KBONE_MOTION):
        again = command("evaluate", runs[stream], "--json")
        assert again.json["test"] == told[stream]["test"]
    single = {
        stream: ClassProbabilities.load(run / "predictions.npz") for stream, run in runs.items()
    }
    fused = command("ensemble", *runs.values(), "--json")
    assert fused.json == printed["ensembles"][0]
    streams = [Stream.JOINT, Stream.BONE, Stream.JOINT_MOTION, Stream.BONE_MOTION]
    names = {"2 streams": streams[:2], "4 streams": streams, "6 streams": list(Stream)}
    assert [fusion["name"] for fusion in fused.json["fusions"]] == list(names)
    for fusion, members in zip(fused.json["fusions"], names.values(), strict=True):
        total = sum((1 if s.is_motion else 2) * single[s].probs.astype(float) for s in members)
        first = single[Stream.JOINT]
        right = (total.argmax(axis=1) == first.labels).mean()
        assert fusion["test"][split]["top1"] == pytest.approx(right)


class Bomb:
    """Unpickled carelessly, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


Spoil = Callable[[dict[str, Any]], Any]
"""Changes the contents of FineGYM's pickle."""


def spoilt(spoil: Spoil) -> Callable[[Path], Arguments]:
    """Return what writes FineGYM's pickle with something wrong in it."""

    def write(folder: Path) -> Arguments:
        annotations = image_annotations()
        contents = {"split": image_split(annotations), "annotations": annotations}
        spoil(contents)
        return [write_pickle(folder / "bad.pkl", contents), "--benchmark", "finegym"]

    return write


def set_in(number: int, **values: Any) -> Spoil:
    """Return what changes fields of an annotation."""
    return lambda contents: contents["annotations"][number].update(values)


def in_all(key: str, value: Any) -> Spoil:
    """Return what changes a field of all annotations."""

    def spoil(contents: dict[str, Any]) -> None:
        for told in contents["annotations"]:
            told[key] = value

    return spoil


def in_split(part: str, change: Callable[[list[str]], list[str]]) -> Spoil:
    """Return what changes the list of a part."""
    return lambda contents: contents["split"].update({part: change(contents["split"][part])})


def malicious(folder: Path) -> Arguments:
    contents = {"split": {"train": [], "val": []}, "annotations": [Bomb(folder / "ran")]}
    return [write_pickle(folder / "bad.pkl", contents)]


def malicious_kpfiles(folder: Path) -> Arguments:
    arguments = kinetics(folder)
    for path in (folder / "kpfiles").iterdir():
        path.write_bytes(pickle.dumps({"clip": Bomb(folder / "ran")}))
    return arguments


def cut(folder: Path) -> Arguments:
    path = write_finegym(folder / "bad.pkl")
    path.write_bytes(path.read_bytes()[:-1000])
    return [path]


def text(folder: Path) -> Arguments:
    folder.mkdir()
    (folder / "bad.pkl").write_text("<html>This file moved to another address</html>")
    return [folder / "bad.pkl"]


def empty(folder: Path) -> Arguments:
    (folder / "bad").mkdir(parents=True)
    return [folder / "bad"]


def no_kpfiles(folder: Path) -> Arguments:
    arguments = kinetics(folder)
    for path in (folder / "kpfiles").iterdir():
        path.unlink()
    return arguments


def cut_skeletons(folder: Path) -> Arguments:
    for path in write_ntu(folder, actions=(1,)):
        path.write_bytes(path.read_bytes()[:-500])
    return [folder]


REFUSED: dict[str, tuple[Callable[[Path], Arguments], list[str]]] = {
    "runs a command": (malicious, ["bad.pkl", "posix.system", "not run"]),
    "runs a command from every kpfile": (malicious_kpfiles, ["clip_000_0", "posix.system"]),
    "cut off": (cut, ["bad.pkl", "cannot be read as a pickle"]),
    "no pickle": (text, ["bad.pkl", "cannot be read as a pickle"]),
    "an empty folder": (empty, ["bad", ".skeleton", ".txt"]),
    "without any kpfile": (no_kpfiles, ["clip_000_0", "no such kpfile"]),
    "all skeleton files cut off": (cut_skeletons, ["S001C001P001R001A001", "ends early"]),
    "an array of objects": (
        spoilt(set_in(3, keypoint=np.array([[{}]], dtype=object))), ["bad.pkl", "object"],
    ),
    "samples without bodies": (
        spoilt(in_all("keypoint", np.zeros((20, 17, 2)))), ["bad.pkl", "clip_000_0", "M, T, V, C"],
    ),
    "nothing but NaN": (
        spoilt(in_all("keypoint", np.full((1, 20, 17, 2), np.nan))), ["bad.pkl", "NaN"],
    ),
    "a negative label": (spoilt(set_in(2, label=-1)), ["bad.pkl", "clip_000_2", "-1"]),
    "a label beyond the classes": (spoilt(set_in(2, label=99)), ["bad.pkl", "99"]),
    "a split of strangers": (
        spoilt(in_split("val", lambda ids: [f"{sample}?" for sample in ids])),
        ["bad.pkl", "standard"],
    ),
    "a split that is no list": (spoilt(in_split("val", len)), ["bad.pkl", "split"]),
    "a name given twice": (spoilt(set_in(1, frame_dir="clip_000_0")), ["bad.pkl", "clip_000_0"]),
    "no annotations": (
        spoilt(lambda contents: contents["annotations"].clear()), ["bad.pkl", "annotations"],
    ),
}  # fmt: skip


def everything(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, and the names of its folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("problem", REFUSED)
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]], ids=["new", "overwrite"])
def test_bad_files_are_refused_and_leave_nothing_behind(
    problem: str, overwrite: list[str], command: Any, tmp_path: Path
) -> None:
    write, words = REFUSED[problem]
    arguments = write(tmp_path / "in")
    there = tmp_path / "archives"
    there.mkdir()
    (there / "other").write_text("not to be touched")
    if overwrite:
        good = write_ntu60(tmp_path / "good.pkl")
        assert command("data", "convert", good, "--out", there / "archive").status == 0
    before = everything(there)
    refused = command("data", "convert", *arguments, "--out", there / "archive", *overwrite)
    assert refused.status in (1, 2) and refused.out == ""
    assert "Traceback" not in refused.err and refused.err.count("error:") == 1
    for word in words:
        assert word in refused.err
    assert not (tmp_path / "in" / "ran").exists()
    assert everything(there) == before


def cut_skeleton(folder: Path) -> Arguments:
    path = write_ntu(folder)[4]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return [folder]


def foreign_text(folder: Path) -> Arguments:
    write_uav(folder)
    (folder / "README.txt").write_text("Please cite us.")
    return [folder]


def one_kpfile(change: Callable[[Path], Any]) -> Callable[[Path], Arguments]:
    """Return what writes Kinetics' files, the second of its kpfiles changed."""

    def write(folder: Path) -> Arguments:
        arguments = kinetics(folder)
        change(folder / "kpfiles" / "k400_001.pkl")
        return arguments

    return write


def arm(path: Path) -> None:
    path.write_bytes(pickle.dumps({"clip_000_2": Bomb(path.parents[1] / "ran")}))


LOST = ("clip_000_2", "clip_000_3")
"""The clips of the second kpfile."""

LEFT_OUT: dict[str, tuple[Callable[[Path], Arguments], tuple[str, ...], str]] = {
    "a skeleton file cut off": (cut_skeleton, ("S001C001P002R001A002.skeleton",), "ends early"),
    "a text that is no skeleton": (foreign_text, ("README.txt",), "is not named like"),
    "no kpfile": (one_kpfile(Path.unlink), LOST, "no such kpfile"),
    "a kpfile cut off": (
        one_kpfile(lambda path: path.write_bytes(path.read_bytes()[:-40])),
        LOST, "cannot be read as a pickle",
    ),
    "a kpfile that runs a command": (one_kpfile(arm), LOST, "posix.system"),
    "a first sample without bodies": (
        spoilt(set_in(0, keypoint=np.zeros((20, 17, 2)))), ("clip_000_0",), "M, T, V, C",
    ),
    "another number of joints": (
        spoilt(set_in(3, keypoint=np.ones((1, 20, 18, 2)), keypoint_score=np.ones((1, 20, 18)))),
        ("clip_000_3",), "18 joints",
    ),
    "another number of scores": (
        spoilt(set_in(3, keypoint_score=np.ones((1, 19, 17)))), ("clip_000_3",), "keypoint_score",
    ),
    "NaN": (
        spoilt(set_in(3, keypoint=np.full((1, 20, 17, 2), np.nan),
                      keypoint_score=np.ones((1, 20, 17)))),
        ("clip_000_3",), "NaN",
    ),
    "a split that names others too": (
        spoilt(in_split("train", lambda ids: [*ids, "stranger"])), ("stranger",), "only a split",
    ),
}  # fmt: skip


@pytest.mark.parametrize("problem", LEFT_OUT)
def test_a_bad_sample_among_good_ones_is_left_out_and_told(
    problem: str, command: Any, tmp_path: Path
) -> None:
    write, samples, reason = LEFT_OUT[problem]
    archive = tmp_path / "archive"
    done = command("data", "convert", *write(tmp_path / "in"), "--out", archive, "--json")
    assert done.status == 0, done.err
    assert "Traceback" not in done.err
    left_out = {item["sample"]: item["reason"] for item in done.json["left_out"]}
    assert left_out.keys() == set(samples)
    assert all(reason in told for told in left_out.values())
    assert all(sample in done.err for sample in samples)
    facts = json.loads((tmp_path / "archive.json").read_text())
    assert len(facts["left_out"]) == len(samples)
    ids = set(np.load(archive / "frame_dir.npy").tolist())
    assert len(ids) == done.json["samples"] > 0
    assert not ids & {sample.removesuffix(".skeleton") for sample in samples}
    for split in facts["split"].values():
        assert {*split["train"], *split["val"]} <= ids
    assert not (tmp_path / "in" / "ran").exists()
    assert command("data", "check", archive).status == 0
