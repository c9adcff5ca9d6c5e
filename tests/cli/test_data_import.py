"""``data import`` and ``data view`` as they are typed; ``data check`` of what was imported."""

from __future__ import annotations

import json
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.data.importing.figures import ACTIONS, NAMES, figure, write_csv, write_recordings

from skeletonagent.cli import main
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.archive import read_archive
from skeletonagent.data.keypoints.recorded import write_keypoints
from skeletonagent.data.layout_files import read_layout_file

Typed = Callable[..., tuple[int, str, str]]
PATTERN = "{label}_{subject}_{take}"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    def run(*arguments: str | Path | int) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["skeletonagent", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            sys.exit(main.execute())
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("files") / "office")


def test_named_files_become_an_archive(files: Path, tmp_path: Path, typed: Typed) -> None:
    out = tmp_path / "sk" / "office"
    status, shown, told = typed("data", "import", files, "--out", out, "--pattern", PATTERN)
    assert (status, told) == (0, "")
    data = read_archive(out)
    assert data.store.class_names == tuple(sorted(ACTIONS)) and len(data.store) == 24
    assert data.store.layout.joints == NAMES and data.store.subjects is not None
    assert {data.store.subjects[data.store.index_of[s]] for s in data.splits["subjects"].test} == {
        int(name[1:]) for name in shown.split("by subject: ")[1].split(" tested")[0].split(", ")
    }
    sample = data.store.sequence(data.store.index_of["kick_p02_1"])
    expected = figure(2, 21)
    np.testing.assert_allclose(sample.joints[0], expected, atol=1e-5)
    assert "├ l shoulder - l elbow - l palm" in shown and "root (centre)" in shown
    assert "no known layout has these names; bones join joints that keep their distance" in shown
    layout = read_layout_file(out.with_name("office.layout.yaml"))
    assert layout == data.store.layout
    assert out.with_name("office.layout.svg").read_text().count("<circle") == 13
    assert json.loads(out.with_suffix(".json").read_text())["imported_from"] == str(files)


def test_the_result_as_json(files: Path, tmp_path: Path, typed: Typed) -> None:
    call = ["data", "import", files, "--out", tmp_path / "a.npz", "--pattern", PATTERN, "--json"]
    status, shown, _ = typed(*call, "--fps", 25, "--seed", 3)
    facts = json.loads(shown)
    assert status == 0 and facts["archive"] == str(tmp_path / "a.npz")
    assert (facts["samples"], facts["fps"], facts["layout_source"]) == (24, [25.0], "derived")
    assert facts["classes"] == dict.fromkeys(sorted(ACTIONS), 8) and facts["empty"] == []
    assert read_archive(tmp_path / "a").fps == 25
    status, shown, told = typed(*call)
    assert (status, shown) == (1, "") and "add --overwrite or name another" in told
    assert typed(*call, "--overwrite")[0] == 0


def test_a_layout_file_names_joints_and_comes_back(tmp_path: Path, typed: Typed) -> None:
    source = write_recordings(tmp_path / "plain", subjects=2, names=None)
    out = tmp_path / "sk"
    call = ["data", "import", source, "--pattern", PATTERN, "--out"]
    status, shown, told = typed(*call, out / "first")
    assert status == 0 and "no left and right is known; name joints in the layout file" in shown
    file = out / "first.layout.yaml"
    text = file.read_text()
    for number, name in reversed(list(enumerate(NAMES, start=1))):
        text = text.replace(f"joint {number}", name)
    file.write_text(text)
    status, shown, told = typed(*call, out / "second", "--layout", file)
    assert (status, told) == (0, "") and "no left and right" not in shown
    layout = read_archive(out / "second").store.layout
    assert layout.joints == NAMES and len(layout.pairs) == 5 and f"--layout {file}" in shown


