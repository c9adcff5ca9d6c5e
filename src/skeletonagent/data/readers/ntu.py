"""NTU RGB+D's own ``.skeleton`` files: read, denoised and cast into at most two bodies.

The rules of denoising are those by which the pickles everybody trains on were made, so that raw
files and pickles give the same joints. Source: spec section 4, "NTU raw".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.errors import DataError
from skeletonagent.data.benchmarks import NTU_NAME, find_benchmark, missing_ntu
from skeletonagent.data.convert.pipeline import DatasetReader

_SHORT = 11
"""Frames of the longest track that is taken for noise beside other tracks."""
_BROAD = 0.8
"""Breadth over height above which a posture is taken for noise; people are upright."""
_MOSTLY_BROAD = 0.69754
"""Share of broad frames from which on a track is dropped."""
_NOTHING = 1e-3
"""Sum of absolute coordinates, in metres, below which nobody is there."""
_FARTHEST = float(np.finfo(np.float16).max)
"""No sensor sees a joint beyond this, be it metres or pixels."""


@dataclass(frozen=True)
class RawBodies:
    """Every body in every frame of a file, in the file's order.

    Args:
        frame: Frame of each body, counted from 0.
        identity: The tracker's number of each body.
        joints: Leading columns of its joints.
    """

    frame: Int[np.ndarray, " b"]
    identity: Int[np.ndarray, " b"]
    joints: Float[np.ndarray, "b v c"]


@dataclass(frozen=True)
class Track:
    """One body from its first frame on, gaps closed.

    Args:
        start: Its first frame.
        joints: Its joints, frame after frame.
        motion: How much they move: the summed variance of the coordinates.
    """

    start: int
    joints: Float[np.ndarray, "t v 3"]
    motion: float

    @property
    def end(self) -> int:
        """One past its last frame."""
        return self.start + len(self.joints)


def ntu_reader(folder: Path, benchmark: str | None = None) -> DatasetReader:
    """Return the ``.skeleton`` files in a folder and below it, by name.

    Args:
        folder: Where the files are.
        benchmark: ``ntu60``, for which later actions are passed over, or ``ntu120``; by default
            whichever the actions there are belong to.

    Raises:
        DataError: If there is no such file or the benchmark is another one.
    """
    paths = raw_files(folder, ".skeleton")
    actions = [int(name["action"]) if name else 0 for name in map(_name, paths)]
    chosen = find_benchmark(benchmark or ("ntu60" if max(actions) <= 60 else "ntu120"))
    if chosen is None or chosen.name not in ("ntu60", "ntu120"):
        raise DataError(f"these files are no {benchmark!r}; name ntu60 or ntu120", path=folder)
    classes = len(chosen.class_names)
    items = [path for path, action in zip(paths, actions, strict=True) if action <= classes]
    if not items:
        raise DataError(f"holds no file of the actions of {chosen.title}", path=folder)
    return DatasetReader(
        name=chosen.name,
        title=chosen.title,
        layout=chosen.layout,
        class_names=chosen.class_names,
        items=items,
        read=read_sample,
        splits=chosen.splits,
        default_split=chosen.default_split,
    )


def raw_files(folder: Path, suffix: str) -> list[Path]:
    """Return the files of a kind in a folder and below it, by name; hidden ones are none.

    Raises:
        DataError: If there is none.
    """
    paths = [path for path in folder.rglob(f"*{suffix}") if not path.name.startswith(".")]
    if not paths:
        raise DataError(f"holds no {suffix} files, nor do the folders in it", path=folder)
    return sorted(paths, key=lambda path: (path.name, path))


def read_sample(path: Path) -> SkeletonSequence:
    """Return what :func:`read_skeleton_file` does, unless the authors list the file as missing.

    Raises:
        DataError: If it is listed or cannot be read.
    """
    if path.stem in missing_ntu():
        raise DataError("is on the data set's list of missing or incomplete skeletons", path=path)
    return read_skeleton_file(path)


def read_skeleton_file(path: Path) -> SkeletonSequence:
    """Return the one or two bodies of a ``.skeleton`` file, in metres, as float16.

    Raises:
        DataError: If the file is damaged, its name says no action or no body is left.
    """
    name = _name(path)
    if name is None:
        raise DataError("is not named like S001C001P001R001A001.skeleton", path=path)
    bodies = read_bodies(path, joints=25, channels=3)
    if not len(bodies.frame):
        raise DataError("holds no body in any frame; leave it out", path=path)
    tracks = split_tracks(bodies)
    kept = tracks if len(tracks) == 1 else denoise_tracks(tracks)
    if not kept:
        raise DataError(f"all {len(tracks)} bodies look like noise; leave it out", path=path)
    joints = (kept[0].joints[None] if len(kept) == 1 else select_two_bodies(kept)).astype(
        np.float16
    )
    if not joints.any():
        raise DataError("holds nothing but zeros; leave it out", path=path)
    return SkeletonSequence(
        joints=joints,
        label=int(name["action"]) - 1,
        sample_id=path.stem,
        subject=int(name["subject"]),
    )


def _name(path: Path) -> re.Match[str] | None:
    return NTU_NAME.fullmatch(path.stem)


def read_bodies(path: Path, joints: int, channels: int) -> RawBodies:
    """Return all bodies of a text file in Kinect's format, as float32.

    The format: the number of frames; for each frame its number of bodies; for each body a line
    that begins with its identity, a line with its number of joints, and a line for each joint.

    Args:
        path: The file.
        joints: Number of joints a body must have.
        channels: Leading columns that are kept of each joint.

    Raises:
        DataError: If the file cannot be read, ends early, goes on after its last frame, has
            bodies of another number of joints or holds what is no finite number.
    """
    try:
        lines = path.read_bytes().rstrip().split(b"\n")
        frame, identity, rows = _walk(lines, joints)
        columns = chain.from_iterable(line.split(None, channels)[:channels] for line in rows)
        values = np.array(list(map(float, columns)))
        if len(values) != len(rows) * channels:
            raise ValueError(f"a joint of fewer than {channels} numbers")
        if not (np.abs(values) < _FARTHEST).all():
            raise ValueError(f"a joint that is not finite, or {_FARTHEST:.0f} or more away")
        return RawBodies(
            frame=np.array(frame, dtype=np.int64),
            identity=np.array(identity, dtype=np.int64),
            joints=values.astype(np.float32).reshape(len(frame), joints, channels),
        )
    except IndexError as error:
        raise DataError("ends early; unpack or download it again", path=path) from error
    except (OSError, ValueError, OverflowError) as error:
        raise DataError(f"cannot be read as a skeleton file: {error}", path=path) from error


def _walk(lines: list[bytes], joints: int) -> tuple[list[int], list[int], list[bytes]]:
    """Return the frame and the identity of each body, and all lines that hold joints."""
    if not lines[0]:
        raise IndexError("nothing in it")
    frames, identities, rows = [], [], list[bytes]()
    cursor = 1
    for frame in range(_count(lines[0], "frames")):
        bodies = _count(lines[cursor], "bodies")
        cursor += 1
        for _ in range(bodies):
            identities.append(int(lines[cursor].split(None, 1)[0]))
            found = _count(lines[cursor + 1], "joints")
            if found != joints:
                raise ValueError(f"a body of {found} joints in frame {frame}, expected {joints}")
            cursor += 2 + joints
            rows += lines[cursor - joints : cursor]
            frames.append(frame)
    if cursor > len(lines):
        raise IndexError("the last body is cut off")
    if cursor < len(lines):
        raise ValueError(f"it goes on after its last frame, in line {cursor + 1}")
    return frames, identities, rows


def _count(line: bytes, what: str) -> int:
    number = int(line)
    if number < 0:
        raise ValueError(f"got {number} {what}")
    return number


def split_tracks(bodies: RawBodies) -> list[Track]:
    """Return one track for each body, in order of appearance; frames without anybody are closed."""
    frame = np.unique(bodies.frame, return_inverse=True)[1]
    first = np.unique(bodies.identity, return_index=True)[1]
    return [
        Track(int(frame[index]), joints, _motion(joints))
        for index in sorted(first.tolist())
        for joints in [bodies.joints[bodies.identity == bodies.identity[index]]]
    ]


def denoise_tracks(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks that look like people, the most moving first."""
    kept = [track for track in rank_by_motion(tracks) if len(track.joints) > _SHORT]
    return kept if len(kept) == 1 else rank_by_motion(drop_broad_tracks(kept))


