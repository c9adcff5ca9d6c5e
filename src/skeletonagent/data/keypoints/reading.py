"""Reading of keypoint files and folders of any known format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.outside_files import UNREADABLE, problem_line
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import NobodySeenError, recordings_of_nobody
from skeletonagent.data.keypoints.copies import without_copies
from skeletonagent.data.keypoints.fit_layout import fit_layout, known_layout
from skeletonagent.data.keypoints.formats import (
    detect_keypoint_format,
    keypoint_format,
    readable_formats,
    unknown_format,
)
from skeletonagent.data.keypoints.remarks import (
    RemarkPlaces,
    remark,
    remarks_collected,
    remarks_gathered,
    repeat_remarks,
)
from skeletonagent.data.keypoints.source import KeypointFormat, KeypointSource, clean_text
from skeletonagent.data.layout_files import find_layout

_MOST_LISTED = 5
_FILES_AT_ONCE = 16
"""Files that are handed to a process together."""


def read_keypoints(
    path: str | Path,
    layout: str | Path | SkeletonLayout | None = None,
    format: str | None = None,
    processes: int = 1,
) -> list[KeypointRecording]:
    """Return the recordings in a keypoint file, or in the files of a folder and those below it.

    The format of each file is found out by what is inside. Files of no known format, and damaged
    ones, are left out with a warning, unless nothing else is there.

    Args:
        path: A file, or a folder.
        layout: Skeleton of the recordings, as a value, a name such as ``body-25`` or a layout
            file; joints are brought into its order by their names. By default the one that the
            format fixes or that names of joints tell, if any.
        format: Name of the format, where it is not to be found out.
        processes: Processes that read the files of a folder. A script that asks for more than one
            has its calls under ``if __name__ == "__main__":``.

    Returns:
        Recordings in the order of the files, with names that differ from each other.

    Raises:
        DataError: If nothing can be read, or recordings do not fit the layout.
        ConfigError: If there is no such layout or format.

    Examples:
        >>> import numpy as np
        >>> import skeletonagent as sa
        >>> rows = np.random.default_rng(0).normal(size=(30, 6))
        >>> header = "hip_x,hip_y,knee_x,knee_y,foot_x,foot_y"
        >>> np.savetxt("step.csv", rows, delimiter=",", header=header, comments="")
        >>> (recording,) = sa.read_keypoints("step.csv")
        >>> recording.name, recording.joints.shape, recording.joint_names
        ('step', (1, 30, 3, 2), ('hip', 'knee', 'foot'))
    """
    root = Path(path).expanduser()
    if not root.exists():
        raise DataError("no such file or folder", path=root)
    chosen = None if layout is None else find_layout(layout)
    with remarks_gathered(), _pool(processes if root.is_dir() else 1) as pool:
        walk = _Walk(
            only=None if format is None else keypoint_format(format),
            num_joints=None if chosen is None else chosen.num_joints,
            is_folder=root.is_dir(),
            pool=pool,
        )
        found = list(walk.read(KeypointSource(root, walk.num_joints)))
        recordings = without_copies([*found, *recordings_of_nobody(walk.empty, found)], root)
        walk.remark_on_left_out(root)
        for recording in recordings:
            _require_sound(recording)
        named = _with_own_names(recordings, root)
        if chosen is None:
            return [known_layout(recording) for recording in named]
        return [fit_layout(recording, chosen) for recording in named]


@dataclass(frozen=True)
class _Outcome:
    """What was read of a file by another process.

    Args:
        recordings: Its recordings.
        left_out: Why it could not be read, if so.
        empty: Frames, file and name of recordings in which nobody is seen.
        remarks: What is to be said about it.
    """

    recordings: tuple[KeypointRecording, ...]
    left_out: tuple[DataError, ...]
    empty: tuple[tuple[int, Path | None, str], ...]
    remarks: RemarkPlaces


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor | None]:
    """Provide processes that read files; None for a single one."""
    if processes <= 1:
        yield None
        return
    # A fork would copy the locks of threads, which PyTorch has.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise DataError(
                "a reading process was ended, perhaps for want of memory; take fewer processes"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _read_apart(walk: _Walk, file: Path) -> _Outcome:
    """Return what is in a file, read by a walk of this file alone."""
    return replace(walk, left_out=[], empty=[], entered=set()).read_file(file)


@dataclass
class _Walk:
    """Walk through a file or a folder that collects what could not be read.

    Args:
        only: Format of all files; None finds it out.
        num_joints: Number of joints of the layout that was given.
        is_folder: Whether a folder is walked through; errors on its files are short.
        pool: Processes that read the files of folders; None reads them here.
        left_out: Files and folders that were not read, each with the reason.
        empty: Recordings in which nobody is seen.
        entered: Folders that were read, wherever links to them are.
    """

    only: KeypointFormat | None
    num_joints: int | None
    is_folder: bool
    pool: ProcessPoolExecutor | None = None
    left_out: list[DataError] = field(default_factory=list)
    empty: list[NobodySeenError] = field(default_factory=list)
    entered: set[Path] = field(default_factory=set)

    def read(self, source: KeypointSource) -> Iterator[KeypointRecording]:
        """Yield the recordings of a file or a folder.

        Raises:
            DataError: If the file cannot be read, or nothing in the folder.
        """
        if not source.is_folder:
            yield from self._file(source)
            return
        count = 0
        for recording in self._folder(source):
            count += 1
            yield recording
        if not count:
            raise self._nothing(source)

    def remark_on_left_out(self, root: Path) -> None:
        """Warn of the files that were not read."""
        if self.left_out:
            listed = "; ".join(str(error)[:200] for error in self.left_out[:_MOST_LISTED])
            more = len(self.left_out) - _MOST_LISTED
            remark(
                root,
                f"{len(self.left_out)} file(s) left out: {listed}"
                f"{f'; and {more} more' if more > 0 else ''}",
            )

    def _file(
        self, source: KeypointSource, chosen: KeypointFormat | None = None
    ) -> list[KeypointRecording]:
        """Return the recordings of a file.

        Raises:
            DataError: If it is damaged, also in ways that its reader does not look for.
        """
        try:
            chosen = chosen or self._format(source)
            return chosen.read(source)
        except UNREADABLE as error:
            title = f" ({chosen.title})" if chosen else ""
            raise DataError(
                f"is damaged{title}: {problem_line(error)}", path=source.path
            ) from error

    def _format(self, source: KeypointSource) -> KeypointFormat:
        chosen = self.only or detect_keypoint_format(source)
        if chosen is None:
            raise unknown_format(source, in_brief=self.is_folder)
        return chosen

    def _folder(self, folder: KeypointSource) -> Iterator[KeypointRecording]:
        frames = None
        detected = detect_keypoint_format(folder)
        if detected is not None and self.only in (None, detected):
            frames = detected.frame_suffix
            yield from self._caught(folder, detected)
        files = [file for file in folder.files if file.suffix.lower() != frames]
        if self.pool is None:
            for file in files:
                yield from self._caught(KeypointSource(file, self.num_joints), None)
        else:
            read = partial(_read_apart, replace(self, pool=None))
            for outcome in self.pool.map(read, files, chunksize=_FILES_AT_ONCE):
                yield from self._taken(outcome)
        self.entered.add(folder.path.resolve())
        for other in folder.others:
            remark(other, "is neither file nor folder, and is left out")
        for below in folder.folders:
            if below.resolve() in self.entered:
                remark(below, "is a link to a folder that is read already, and is left out")
            else:
                yield from self._folder(KeypointSource(below, self.num_joints))

    def _caught(
        self, source: KeypointSource, chosen: KeypointFormat | None
    ) -> Iterator[KeypointRecording]:
        try:
            yield from self._file(source, chosen)
        except NobodySeenError as error:
            self.empty.append(error)
        except DataError as error:
            self.left_out.append(error)

    def _taken(self, outcome: _Outcome) -> Sequence[KeypointRecording]:
        """Return what another process has read, and keep what it could not."""
        repeat_remarks(outcome.remarks)
        self.left_out += outcome.left_out
        self.empty += [NobodySeenError(*arguments) for arguments in outcome.empty]
        return outcome.recordings

    def read_file(self, file: Path) -> _Outcome:
        """Return what is in a file of a folder, in a form that another process can take."""
        with remarks_collected() as remarks:
            recordings = tuple(self._caught(KeypointSource(file, self.num_joints), None))
        empty = [(error.frames, error.path, error.recording) for error in self.empty]
        return _Outcome(recordings, tuple(self.left_out), tuple(empty), remarks)

    def _nothing(self, source: KeypointSource) -> DataError:
        if self.empty:
            return self.empty[0]
        if not self.left_out:
            return unknown_format(source)
        listed = "; ".join(str(error)[:300] for error in self.left_out[:2])
        return DataError(
            f"none of {len(self.left_out)} file(s) can be read: {listed}. {readable_formats()}",
            path=source.path,
        )


def _require_sound(recording: KeypointRecording) -> None:
    """Check what all that use recordings rely on.

    Raises:
        DataError: If shapes do not fit each other, or names of joints repeat.
    """
    shape, names = recording.joints.shape, recording.joint_names
    confidence = recording.confidence
    problem = None
    if len(shape) != 4 or 0 in shape or shape[3] not in (2, 3):
        problem = f"has joints of shape {shape}; (bodies, frames, joints, 2 or 3) is expected"
    elif np.isinf(recording.joints).any():
        problem = "holds infinite coordinates; write NaN where nothing was seen"
    elif confidence is not None and confidence.shape != shape[:3]:
        problem = f"has confidence {confidence.shape} of joints {shape}"
    elif names is not None and (len(names) != shape[2] or len(set(names)) != len(names)):
        problem = f"names {len(names)} joints, {len(set(names))} of them different, of {shape[2]}"
    if problem:
        raise DataError(problem, path=recording.source, sample=recording.name)


def _with_own_names(recordings: Sequence[KeypointRecording], root: Path) -> list[KeypointRecording]:
    """Return recordings with the folders below the root in their names, all different."""
    named = [(recording, _name_below(recording, root)) for recording in recordings]
    counts = Counter(name for _, name in named)
    used: Counter[str] = Counter()
    out = []
    for recording, name in named:
        file = recording.source
        if counts[name] > 1 and file is not None and not file.is_dir():
            folder, _, last = name.rpartition("/")
            title = clean_text(file.name)
            own = title if title.startswith(last) else f"{clean_text(file.stem)}/{last}"
            name = f"{folder}/{own}".strip("/")
        used[name] += 1
        out.append(replace(recording, name=name if used[name] == 1 else f"{name}#{used[name]}"))
    return out


def _name_below(recording: KeypointRecording, root: Path) -> str:
    """Return the name of a recording, after those of the folders between the root and it."""
    source = recording.source
    if source is None or source == root or not root.is_dir():
        return recording.name
    folder = source.parent.relative_to(root).as_posix()
    if source.is_dir() and recording.name not in (source.name, source.parent.name):
        folder = source.relative_to(root).as_posix()  # one of several recordings of a folder
    if folder == "." or folder.rpartition("/")[2] == recording.name:
        return recording.name if folder == "." else clean_text(folder)
    return clean_text(f"{folder}/{recording.name}")
