"""``data convert`` and ``data download``, as they are typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.data.miniature import plain_pickle, write_finegym, write_ntu60, write_pickle
from tests.data.miniature_raw import write_kinetics, write_ntu, write_uav

from skeletonagent.cli import main
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import KINECT_20, SkeletonLayout
from skeletonagent.data import downloads
from skeletonagent.data.archive import read_archive
from skeletonagent.data.benchmarks import expected_counts, unexpected_counts
from skeletonagent.data.downloads import DOWNLOADS
from skeletonagent.data.synthetic.generate import synthetic_dataset

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["skeletonagent", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            sys.exit(main.execute())
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


def kinetics(folder: Path) -> list[str | Path]:
    table, kpfiles = write_kinetics(folder)
    return [table, "--kpfiles", kpfiles]


def raw_ntu(folder: Path) -> list[str | Path]:
    write_ntu(folder / "deep" / "down")
    return [folder]


def raw_uav(folder: Path) -> list[str | Path]:
    write_uav(folder)
    return [folder]


@pytest.mark.parametrize(
    ("make", "name", "scored"),
    [
        (lambda folder: [write_ntu60(folder / "any.pkl")], "ntu60", False),
        (
            lambda folder: [write_finegym(folder / "any.pkl"), "--benchmark", "finegym"],
            "finegym",
            True,
        ),
        (kinetics, "kinetics-skeleton", True),
        (raw_ntu, "ntu60", False),
        (raw_uav, "uav-human", True),
    ],
    ids=["pickle in space", "pickle in an image", "kinetics", "raw ntu", "raw uav"],
)
def test_each_format_is_recognised_and_converted(
    tmp_path: Path, typed: Typed, make: Any, name: str, scored: bool
) -> None:
    out = tmp_path / "archive"
    command = ["data", "convert", *make(tmp_path / "in"), "--out", out, "--processes", "1"]
    status, told, problems = typed(*command)
    assert status == 0, problems
    _, shown, _ = typed(*command, "--overwrite", "--json")
    facts = json.loads(shown)
    data = read_archive(out, scored)
    assert (facts["name"], facts["archive"], data.name) == (name, str(out), name)
    assert facts["samples"] == len(data.store) and facts["classes"] == data.store.num_classes
    assert facts["layout"] == data.store.layout.name
    assert (
        facts["splits"].items()
        >= {
            split: [len(parts.train), len(parts.test)] for split, parts in data.splits.items()
        }.items()
    )
    assert f"in {out}" in told and f"{len(data.store)}, {facts['frames']} frames" in told
    assert typed("data", "check", out)[0] == 0


def test_counts_are_compared_with_the_published_ones(tmp_path: Path, typed: Typed) -> None:
    out = tmp_path / "archive"
    path = write_ntu60(tmp_path / "any.pkl")
    line = "split xsub has 12 to train and 12 to test; published are 40091 and 16487"
    assert line in typed("data", "convert", path, "--out", out)[2]
    _, shown, _ = typed("data", "convert", path, "--out", out, "--overwrite", "--json")
    assert json.loads(shown)["expected"]["xsub"] == [40091, 16487]
    assert line in typed("data", "check", out)[1]
    _, shown, _ = typed("data", "check", out, "--json")
    assert json.loads(shown)["expected"]["xview"] == [37646, 18932]


def test_counts_are_compared_only_where_some_are_known() -> None:
    published = expected_counts("nw_ucla")
    assert published == {"xview_v12_v3": (1020, 464)}
    assert unexpected_counts("nw_ucla", published) == []
    assert unexpected_counts("nw_ucla", {"other": (1, 1)}) == []
    assert expected_counts("synthetic") == expected_counts("finegym") == {}


def test_a_pickle_of_ones_own_has_names_and_a_layout(tmp_path: Path, typed: Typed) -> None:
    (tmp_path / "names.txt").write_text("wave\n Grüße \nsit\n\n", encoding="utf-8")
    path = write_pickle(tmp_path / "mine.pkl", plain_pickle(17, 3))
    arguments = ["--layout", "uav-17", "--classes", tmp_path / "names.txt"]
    status, told, _ = typed("data", "convert", path, "--out", tmp_path / "out", *arguments)
    assert status == 0 and "17 (uav-17)" in told
    store = read_archive(tmp_path / "out").store
    assert store.class_names == ("wave", "Grüße", "sit") and store.layout.name == "uav-17"


def test_what_is_left_out_is_told_by_its_reason(tmp_path: Path, typed: Typed) -> None:
    contents = plain_pickle(17, 3, clips=12)
    for told in contents["annotations"][:7]:
        told["keypoint"] = told["keypoint"][0]
    contents["annotations"][8]["keypoint"][:] = float("nan")
    contents["split"]["train"] = [a["frame_dir"] for a in contents["annotations"][:10]]
    contents["split"]["val"] = [a["frame_dir"] for a in contents["annotations"][10:]]
    contents["annotations"].insert(0, contents["annotations"].pop())
    path = write_pickle(tmp_path / "mine.pkl", contents)
    call = ["data", "convert", path, "--layout", "coco-17", "--out"]
    _, _, remarks = typed(*call, tmp_path / "out")
    _, shown, again = typed(*call, tmp_path / "json", "--json")
    assert remarks == again
    shape = "keypoint is no array (M, T, V, C)"
    warned = [line for line in remarks.splitlines() if line.startswith("!")]
    assert [line for line in warned if "layout coco-17" not in line] == [
        f"! 7 left out: {shape}: clip 0, clip 1, clip 2, clip 3, clip 4, ...",
        "! 1 left out: has no joint that is seen, only NaN: clip 8",
    ]
    assert len(json.loads(shown)["left_out"]) == 8


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (["nowhere.pkl"], 1, "error: nowhere.pkl: no such file or folder"),
        (["bad.pkl"], 1, "error: bad.pkl: cannot be read as a pickle"),
        (["bad.mat"], 1, "error: bad.mat: is a .mat file, and not a pickle of key points; record"),
        (["texts"], 1, "error: texts: holds neither .skeleton files"),
        (["texts"], 1, "other formats are read by 'skeletonagent data import'"),
        (["empty"], 1, "error: empty: holds neither .skeleton files"),
        (["takes"], 1, "UAV-Human, but looks like OpenPose JSON"),
        (["takes/a/0.json"], 1, "is a .json file, and not a pickle of key points, but looks like"),
        (["good.pkl", "--benchmark", "ntu61"], 2, "no benchmark 'ntu61'; there are ntu60, ntu120"),
        (["good.pkl", "--layout", "coco"], 2, "no layout 'coco'; there are kinect-25"),
        (["good.pkl", "--layout", "coco-17"], 1, "has 25 joints; coco-17 has 17"),
        (["good.pkl", "--classes", "none.txt"], 1, "none.txt: cannot be read as class names"),
        (["good.pkl", "--benchmark", "finegym"], 1, "has 25 joints"),
        (["good.pkl", "--kpfiles", "empty", "--layout", "coco-17"], 2, "are for pickles with"),
        (["good.pkl", "--kpfiles", "empty", "--benchmark", "ntu60"], 2, "files of kinetics-skel"),
        (["uav", "--benchmark", "ntu60"], 2, "these are files of uav-human"),
        (["uav", "--classes", "none.txt"], 2, "--layout and --classes are for pickles"),
        (["good.pkl", "--out", "full"], 1, "error: full: the folder holds something else"),
        (["good.pkl", "--processes", "0"], 2, "processes"),
    ],
)
def test_a_refusal_is_one_clear_line(
    tmp_path: Path,
    typed: Typed,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_ntu60(Path("good.pkl"))
    Path("bad.pkl").write_text("no pickle")
    Path("bad.mat").write_text("MATLAB 5.0")
    Path("texts").mkdir()
    Path("texts", "README.txt").write_text("recorded in May")
    Path("empty").mkdir()
    Path("takes", "a").mkdir(parents=True)
    people = [{"person_id": [-1], "pose_keypoints_2d": [1.0] * 75}]
    Path("takes", "a", "0.json").write_text(json.dumps({"version": 1.3, "people": people}))
    write_uav(Path("uav"))
    Path("full").mkdir()
    Path("full", "thesis.txt").write_text("years of work")
    before = sorted(tmp_path.iterdir())
    out = [] if "--out" in arguments else ["--out", "out"]
    got, shown, told = typed("data", "convert", *arguments, *out)
    assert (got, shown) == (status, "")
    assert problem in " ".join(told.split())
    assert "--processes" in arguments or told.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_an_archive_is_replaced_only_when_told(tmp_path: Path, typed: Typed) -> None:
    call = ["data", "convert", write_ntu60(tmp_path / "a.pkl"), "--out", tmp_path / "out"]
    assert typed(*call)[0] == 0
    status, _, told = typed(*call)
    assert status == 1 and "there is an archive already" in told
    assert typed(*call, "--overwrite")[0] == 0


def test_a_download_tells_where_it_is(
    tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(name: str, folder: Path, *, progress: Callable[[int, int], None]) -> Path:
        for done, total in [(5, 0), (1, 40), (4, 40), (7, 40), (8, 40), (40, 40)]:
            progress(done, total)
        return folder / DOWNLOADS[name].file_name

    monkeypatch.setattr(downloads, "download_entry", fetched)
    status, shown, told = typed("data", "download", "ntu60", "--to", tmp_path, "--json")
    assert status == 0 and json.loads(shown)["path"] == str(tmp_path / "ntu60_3danno.pkl")
    assert told.splitlines() == ["ntu60: 10%, 4 of 40", "ntu60: 20%, 8 of 40"]
    _, shown, _ = typed("data", "download", "ntu60", "--to", tmp_path)
    assert shown == f"{tmp_path / 'ntu60_3danno.pkl'}\n"


def test_a_refused_download_is_one_clear_line(
    tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, shown, told = typed("data", "download", "imagenet", "--to", tmp_path)
    assert (status, shown, told.count("\n")) == (1, "", 1) and "there are ntu60" in told

    def broken(*_: object, **__: object) -> None:
        raise DataError("gave up", path=tmp_path / "x")

    monkeypatch.setattr(downloads, "download_entry", broken)
    assert typed("data", "download", "ntu60")[0] == 1


def people_pickle(order: list[int], names: int = 2) -> dict[str, Any]:
    """Return a pickle of generated people in the order of the Kinect's first version, mixed."""
    store = synthetic_dataset(clips_per_class=2, subjects=2).store
    first = [0, 1, 20, *range(3, 20)]
    annotations = [
        {
            "frame_dir": f"s{n}",
            "label": n % names,
            "keypoint": store.sequence(2 * n).joints[:, ::4][:, :, first][:, :, order],
        }
        for n in range(12)
    ]
    ids = [str(annotation["frame_dir"]) for annotation in annotations]
    return {"split": {"train": ids[:8], "val": ids[8:]}, "annotations": annotations}