def test_a_layout_that_contradicts_the_data_is_refused(tmp_path: Path, typed: Typed) -> None:
    order = np.random.default_rng(0).permutation(13)
    for n in range(6):
        mixed = figure(n % 2, n)[:, order]
        write_csv(tmp_path / "mixed" / "wave" / f"{n}.csv", mixed, None)
        write_csv(tmp_path / "mixed" / "kick" / f"{n}.csv", mixed, None)
    joints = ", ".join(NAMES)
    parents = [1, 8, 1, 2, 3, 1, 5, 6, -1, 8, 9, 8, 11]
    bones = [[child, parent] for child, parent in enumerate(parents) if parent >= 0]
    file = tmp_path / "own.yaml"
    file.write_text(f"joints: [{joints}]\nbones: {bones}\ncenter: root\n")
    call = ["data", "import", tmp_path / "mixed", "--out", tmp_path / "a", "--layout", file]
    status, shown, told = typed(*call)
    assert (status, shown) == (1, "") and f"contradict the layout of --layout {file}" in told
    assert told.count("\n") == 1 and not (tmp_path / "a.npz").exists()
    status, _, told = typed(*call, "--accept-layout")
    assert status == 0 and "! layout own: " in told
    status, shown, _ = typed("data", "check", tmp_path / "a")
    assert status == 0 and "! layout: bones join joints that are far apart" in shown
    assert "joints may be in another order than the layout's" in shown


def test_untrimmed_recordings_are_cut_by_a_table(tmp_path: Path, typed: Typed) -> None:
    days = tmp_path / "days"
    for n in range(4):
        write_csv(days / f"day{n}.csv", np.concatenate([figure(a, n, 40) for a in range(3)]))
    rows = [
        f"day{n},{ACTIONS[a]},p{n},{1.6 * a},{1.6 * a + 1.2}" for n in range(4) for a in range(3)
    ]
    table = tmp_path / "table.csv"
    table.write_text("file,label,subject,start,end\n" + "\n".join(rows))
    call = ["data", "import", days, "--labels", table, "--out", tmp_path / "a"]
    status, _, told = typed(*call)
    assert status == 1 and "the frame rate of 'day0' is not known; give it by --fps" in told
    status, shown, _ = typed(*call, "--fps", 25, "--rest", "nothing")
    data = read_archive(tmp_path / "a")
    assert status == 0 and data.store.class_names[3] == "nothing" and "24 of 4 recordings" in shown
    assert data.store.lengths.tolist()[:3] == [30, 30, 30]
    assert data.store.sample_ids[0] == "day0_0-30" and "subjects" in data.splits