def rank_by_motion(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks, the most moving first."""
    return sorted(tracks, key=lambda track: -track.motion)


def drop_broad_tracks(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks that are not mostly broader than a person.

    Where some frames are broad, motion counts in the others only, if that is less.
    """
    kept = []
    for track in tracks:
        breadth, height = np.ptp(track.joints[..., :2], axis=1).T.astype(np.float64)
        good = breadth <= _BROAD * height
        if good.all():
            kept.append(track)
        elif 1 - good.mean() < _MOSTLY_BROAD:
            kept.append(replace(track, motion=min(track.motion, _motion(track.joints[good]))))
    return kept


def select_two_bodies(tracks: Sequence[Track]) -> Float[np.ndarray, "2 t v 3"]:
    """Return tracks laid into two bodies, earlier tracks first; what overlaps both is left out.

    Frames of nobody at either end are cut off, and whoever is there from the first frame on
    comes first.
    """
    joints = np.zeros((2, max(track.end for track in tracks), *tracks[0].joints.shape[1:]), "f4")
    taken = [(tracks[0].start, tracks[0].start), (0, 0)]
    for track in tracks:
        for body, (start, end) in enumerate(taken):
            if max(start, track.start) >= min(end, track.end):
                joints[body, track.start : track.end] = track.joints
                taken[body] = min(start, track.start), max(end, track.end)
                break
    seen = np.flatnonzero(np.abs(joints).sum(axis=(0, 2, 3)) >= _NOTHING)
    joints = joints[:, seen.min(initial=len(joints[0])) : seen.max(initial=-1) + 1]
    there = np.abs(joints[:, :1, 1]).sum(axis=(1, 2)) > _NOTHING
    return joints[::-1] if there[1] and not there[0] else joints


def _motion(joints: Float[np.ndarray, "t v 3"]) -> float:
    return float(joints.reshape(-1, 3).var(axis=0).sum())
