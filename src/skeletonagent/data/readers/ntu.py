"""Reader of NTU RGB+D's ``.skeleton`` files, denoised and reduced to at most two bodies.

The rules of denoising are those by which PYSKL's pickles were made, so that raw files and pickles
give the same joints. Source: spec section 4, "NTU raw".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from skeletonagent.core.errors import DataError
from skeletonagent.core.outside_files import UNREADABLE, problem_line, read_outside_bytes
from skeletonagent.core.sequences import SkeletonSequence
from skeletonagent.data.benchmarks import NTU_NAME, find_benchmark, missing_ntu
from skeletonagent.data.convert.pipeline import DatasetReader

_MAX_NOISE_FRAMES = 11
"""Length up to which a track counts as noise, if there are other tracks."""
_MAX_ASPECT = 0.8
"""Ratio of width to height above which a pose counts as noise; people are upright."""
_MAX_WIDE_SHARE = 0.69754
"""Share of frames with a wide pose from which on a track is dropped."""
_ABSENT = 1e-3
"""Sum of absolute coordinates, in metres, below which a frame contains nobody."""
_MAX_COORDINATE = float(np.finfo(np.float16).max)
"""Largest coordinate, in metres or pixels; no sensor sees farther."""


@dataclass(frozen=True)
class RawBodies:
    """All bodies in all frames of a file, in the file's order.

    Args:
        frame: Frame of each body, counted from 0.
        identity: Number that the tracker gave to each body.
        joints: Leading columns of the joints of each body.
    """

    frame: Int[np.ndarray, " b"]
    identity: Int[np.ndarray, " b"]
    joints: Float[np.ndarray, "b v c"]


@dataclass(frozen=True)
class Track:
    """Track of one body from its first frame on, with gaps closed.

    Args:
        start: First frame of the track.
        joints: Joints in each frame.
        motion: Amount of motion: the summed variance of the coordinates.
    """

    start: int
    joints: Float[np.ndarray, "t v 3"]
    motion: float

    @property
    def end(self) -> int:
        """Frame after the last one of the track."""
        return self.start + len(self.joints)


def ntu_reader(folder: Path, benchmark: str | None = None) -> DatasetReader:
    """Return a reader of the ``.skeleton`` files in a folder and below it, by name.

    Args:
        folder: Folder of the files.
        benchmark: ``ntu60``, which skips the actions of NTU RGB+D 120, or ``ntu120``; by default
            the smaller one that has all actions of the files.

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
    """Return the files with a suffix in a folder and below it, by name, except hidden ones.

    Raises:
        DataError: If there is none.
    """
    paths = [path for path in folder.rglob(f"*{suffix}") if not path.name.startswith(".")]
    if not paths:
        raise DataError(f"holds no {suffix} files, nor do the folders in it", path=folder)
    return sorted(paths, key=lambda path: (path.name, path))


def read_sample(path: Path) -> SkeletonSequence:
    """Return the sample of a file, unless the authors list it as missing or incomplete.

    Raises:
        DataError: If it is listed, or as :func:`read_skeleton_file`.
    """
    if path.stem in missing_ntu():
        raise DataError("is on the data set's list of missing or incomplete skeletons", path=path)
    return read_skeleton_file(path)


def read_skeleton_file(path: Path) -> SkeletonSequence:
    """Return the one or two bodies of a ``.skeleton`` file, in metres, as float16.

    Raises:
        DataError: If the file is damaged, has no action in its name or contains nobody.
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
        joints: Number of joints that a body must have.
        channels: Number of leading columns that are kept of each joint.

    Raises:
        DataError: If the file cannot be read, ends early, continues after its last frame, has
            bodies with another number of joints, or coordinates that are not finite numbers.
    """
    content = read_outside_bytes(path)
    try:
        lines = content.rstrip().split(b"\n")
        frame, identity, rows = _scan(lines, joints)
        columns = chain.from_iterable(line.split(None, channels)[:channels] for line in rows)
        values = np.array(list(map(float, columns)))
        if len(values) != len(rows) * channels:
            raise ValueError(f"a joint of fewer than {channels} numbers")
        if not (np.abs(values) < _MAX_COORDINATE).all():
            raise ValueError(f"a joint that is not finite, or {_MAX_COORDINATE:.0f} or more away")
        return RawBodies(
            frame=np.array(frame, dtype=np.int64),
            identity=np.array(identity, dtype=np.int64),
            joints=values.astype(np.float32).reshape(len(frame), joints, channels),
        )
    except IndexError as error:
        raise DataError("ends early; unpack or download it again", path=path) from error
    except UNREADABLE as error:
        raise DataError(
            f"cannot be read as a skeleton file: {problem_line(error)}", path=path
        ) from error