def test_gaps_empty_clips_and_lists(tmp_path: Path, typed: Typed) -> None:
    for n in range(6):
        joints = figure(n % 2, n)
        joints[5:7, 4] = np.nan
        joints[10:20, 7] = np.nan
        write_csv(tmp_path / "in" / ("a" if n % 2 else "b") / f"{n}.csv", joints)
    write_csv(tmp_path / "in" / "a" / "void.csv", np.full((9, 13, 3), np.nan))
    (tmp_path / "in" / "README.txt").write_text("recorded in May\n")
    (tmp_path / "test.txt").write_text("a/1\nb/2\n")
    call = ["data", "import", tmp_path / "in", "--out", tmp_path / "out", "--fill-gaps", "4",
            "--test-list", tmp_path / "test.txt"]  # fmt: skip
    status, shown, told = typed(*call)
    assert status == 0 and "12 joints interpolated" in shown and "README.txt" in told
    assert "1 clip(s) in which nobody is ever seen kept; leave them out by --drop-empty" in told
    data = read_archive(tmp_path / "out")
    assert data.splits["given"].test == ("a/1", "b/2") and len(data.store) == 7
    joints = data.store.sequence(data.store.index_of["a/1"]).joints
    assert joints[0, 5:7, 4].all() and not joints[0, 10:20, 7].any()
    status, _, told = typed(*call, "--drop-empty", "--overwrite")
    data = read_archive(tmp_path / "out")
    assert status == 0 and len(data.store) == 6 and "nobody is ever seen left out: a/void" in told
    meta = json.loads((tmp_path / "out.json").read_text())
    assert meta["left_out"] == {"a/void": "nobody is ever seen"}
    _, shown, _ = typed("data", "check", tmp_path / "out", "--json")
    coordinates = json.loads(shown)["coordinates"]
    assert coordinates["unit"] == "metres" and 0.5 < coordinates["seen"]["r palm"] < 0.7


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        ([], 1, "no label is known of 24 of 24 recordings, such as"),
        (["--pattern", "{subject}"], 2, "it needs {label}"),
        (["--pattern", PATTERN, "--labels", "x.csv"], 2, "from --pattern or from --labels"),
        (["--rest", "none"], 2, "are about the segments of a table"),
        (["--pattern", PATTERN, "--layout", "kinect"], 2, "no layout 'kinect'; there are"),
        (["--pattern", PATTERN, "--layout", "coco-17"], 1, "coco-17 has 17"),
        (["--pattern", PATTERN, "--fill-gaps", "1s"], 1, "frame rate is not known"),
        (["--pattern", PATTERN, "--fill-gaps", "long"], 2, "give frames, such as 5"),
        (["--pattern", PATTERN, "--test-share", "2"], 2, "give a share between 0 and 1"),
        (["--labels", "none.csv"], 1, "none.csv: cannot be read as a table of labels"),
        (["--pattern", PATTERN, "--out", "full"], 1, "full: is a folder and holds something else"),
    ],
)
def test_a_refusal_is_one_clear_line(
    files: Path,
    tmp_path: Path,
    typed: Typed,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    before = sorted(tmp_path.iterdir())
    out = [] if "--out" in arguments else ["--out", "out"]
    got, shown, told = typed("data", "import", files, *arguments, *out)
    assert (got, shown) == (status, "") and problem in " ".join(told.split())
    assert told.count("\n") == 1 and sorted(tmp_path.iterdir()) == before


def test_clips_are_viewed_on_a_page(
    files: Path, tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    typed("data", "import", files, "--out", "office", "--pattern", PATTERN)
    status, shown, told = typed("data", "view", "office")
    assert status == 0 and shown.startswith("page: office.html (") and not opened
    page = Path("office.html").read_text()
    assert "kick_p02_1" in page and "default-src 'none'" in page
    _, shown, told = typed("data", "view", "office", "--clips", 3, "--out", "few.html", "--json")
    assert len(json.loads(shown)["clips"]) == 3 and "3 of 24 clips" in told
    one = ["data", "view", files / "kick_p00_0.csv", "--out", "one.html", "--open"]
    assert typed(*one)[0] == 0 and opened == [(tmp_path / "one.html").as_uri()]
    status, _, told = typed("data", "view", "office", "--sample", "nothing")
    assert status == 1 and "has no clip 'nothing'; there are " in told
    _, shown, _ = typed("data", "view", "office", "--sample", "kick_p02_1", "--json")
    assert json.loads(shown)["clips"] == ["kick_p02_1"]
    status, _, told = typed("data", "view", "office", "--out", tmp_path)
    assert status == 1 and "is a folder; --out takes the name of a file" in told


def test_persons_whom_a_tracker_numbered_anew_are_joined(tmp_path: Path, typed: Typed) -> None:
    clips = tmp_path / "clips"
    for number in range(4):
        body = figure(number % 2, number)
        joints = np.full((4, *body.shape), np.nan)
        joints[0, :10], joints[1, 10:] = body[:10], body[10:]
        joints[2, :15], joints[3, :15] = body[:15] + 9, body[:15] - 9  # passers-by, for longer
        recording = KeypointRecording("x", joints, joint_names=NAMES, fps=30)
        write_keypoints(clips / "ab"[number % 2] / f"{number}.npz", recording)
    status, _, told = typed("data", "import", clips, "--out", tmp_path / "sk", "--persons", 1)
    assert status == 0 and "4 clip(s) in which persons" in told and "numbered anew" in told
    store = read_archive(tmp_path / "sk").store
    np.testing.assert_allclose(store.sequence(0).joints[0], figure(0, 0), atol=1e-5)