def test_a_layout_is_assumed_only_if_the_data_confirm_it(tmp_path: Path, typed: Typed) -> None:
    path = write_pickle(tmp_path / "a.pkl", people_pickle(list(range(20))))
    status, _, told = typed("data", "convert", path, "--out", tmp_path / "a")
    assert status == 0 and "taken for kinect-20, 20 joints: bones keep their length" in told
    mixed = [*range(10, 20), *range(10)]
    path = write_pickle(tmp_path / "b.pkl", people_pickle(mixed))
    status, shown, told = typed("data", "convert", path, "--out", tmp_path / "b")
    assert (status, shown) == (1, "") and not (tmp_path / "b").exists()
    assert "has 20 joints, which do not say what skeleton it is: not " in told
    assert "'skeletonagent data import' finds bones by itself" in told
    own = SkeletonLayout(
        "mine",
        tuple(KINECT_20.joints[n] for n in mixed),
        tuple((mixed.index(child), mixed.index(parent)) for child, parent in KINECT_20.bones),
    )
    (tmp_path / "mine.json").write_text(json.dumps(own.to_json()))
    call = ["data", "convert", path, "--out", tmp_path / "b", "--layout"]
    status, shown, told = typed(*call, tmp_path / "mine.json")
    assert status == 0 and "20 (mine)" in shown and "!" not in told
    status, _, told = typed(*call, "kinect-20", "--overwrite")
    assert status == 0 and "! layout kinect-20: bones join joints that are far apart" in told


def test_shards_read_and_the_same_command_makes_the_archive(tmp_path: Path, typed: Typed) -> None:
    write_ntu(tmp_path / "raw")
    command = ["data", "convert", tmp_path / "raw", "--processes", "1", "--out"]
    typed(*command, tmp_path / "one", "--part-size", "4")
    shared = [*command, tmp_path / "two"]
    status, shown, _ = typed(*shared, "--part-size", "4", "--shard", "1/2", "--json")
    assert status == 0
    assert json.loads(shown) | {"folder": ""} == {
        "shard": "1/2", "folder": "", "made": 3, "done_before": 0, "parts": 5
    }  # fmt: skip
    _, told, remarks = typed(*shared, "--shard", "2/2")
    assert "shard 2/2: 2 part(s) of 5 made" in told and "without --shard" in remarks
    assert typed(*shared)[0] == 0
    for one in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / one.name).read_bytes() == one.read_bytes()
    status, _, problem = typed(*shared, "--shard", "1/2", "--cluster", "local")
    assert status == 2 and "exclude each other" in problem