def _scan(lines: list[bytes], joints: int) -> tuple[list[int], list[int], list[bytes]]:
    """Return the frame and the identity of each body, and all lines with joints."""
    if not lines[0]:
        raise IndexError("nothing in it")
    frames, identities, rows = [], [], list[bytes]()
    cursor = 1
    for frame in range(_count(lines[0], "frames")):
        bodies = _count(lines[cursor], "bodies")
        cursor += 1
        for _ in range(bodies):
            identities.append(int(lines[cursor].split(None, 1)[0]))
            count = _count(lines[cursor + 1], "joints")
            if count != joints:
                raise ValueError(f"a body of {count} joints in frame {frame}, expected {joints}")
            cursor += 2 + joints
            rows += lines[cursor - joints : cursor]
            frames.append(frame)
    if cursor > len(lines):
        raise IndexError("the last body is cut off")
    if cursor < len(lines):
        raise ValueError(f"it goes on after its last frame, in line {cursor + 1}")
    return frames, identities, rows


def _count(line: bytes, noun: str) -> int:
    number = int(line)
    if number < 0:
        raise ValueError(f"got {number} {noun}")
    return number


def split_tracks(bodies: RawBodies) -> list[Track]:
    """Return one track for each body, in order of appearance, without frames of nobody."""
    frame = np.unique(bodies.frame, return_inverse=True)[1]
    first = np.unique(bodies.identity, return_index=True)[1]
    return [
        Track(int(frame[index]), joints, _motion(joints))
        for index in sorted(first.tolist())
        for joints in [bodies.joints[bodies.identity == bodies.identity[index]]]
    ]


def denoise_tracks(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks that look like people, those with most motion first."""
    kept = [track for track in rank_by_motion(tracks) if len(track.joints) > _MAX_NOISE_FRAMES]
    return kept if len(kept) == 1 else rank_by_motion(drop_wide_tracks(kept))


def rank_by_motion(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks, those with most motion first."""
    return sorted(tracks, key=lambda track: -track.motion)


def drop_wide_tracks(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks whose pose is not too wide for a person in most frames.

    The motion of a track with some wide frames becomes that of the other frames, if it is less.
    """
    kept = []
    for track in tracks:
        width, height = np.ptp(track.joints[..., :2], axis=1).T.astype(np.float64)
        upright = width <= _MAX_ASPECT * height
        if upright.all():
            kept.append(track)
        elif 1 - upright.mean() < _MAX_WIDE_SHARE:
            kept.append(replace(track, motion=min(track.motion, _motion(track.joints[upright]))))
    return kept


def select_two_bodies(tracks: Sequence[Track]) -> Float[np.ndarray, "2 t v 3"]:
    """Return tracks as two bodies, in the order given; a track that overlaps both is dropped.

    Frames of nobody at either end are cut off, and a body that is present in the first frame is
    the first one.
    """
    joints = np.zeros((2, max(track.end for track in tracks), *tracks[0].joints.shape[1:]), "f4")
    spans = [(tracks[0].start, tracks[0].start), (0, 0)]
    for track in tracks:
        for body, (start, end) in enumerate(spans):
            if max(start, track.start) >= min(end, track.end):
                joints[body, track.start : track.end] = track.joints
                spans[body] = min(start, track.start), max(end, track.end)
                break
    occupied = np.flatnonzero(np.abs(joints).sum(axis=(0, 2, 3)) >= _ABSENT)
    joints = joints[:, occupied.min(initial=len(joints[0])) : occupied.max(initial=-1) + 1]
    present = np.abs(joints[:, :1, 1]).sum(axis=(1, 2)) > _ABSENT
    return joints[::-1] if present[1] and not present[0] else joints


def _motion(joints: Float[np.ndarray, "t v 3"]) -> float:
    return float(joints.reshape(-1, 3).var(axis=0).sum())
