"""Reading of keypoint files and folders of any known format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.recording import KeypointRecording
from skeletonagent.data.keypoints.bodies import recordings_of_nobody
from skeletonagent.data.keypoints.copies import without_copies
from skeletonagent.data.keypoints.fit_layout import fit_layout, known_layout
from skeletonagent.data.keypoints.folder_walk import FolderWalk, ReadElsewhere
from skeletonagent.data.keypoints.formats import keypoint_format
from skeletonagent.data.keypoints.remarks import remarks_gathered
from skeletonagent.data.keypoints.source import KeypointSource, clean_text
from skeletonagent.data.layout_files import find_layout

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
    walk = folder_walk(root, chosen, format)
    with _elsewhere(walk, processes if root.is_dir() else 1) as elsewhere:
        return recordings_of_walk(replace(walk, elsewhere=elsewhere), root, chosen)


def folder_walk(root: Path, layout: SkeletonLayout | None, format: str | None) -> FolderWalk:
    """Return the walk through a file or a folder.

    Args:
        root: The file or folder.
        layout: Skeleton that was given.
        format: Name of the format, where it is not to be found out.

    Raises:
        ConfigError: If there is no such format.
    """
    return FolderWalk(
        only=None if format is None else keypoint_format(format),
        num_joints=None if layout is None else layout.num_joints,
        is_folder=root.is_dir(),
    )


def recordings_of_walk(
    walk: FolderWalk,
    root: Path,
    layout: SkeletonLayout | None,
    keep: Callable[[KeypointRecording], KeypointRecording] | None = None,
) -> list[KeypointRecording]:
    """Return the recordings that a walk finds; see :func:`read_keypoints`.

    Args:
        walk: The walk.
        root: File or folder.
        layout: Skeleton of the recordings.
        keep: Function that each recording goes through in the end.

    Raises:
        DataError: If nothing can be read, or recordings do not fit the layout.
    """
    with remarks_gathered():
        found = list(walk.read(KeypointSource(root, walk.num_joints)))
        recordings = without_copies([*found, *recordings_of_nobody(walk.empty, found)], root)
        walk.remark_on_left_out(root)
        for recording in recordings:
            _require_sound(recording)
        fitted = (
            known_layout(recording) if layout is None else fit_layout(recording, layout)
            for recording in _with_own_names(recordings, root)
        )
        return [recording if keep is None else keep(recording) for recording in fitted]


@contextmanager
def _elsewhere(walk: FolderWalk, processes: int) -> Iterator[ReadElsewhere | None]:
    """Provide processes that read files; None for a single one."""
    if processes <= 1:
        yield None
        return
    # A fork would copy the locks of threads, which PyTorch has.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            yield lambda files: pool.map(walk.alone().read_file, files, chunksize=_FILES_AT_ONCE)
        except BrokenProcessPool as error:
            raise DataError(
                "a reading process was ended, perhaps for want of memory; take fewer processes"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


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
