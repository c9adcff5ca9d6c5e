"""NTU RGB+D's raw files: as PYSKL reads them, and refused where they are damaged."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.miniature_raw import Body, person, write_bodies, write_ntu

from skeletonagent.core.errors import DataError
from skeletonagent.data.benchmarks import missing_ntu
from skeletonagent.data.convert.pipeline import convert_dataset
from skeletonagent.data.readers.ntu import (
    Track,
    denoise_tracks,
    drop_wide_tracks,
    ntu_reader,
    read_bodies,
    read_sample,
    read_skeleton_file,
    select_two_bodies,
    split_tracks,
)

NAME = "S001C002P003R001A050.skeleton"


def literally(frames: list[list[Body]]) -> np.ndarray | None:
    """Return what spec section 4 says of the bodies of each frame, step by step."""
    tracks: dict[int, dict] = {}
    for number, bodies in enumerate(filter(None, frames)):
        for identity, joints in bodies:
            track = tracks.setdefault(identity, {"start": number, "poses": []})
            track["poses"].append(joints.astype(np.float32))
    people = list(tracks.values())
    for one in people:
        one["motion"] = variance(one["poses"])
    if len(people) > 1:
        people = [one for one in people if len(one["poses"]) > 11]
    if len(people) > 1:
        people = [one for one in people if not spread(one)]
    if len(people) < 2:
        return np.stack(people[0]["poses"])[None].astype(np.float16) if people else None
    people.sort(key=lambda one: one["motion"], reverse=True)
    slots = in_slots(people, len([bodies for bodies in frames if bodies]))
    while np.abs(slots[:, 0]).sum() < 1e-3:
        slots = slots[:, 1:]
    while np.abs(slots[:, -1]).sum() < 1e-3:
        slots = slots[:, :-1]
    if np.abs(slots[0, 0, 1]).sum() < 1e-3 < np.abs(slots[1, 0, 1]).sum():
        slots = slots[::-1]
    return slots.astype(np.float16)


def variance(poses: list[np.ndarray]) -> float:
    return sum(float(np.var(np.concatenate(poses)[:, axis])) for axis in range(3))


def spread(one: dict) -> bool:
    """Return whether somebody is noise; correct the motion otherwise."""
    upright = [p for p in one["poses"] if breadth(p, 0) <= 0.8 * breadth(p, 1)]
    if upright and len(upright) < len(one["poses"]):
        one["motion"] = min(one["motion"], variance(upright))
    return 1 - len(upright) / len(one["poses"]) >= 0.69754


def in_slots(people: list[dict], number: int) -> np.ndarray:
    slots = np.zeros((2, number, 25, 3), np.float32)
    spans: list[set[int]] = [set(), set()]
    for one in people:
        span = range(one["start"], one["start"] + len(one["poses"]))
        for slot in (0, 1):
            if not spans[slot] & set(span):
                slots[slot, span.start : span.stop] = one["poses"]
                covered = spans[slot] | set(span)
                spans[slot] = set(range(min(covered), max(covered) + 1))
                break
    return slots


def breadth(pose: np.ndarray, axis: int) -> float:
    return float(pose[:, axis].max()) - float(pose[:, axis].min())


def noise(seed: int, frames: int) -> np.ndarray:
    """Return a thing that is broader than high, and moves."""
    return person(3, seed, frames=frames)[..., [1, 0, 2]] * (1.5, 1.0, 1.0)


@st.composite
def recordings(draw: st.DrawFn) -> list[list[Body]]:
    """Draw frames with bodies that come and go, some of them noise at times."""
    length = draw(st.integers(14, 40))
    frames: list[list[Body]] = [[] for _ in range(length)]
    for number in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, length - 1))
        last = draw(st.integers(first, length))
        seen = person(number, draw(st.integers(0, 99)), frames=length)
        broad = draw(st.integers(0, length))
        seen[:broad] = noise(number, length)[:broad]
        for t in range(first, last):
            if draw(st.integers(0, 9)) or t == first:
                frames[t].append((72057594037931000 + number, seen[t].round(6)))
    return frames


@given(recordings())
def test_raw_files_read_as_the_rules_say(
    tmp_path_factory: pytest.TempPathFactory, frames: list[list[Body]]
) -> None:
    path = write_bodies(tmp_path_factory.mktemp("ntu") / NAME, frames)
    expected = literally(frames) if any(frames) else None
    if expected is None:
        with pytest.raises(DataError, match=r"no body|look like noise"):
            read_skeleton_file(path)
    else:
        np.testing.assert_array_equal(read_skeleton_file(path).joints, expected)


def test_raw_files_read_as_pyskl_reads_them(shared: Path) -> None:
    golden = shared / "reference" / "golden"
    with np.load(golden / "ntu_raw_expected.npz") as expected:
        assert len(expected.files) == 4
        for name in expected.files:
            sequence = read_skeleton_file(golden / "ntu_raw" / f"{name}.skeleton")
            assert sequence.joints.dtype == np.float16
            np.testing.assert_array_equal(sequence.joints, expected[name])


def test_the_name_says_action_and_subject(tmp_path: Path) -> None:
    path = write_bodies(tmp_path / NAME, [[(1, joints)] for joints in person(1, 1)])
    sequence = read_skeleton_file(path)
    assert (sequence.label, sequence.subject) == (49, 3)
    assert sequence.sample_id == "S001C002P003R001A050"


def test_identities_that_differ_in_the_last_digit_are_two_bodies(tmp_path: Path) -> None:
    """Doubles cannot tell these numbers apart."""
    left, right = person(1, 1, frames=12), person(1, 2, frames=12)
    frames = [
        [(72057594037931100, a), (72057594037931101, b)] for a, b in zip(left, right, strict=True)
    ]
    bodies = read_bodies(write_bodies(tmp_path / NAME, frames), joints=25, channels=3)
    assert len(split_tracks(bodies)) == 2
    np.testing.assert_allclose(bodies.joints[::2], left, rtol=1e-6)


def track(start: int, frames: int, motion: float = 1.0, value: float = 1.0) -> Track:
    joints = np.full((frames, 25, 3), value, np.float32)
    joints[:, 0, 1] += 9  # upright
    return Track(start, joints, motion)


@pytest.mark.parametrize(("frames", "kept"), [(11, 1), (12, 2)])
def test_short_tracks_are_noise(frames: int, kept: int) -> None:
    assert len(denoise_tracks([track(0, 20), track(0, frames)])) == kept


@pytest.mark.parametrize(("broad", "kept"), [(0, True), (69, True), (70, False), (100, False)])
def test_tracks_that_are_mostly_too_wide_are_noise(broad: int, kept: bool) -> None:
    one = track(0, 100)
    one.joints[:broad, 1, 0] += 7.5  # breadth over height 7.5 / 9
    assert bool(drop_wide_tracks([one])) is kept


def test_wide_frames_do_not_count_as_motion() -> None:
    one = track(0, 10, motion=50.0)
    one.joints[:5, 1, 0] += 8.5
    still = drop_wide_tracks([one])[0]
    assert still.motion == pytest.approx(float(one.joints[5:].reshape(-1, 3).var(axis=0).sum()))


def test_tracks_that_do_not_overlap_share_a_body() -> None:
    joints = select_two_bodies([track(0, 5, value=1), track(5, 5, value=2), track(3, 4, value=3)])
    assert joints[0, :, 2, 0].tolist() == [1] * 5 + [2] * 5
    assert joints[1, :, 2, 0].tolist() == [0] * 3 + [3] * 4 + [0] * 3


def test_a_third_body_at_the_same_time_is_left_out() -> None:
    joints = select_two_bodies([track(0, 5, value=value) for value in (1, 2, 3)])
    assert joints[:, 0, 2, 0].tolist() == [1, 2]


def test_the_body_in_the_first_frame_is_first_and_empty_ends_are_cut() -> None:
    joints = select_two_bodies([track(4, 5, value=1), track(2, 5, value=2)])
    assert joints[0, :, 2, 0].tolist() == [2] * 5 + [0] * 2
    assert joints[1, :, 2, 0].tolist() == [0] * 2 + [1] * 5


WHOLE = [[(7, joints)] for joints in person(1, 1, frames=3)]
DAMAGES = {
    "empty": (lambda text: "", "ends early"),
    "blank": (lambda text: "\r\n", "ends early"),
    "cut within a body": (lambda text: text[: text.rindex("277.419")][:-40], "ends early"),
    "cut within a number": (lambda text: text[: text.rindex(" 277.419") - 9], "fewer than 3"),
    "cut between frames": (lambda text: text.replace("3\r\n", "4\r\n", 1), "ends early"),
    "goes on": (lambda text: text + "0\r\n", "goes on after its last frame, in line 86"),
    "24 joints": (lambda text: text.replace("\r\n25\r\n", "\r\n24\r\n", 1), "24 joints in frame 0"),
    "no number": (lambda text: text.replace("277.419", "x", 1).replace(" 3 ", " z ", 1), "'z'"),
    "no count": (lambda text: text.replace("3", "three", 1), "three"),
    "less than nothing": (lambda text: text.replace("3", "-3", 1), "got -3 frames"),
    "not finite": (lambda text: text.replace(" 3 ", " nan ", 1), "not finite"),
    "infinite": (lambda text: text.replace(" 3 ", " 1e999 ", 1), "not finite"),
    "too far for float16": (lambda text: text.replace(" 3 ", " 65520 ", 1), "65504 or more away"),
    "another format": (lambda text: "\x00\xff" * 40, "cannot be read"),
    "nobody": (lambda text: "2\r\n0\r\n0\r\n", "no body in any frame"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused_by_name(damage: str, tmp_path: Path) -> None:
    still = [[(7, np.where([0, 0, 1], 3, joints.round(3)))] for [(_, joints)] in WHOLE]
    path = write_bodies(tmp_path / NAME, still)
    read_skeleton_file(path)
    change, problem = DAMAGES[damage]
    path.write_bytes(change(path.read_bytes().decode()).encode())
    with pytest.raises(DataError, match=problem) as caught:
        read_skeleton_file(path)
    assert caught.value.path == path


@given(cut=st.integers(1, 9000))
def test_a_file_cut_anywhere_raises_no_other_error(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_bodies(tmp_path_factory.mktemp("ntu") / NAME, WHOLE)
    path.write_bytes(path.read_bytes()[:-cut])
    last_line = 120
    if cut > last_line:
        with pytest.raises(DataError):
            read_skeleton_file(path)
    else:  # what is cut may be columns that are not read
        with contextlib.suppress(DataError):
            assert read_skeleton_file(path).joints.shape == (1, 3, 25, 3)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_skeleton_file(tmp_path / NAME)
    with pytest.raises(DataError, match="is not named like"):
        read_skeleton_file(write_bodies(tmp_path / "a.skeleton", WHOLE))
    zeros = [[(7, np.zeros((25, 3)))]]
    with pytest.raises(DataError, match="nothing but zeros"):
        read_skeleton_file(write_bodies(tmp_path / NAME, zeros))
    with pytest.raises(DataError, match="nothing but zeros"):
        read_skeleton_file(
            write_bodies(tmp_path / NAME, [[(7, np.zeros((25, 3))), (8, np.zeros((25, 3)))]] * 12)
        )


def test_a_reader_of_the_first_sixty_actions(tmp_path: Path) -> None:
    paths = write_ntu(tmp_path / "deeper", frames=3)
    reader = ntu_reader(tmp_path, None)
    assert reader.name == "ntu60" and reader.layout.num_joints == 25
    assert list(reader.items) == sorted(paths)
    assert pickle.loads(pickle.dumps(reader.read)) is read_sample
    ids = [path.stem for path in paths]
    splits = reader.splits(ids)
    assert set(splits["xsub"].test) == {name for name in ids if "P003" in name}
    assert set(splits["xview"].test) == {name for name in ids if "C001" in name}
    assert set(splits["xview"].train) | set(splits["xview"].test) == set(ids)


def test_a_reader_of_later_actions_is_the_larger_benchmark(tmp_path: Path) -> None:
    paths = write_ntu(tmp_path, actions=(60, 61), setups=(17, 18), frames=3)
    reader = ntu_reader(tmp_path, None)
    assert reader.name == "ntu120" and len(reader.items) == len(paths)
    even = set(reader.splits([path.stem for path in paths])["xset"].train)
    assert even == {path.stem for path in paths if "S018" in path.stem}
    smaller = ntu_reader(tmp_path, "ntu60")
    assert smaller.name == "ntu60"
    assert {path.stem[-3:] for path in smaller.items} == {"060"}


def test_files_on_the_list_of_missing_ones_are_left_out_and_reported(tmp_path: Path) -> None:
    paths = write_ntu(tmp_path / "raw", actions=(1, 2), frames=12)
    listed = sorted(name for name in missing_ntu() if name.endswith("A001"))[0]
    paths[0].rename(paths[0].with_name(f"{listed}.skeleton"))
    paths[1].write_text("")
    write_bodies(tmp_path / "raw" / "other.skeleton", WHOLE)
    done = convert_dataset(
        ntu_reader(tmp_path / "raw", None),
        tmp_path / "out",
        progress=lambda done, total: None,
    )
    reasons = {item.sample.split(".")[0]: item.reason for item in done.skipped}
    assert set(reasons) == {listed, paths[1].stem, "other"}
    assert "list of" in reasons[listed]
    assert done.samples == len(paths) - 2


def test_a_reader_needs_files_and_a_benchmark_of_ntu(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.skeleton files"):
        ntu_reader(tmp_path, None)
    write_ntu(tmp_path, actions=(61,), frames=2)
    with pytest.raises(DataError, match="no 'sbu'; name ntu60 or ntu120"):
        ntu_reader(tmp_path, "sbu")
    with pytest.raises(DataError, match="of the actions of NTU"):
        ntu_reader(tmp_path, "ntu60")
